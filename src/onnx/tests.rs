//! What graphs look like from inside, and what is said of a file that would be too large.

use super::message::{Attribute, Graph, ModelFile, Node, Tensor};
use super::{encode, file};
use crate::layers::Layer;
use crate::prelude::*;
use crate::shape::Shape;
use prost::Message;

fn model(input: impl Into<Shape>, layers: impl IntoIterator<Item = Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new(input), Sequential::add);
    described.seed(1).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

fn graph(model: &Model) -> Graph {
    file(model).unwrap().graph.unwrap()
}

/// The nodes as `output = operator(inputs)`.
fn chain(graph: &Graph) -> Vec<String> {
    let node = |node: &Node| format!("{} = {}({})", node.output.join(", "), node.op_type, node.input.join(", "));
    graph.node.iter().map(node).collect()
}

fn attribute<'a>(node: &'a Node, name: &str) -> &'a Attribute {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
}

#[test]
fn axes_are_turned_only_where_they_must_be() {
    let graph = graph(&model(
        [9, 8, 2],
        [
            Activation::new(Tanh).into(),
            Conv2D::new(3, (3, 3)).activation(Relu).into(),
            MaxPooling2D::new((2, 2)).into(),
            Dropout::new(0.5).into(),
            Conv2D::new(4, (2, 2)).use_bias(false).activation(Softmax).into(),
            Flatten::new().into(),
            Flatten::new().into(),
            Dense::new(5).activation(Linear).into(),
            Dense::new(2).use_bias(false).activation(Softmax).into(),
        ],
    ));
    let expected = [
        "activation/tanh = Tanh(input)",
        "conv2d/channels_first = Transpose(activation/tanh)",
        "conv2d = Conv(conv2d/channels_first, conv2d/kernel, conv2d/bias)",
        "conv2d/relu = Relu(conv2d)",
        "max_pooling2d = MaxPool(conv2d/relu)",
        "conv2d_1 = Conv(max_pooling2d, conv2d_1/kernel)",
        "conv2d_1/softmax = Softmax(conv2d_1)",
        "flatten/channels_last = Transpose(conv2d_1/softmax)",
        "flatten = Flatten(flatten/channels_last)",
        "dense = Gemm(flatten, dense/kernel, dense/bias)",
        "dense_1 = Gemm(dense, dense_1/kernel)",
        "output = Softmax(dense_1)",
    ];
    assert_eq!(chain(&graph), expected);
    let softmaxes = graph.node.iter().filter(|node| node.op_type == "Softmax");
    assert_eq!(softmaxes.map(|node| attribute(node, "axis").i).collect::<Vec<_>>(), [Some(1), Some(-1)]);
    assert_eq!(attribute(&graph.node[1], "perm").ints, [0, 3, 1, 2]);
    assert_eq!(attribute(&graph.node[7], "perm").ints, [0, 2, 3, 1]);
}

#[test]
fn a_softmax_of_pixels_is_over_their_channels() {
    let graph = graph(&model([2, 3, 4], [Activation::new(Softmax).into(), Flatten::new().into()]));
    assert_eq!(chain(&graph), ["activation/softmax = Softmax(input)", "output = Flatten(activation/softmax)"]);
    assert_eq!(attribute(&graph.node[0], "axis").i, Some(-1));
}

#[test]
fn a_model_that_computes_nothing_hands_its_input_on() {
    let graph = graph(&model([3], [Dropout::new(0.5).into(), Activation::new(Linear).into(), Flatten::new().into()]));
    assert_eq!(chain(&graph), ["output = Identity(input)"]);
}

#[test]
fn padding_is_tensorflow_s_with_the_odd_row_at_the_end() {
    let layers: [Layer; 3] = [
        Conv2D::new(1, (2, 3)).strides((2, 2)).padding(Same).into(),
        MaxPooling2D::new((2, 2)).padding(Valid).into(),
        Flatten::new().into(),
    ];
    let graph = graph(&model([5, 6, 1], layers));
    let of = |node: usize, name: &str| attribute(&graph.node[node], name).ints.clone();
    // Top, left, bottom, right.
    assert_eq!((of(1, "pads"), of(2, "pads")), (vec![0, 0, 1, 1], vec![0; 4]));
    assert_eq!((of(1, "kernel_shape"), of(1, "strides")), (vec![2, 3], vec![2, 2]));
    assert_eq!((of(2, "kernel_shape"), of(2, "strides")), (vec![2, 2], vec![2, 2]));
}

/// As ONNX Runtime 1.20 takes a `Pad` into the pooling behind it, where zeros do not count.
#[test]
fn a_border_in_front_of_a_pooling_is_not_taken_for_its_padding() {
    let border = || ZeroPadding2D::new((1, 2)).into();
    let layers: [Layer; 6] = [
        border(),
        Dropout::new(0.5).into(),
        MaxPooling2D::new((2, 2)).into(),
        border(),
        Conv2D::new(3, (2, 2)).into(),
        Flatten::new().into(),
    ];
    let graph = graph(&model([5, 6, 1], layers));
    let expected = [
        "zero_padding2d/channels_first = Transpose(input)",
        "zero_padding2d = Pad(zero_padding2d/channels_first, zero_padding2d/pads)",
        "max_pooling2d/bordered = Clip(zero_padding2d)",
        "max_pooling2d = MaxPool(max_pooling2d/bordered)",
        "zero_padding2d_1 = Pad(max_pooling2d, zero_padding2d_1/pads)",
        "conv2d = Conv(zero_padding2d_1, conv2d/kernel, conv2d/bias)",
        "flatten/channels_last = Transpose(conv2d)",
        "output = Flatten(flatten/channels_last)",
    ];
    assert_eq!(chain(&graph), expected);
}

#[test]
fn kernels_of_convolutions_have_their_filters_first() {
    let mut model = model([2, 3, 2], [Conv2D::new(2, (2, 3)).use_bias(false).into(), Flatten::new().into()]);
    let mut weights = model.get_weights();
    // (kernel height, kernel width, channels, filters), each value a number of its place.
    weights[0].values.indexed_iter_mut().for_each(|(at, value)| {
        *value = (at[0] * 1000 + at[1] * 100 + at[2] * 10 + at[3]) as f32;
    });
    model.set_weights(&weights).unwrap();
    let kernel: Tensor = graph(&model).initializer.remove(0);
    assert_eq!((kernel.name.as_str(), &kernel.dims[..]), ("conv2d/kernel", &[2, 2, 2, 3][..]));
    let values: Vec<f32> =
        kernel.raw_data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(values[..7], [0.0, 100.0, 200.0, 1000.0, 1100.0, 1200.0, 10.0]);
    assert_eq!(values[12..15], [1.0, 101.0, 201.0]);
}

#[test]
fn a_file_is_read_back_as_it_was_written_and_says_where_it_comes_from() {
    let mut model = model([2, 2, 1], [Flatten::new().into(), Dense::new(3).into()]);
    model.epochs = 7;
    let file = file(&model).unwrap();
    assert_eq!(ModelFile::decode(&model.to_onnx().unwrap()[..]).unwrap(), file);
    assert_eq!((file.producer_name.as_str(), file.producer_version.as_str()), ("inkstone", env!("CARGO_PKG_VERSION")));
    assert_eq!(file.doc_string, model.summary().to_string());
    let properties = file.metadata_props.iter().map(|property| (property.key.as_str(), property.value.as_str()));
    assert_eq!(properties.collect::<Vec<_>>(), [("epochs", "7"), ("seed", "1")]);
}

#[test]
fn a_file_larger_than_the_format_allows_is_refused() {
    let file = file(&model([2], [Dense::new(3).into()])).unwrap();
    let len = file.encoded_len();
    assert_eq!(encode(&file, len).unwrap().len(), len);
    let expected = format!(
        "the model needs {len} bytes as ONNX, expected at most {}, as the format allows no more: use fewer or smaller layers, or \
         `save`",
        len - 1
    );
    assert_eq!(encode(&file, len - 1).unwrap_err().to_string(), expected);
}
