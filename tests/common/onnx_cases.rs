//! Models that between them have every layer with every option, those of the table of cases, and models drawn at
//! random, each with inputs: what the programs that run ONNX files are compared on.

use crate::cases::{KINDS, Kind, Random, batch, model as model_of, of_case};
use inkstone::Shape;
use inkstone::layers::{ActivationFunction, Layer};
use inkstone::prelude::*;
use ndarray::ArrayD;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::ops::RangeInclusive;

/// How many models are drawn.
const DRAWN: u64 = 48;
/// How many models there are for each kind of layer.
const OF_EACH_KIND: u64 = 4;
/// Inputs for each model that is not trained.
const INPUTS: usize = 7;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) inputs: ArrayD<f32>,
}

/// All of them but the trained one.
pub(crate) fn cases() -> Vec<Case> {
    let drawn = (0..DRAWN).map(|seed| {
        let (input, model) = drawn(seed);
        case(format!("drawn {seed}"), input, model, seed)
    });
    let of_kinds =
        KINDS.iter().flat_map(|kind| (0..OF_EACH_KIND).map(|seed| (kind.case(seed), seed))).map(|(of, seed)| {
            let model = model_of(&of).compile(Adam::default(), MeanSquaredError, []).unwrap();
            let case = case(format!("{:?} {seed}", of.kind), of.inputs[0], model, seed);
            Case { inputs: of_case(&of, case.inputs), ..case }
        });
    let written = written().into_iter().map(|(name, input, layers)| case(name.into(), input, model(input, layers), 99));
    written.chain(of_kinds).chain(drawn).collect()
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
    Case { name: "the Keras example".into(), model, inputs: digits(500, 2).images().into_dyn() }
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
        (
            "every activation function",
            [6, 5, 3].into(),
            vec![
                Conv2D::new(4, (2, 2)).activation(Gelu).into(),
                Conv2D::new(5, (2, 2)).padding(Same).activation(Mish).into(),
                Activation::new(GeluTanh).into(),
                Activation::new(Selu).into(),
                MaxPooling2D::new((2, 2)).into(),
                Conv2D::new(5, (2, 2)).activation(Silu).into(),
                ReLU::new().max_value(0.4).negative_slope(0.1).threshold(0.05).into(),
                Flatten::new().into(),
                Dense::new(9).activation(Softplus).into(),
                Dense::new(9).activation(LeakyRelu).into(),
                Dense::new(9).activation(Elu).into(),
                Dense::new(9).activation(Softsign).into(),
                Dense::new(9).activation(Relu6).into(),
                Dense::new(9).activation(HardSigmoid).into(),
                Dense::new(9).activation(Exponential).into(),
            ],
        ),
        ("nothing but a dropout", [3].into(), vec![Dropout::new(0.5).into()]),
        ("nothing but two flattenings", [3, 2, 4].into(), vec![Flatten::new().into(), Flatten::new().into()]),
        ("a softmax of every pixel", [3, 4, 5].into(), vec![Activation::new(Softmax).into(), Flatten::new().into()]),
        ("a softmax of all values", [3, 4, 1].into(), vec![Flatten::new().into(), Activation::new(Softmax).into()]),
        (
            "poolings of borders",
            [5, 4, 2].into(),
            vec![
                ZeroPadding2D::new((2, 1)).into(),
                MaxPooling2D::new((2, 2)).strides((1, 1)).into(),
                ZeroPadding2D::new((1, 2)).into(),
                AveragePooling2D::new((3, 3)).padding(Same).into(),
                ZeroPadding2D::new((1, 1)).into(),
                MaxPooling2D::new((1, 1)).into(),
                Flatten::new().into(),
            ],
        ),
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
    let mut random = Random::seed_from_u64(seed);
    loop {
        let input = [one_of(&mut random, 1..=14), one_of(&mut random, 1..=14), one_of(&mut random, 1..=4)];
        let mut described = Sequential::new(input).seed(seed);
        for _ in 0..random.random_range(0..=5) {
            // Behind another layer the shape is another, and may be one that the layer does not take.
            let kind = *KINDS.choose(&mut random).unwrap();
            // It takes other inputs than all others.
            if kind == Kind::Embedding {
                continue;
            }
            described = kind.layer(&mut random, &[input.into()]).into_iter().fold(described, Sequential::add);
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

fn one_of(random: &mut Random, sizes: RangeInclusive<usize>) -> usize {
    random.random_range(sizes)
}

fn function(random: &mut Random) -> ActivationFunction {
    *[Linear, Relu, Sigmoid, Tanh, Softmax].choose(random).unwrap()
}

/// Draws inputs, and biases and slopes, which start as zeros.
fn case(name: String, input: Shape, mut model: Model, seed: u64) -> Case {
    let mut random = Random::seed_from_u64(!seed);
    let mut weights = model.get_weights();
    for weight in weights.iter_mut().filter(|weight| ["/bias", "/alpha"].iter().any(|end| weight.name.ends_with(end))) {
        weight.values.mapv_inplace(|_| random.random_range(-0.5..0.5));
    }
    model.set_weights(&weights).unwrap();
    let inputs = batch(input, INPUTS, &mut random);
    Case { name, model, inputs }
}
