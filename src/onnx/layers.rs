//! Decides which ONNX operators each layer becomes.

use super::activations::Activations;
use super::graph::{Builder, Layout, Operator, Value, weight};
use super::masks::mask_by;
use super::message::{Attribute, Graph, Tensor, ValueInfo};
use super::recurrent::Cell;
use crate::layers::{ActivationFunction, ELU, Layer, LeakyReLU, Network, Source};
use crate::model::Weight;
use crate::plan::{Plan, layer_names};
use crate::shape::{Shape, Window2d};

/// The graph of a model.
///
/// - weights: every kernel and bias, in the order of the layers
pub(super) fn graph(plan: &Plan, network: &Network, weights: &[Weight]) -> Graph {
    let mut builder = Builder::default();
    let ends = |end: &str, count: usize| (0..count).map(|index| end_name(end, index, count)).collect::<Vec<_>>();
    let ends = [ends("input", plan.inputs.len()), ends("output", network.outputs.len())].concat();
    // A value has one name in a graph, so a layer of an end's name has another.
    let unlike_ends = |name: String| if ends.contains(&name) { format!("{name}/layer") } else { name };
    let names: Vec<String> = layer_names(&network.layers).into_iter().map(unlike_ends).collect();
    let mut of_layers = vec![Vec::new(); network.layers.len()];
    plan.parameters.all.iter().zip(weights).for_each(|(parameter, weight)| of_layers[parameter.layer].push(weight));
    let infos: Vec<ValueInfo> = plan
        .input_shapes()
        .enumerate()
        .map(|(index, shape)| input_info(end_name("input", index, plan.inputs.len()), shape))
        .collect();
    let inputs: Vec<(Value, Shape)> = infos
        .iter()
        .zip(plan.input_shapes())
        .map(|(info, shape)| (Value::input(info.name.clone(), shape), shape))
        .collect();
    let mut results: Vec<Vec<(Value, Shape)>> = Vec::new();
    let mut masks: Vec<Option<Value>> = Vec::new();
    let mut calls = vec![0; network.layers.len()];
    let read = |results: &[Vec<(Value, Shape)>], source: &Source| source.find(&inputs, results).expect(CHECKED).clone();
    let mask = |masks: &[Option<Value>], source: &Source| match *source {
        // A layer with several outputs that reads a mask is refused.
        Source::Input(_) | Source::Output { .. } => None,
        Source::Call(index) => masks[index].clone(),
    };
    for (call, outputs) in network.calls.iter().zip(&plan.shapes) {
        let reads: Vec<(Value, Shape)> = call.reads.iter().map(|source| read(&results, source)).collect();
        calls[call.layer] += 1;
        // Nodes of later calls have names of their own.
        let name = match calls[call.layer] {
            1 => names[call.layer].clone(),
            count => format!("{}/call_{count}", names[call.layer]),
        };
        let layer = &network.layers[call.layer];
        let of_reads: Vec<Option<Value>> = call.reads.iter().map(|source| mask(&masks, source)).collect();
        let node = Call {
            builder: &mut builder,
            name: name.clone(),
            reads: &reads,
            mask: of_reads[0].clone(),
            output: outputs[0],
            weights: &of_layers[call.layer],
        };
        results.push(node.lower_all(layer).into_iter().zip(outputs.iter().copied()).collect());
        masks.push(mask_by(&mut builder, layer, &name, &of_reads));
    }
    let outputs = network.outputs.iter().enumerate().map(|(index, source)| {
        let (value, shape) = read(&results, source);
        (value, output_info(end_name("output", index, network.outputs.len()), shape))
    });
    let outputs = outputs.collect();
    builder.finish(infos, outputs)
}

/// The name of an input or output: numbered if there are several.
pub(super) fn end_name(end: &str, index: usize, count: usize) -> String {
    if count == 1 { end.to_owned() } else { format!("{end}_{index}") }
}

/// One call of a layer.
pub(super) struct Call<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) name: String,
    pub(super) reads: &'a [(Value, Shape)],
    /// That of the first input, if it has one.
    pub(super) mask: Option<Value>,
    pub(super) output: Shape,
    pub(super) weights: &'a [&'a Weight],
}

impl Call<'_> {
    /// All outputs.
    fn lower_all(self, layer: &Layer) -> Vec<Value> {
        match layer {
            Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) => self.recurrent(&Cell::of(layer).expect(CHECKED)),
            Layer::Bidirectional(both) => self.bidirectional(both),
            _ => vec![self.lower(layer)],
        }
    }

    fn lower(mut self, layer: &Layer) -> Value {
        let (x, input) = self.reads[0].clone();
        match layer {
            Layer::Conv2D(conv) => self.convolution(conv, &x, input),
            Layer::Conv2DTranspose(conv) => self.transposed(conv, &x, input),
            Layer::DepthwiseConv2D(conv) => self.depthwise(conv, &x, input),
            Layer::SeparableConv2D(conv) => self.separable(conv, &x, input),
            Layer::MaxPooling2D(pool) => self.slide("MaxPool", &pool.window(input).expect(CHECKED), &x),
            // The mean of ONNX' leaves out what padding adds, as ours does.
            Layer::AveragePooling2D(pool) => self.slide("AveragePool", &pool.window(input).expect(CHECKED), &x),
            Layer::Dense(dense) => {
                let y = self.dense(&x);
                self.activate(&y, dense.activation)
            }
            Layer::GlobalAveragePooling2D(pool) => {
                let y = self.on_channels_first(&x, Operator::new("GlobalAveragePool"));
                if pool.keepdims { y } else { self.flattened(&y, format!("{}/flatten", self.name)) }
            }
            Layer::GlobalMaxPooling2D(pool) => {
                let y = self.on_channels_first(&x, Operator::new("GlobalMaxPool"));
                if pool.keepdims { y } else { self.flattened(&y, format!("{}/flatten", self.name)) }
            }
            Layer::Conv1D(conv) => self.convolve_sequence(&x, conv, input),
            Layer::MaxPooling1D(pool) => self.slide_along("MaxPool", &x, &pool.window(input).expect(CHECKED)),
            Layer::AveragePooling1D(pool) => self.slide_along("AveragePool", &x, &pool.window(input).expect(CHECKED)),
            Layer::GlobalAveragePooling1D(_) => match self.mask.take() {
                Some(mask) => self.masked_mean(&x, &mask),
                None => self.pool_all_steps("GlobalAveragePool", &x),
            },
            Layer::GlobalMaxPooling1D(_) => self.pool_all_steps("GlobalMaxPool", &x),
            Layer::Embedding(embedding) => self.look_up(&x, embedding),
            Layer::Masking(masking) => self.mask_steps(&x, masking),
            Layer::ZeroPadding2D(padding) => {
                let ((top, bottom), (left, right)) = padding.padding;
                let pads = [0, 0, top, left, 0, 0, bottom, right].map(|pad| pad as i64);
                let pads = Tensor::of_integers(&format!("{}/pads", self.name), &pads);
                self.on_channels_first(&x, Operator::new("Pad").with_weights([pads]))
            }
            Layer::BatchNormalization(norm) => self.batch_norm(norm, &x, input),
            Layer::LayerNormalization(norm) => self.layer_norm(norm, &x, input),
            Layer::GroupNormalization(norm) => self.group_norm(norm, &x, input),
            Layer::Reshape(_) => self.reshape(&x),
            Layer::Cropping2D(cropping) => self.crop(&x, cropping),
            Layer::UpSampling2D(sampling) => self.up_sample(&x, sampling),
            Layer::Permute(permutation) => self.permute(&x, permutation),
            Layer::RepeatVector(_) => self.repeat_vector(&x),
            Layer::Flatten(_) => self.flattened(&x, self.name.clone()),
            Layer::Activation(activation) => self.activate(&x, activation.function),
            Layer::ReLU(relu) => Activations { builder: self.builder, layer: &self.name }.relu(&x, relu),
            Layer::LeakyReLU(LeakyReLU { negative_slope, .. }) => {
                Activations { builder: self.builder, layer: &self.name }.leaky_relu(&x, *negative_slope)
            }
            Layer::ELU(ELU { alpha, .. }) => Activations { builder: self.builder, layer: &self.name }.elu(&x, *alpha),
            // Outside training it does nothing.
            Layer::Dropout(_)
            | Layer::SpatialDropout2D(_)
            | Layer::GaussianNoise(_)
            | Layer::GaussianDropout(_)
            | Layer::AlphaDropout(_) => x,
            Layer::PReLU(_) => self.leak(&x),
            Layer::Normalization(normalization) => self.normalize(&x, normalization, input),
            Layer::Add(_) => self.merge("Sum", &[]),
            Layer::Subtract(_) => self.merge("Sub", &[]),
            Layer::Multiply(_) => self.merge_in_turn("Mul"),
            Layer::Average(_) => self.merge("Mean", &[]),
            Layer::Maximum(_) => self.merge("Max", &[]),
            Layer::Minimum(_) => self.merge("Min", &[]),
            Layer::Rescaling(rescaling) => {
                let of = |part: &str, value: f32| Tensor::of_floats(&format!("{}/{part}", self.name), &[value]);
                let (scale, offset) = (of("scale", rescaling.scale), of("offset", rescaling.offset));
                let product = Operator::new("Mul").with_weights([scale]);
                let y = self.builder.push(format!("{}/product", self.name), product, &[&x], x.layout);
                self.builder.push(self.name, Operator::new("Add").with_weights([offset]), &[&y], x.layout)
            }
            Layer::Concatenate(_) => self.merge("Concat", &["axis"]),
            Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) | Layer::Bidirectional(_) => {
                unreachable!("`lower_all` does these")
            }
            Layer::TimeDistributed(steps) => self.lower(&steps.layer),
            Layer::Custom(_) => unreachable!("a model with a layer of a user's own is refused"),
        }
    }

    /// One node on all inputs, whose axes lie alike; `channels` names the attribute that takes the axis of channels, if
    /// there is one.
    fn merge(mut self, operator: &'static str, channels: &[&str]) -> Value {
        let reads = self.reads_alike();
        let layout = reads[0].layout;
        let attributes = channels.iter().map(|name| Attribute::int(name, layout.channels()));
        let reads: Vec<&Value> = reads.iter().collect();
        self.builder.push(self.name, Operator::new(operator).with_attributes(attributes), &reads, layout)
    }

    /// A node of two inputs for each input but the first.
    fn merge_in_turn(mut self, operator: &'static str) -> Value {
        let reads = self.reads_alike();
        let (layout, last) = (reads[0].layout, reads.len() - 1);
        let mut merged = reads[0].clone();
        for (index, read) in reads.iter().enumerate().skip(1) {
            let name = if index == last { self.name.clone() } else { format!("{}/{index}", self.name) };
            merged = self.builder.push(name, Operator::new(operator), &[&merged, read], layout);
        }
        merged
    }

    /// All inputs, with as many axes in the same order: those that are missing are put in front.
    fn reads_alike(&mut self) -> Vec<Value> {
        let first = self.reads[0].0.layout;
        if self.reads.iter().all(|(value, _)| value.layout == first) {
            return self.reads.iter().map(|(value, _)| value.clone()).collect();
        }
        let rank = self.output.axes().len();
        let turn = |(index, (value, shape)): (usize, &(Value, Shape))| {
            let value = self.builder.channels_last(value, &self.name);
            let missing = rank - shape.axes().len();
            if missing == 0 {
                return value;
            }
            let in_front = std::iter::repeat_n(1, missing);
            let axes = in_front.chain(shape.axes().iter().map(|axis| *axis as i64));
            // The batch stays as it is.
            let axes: Vec<i64> = [0].into_iter().chain(axes).collect();
            let axes = Tensor::of_integers(&format!("{}/shape_{index}", self.name), &axes);
            let reshape = Operator::new("Reshape").with_weights([axes]);
            self.builder.push(format!("{}/read_{index}", self.name), reshape, &[&value], Layout::of(self.output))
        };
        self.reads.iter().enumerate().map(turn).collect()
    }

    /// A product with a kernel, (features, units), over the last axis.
    fn dense(&mut self, x: &Value) -> Value {
        let weights = self.weights.iter().map(|tensor| weight(tensor));
        if x.layout == (Layout::Plain { rank: 1 }) {
            return self.builder.push(self.name.clone(), Operator::new("Gemm").with_weights(weights), &[x], x.layout);
        }
        let mut weights = weights;
        let product = Operator::new("MatMul").with_weights(weights.next());
        let y = self.builder.push(format!("{}/product", self.name), product, &[x], x.layout);
        match weights.next() {
            Some(bias) => {
                self.builder.push(self.name.clone(), Operator::new("Add").with_weights([bias]), &[&y], x.layout)
            }
            None => y,
        }
    }

    pub(super) fn on_channels_first(&mut self, x: &Value, operator: Operator) -> Value {
        let x = self.builder.channels_first(x, &self.name);
        self.builder.push(self.name.clone(), operator, &[&x], Layout::ChannelsFirst)
    }

    /// A pooling. ONNX Runtime, as of 1.20, makes a border in front of it the pooling's own padding, whose values do
    /// not count, or refuses the model; a `Clip` without bounds between the two keeps it from that.
    fn slide(&mut self, operator: &'static str, window: &Window2d, x: &Value) -> Value {
        if self.builder.is_given_by(x, "Pad") {
            let bordered = self.builder.push(format!("{}/bordered", self.name), Operator::new("Clip"), &[x], x.layout);
            return self.on_channels_first(&bordered, Operator::new(operator).with_attributes(sliding(window)));
        }
        self.on_channels_first(x, Operator::new(operator).with_attributes(sliding(window)))
    }

    /// Rows first, channels last.
    fn flattened(&mut self, x: &Value, name: String) -> Value {
        let x = self.builder.channels_last(x, &name);
        match x.layout {
            Layout::Plain { rank: 1 } => x,
            Layout::ChannelsLast | Layout::ChannelsFirst | Layout::Plain { .. } => {
                let operator = Operator::new("Flatten").with_attributes([Attribute::int("axis", 1)]);
                self.builder.push(name, operator, &[&x], Layout::Plain { rank: 1 })
            }
        }
    }

    pub(super) fn activate(&mut self, x: &Value, function: ActivationFunction) -> Value {
        Activations { builder: self.builder, layer: &self.name }.function(x, function)
    }
}

/// A window's size, strides and padding. Padding is written in numbers, as sizes are known, and as ONNX' word for
/// TensorFlow's way, `SAME_UPPER`, is deprecated.
pub(super) fn sliding(window: &Window2d) -> Vec<Attribute> {
    let Window2d { image, size, strides, before, padded, out: _ } = *window;
    let after = (padded.0 - image.0 - before.0, padded.1 - image.1 - before.1);
    vec![
        Attribute::ints("kernel_shape", [size.0, size.1]),
        Attribute::ints("strides", [strides.0, strides.1]),
        Attribute::ints("pads", [before.0, before.1, after.0, after.1]),
    ]
}

pub(super) fn input_info(name: String, input: Shape) -> ValueInfo {
    let meaning = match input.axes() {
        [_] => "Vectors: (batch, features).",
        [_, _] => "Sequences: (batch, steps, features).",
        [_, _, _] => "Images, channels last: (batch, height, width, channels). Bytes are divided by 255.",
        _ => "Values, channels last.",
    };
    ValueInfo::new(&name, input.axes(), meaning.into())
}

pub(super) fn output_info(name: String, output: Shape) -> ValueInfo {
    let meaning = match output.axes() {
        [_] => "What the model's last layer gives: (batch, classes).",
        _ => "What the model's last layer gives, channels last.",
    };
    ValueInfo::new(&name, output.axes(), meaning.into())
}

/// Why a compiled model's layers fit each other and its weights.
pub(super) const CHECKED: &str = "`compile` has checked the layers and laid out their weights";
