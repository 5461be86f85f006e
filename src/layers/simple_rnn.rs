//! The simple recurrent layer.

use super::names::name_setter;
use super::recurrent::{RecurrentCell, orthogonal, recurrent_layer, tanh};
use super::weight_settings::{glorot_uniform, zeros};
use super::written::written;
use super::{ActivationFunction, Constraint, Initializer, Regularizer, trained, with_bias};
use crate::kernels::recurrent::Cell;
use serde::Deserialize;

/// A simple recurrent layer, `h = activation(x · kernel + h_before · recurrent_kernel + bias)` step by step, as [Keras'
/// `SimpleRNN`](https://keras.io/api/layers/recurrent_layers/simple_rnn/).
///
/// - Input shape: (steps, features). Output shape: (units), or (steps, units) with
///   [`return_sequences`](Self::return_sequences).
/// - Kernel: (features, units), Glorot uniform by default. Recurrent kernel: (units, units), orthogonal by default.
///   Bias: (units), zeros by default.
///
/// [`dropout`](Self::dropout) and [`recurrent_dropout`](Self::recurrent_dropout) draw one mask for all steps of a
/// sequence, which also all gates share ([Gal and Ghahramani, 2016](https://arxiv.org/abs/1512.05287)); Keras draws a
/// mask for each gate where there is a recurrent dropout.
///
/// The state before the first step is 0, unless the layer is
/// [applied with initial states](crate::Node::apply_with_initial_state). With [`return_state`](Self::return_state) its
/// final states are [outputs](crate::Node::states) too, in a [`Functional`](crate::Functional) network. A step that a
/// mask leaves out keeps the states, so the final ones are those of the last step that counts.
///
/// With [`stateful`](Self::stateful) each example of a batch goes on from the state behind the same example of the
/// batch before: [the chapter on sequences](crate::sequences#consecutive-pieces) says where.
///
/// At `compile`, an input that is no sequence, a rate that is not in `0.0..1.0`, or a softmax as a function of a state
/// is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// // The running sum of a sequence.
/// let sum = SimpleRNN::new(1).activation(Linear).return_sequences(true).use_bias(false);
/// let ones = Initializer::Ones;
/// let model = Sequential::new([4, 1])
///     .add(sum.kernel_initializer(ones).recurrent_initializer(ones))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// let sums = model.predict(&inkstone::ndarray::array![[[1.0_f32], [2.0], [3.0], [4.0]]])?;
/// assert_eq!(sums.iter().copied().collect::<Vec<_>>(), [1.0, 3.0, 6.0, 10.0]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SimpleRNN {
    /// How many units: values of the state and of each output.
    pub units: usize,
    /// The function of the states.
    #[serde(default = "tanh")]
    pub activation: ActivationFunction,
    /// Whether there is a bias.
    #[serde(default = "with_bias")]
    pub use_bias: bool,
    /// Whether the output is the state behind each step, or behind the last alone.
    #[serde(default)]
    pub return_sequences: bool,
    /// Whether it starts with the last step. Sequences that it gives are in the order in which it processes the steps.
    #[serde(default)]
    pub go_backwards: bool,
    /// Whether training changes its weights. What lies before the first layer that is trained has no backward pass.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// Whether it gives its final states, too: `h`.
    #[serde(default)]
    pub return_state: bool,
    /// Whether the states behind a batch are those before the next, example by example.
    #[serde(default)]
    pub stateful: bool,
    /// The part of the features that training drops, in all steps of a sequence.
    #[serde(default)]
    pub dropout: f32,
    /// The part of the state that training drops where a step reads it, the same in all steps of a sequence.
    #[serde(default)]
    pub recurrent_dropout: f32,
    /// How the first values of the kernel are drawn.
    #[serde(default = "glorot_uniform")]
    pub kernel_initializer: Initializer,
    /// How the first values of the recurrent kernel are drawn.
    #[serde(default = "orthogonal")]
    pub recurrent_initializer: Initializer,
    /// How the first values of the bias are drawn.
    #[serde(default = "zeros")]
    pub bias_initializer: Initializer,
    /// What the kernel adds to the loss, if anything.
    pub kernel_regularizer: Option<Regularizer>,
    /// What the recurrent kernel adds to the loss, if anything.
    pub recurrent_regularizer: Option<Regularizer>,
    /// What the bias adds to the loss, if anything.
    pub bias_regularizer: Option<Regularizer>,
    /// What the output adds to the loss, summed over an example, if anything.
    pub activity_regularizer: Option<Regularizer>,
    /// What the kernel is brought to after each step, if anything.
    pub kernel_constraint: Option<Constraint>,
    /// What the recurrent kernel is brought to after each step, if anything.
    pub recurrent_constraint: Option<Constraint>,
    /// What the bias is brought to after each step, if anything.
    pub bias_constraint: Option<Constraint>,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

impl SimpleRNN {
    /// A layer of so many units, with Keras' defaults.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            units,
            activation: ActivationFunction::Tanh,
            use_bias: true,
            return_sequences: false,
            return_state: false,
            stateful: false,
            go_backwards: false,
            trainable: true,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            kernel_initializer: Initializer::GlorotUniform,
            recurrent_initializer: orthogonal(),
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            recurrent_regularizer: None,
            bias_regularizer: None,
            activity_regularizer: None,
            kernel_constraint: None,
            recurrent_constraint: None,
            bias_constraint: None,
            name: None,
        }
    }

    name_setter!();

    pub(super) fn cell(&self) -> RecurrentCell {
        RecurrentCell {
            cell: Cell::Simple,
            units: self.units,
            activation: self.activation,
            recurrent_activation: self.activation,
            use_bias: self.use_bias,
            return_sequences: self.return_sequences,
            return_state: self.return_state,
            stateful: self.stateful,
            go_backwards: self.go_backwards,
            dropout: self.dropout,
            recurrent_dropout: self.recurrent_dropout,
            ones: 0..0,
        }
    }
}

recurrent_layer!(SimpleRNN);

written! {
    SimpleRNN {
        units, activation, use_bias, return_sequences, go_backwards, trainable;
        return_state = false,
        stateful = false,
        dropout = 0.0,
        recurrent_dropout = 0.0,
        kernel_initializer = Initializer::GlorotUniform,
        recurrent_initializer = orthogonal(),
        bias_initializer = Initializer::Zeros,
        kernel_regularizer = None,
        recurrent_regularizer = None,
        bias_regularizer = None,
        activity_regularizer = None,
        kernel_constraint = None,
        recurrent_constraint = None,
        bias_constraint = None,
        name = None,
    }
}
