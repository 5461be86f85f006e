//! Decides which ONNX operators each layer becomes.

use super::graph::{Chain, INPUT, Layout, OUTPUT, convolution_kernel, weight};
use super::message::{Attribute, Graph, Tensor, ValueInfo};
use crate::layers::{ActivationFunction, Conv2D, Layer};
use crate::model::Weight;
use crate::plan::{Plan, layer_names};
use crate::shape::{Shape, Window2d};

/// The graph of a model.
///
/// - weights: every kernel and bias, in the order of the layers
pub(super) fn graph(plan: &Plan, layers: &[Layer], weights: &[Weight]) -> Graph {
    let mut chain = Chain::new(plan.input());
    let mut weights = weights.iter();
    let mut next = || weights.next().expect(CHECKED);
    let inputs = std::iter::once(plan.input()).chain(plan.shapes.iter().copied());
    for ((layer, name), input) in layers.iter().zip(layer_names(layers)).zip(inputs) {
        match layer {
            Layer::Conv2D(conv) => {
                let (kernel, bias) = (next(), conv.use_bias.then(&mut next));
                let weights = std::iter::once(convolution_kernel(kernel)).chain(bias.map(weight)).collect();
                convolve(&mut chain, &name, conv, input, weights);
                activate(&mut chain, &name, conv.activation);
            }
            Layer::MaxPooling2D(pool) => {
                slide(&mut chain, name, "MaxPool", &pool.window(input).expect(CHECKED));
            }
            Layer::AveragePooling2D(pool) => {
                slide(&mut chain, name, "AveragePool", &pool.window(input).expect(CHECKED));
            }
            Layer::Dense(dense) => {
                let (kernel, bias) = (next(), dense.use_bias.then(&mut next));
                let weights = std::iter::once(kernel).chain(bias).map(weight).collect();
                chain.push(name.clone(), "Gemm", weights, vec![], Layout::Vector);
                activate(&mut chain, &name, dense.activation);
            }
            Layer::GlobalAveragePooling2D(pool) => {
                chain.channels_first(&name);
                chain.push(name.clone(), "GlobalAveragePool", vec![], vec![], Layout::ChannelsFirst);
                if !pool.keepdims {
                    flatten(&mut chain, format!("{name}/flatten"));
                }
            }
            Layer::ZeroPadding2D(padding) => {
                chain.channels_first(&name);
                let ((top, bottom), (left, right)) = padding.padding;
                let pads = [0, 0, top, left, 0, 0, bottom, right].map(|pad| pad as i64);
                let pads = Tensor::of_integers(&format!("{name}/pads"), &pads);
                chain.push(name, "Pad", vec![pads], vec![], Layout::ChannelsFirst);
            }
            Layer::Reshape(reshape) => {
                chain.channels_last(&name);
                let (axes, layout) = match reshape.target_shape {
                    Shape::Image { height, width, channels } => (vec![height, width, channels], Layout::ChannelsLast),
                    Shape::Vector(features) => (vec![features], Layout::Vector),
                };
                // The batch stays as it is.
                let shape: Vec<i64> = std::iter::once(0).chain(axes.into_iter().map(|axis| axis as i64)).collect();
                let shape = Tensor::of_integers(&format!("{name}/shape"), &shape);
                chain.push(name, "Reshape", vec![shape], vec![], layout);
            }
            Layer::Flatten(_) => flatten(&mut chain, name),
            Layer::Activation(activation) => activate(&mut chain, &name, activation.function),
            // Outside training it does nothing.
            Layer::Dropout(_) => {}
            Layer::Custom(_) => unreachable!("a model with a layer of a user's own is refused"),
        }
    }
    chain.finish(input_info(plan.input()), output_info(plan.classes()))
}

fn convolve(chain: &mut Chain, name: &str, conv: &Conv2D, input: Shape, weights: Vec<Tensor>) {
    chain.channels_first(name);
    let window = conv.window(input).expect(CHECKED);
    chain.push(name.into(), "Conv", weights, sliding(&window), Layout::ChannelsFirst);
}

/// A pooling; the mean of ONNX' leaves out what padding adds, as ours does.
///
/// ONNX Runtime, as of 1.20, makes a border in front of a pooling the pooling's own padding, whose values do not count,
/// or refuses the model; a `Clip` without bounds between the two keeps it from that.
fn slide(chain: &mut Chain, name: String, operator: &str, window: &Window2d) {
    chain.channels_first(&name);
    if chain.is_behind("Pad") {
        chain.push(format!("{name}/bordered"), "Clip", vec![], vec![], Layout::ChannelsFirst);
    }
    chain.push(name, operator, vec![], sliding(window), Layout::ChannelsFirst);
}

/// A window's size, strides and padding. Padding is written in numbers, as sizes are known, and as ONNX' word for
/// TensorFlow's way, `SAME_UPPER`, is deprecated.
fn sliding(window: &Window2d) -> Vec<Attribute> {
    let Window2d { image, size, strides, before, padded, out: _ } = *window;
    let after = (padded.0 - image.0 - before.0, padded.1 - image.1 - before.1);
    vec![
        Attribute::ints("kernel_shape", [size.0, size.1]),
        Attribute::ints("strides", [strides.0, strides.1]),
        Attribute::ints("pads", [before.0, before.1, after.0, after.1]),
    ]
}

/// Rows first, channels last.
fn flatten(chain: &mut Chain, name: String) {
    chain.channels_last(&name);
    match chain.layout() {
        Layout::ChannelsLast | Layout::ChannelsFirst => {
            chain.push(name, "Flatten", vec![], vec![Attribute::int("axis", 1)], Layout::Vector);
        }
        Layout::Vector => {}
    }
}

fn activate(chain: &mut Chain, layer: &str, function: ActivationFunction) {
    let layout = chain.layout();
    let (operator, attributes) = match function {
        ActivationFunction::Linear => return,
        ActivationFunction::Relu => ("Relu", vec![]),
        ActivationFunction::Sigmoid => ("Sigmoid", vec![]),
        ActivationFunction::Tanh => ("Tanh", vec![]),
        ActivationFunction::Softmax => ("Softmax", vec![Attribute::int("axis", layout.channels())]),
    };
    chain.push(format!("{layer}/{}", operator.to_lowercase()), operator, vec![], attributes, layout);
}

fn input_info(input: Shape) -> ValueInfo {
    match input {
        Shape::Image { height, width, channels } => {
            let meaning = "Images, channels last: (batch, height, width, channels). Bytes are divided by 255.";
            ValueInfo::new(INPUT, &[height, width, channels], meaning.into())
        }
        Shape::Vector(features) => ValueInfo::new(INPUT, &[features], "Vectors: (batch, features).".into()),
    }
}

fn output_info(classes: usize) -> ValueInfo {
    ValueInfo::new(OUTPUT, &[classes], "What the model's last layer gives: (batch, classes).".into())
}

/// Why a compiled model's layers fit each other and its weights.
const CHECKED: &str = "`compile` has checked the layers and laid out their weights";
