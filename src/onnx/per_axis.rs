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
        let (channels, others) = axes.split_last().expect("a shape has axes");
        let is_of_channels = others.iter().all(|len| *len == 1);
        let x = if is_of_channels { x.clone() } else { self.builder.channels_last(x, &self.name) };
        // Channels that come first are two axes in front of the last.
        let shape = match x.layout {
            Layout::ChannelsFirst => vec![*channels, 1, 1],
            Layout::ChannelsLast | Layout::Plain { .. } if is_of_channels => vec![*channels],
            Layout::ChannelsLast | Layout::Plain { .. } => axes,
        };
        let tensor =
            |name: &str, values: &[f32]| Tensor::new(name, if values.len() == 1 { &[1] } else { &shape }, values);
        let part = |part: &str| format!("{}/{part}", self.name);
        let (mean, deviation) = match layer.given() {
            Some([means, variances]) => {
                let deviations: Vec<f32> = variances.into_iter().map(Normalize::deviation).collect();
                (tensor(&part("mean"), &means), Ok(tensor(&part("deviation"), &deviations)))
            }
            None => {
                let [mean, variance] = self.weights else { unreachable!("{CHECKED}") };
                let [mean, variance] = [mean, variance].map(|weight| {
                    let values: Vec<f32> = weight.values.iter().copied().collect();
                    tensor(&weight.name, &values)
                });
                let root = Operator::new("Sqrt").with_weights([variance]);
                let root = self.builder.push(part("root"), root, &[], x.layout);
                let least = Tensor::of_floats(&part("least"), &[Normalize::deviation(0.0)]);
                let least = Operator::new("Max").with_weights([least]);
                (mean, Err(self.builder.push(part("deviations"), least, &[&root], x.layout)))
            }
        };
        let scale = |operator: &'static str| match &deviation {
            Ok(tensor) => (Operator::new(operator).with_weights([tensor.clone()]), None),
            Err(value) => (Operator::new(operator), Some(value)),
        };
        let shift = |operator: &'static str| (Operator::new(operator).with_weights([mean.clone()]), None);
        let operators = match layer.invert {
            false => [shift("Sub"), scale("Div")],
            true => [scale("Mul"), shift("Add")],
        };
        let [(first, by_first), (second, by_second)] = operators;
        let reads = |x, by: Option<_>| [Some(x), by].into_iter().flatten().collect::<Vec<&Value>>();
        let y = self.builder.push(part("first"), first, &reads(&x, by_first), x.layout);
        self.builder.push(self.name.clone(), second, &reads(&y, by_second), x.layout)
    }
}
