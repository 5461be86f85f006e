//! A sequence read in both directions.

use super::names::name_setter;
use super::recurrent::{Given, RecurrentCell, Sequence};
use super::written::written;
use super::{Arity, Describe, Layer, MaskRule, Spec, checked, trained};
use crate::program::plain::{Affine, Gives, MergeFunction};
use crate::program::{Builder, Operand, WeightId, WeightSpec};
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// What tells the random numbers of the backward direction from those of the forward one: more calls there are not.
const OF_BACKWARD: usize = 1 << 31;

/// Two recurrent layers that read a sequence from both ends, as [Keras'
/// `Bidirectional`](https://keras.io/api/layers/recurrent_layers/bidirectional/), from [Schuster and Paliwal,
/// 1997](https://doi.org/10.1109/78.650093).
///
/// - Input shape: (steps, features). Output shape: that of the layer, with twice the units where both outputs are
///   concatenated.
/// - Weights: those of the layer twice, as `forward_lstm/kernel` and `backward_lstm/kernel`.
///
/// With `return_sequences` each output is in the place of its step. Both directions start from weights of their own.
///
/// [`MergeMode::None`] leaves the outputs of both directions [apart](crate::Node::outputs), in a
/// [`Functional`](crate::Functional) network. Of a layer with `return_state` it gives the final states of the forward
/// direction, then those of the backward one, and it is
/// [applied with initial states](crate::Node::apply_with_initial_state) in this order.
///
/// At `compile`, a layer other than [`SimpleRNN`](super::SimpleRNN), [`LSTM`](super::LSTM) or [`GRU`](super::GRU), and
/// one with `go_backwards`, is an error that names the layer.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([10, 3])
///     .add(Bidirectional::new(GRU::new(8).return_sequences(true)))
///     .add(Bidirectional::new(LSTM::new(4)).merge_mode(MergeMode::Sum))
///     .compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.output_shape().axes(), [4]);
/// assert!(model.get_weight("bidirectional/backward_gru/kernel").is_ok());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Bidirectional {
    /// The layer of either direction.
    pub layer: Box<Layer>,
    /// How the outputs of both directions become one.
    #[serde(default)]
    pub merge_mode: MergeMode,
    /// Whether training changes its weights. What lies before the first layer that is trained has no backward pass.
    #[serde(default = "trained")]
    pub trainable: bool,
    /// Its name; `None` for one after its type.
    pub name: Option<String>,
}

/// How the outputs of both directions of a [`Bidirectional`] become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MergeMode {
    /// Side by side: the backward direction's behind the forward one's.
    #[default]
    #[serde(alias = "concat")]
    Concat,
    /// Their sum.
    #[serde(alias = "sum")]
    Sum,
    /// Their product, value by value.
    #[serde(alias = "mul")]
    Mul,
    /// Their mean.
    #[serde(alias = "ave")]
    Ave,
    /// They do not: the layer has two outputs, the forward direction's and the backward one's.
    #[serde(alias = "none")]
    None,
}

impl Bidirectional {
    /// A recurrent layer in both directions, whose outputs are concatenated.
    #[must_use]
    pub fn new(layer: impl Into<Layer>) -> Self {
        Self { layer: Box::new(layer.into()), merge_mode: MergeMode::Concat, trainable: true, name: None }
    }

    setters! {
        /// Sets how the outputs of both directions become one.
        merge_mode: MergeMode,

        /// Sets whether training changes its weights.
        trainable: bool,
    }

    name_setter!();

    /// The layer, forward and backward.
    pub(crate) fn cells(&self) -> Result<[RecurrentCell; 2], String> {
        let cell = self.layer.describe().recurrent().ok_or_else(|| {
            format!(
                "expects a SimpleRNN, LSTM or GRU, got a {}: put other layers before or behind it",
                self.layer.kind()
            )
        })?;
        if cell.go_backwards {
            return Err(
                "expects a layer that starts with the first step, got one with go_backwards: leave that out".into()
            );
        }
        let backward = RecurrentCell { go_backwards: true, ..cell.clone() };
        Ok([cell, backward])
    }
}

written! {
    Bidirectional {
        layer, merge_mode, trainable;
        name = None,
    }
}

impl Describe for Bidirectional {
    fn arity(&self) -> Arity {
        match self.cells() {
            Ok([forward, _]) => Arity::OneAndStates(2 * forward.state_count()),
            // What is wrong with the layer is for `spec` to say.
            Err(_) => Arity::One,
        }
    }

    fn further_outputs(&self, first: Shape) -> Vec<Shape> {
        let Ok([forward, backward]) = self.cells() else { return Vec::new() };
        let other = (self.outputs_before_states() == 2).then_some(first);
        other.into_iter().chain(forward.final_states()).chain(backward.final_states()).collect()
    }

    fn carried_len(&self) -> usize {
        self.cells().map_or(0, |[forward, backward]| forward.carried_len().saturating_add(backward.carried_len()))
    }

    fn outputs_before_states(&self) -> usize {
        match self.merge_mode {
            MergeMode::Concat | MergeMode::Sum | MergeMode::Mul | MergeMode::Ave => 1,
            MergeMode::None => 2,
        }
    }

    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String> {
        let [forward, _] = self.cells()?;
        forward.check_initial(&inputs[1..])?;
        let Spec { output, weights } = self.layer.describe().spec(&inputs[..1])?;
        let base = self.layer.given_name().unwrap_or_else(|| self.layer.base_name());
        let of_both = ["forward", "backward"].into_iter().flat_map(|direction| {
            let named = |weight: &WeightSpec| {
                let name = format!("{direction}_{base}/{}", weight.name).into();
                WeightSpec { name, ..weight.clone() }
            };
            weights.iter().map(named).collect::<Vec<_>>()
        });
        let weights = of_both.collect();
        let output = match self.merge_mode {
            MergeMode::Concat => checked(output.with_channels(output.channels().saturating_mul(2)))?,
            MergeMode::Sum | MergeMode::Mul | MergeMode::Ave | MergeMode::None => output,
        };
        let spec = Spec { output, weights };
        Ok(if self.trainable { spec } else { spec.frozen() })
    }

    fn listed_windows(&self, input: Shape, output: Shape) -> usize {
        self.layer.describe().listed_windows(input, output).saturating_mul(2)
    }

    fn mask_rule(&self) -> MaskRule {
        self.layer.describe().mask_rule()
    }

    fn trainable_mut(&mut self) -> Option<&mut bool> {
        Some(&mut self.trainable)
    }

    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String> {
        Ok(self.lower_all(builder, inputs, weights)?[0])
    }

    fn lower_all(
        &self,
        builder: &mut Builder,
        inputs: &[Operand],
        weights: &[WeightId],
    ) -> Result<Vec<Operand>, String> {
        let [forward, backward] = self.cells()?;
        let (x, mask) = (inputs[0], builder.mask_of_steps(inputs[0]));
        let (initial_forward, initial_backward) = inputs[1..].split_at((inputs.len() - 1) / 2);
        let (of_forward, of_backward) = weights.split_at(weights.len() / 2);
        let gives = forward.gives();
        let sequence = Sequence { x, mask, initial: initial_forward, gives };
        let Given { output: left, states } = forward.lower(builder, sequence, of_forward)?;
        let gives = match gives {
            Gives::Last => Gives::Last,
            Gives::EachAsProcessed | Gives::EachInPlace => Gives::EachInPlace,
        };
        builder.call += OF_BACKWARD;
        let sequence = Sequence { x, mask, initial: initial_backward, gives };
        let lowered = backward.lower(builder, sequence, of_backward);
        builder.call -= OF_BACKWARD;
        let Given { output: right, states: of_right } = lowered?;
        let outputs = match self.merge_mode {
            MergeMode::Concat => vec![builder.concatenate(left, right)],
            MergeMode::Sum => vec![builder.merge(MergeFunction::Sum, left, right)],
            MergeMode::Mul => vec![builder.merge(MergeFunction::Product, left, right)],
            MergeMode::Ave => {
                let sum = builder.merge(MergeFunction::Sum, left, right);
                vec![builder.plain(Affine { scale: 0.5, offset: 0.0 }, &[sum], sum.shape)]
            }
            MergeMode::None => vec![left, right],
        };
        Ok([outputs, states, of_right].concat())
    }
}
