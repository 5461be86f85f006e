//! The long short-term memory.

use super::names::name_setter;
use super::recurrent::{RecurrentCell, orthogonal, recurrent_layer, sigmoid, tanh, yes};
use super::weight_settings::{glorot_uniform, zeros};
use super::written::written;
use super::{ActivationFunction, Constraint, Initializer, Regularizer, trained, with_bias};
use crate::kernels::recurrent::Cell;
use serde::Deserialize;

/// A long short-term memory ([Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)), as
/// [Keras' `LSTM`](https://keras.io/api/layers/recurrent_layers/lstm/).
///
/// - Input shape: (steps, features). Output shape: (units), or (steps, units) with
///   [`return_sequences`](Self::return_sequences).
/// - Kernel: (features, 4 units), Glorot uniform by default. Recurrent kernel: (units, 4 units), orthogonal by default.
///   Bias: (4 units), zeros by default, but 1 for the forget gate. Gates are in the order input, forget, candidate,
///   output.
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
/// // Digits row by row.
/// let model = Sequential::new([28, 28])
///     .add(LSTM::new(128).dropout(0.1).recurrent_dropout(0.1))
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 4 * 128 * (28 + 128 + 1) + 128 * 10 + 10);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LSTM {
    /// How many units: values of the state and of each output.
    pub units: usize,
    /// The function of the candidate and of the carry state.
    #[serde(default = "tanh")]
    pub activation: ActivationFunction,
    /// The function of the gates.
    #[serde(default = "sigmoid")]
    pub recurrent_activation: ActivationFunction,
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
    /// Whether it gives its final states, too: `h` and `c`, the carry state.
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
    /// Whether the bias of the forget gate starts at 1 ([Jozefowicz et al.,
    /// 2015](https://proceedings.mlr.press/v37/jozefowicz15.html)).
    #[serde(default = "yes")]
    pub unit_forget_bias: bool,
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

impl LSTM {
    /// A layer of so many units, with Keras' defaults.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self {
            units,
            activation: ActivationFunction::Tanh,
            recurrent_activation: ActivationFunction::Sigmoid,
            use_bias: true,
            return_sequences: false,
            return_state: false,
            stateful: false,
            go_backwards: false,
            trainable: true,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            unit_forget_bias: true,
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

    setters! {
        /// Sets the function of the gates.
        recurrent_activation: ActivationFunction,

        /// Sets whether the bias of the forget gate starts at 1.
        unit_forget_bias: bool,
    }

    name_setter!();

    pub(super) fn cell(&self) -> RecurrentCell {
        RecurrentCell {
            cell: Cell::Lstm,
            units: self.units,
            activation: self.activation,
            recurrent_activation: self.recurrent_activation,
            use_bias: self.use_bias,
            return_sequences: self.return_sequences,
            return_state: self.return_state,
            stateful: self.stateful,
            go_backwards: self.go_backwards,
            dropout: self.dropout,
            recurrent_dropout: self.recurrent_dropout,
            ones: if self.unit_forget_bias { self.units..2 * self.units } else { 0..0 },
        }
    }
}

recurrent_layer!(LSTM);

written! {
    LSTM {
        units, activation, recurrent_activation, use_bias, return_sequences, go_backwards, trainable;
        return_state = false,
        stateful = false,
        dropout = 0.0,
        recurrent_dropout = 0.0,
        unit_forget_bias = true,
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
