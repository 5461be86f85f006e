//! Networks around the layers of the table of cases, and what they are given.

use super::{Case, Kind, Random};
use inkstone::Shape;
use inkstone::layers::Layer;
use inkstone::prelude::*;
use ndarray::ArrayD;
use rand::{RngExt, SeedableRng};

/// Layers with weights whose output has this shape, on an input of any shape.
fn made(input: &Node, from: Shape, shape: Shape) -> Node {
    let [of_input, of_output] = [from, shape].map(|shape| shape.axes().split_last().expect("it has axes").1.to_vec());
    if of_input == of_output {
        return input.apply(before(shape));
    }
    let all = Dense::new(shape.axes().iter().product()).activation(Tanh);
    input.apply(Flatten::new()).apply(all).apply(Reshape::new(shape))
}

/// A layer with weights whose output has this shape, on inputs that differ from it in the last axis at most.
fn before(shape: Shape) -> Layer {
    match shape.axes() {
        [features] => Dense::new(*features).activation(Tanh).into(),
        // With a window of more than a pixel or step: tract 0.23.9 fails on strides behind one of a pixel.
        [_, channels] => Conv1D::new(*channels, 2).padding(Same).activation(Tanh).into(),
        [_, _, channels] => Conv2D::new(*channels, (2, 2)).padding(Same).activation(Tanh).into(),
        _ => panic!("no layer that keeps {shape} is known"),
    }
}

/// A model of three classes with the layer of a case between others that have weights; none for a layer of several
/// inputs.
pub(crate) fn chain(case: &Case) -> Option<Sequential> {
    let [input] = case.inputs[..] else { return None };
    let described = Sequential::new(input);
    let described = if tokens(case).is_some() { described } else { described.add(before(input)) };
    let described = described.add(case.layer.clone());
    Some(described.add(Flatten::new()).add(Dense::new(3).activation(Softmax)).seed(7))
}

/// The same for any layer: the inputs of one that has several are made of the one input of the network.
pub(crate) fn model(case: &Case) -> Functional {
    let input = Input::new(case.inputs[0]);
    let made = |shape: &Shape| match tokens(case) {
        Some(_) => input.clone(),
        None => made(&input, case.inputs[0], *shape),
    };
    let inputs: Vec<Node> = case.inputs.iter().map(made).collect();
    let node = match case.kind {
        Kind::Add => Add::of(&inputs),
        Kind::Subtract => Subtract::of(&inputs),
        Kind::Multiply => Multiply::of(&inputs),
        Kind::Average => Average::of(&inputs),
        Kind::Maximum => Maximum::of(&inputs),
        Kind::Minimum => Minimum::of(&inputs),
        Kind::Concatenate => Concatenate::of(&inputs),
        _ => inputs[0].apply(case.layer.clone()),
    };
    let output = node.apply(Flatten::new()).apply(Dense::new(3).activation(Softmax));
    Functional::new([&input], [&output]).seed(7)
}

/// Inputs for the model of a case.
pub(crate) fn inputs(case: &Case, count: usize) -> ArrayD<f32> {
    let mut random = Random::seed_from_u64(count as u64);
    of_case(case, batch(case.inputs[0], count, &mut random))
}

/// How many tokens the layer of a case knows, if it takes tokens.
pub(crate) fn tokens(case: &Case) -> Option<usize> {
    match &case.layer {
        Layer::Embedding(embedding) => Some(embedding.input_dim),
        _ => None,
    }
}

/// Drawn numbers from -1 to 1 as a case takes them: tokens, if it takes those.
pub(crate) fn of_case(case: &Case, drawn: ArrayD<f32>) -> ArrayD<f32> {
    match tokens(case) {
        Some(count) => drawn.mapv(|value| ((value + 1.0) / 2.0 * count as f32).floor().min(count as f32 - 1.0)),
        None => drawn,
    }
}

/// Examples of a shape: (count, its axes).
pub(crate) fn batch(shape: Shape, count: usize, random: &mut Random) -> ArrayD<f32> {
    let axes: Vec<usize> = [count].into_iter().chain(shape.axes().iter().copied()).collect();
    ArrayD::from_shape_simple_fn(axes, || random.random_range(-1.0..1.0))
}
