//! The long short-term memory.

use super::along::{self, Carry, Cell};
use super::linear::{State, Step, StepGradients, Weights};
use super::{RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights};
use crate::error::Result;

/// The long short-term memory along sequences, as [Keras'
/// `LSTM`](https://keras.io/api/layers/recurrent_layers/lstm/) ([Hochreiter and Schmidhuber,
/// 1997](https://doi.org/10.1162/neco.1997.9.8.1735)): gates in the order input `i`, forget `f`, candidate `g`, output
/// `o`, each a function of `x · kernel + bias + h · recurrent_kernel + recurrent_bias`; then `c = f c + i g` and
/// `h = o activation(c)`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if the shapes do not fit each other.
///
/// ```
/// use inkstone::ops::{self, RecurrentFunctions, RecurrentInput, RecurrentWeights};
/// use inkstone::ndarray::{Array2, Array3, array};
/// // All weights are zero: gates are half open, candidates zero, so that each step halves the carry state.
/// let (x, zeros, initial_c) = (Array3::ones((1, 3, 1)), Array2::zeros((1, 4)), array![[8.0]]);
/// let weights =
///     RecurrentWeights { kernel: zeros.view(), recurrent_kernel: zeros.view(), bias: None, recurrent_bias: None };
/// let input = RecurrentInput { initial_c: Some(initial_c.view()), ..RecurrentInput::new(x.view()) };
/// let output = ops::lstm(&input, &weights, RecurrentFunctions::default())?;
/// assert_eq!(output.c, Some(array![[1.0]]));
/// assert_eq!(output.h, array![[0.5 * 1.0_f64.tanh() as f32]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn lstm(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    functions: RecurrentFunctions,
) -> Result<RecurrentOutput> {
    along::forward(&Lstm { functions }, input, weights)
}

/// The gradients of [`lstm`].
///
/// - dy: the gradient of each part of the output
///
/// # Errors
/// As [`lstm`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shapes of the output.
///
/// ```
/// use inkstone::ops::{self, RecurrentFunctions, RecurrentInput, RecurrentOutput, RecurrentWeights};
/// use inkstone::ndarray::{Array2, Array3, array};
/// let (x, zeros) = (Array3::ones((1, 3, 1)), Array2::zeros((1, 4)));
/// let weights =
///     RecurrentWeights { kernel: zeros.view(), recurrent_kernel: zeros.view(), bias: None, recurrent_bias: None };
/// // The loss is the last carry state.
/// let dy = RecurrentOutput { y: Array3::zeros((1, 3, 1)), h: array![[0.0]], c: Some(array![[1.0]]) };
/// let input = RecurrentInput::new(x.view());
/// let gradients = ops::lstm_backward(&input, &weights, RecurrentFunctions::default(), &dy)?;
/// assert_eq!(gradients.d_initial_c, Some(array![[0.125]]));
/// // Of the candidate: half of what each carry state has, 1, 1/2 and 1/4.
/// assert_eq!(gradients.d_bias, array![0.0, 0.0, 0.875, 0.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn lstm_backward(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    functions: RecurrentFunctions,
    dy: &RecurrentOutput,
) -> Result<RecurrentGradients> {
    along::backward(&Lstm { functions }, input, weights, dy)
}

struct Lstm {
    functions: RecurrentFunctions,
}

/// The places of the gates.
const INPUT: usize = 0;
const FORGET: usize = 1;
const CANDIDATE: usize = 2;
const OUTPUT: usize = 3;

impl Lstm {
    /// What the functions of the gates are applied to: (gates, units).
    fn linear_part(&self, weights: &Weights, step: &Step<'_>) -> Vec<f64> {
        let width = 4 * step.read.len();
        let of_states = weights.states.project(&step.read, 0, width);
        weights.inputs.project(&step.x, 0, width).iter().zip(of_states).map(|(a, b)| a + b).collect()
    }

    /// The gates of a unit: input, forget, candidate, output.
    fn gates(&self, z: &[f64], unit: usize) -> [f64; 4] {
        let units = z.len() / 4;
        let RecurrentFunctions { activation, recurrent_activation } = self.functions;
        [INPUT, FORGET, CANDIDATE, OUTPUT].map(|gate| {
            let function = if gate == CANDIDATE { activation } else { recurrent_activation };
            function.value(z[gate * units + unit])
        })
    }
}

impl Cell for Lstm {
    const NAME: &'static str = "lstm";
    const GATES: usize = 4;
    const CARRY: Carry = Carry::Kept;

    fn forward(&self, weights: &Weights, step: &Step<'_>) -> State {
        let z = self.linear_part(weights, step);
        let (mut h, mut c) = (Vec::new(), Vec::new());
        for (unit, before) in step.before.c.iter().enumerate() {
            let [input, forget, candidate, output] = self.gates(&z, unit);
            let carry = forget * before + input * candidate;
            h.push(output * self.functions.activation.value(carry));
            c.push(carry);
        }
        State { h, c }
    }

    fn backward(&self, weights: &Weights, step: &Step<'_>, behind: &State, sums: &mut Weights) -> StepGradients {
        let RecurrentFunctions { activation, recurrent_activation } = self.functions;
        let z = self.linear_part(weights, step);
        let units = step.read.len();
        let mut dz = vec![0.0; 4 * units];
        let mut d_before = vec![0.0; units];
        for (unit, before) in step.before.c.iter().enumerate() {
            let [input, forget, candidate, output] = self.gates(&z, unit);
            let carry = forget * before + input * candidate;
            let dh = behind.h[unit];
            let dc = behind.c[unit] + dh * output * activation.derivative(carry);
            let of_gates = [dc * candidate, dc * before, dc * input, dh * activation.value(carry)];
            for (gate, d_gate) in of_gates.into_iter().enumerate() {
                let function = if gate == CANDIDATE { activation } else { recurrent_activation };
                dz[gate * units + unit] = d_gate * function.derivative(z[gate * units + unit]);
            }
            d_before[unit] = dc * forget;
        }
        StepGradients {
            dx: weights.inputs.project_backward(&step.x, 0, &dz, &mut sums.inputs),
            d_read: weights.states.project_backward(&step.read, 0, &dz, &mut sums.states),
            before: State { h: vec![0.0; units], c: d_before },
        }
    }
}
