//! Recurrent layers along a sequence: what they read and give. The cells have a file each; [`along`] is the loop over
//! examples and steps.

mod along;
mod function;
mod gru;
mod linear;
mod lstm;
mod simple_rnn;

pub use function::ScalarFunction;
pub use gru::{ResetGate, gru, gru_backward};
pub use lstm::{lstm, lstm_backward};
pub use simple_rnn::{simple_rnn, simple_rnn_backward};

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3};

/// What a recurrent layer reads: sequences, which of their steps count, the states it starts from, and what dropout
/// multiplies by.
///
/// ```
/// use inkstone::ops::RecurrentInput;
/// use inkstone::ndarray::{Array3, array};
/// let x = Array3::ones((2, 3, 1));
/// // The last step of the second sequence is padding.
/// let mask = array![[true, true, true], [true, true, false]];
/// let input = RecurrentInput { mask: Some(mask.view()), ..RecurrentInput::new(x.view()) };
/// assert!(input.initial_h.is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RecurrentInput<'a> {
    /// The sequences: (N, steps, features).
    pub x: ArrayView3<'a, f32>,
    /// Which steps count: (N, steps). A step that does not count leaves the states as they are. `None`: all count.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// The states before the first step: (N, units). `None`: zeros.
    pub initial_h: Option<ArrayView2<'a, f32>>,
    /// The carry states of an LSTM before the first step: (N, units). `None`: zeros.
    pub initial_c: Option<ArrayView2<'a, f32>>,
    /// What the inputs of all steps are multiplied by, as `dropout` does it: (N, features). `None`: ones.
    pub input_factors: Option<ArrayView2<'a, f32>>,
    /// What the state is multiplied by where products with the recurrent kernel read it, the same in all steps, as
    /// `recurrent_dropout` does it: (N, units). `None`: ones.
    pub state_factors: Option<ArrayView2<'a, f32>>,
}

impl<'a> RecurrentInput<'a> {
    /// Sequences, (N, steps, features), all of whose steps count: the states start from zeros, nothing is dropped.
    #[must_use]
    pub fn new(x: ArrayView3<'a, f32>) -> Self {
        Self { x, mask: None, initial_h: None, initial_c: None, input_factors: None, state_factors: None }
    }
}

/// The weights of a recurrent layer, in Keras' layout: `gates` is 1 for a simple layer, 4 for an LSTM, 3 for a GRU.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentWeights<'a> {
    /// What the inputs are multiplied by: (features, gates * units).
    pub kernel: ArrayView2<'a, f32>,
    /// What the states are multiplied by: (units, gates * units).
    pub recurrent_kernel: ArrayView2<'a, f32>,
    /// What is added to the product of the inputs: (gates * units). `None`: zeros.
    pub bias: Option<ArrayView1<'a, f32>>,
    /// What is added to the product of the states, as PyTorch's layers and Keras' GRU with `reset_after` do:
    /// (gates * units). `None`: zeros.
    pub recurrent_bias: Option<ArrayView1<'a, f32>>,
}

/// What a recurrent layer gives; the gradient of each of these is given back in the same form.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentOutput {
    /// The state behind each step: (N, steps, units). Behind steps that do not count before the first that does it is
    /// the initial state, as with Keras' default loop on JAX; its other loops give zeros there.
    pub y: Array3<f32>,
    /// The state behind the last step: (N, units).
    pub h: Array2<f32>,
    /// The carry state of an LSTM behind the last step, (N, units); `None` for other layers.
    pub c: Option<Array2<f32>>,
}

/// The gradients of a recurrent layer.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentGradients {
    /// With respect to the sequences: (N, steps, features).
    pub dx: Array3<f32>,
    /// With respect to the states before the first step: (N, units).
    pub d_initial_h: Array2<f32>,
    /// With respect to the carry states before the first step, (N, units); `None` for other layers than an LSTM.
    pub d_initial_c: Option<Array2<f32>>,
    /// With respect to the kernel: (features, gates * units).
    pub d_kernel: Array2<f32>,
    /// With respect to the recurrent kernel: (units, gates * units).
    pub d_recurrent_kernel: Array2<f32>,
    /// With respect to the bias: (gates * units).
    pub d_bias: Array1<f32>,
    /// With respect to the recurrent bias: (gates * units).
    pub d_recurrent_bias: Array1<f32>,
}

/// The functions of a cell with gates; by default Keras': tanh, and the sigmoid for gates.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentFunctions {
    /// Of candidates, and of an LSTM's output.
    pub activation: ScalarFunction,
    /// Of gates.
    pub recurrent_activation: ScalarFunction,
}

impl Default for RecurrentFunctions {
    fn default() -> Self {
        Self { activation: ScalarFunction::TANH, recurrent_activation: ScalarFunction::SIGMOID }
    }
}
