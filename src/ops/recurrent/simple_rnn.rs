//! The simple recurrent layer.

use super::along::{self, Carry, Cell};
use super::linear::{State, Step, StepGradients, Weights};
use super::{RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights, ScalarFunction};
use crate::error::Result;

/// `h = activation(x · kernel + bias + h · recurrent_kernel + recurrent_bias)`, step by step, as [Keras'
/// `SimpleRNN`](https://keras.io/api/layers/recurrent_layers/simple_rnn/).
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if the shapes do not fit each other.
///
/// ```
/// use inkstone::ops::{self, RecurrentInput, RecurrentWeights, ScalarFunction};
/// use inkstone::ndarray::array;
/// let (x, kernel, recurrent_kernel) = (array![[[1.0], [2.0]]], array![[1.0]], array![[10.0]]);
/// let weights = RecurrentWeights {
///     kernel: kernel.view(),
///     recurrent_kernel: recurrent_kernel.view(),
///     bias: None,
///     recurrent_bias: None,
/// };
/// let output = ops::simple_rnn(&RecurrentInput::new(x.view()), &weights, ScalarFunction::LINEAR)?;
/// assert_eq!(output.y, array![[[1.0], [12.0]]]);
/// assert_eq!(output.h, array![[12.0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn simple_rnn(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    activation: ScalarFunction,
) -> Result<RecurrentOutput> {
    along::forward(&Simple { activation }, input, weights)
}

/// The gradients of [`simple_rnn`].
///
/// - dy: the gradient of each part of the output
///
/// # Errors
/// As [`simple_rnn`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shapes of the output.
///
/// ```
/// use inkstone::ops::{self, RecurrentInput, RecurrentOutput, RecurrentWeights, ScalarFunction};
/// use inkstone::ndarray::{Array3, array};
/// let (x, kernel, recurrent_kernel) = (array![[[1.0], [2.0]]], array![[1.0]], array![[10.0]]);
/// let weights = RecurrentWeights {
///     kernel: kernel.view(),
///     recurrent_kernel: recurrent_kernel.view(),
///     bias: None,
///     recurrent_bias: None,
/// };
/// // The loss is the last state.
/// let dy = RecurrentOutput { y: Array3::zeros((1, 2, 1)), h: array![[1.0]], c: None };
/// let input = RecurrentInput::new(x.view());
/// let gradients = ops::simple_rnn_backward(&input, &weights, ScalarFunction::LINEAR, &dy)?;
/// assert_eq!(gradients.dx, array![[[10.0], [1.0]]]);
/// assert_eq!((gradients.d_kernel, gradients.d_recurrent_kernel), (array![[12.0]], array![[1.0]]));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn simple_rnn_backward(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    activation: ScalarFunction,
    dy: &RecurrentOutput,
) -> Result<RecurrentGradients> {
    along::backward(&Simple { activation }, input, weights, dy)
}

struct Simple {
    activation: ScalarFunction,
}

impl Simple {
    /// What the activation is applied to.
    fn linear_part(&self, weights: &Weights, step: &Step<'_>) -> Vec<f64> {
        let units = step.read.len();
        let of_states = weights.states.project(&step.read, 0, units);
        weights.inputs.project(&step.x, 0, units).iter().zip(of_states).map(|(a, b)| a + b).collect()
    }
}

impl Cell for Simple {
    const NAME: &'static str = "simple_rnn";
    const GATES: usize = 1;
    const CARRY: Carry = Carry::Nothing;

    fn forward(&self, weights: &Weights, step: &Step<'_>) -> State {
        let z = self.linear_part(weights, step);
        State { h: z.iter().map(|z| self.activation.value(*z)).collect(), c: Vec::new() }
    }

    fn backward(&self, weights: &Weights, step: &Step<'_>, behind: &State, sums: &mut Weights) -> StepGradients {
        let z = self.linear_part(weights, step);
        let dz: Vec<f64> = behind.h.iter().zip(z).map(|(dh, z)| dh * self.activation.derivative(z)).collect();
        StepGradients {
            dx: weights.inputs.project_backward(&step.x, 0, &dz, &mut sums.inputs),
            d_read: weights.states.project_backward(&step.read, 0, &dz, &mut sums.states),
            before: State { h: vec![0.0; dz.len()], c: Vec::new() },
        }
    }
}
