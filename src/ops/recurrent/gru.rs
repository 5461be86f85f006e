//! The gated recurrent unit.

use super::along::{self, Carry, Cell};
use super::linear::{State, Step, StepGradients, Weights};
use super::{RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights};
use crate::error::Result;

/// Where the reset gate of a [`gru`] is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetGate {
    /// To the state, before its product with the recurrent kernel: Keras' `reset_after=False`.
    BeforeProduct,
    /// To the product with its recurrent bias: Keras' `reset_after=True`, and PyTorch's way.
    AfterProduct,
}

/// The gated recurrent unit along sequences, as [Keras'
/// `GRU`](https://keras.io/api/layers/recurrent_layers/gru/) ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)):
/// gates in the order update `z`, reset `r`, candidate `g`. `z` and `r` are functions of
/// `x · kernel + bias + h · recurrent_kernel + recurrent_bias`. In the candidate `r` is multiplied by that product of
/// the states, or by the states before it. Then `h = z h + (1 - z) g`.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if the shapes do not fit each other.
///
/// ```
/// use inkstone::ops::{self, RecurrentFunctions, RecurrentInput, RecurrentWeights, ResetGate};
/// use inkstone::ndarray::{Array2, Array3, array};
/// // All weights are zero: the update gate is half open and the candidate zero, so that each step halves the state.
/// let (x, zeros, initial_h) = (Array3::ones((1, 2, 1)), Array2::zeros((1, 3)), array![[8.0]]);
/// let weights =
///     RecurrentWeights { kernel: zeros.view(), recurrent_kernel: zeros.view(), bias: None, recurrent_bias: None };
/// let input = RecurrentInput { initial_h: Some(initial_h.view()), ..RecurrentInput::new(x.view()) };
/// let output = ops::gru(&input, &weights, RecurrentFunctions::default(), ResetGate::AfterProduct)?;
/// assert_eq!(output.y, array![[[4.0], [2.0]]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn gru(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    functions: RecurrentFunctions,
    reset_gate: ResetGate,
) -> Result<RecurrentOutput> {
    along::forward(&Gru { functions, reset_gate }, input, weights)
}

/// The gradients of [`gru`].
///
/// - dy: the gradient of each part of the output
///
/// # Errors
/// As [`gru`], and [`Error::Data`](crate::Error::Data) if `dy` does not have the shapes of the output.
///
/// ```
/// use inkstone::ops::{self, RecurrentFunctions, RecurrentInput, RecurrentOutput, RecurrentWeights, ResetGate};
/// use inkstone::ndarray::{Array2, Array3, array};
/// let (x, zeros) = (Array3::ones((1, 2, 1)), Array2::zeros((1, 3)));
/// let weights =
///     RecurrentWeights { kernel: zeros.view(), recurrent_kernel: zeros.view(), bias: None, recurrent_bias: None };
/// // The loss is the last state.
/// let dy = RecurrentOutput { y: Array3::zeros((1, 2, 1)), h: array![[1.0]], c: None };
/// let (input, functions) = (RecurrentInput::new(x.view()), RecurrentFunctions::default());
/// let gradients = ops::gru_backward(&input, &weights, functions, ResetGate::BeforeProduct, &dy)?;
/// assert_eq!(gradients.d_initial_h, array![[0.25]]);
/// assert_eq!(gradients.d_bias, array![0.0, 0.0, 0.75]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn gru_backward(
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    functions: RecurrentFunctions,
    reset_gate: ResetGate,
    dy: &RecurrentOutput,
) -> Result<RecurrentGradients> {
    along::backward(&Gru { functions, reset_gate }, input, weights, dy)
}

struct Gru {
    functions: RecurrentFunctions,
    reset_gate: ResetGate,
}

/// What a step finds on the way to its state: (units) each.
struct Found {
    /// What the functions of the update and the reset gate are applied to, one after the other.
    z: Vec<f64>,
    update: Vec<f64>,
    reset: Vec<f64>,
    /// What the candidate's product with the recurrent kernel reads.
    candidate_reads: Vec<f64>,
    /// That product.
    product: Vec<f64>,
    /// What the candidate's function is applied to.
    candidate_z: Vec<f64>,
}

impl Gru {
    fn find(&self, weights: &Weights, step: &Step<'_>) -> Found {
        let units = step.read.len();
        let of_inputs = weights.inputs.project(&step.x, 0, 3 * units);
        let of_states = weights.states.project(&step.read, 0, 2 * units);
        let z: Vec<f64> = of_inputs.iter().zip(of_states).map(|(a, b)| a + b).collect();
        let gates: Vec<f64> = z.iter().map(|z| self.functions.recurrent_activation.value(*z)).collect();
        let (update, reset) = (gates[..units].to_vec(), gates[units..].to_vec());
        let candidate_reads: Vec<f64> = match self.reset_gate {
            ResetGate::BeforeProduct => step.read.iter().zip(&reset).map(|(h, reset)| h * reset).collect(),
            ResetGate::AfterProduct => step.read.clone(),
        };
        let product = weights.states.project(&candidate_reads, 2 * units, units);
        let candidate_z = (0..units).map(|unit| {
            let of_state = match self.reset_gate {
                ResetGate::BeforeProduct => product[unit],
                ResetGate::AfterProduct => reset[unit] * product[unit],
            };
            of_inputs[2 * units + unit] + of_state
        });
        let candidate_z = candidate_z.collect();
        Found { z, update, reset, candidate_reads, product, candidate_z }
    }
}

impl Cell for Gru {
    const NAME: &'static str = "gru";
    const GATES: usize = 3;
    const CARRY: Carry = Carry::Nothing;

    fn forward(&self, weights: &Weights, step: &Step<'_>) -> State {
        let Found { update, candidate_z, .. } = self.find(weights, step);
        let state = |(unit, h): (usize, &f64)| {
            let candidate = self.functions.activation.value(candidate_z[unit]);
            update[unit] * h + (1.0 - update[unit]) * candidate
        };
        State { h: step.before.h.iter().enumerate().map(state).collect(), c: Vec::new() }
    }

    fn backward(&self, weights: &Weights, step: &Step<'_>, behind: &State, sums: &mut Weights) -> StepGradients {
        let RecurrentFunctions { activation, recurrent_activation } = self.functions;
        let Found { z, update, reset, candidate_reads, product, candidate_z } = self.find(weights, step);
        let units = step.read.len();
        let dh = &behind.h;
        let d_candidate: Vec<f64> =
            (0..units).map(|j| dh[j] * (1.0 - update[j]) * activation.derivative(candidate_z[j])).collect();
        let d_product: Vec<f64> = match self.reset_gate {
            ResetGate::BeforeProduct => d_candidate.clone(),
            ResetGate::AfterProduct => d_candidate.iter().zip(&reset).map(|(d, reset)| d * reset).collect(),
        };
        let d_reads = weights.states.project_backward(&candidate_reads, 2 * units, &d_product, &mut sums.states);
        // The gradients of the reset gate, and of the state that is read on the way to the candidate.
        let (d_reset, mut d_read): (Vec<f64>, Vec<f64>) = match self.reset_gate {
            ResetGate::BeforeProduct => (0..units).map(|j| (d_reads[j] * step.read[j], d_reads[j] * reset[j])).unzip(),
            ResetGate::AfterProduct => (0..units).map(|j| (d_candidate[j] * product[j], d_reads[j])).unzip(),
        };
        let d_update = (0..units).map(|j| dh[j] * (step.before.h[j] - activation.value(candidate_z[j])));
        let mut dz: Vec<f64> =
            d_update.chain(d_reset).zip(z).map(|(d, z)| d * recurrent_activation.derivative(z)).collect();
        let of_gates = weights.states.project_backward(&step.read, 0, &dz, &mut sums.states);
        d_read.iter_mut().zip(of_gates).for_each(|(sum, of_gate)| *sum += of_gate);
        dz.extend(d_candidate);
        StepGradients {
            dx: weights.inputs.project_backward(&step.x, 0, &dz, &mut sums.inputs),
            d_read,
            before: State { h: dh.iter().zip(update).map(|(dh, update)| dh * update).collect(), c: Vec::new() },
        }
    }
}
