//! Decides which ONNX operators the layers become that have numbers for each channel, or along other axes.

use super::graph::{Layout, Operator, Value, weight};
use super::layers::Call;
use super::message::Tensor;
use crate::layers::Normalization;

impl Call<'_> {
    /// Negative values multiplied by slopes, which lie as the values do with channels last.
    pub(super) fn leak(self, x: &Value) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        let operator = Operator::new("PRelu").with_weights([weight(self.weights[0])]);
        self.builder.push(self.name, operator, &[&x], x.layout)
    }

    /// Less the means, by the deviations; or the reverse.
    pub(super) fn normalize(self, x: &Value, layer: &Normalization) -> Value {
        // Channels that come first are two axes in front of the last.
        let axes = match x.layout {
            Layout::ChannelsFirst => vec![layer.mean.len(), 1, 1],
            Layout::ChannelsLast | Layout::Plain { .. } => vec![layer.mean.len()],
        };
        let of = |part: &str, values: &[f32]| Tensor::new(&format!("{}/{part}", self.name), &axes, values);
        let (mean, deviation) = (of("mean", &layer.mean), of("deviation", &layer.deviations()));
        let operators = match layer.invert {
            false => [("Sub", mean), ("Div", deviation)],
            true => [("Mul", deviation), ("Add", mean)],
        };
        let [first, second] = operators.map(|(operator, numbers)| Operator::new(operator).with_weights([numbers]));
        let y = self.builder.push(format!("{}/first", self.name), first, &[x], x.layout);
        self.builder.push(self.name, second, &[&y], x.layout)
    }
}
