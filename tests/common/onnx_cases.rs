//! Models that between them have every layer with every option, and models drawn at random, each with inputs: what the programs
//! that run ONNX files are compared on.

use inkstone::layers::{ActivationFunction, Layer};
use inkstone::prelude::*;
use inkstone::{Padding, Shape};
use ndarray::Array4;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::ops::RangeInclusive;

/// How many models are drawn.
const DRAWN: u64 = 48;
/// Inputs for each model that is not trained.
const INPUTS: usize = 7;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) inputs: Array4<f32>,
}

/// All of them but the trained one.
pub(crate) fn cases() -> Vec<Case> {
    let drawn = (0..DRAWN).map(|seed| {
        let (input, model) = drawn(seed);
        case(format!("drawn {seed}"), input, model, seed)
    });
    written()
        .into_iter()
        .map(|(name, input, layers)| case(name.into(), input, model(input, layers), 99))
        .chain(drawn)
        .collect()
}

/// The Keras example's network, trained on drawn digits, with digits that it has not seen.
pub(crate) fn trained() -> Case {
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(5)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let digits = |count, seed| inkstone::data::synthetic::digits(count, seed).unwrap();
    model.fit(&digits(2000, 1), FitConfig::new().epochs(3).verbose(0)).unwrap();
    Case { name: "the Keras example".into(), model, inputs: digits(500, 2).images() }
}

fn model(input: Shape, layers: Vec<Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new(input), Sequential::add);
    described.seed(8).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

fn written() -> Vec<(&'static str, Shape, Vec<Layer>)> {
    vec![
        (
            "every layer",
            [13, 10, 3].into(),
            vec![
                Activation::new(Tanh).into(),
                Conv2D::new(5, (3, 2)).padding(Same).strides((2, 1)).use_bias(false).into(),
                Activation::new(Relu).into(),
                MaxPooling2D::new((3, 3)).strides((2, 2)).padding(Same).into(),
                Dropout::new(0.3).into(),
                Conv2D::new(4, (2, 2)).activation(Softmax).into(),
                MaxPooling2D::new((2, 1)).into(),
                Flatten::new().into(),
                Dense::new(9).activation(Sigmoid).use_bias(false).into(),
                Dropout::new(0.5).into(),
                Dense::new(6).into(),
                Activation::new(Softmax).into(),
            ],
        ),
        ("vectors", [7].into(), vec![Dense::new(4).activation(Tanh).into(), Dense::new(3).into()]),
        ("nothing but a dropout", [3].into(), vec![Dropout::new(0.5).into()]),
        ("nothing but two flattenings", [3, 2, 4].into(), vec![Flatten::new().into(), Flatten::new().into()]),
        ("a softmax of every pixel", [3, 4, 5].into(), vec![Activation::new(Softmax).into(), Flatten::new().into()]),
        ("a softmax of all values", [3, 4, 1].into(), vec![Flatten::new().into(), Activation::new(Softmax).into()]),
        (
            "windows larger than images, and strides larger than windows",
            [5, 4, 2].into(),
            vec![
                Conv2D::new(3, (7, 6)).padding(Same).into(),
                MaxPooling2D::new((9, 5)).strides((1, 2)).padding(Same).into(),
                Conv2D::new(8, (1, 1)).padding(Same).strides((3, 2)).into(),
                Flatten::new().into(),
            ],
        ),
    ]
}

/// A model that compiles, drawn at random; the description is drawn again until one does.
fn drawn(seed: u64) -> (Shape, Model) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    loop {
        let input = [one_of(&mut random, 1..=14), one_of(&mut random, 1..=14), one_of(&mut random, 1..=4)];
        let mut described = Sequential::new(input).seed(seed);
        for _ in 0..random.random_range(0..=5) {
            described = described.add(image_layer(&mut random));
        }
        described = described.add(Flatten::new());
        for _ in 0..random.random_range(0..=2) {
            let dense = Dense::new(one_of(&mut random, 1..=20)).activation(function(&mut random));
            described = described.add(dense.use_bias(random.random()));
        }
        if let Ok(model) = described.compile(Adam::default(), MeanSquaredError, []) {
            return (input.into(), model);
        }
    }
}

fn image_layer(random: &mut Xoshiro256PlusPlus) -> Layer {
    let window = (one_of(random, 1..=5), one_of(random, 1..=5));
    let strides = (one_of(random, 1..=3), one_of(random, 1..=3));
    let padding: Padding = *[Valid, Same].choose(random).unwrap();
    match random.random_range(0..8) {
        0..=3 => {
            let conv = Conv2D::new(one_of(random, 1..=20), window).strides(strides).padding(padding);
            conv.activation(function(random)).use_bias(random.random()).into()
        }
        4 => MaxPooling2D::new(window).padding(padding).into(),
        5 => MaxPooling2D::new(window).strides(strides).padding(padding).into(),
        6 => Activation::new(function(random)).into(),
        _ => Dropout::new(0.25).into(),
    }
}

fn one_of(random: &mut Xoshiro256PlusPlus, sizes: RangeInclusive<usize>) -> usize {
    random.random_range(sizes)
}

fn function(random: &mut Xoshiro256PlusPlus) -> ActivationFunction {
    *[Linear, Relu, Sigmoid, Tanh, Softmax].choose(random).unwrap()
}

/// Draws inputs, and biases, which start as zeros.
fn case(name: String, input: Shape, mut model: Model, seed: u64) -> Case {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(!seed);
    let mut weights = model.get_weights();
    for weight in weights.iter_mut().filter(|weight| weight.name.ends_with("/bias")) {
        weight.values.mapv_inplace(|_| random.random_range(-0.5..0.5));
    }
    model.set_weights(&weights).unwrap();
    let (height, width, channels) = input.as_image();
    let inputs = Array4::from_shape_simple_fn((INPUTS, height, width, channels), || random.random_range(-1.0..1.0));
    Case { name, model, inputs }
}
