//! Decides which ONNX operators normalizations become. Those within an example are composed: old opsets have none of them,
//! and none has one of groups in our layout.

use super::graph::{Layout, Operator, Value, weight};
use super::layers::{CHECKED, Call};
use super::message::{Attribute, Tensor};
use crate::layers::{BatchNormalization, GroupNormalization, LayerNormalization};
use crate::shape::Shape;

impl Call<'_> {
    /// A normalization with moving statistics. Values are turned into what ONNX takes: channels on the second axis.
    pub(super) fn batch_norm(&mut self, norm: &BatchNormalization, x: &Value, input: Shape) -> Value {
        let place = norm.channel_axis(input).expect(CHECKED);
        let channels = input.axes()[place];
        let mut given = self.weights.iter().map(|tensor| weight(tensor));
        let mut next = |is_there: bool, name: &str, otherwise: f32| {
            let missing = || Tensor::of_floats(&format!("{}/{name}", self.name), &vec![otherwise; channels]);
            if is_there { given.next().unwrap_or_else(missing) } else { missing() }
        };
        let weights = [
            next(norm.scale, "gamma", 1.0),
            next(norm.center, "beta", 0.0),
            next(true, "moving_mean", 0.0),
            next(true, "moving_variance", 1.0),
        ];
        let attributes = [Attribute::float("epsilon", norm.epsilon)];
        let operator = Operator::new("BatchNormalization").with_weights(weights).with_attributes(attributes);
        let rank = input.axes().len();
        match x.layout {
            Layout::ChannelsFirst | Layout::ChannelsLast if place + 1 == rank => self.on_channels_first(x, operator),
            Layout::Plain { rank: 1 } => self.builder.push(self.name.clone(), operator, &[x], x.layout),
            Layout::ChannelsFirst | Layout::ChannelsLast | Layout::Plain { .. } => {
                let x = self.builder.channels_last(x, &self.name);
                if place == 0 {
                    return self.builder.push(self.name.clone(), operator, &[&x], x.layout);
                }
                let first = self.turned("features_first", &x, place, rank);
                let y = self.builder.push(format!("{}/normalized", self.name), operator, &[&first], x.layout);
                self.turned("features_last", &y, place, rank)
            }
        }
    }

    /// A value whose first axis has changed places with another one, from 0.
    fn turned(&mut self, part: &str, x: &Value, place: usize, rank: usize) -> Value {
        let mut order: Vec<usize> = (0..=rank).collect();
        order.swap(1, place + 1);
        let turn = Operator::new("Transpose").with_attributes([Attribute::ints("perm", order)]);
        self.builder.push(format!("{}/{part}", self.name), turn, &[x], x.layout)
    }

    pub(super) fn layer_norm(&mut self, norm: &LayerNormalization, x: &Value, input: Shape) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        let places = norm.normalized_axes(input).expect(CHECKED);
        let axes: Vec<i64> = places.iter().map(|place| *place as i64 + 1).collect();
        let y = self.normalized(&x, &axes, norm.epsilon);
        let lens = input.axes().iter().enumerate();
        let shape: Vec<usize> = lens.map(|(place, len)| if places.contains(&place) { *len } else { 1 }).collect();
        self.scaled(y, norm.scale, &shape[places[0]..])
    }

    pub(super) fn group_norm(&mut self, norm: &GroupNormalization, x: &Value, input: Shape) -> Value {
        let x = self.builder.channels_last(x, &self.name);
        let channels = input.channels();
        let groups = if norm.groups == -1 { channels } else { norm.groups as usize };
        let shape = |part: &str, axes: &[usize]| {
            let axes: Vec<i64> = [0].into_iter().chain(axes.iter().map(|axis| *axis as i64)).collect();
            let shape = Tensor::of_integers(&format!("{}/{part}", self.name), &axes);
            Operator::new("Reshape").with_weights([shape])
        };
        let pixels = input.axes().iter().product::<usize>() / channels;
        let (cut, back) = (shape("groups", &[pixels, groups, channels / groups]), shape("shape", input.axes()));
        let cut = self.builder.push(format!("{}/cut", self.name), cut, &[&x], x.layout);
        let y = self.normalized(&cut, &[1, 3], norm.epsilon);
        let y = self.builder.push(format!("{}/joined", self.name), back, &[&y], x.layout);
        self.scaled(y, norm.scale, &[channels])
    }

    /// The values less their mean, divided by their deviation, over these axes.
    fn normalized(&mut self, x: &Value, axes: &[i64], epsilon: f32) -> Value {
        let name = self.name.clone();
        let mut node = |part: &str, operator: Operator, reads: &[&Value]| {
            self.builder.push(format!("{name}/{part}"), operator, reads, x.layout)
        };
        let mean = || Operator::new("ReduceMean").with_attributes([Attribute::integers("axes", axes)]);
        let center = node("mean", mean(), &[x]);
        let centered = node("centered", Operator::new("Sub"), &[x, &center]);
        let squares = node("squares", Operator::new("Mul"), &[&centered, &centered]);
        let variance = node("variance", mean(), &[&squares]);
        let epsilon = Tensor::of_floats(&format!("{name}/epsilon"), &[epsilon]);
        let variance = node("positive", Operator::new("Add").with_weights([epsilon]), &[&variance]);
        let deviation = node("deviation", Operator::new("Sqrt"), &[&variance]);
        node("normalized", Operator::new("Div"), &[&centered, &deviation])
    }

    /// The values times gamma, if there is one, and beta added, if there is one.
    ///
    /// - shape: that of both
    fn scaled(&mut self, y: Value, has_gamma: bool, shape: &[usize]) -> Value {
        let mut y = y;
        for (place, tensor) in self.weights.iter().enumerate() {
            let (operator, part) = if has_gamma && place == 0 { ("Mul", "scaled") } else { ("Add", "shifted") };
            let operator = Operator::new(operator).with_weights([Tensor::new(&tensor.name, shape, &tensor.values)]);
            y = self.builder.push(format!("{}/{part}", self.name), operator, &[&y], y.layout);
        }
        y
    }
}
