//! Layers with several outputs, and the states that recurrent layers start from.

use super::node::{Applied, Node, PartOfNetwork, Shared, Value};
use crate::layers::Layer;
use std::sync::Arc;

impl Node {
    /// All outputs of the layer that gives this node, in Keras' order: this node first, then the other direction's of a
    /// [`Bidirectional`](crate::layers::Bidirectional) that does not merge them, then the final states of a recurrent
    /// layer with `return_state`. The node alone if the layer has one output.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let input = Input::new([10, 3]);
    /// let both = Bidirectional::new(GRU::new(4)).merge_mode(MergeMode::None);
    /// let [forward, backward] = &input.apply(both).outputs()[..] else { panic!("two outputs") };
    /// let output = Multiply::of([forward, backward]);
    /// let model = Functional::new([&input], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.output_shape().axes(), [4]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn outputs(&self) -> Vec<Self> {
        (0..self.output_count()).map(|place| self.output(place)).collect()
    }

    /// One output of the layer that gives this node as its first.
    pub(super) fn output(&self, place: usize) -> Self {
        match place {
            0 => self.clone(),
            _ => Self(Arc::new(Value::Further { first: vec![self.clone()], place })),
        }
    }

    /// The final states of the recurrent layer that gives this node, if the layer has `return_state`: `h`, of an
    /// [`LSTM`](crate::layers::LSTM) `h` and `c`, of a [`Bidirectional`](crate::layers::Bidirectional) those of the
    /// forward direction, then those of the backward one. Of any other node there are none.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let input = Input::new([10, 3]);
    /// let encoded = input.apply(LSTM::new(8).return_state(true));
    /// let [h, c] = &encoded.states()[..] else { panic!("an LSTM has two") };
    /// let output = Concatenate::of([h, c]).apply(Dense::new(1));
    /// let model = Functional::new([&input], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.get_weight("dense/kernel")?.values.shape(), [16, 1]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn states(&self) -> Vec<Self> {
        match &*self.0 {
            Value::Output { layer, .. } => {
                // A layer that `compile` will refuse may have fewer.
                self.outputs().into_iter().skip(layer.layer.describe().outputs_before_states()).collect()
            }
            Value::Input(_) | Value::Expected { .. } | Value::Further { .. } => Vec::new(),
        }
    }

    fn output_count(&self) -> usize {
        match &*self.0 {
            // How many there are depends on the layer alone.
            Value::Output { layer, .. } => 1 + layer.layer.describe().further_outputs([1].into()).len(),
            Value::Input(_) | Value::Expected { .. } | Value::Further { .. } => 1,
        }
    }

    /// What a recurrent layer gives of the node where it starts from these states instead of zeros: Keras'
    /// `layer(x, initial_state=states)`. They are [those](Self::states) of another layer, or any other nodes of as many
    /// values as the layer has units. Gradients go through them.
    ///
    /// At `compile`, another number of states than the layer has, and states of another shape, are errors.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let (source, target) = (Input::new([12, 5]), Input::new([7, 4]));
    /// let encoded = source.apply(LSTM::new(16).return_state(true));
    /// let decoder = LSTM::new(16).return_sequences(true);
    /// let output = target.apply_with_initial_state(decoder, &encoded.states()).apply(Dense::new(4));
    /// let model = Functional::new([&source, &target], [&output]).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.output_shape().axes(), [7, 4]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn apply_with_initial_state<'n>(
        &self,
        layer: impl Into<Shared>,
        states: impl IntoIterator<Item = &'n Self>,
    ) -> Self {
        let states: Vec<&Self> = states.into_iter().collect();
        let refused = |kind: &'static str, problem: &str| {
            let part = PartOfNetwork { kind, input: Err(problem.to_owned()) };
            Self(Arc::new(Value::Expected { part, read: vec![self.clone()] }))
        };
        match layer.into().0 {
            Applied::Layer(layer) if states.is_empty() => refused(
                Layer::kind(&layer.layer),
                "is applied with an initial state, and given none: `states` gives those of a layer with \
                 `return_state(true)`",
            ),
            Applied::Layer(layer) => Self::of(layer, [self].into_iter().chain(states)),
            Applied::Part { of, .. } => {
                refused(of.kind, "is applied with an initial state: apply the recurrent layer in it on its own")
            }
        }
    }
}
