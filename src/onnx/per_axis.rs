//! Decides which ONNX operators the layers become that have numbers for each channel, or along other axes.

use super::graph::{Layout, Operator, Value, weight};
use super::layers::{CHECKED, Call};
use super::message::Tensor;
use crate::layers::Normalization;
use crate::program::plain::Normalize;
use crate::shape::Shape;

impl Call<'_> {
    /// Negative values multiplied by slopes, which lie as the values do with channels last.
    pub(super) fn leak(self, x: &Value) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        let operator = Operator::new("PRelu").with_weights([weight(self.weights[0])]);
        self.builder.push(self.name, operator, &[&x], x.layout)
    }

    /// Less the means, by the deviations; or the reverse.
    pub(super) fn normalize(self, x: &Value, layer: &Normalization, input: Shape) -> Value {
        let axes = layer.axes_of_numbers(input).expect(CHECKED);
        let [means, variances] = layer.given().unwrap_or_else(|| {
            let [mean, variance] = self.weights else { unreachable!("{CHECKED}") };
            [mean, variance].map(|weight| weight.values.iter().copied().collect())
        });
        let deviations: Vec<f32> = variances.into_iter().map(Normalize::deviation).collect();
        let (channels, others) = axes.split_last().expect("a shape has axes");
        let is_of_channels = others.iter().all(|len| *len == 1);
        let x = if is_of_channels { x.clone() } else { self.builder.channels_last(x, &self.name) };
        // Channels that come first are two axes in front of the last.
        let shape = match x.layout {
            _ if means.len() == 1 => vec![1],
            Layout::ChannelsFirst => vec![*channels, 1, 1],
            Layout::ChannelsLast | Layout::Plain { .. } if is_of_channels => vec![*channels],
            Layout::ChannelsLast | Layout::Plain { .. } => axes,
        };
        let of = |part: &str, values: &[f32]| Tensor::new(&format!("{}/{part}", self.name), &shape, values);
        let (mean, deviation) = (of("means", &means), of("deviations", &deviations));
        let operators = match layer.invert {
            false => [("Sub", mean), ("Div", deviation)],
            true => [("Mul", deviation), ("Add", mean)],
        };
        let [first, second] = operators.map(|(operator, numbers)| Operator::new(operator).with_weights([numbers]));
        let y = self.builder.push(format!("{}/first", self.name), first, &[&x], x.layout);
        self.builder.push(self.name, second, &[&y], x.layout)
    }
}
