//! Losses and their gradients against Keras (label smoothing of one class for each example against PyTorch), with
//! weights for examples and without. `tests/fixtures/make_losses.py` made the numbers.

use crate::common::assert_close;
use inkstone::layers::ActivationFunction;
use inkstone::prelude::*;
use inkstone::{Loss, Model, Targets, Weight};
use ndarray::{Array2, Array4, ArrayD, IxDyn};
use serde::Deserialize;
use std::collections::HashMap;

const COUNT: usize = 7;
const FEATURES: usize = 5;
const OUTPUTS: usize = 4;

#[derive(Deserialize)]
struct Fixture {
    x: Vec<f32>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
    weights: Vec<f32>,
    cases: HashMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    targets: Vec<f32>,
    plain: Expected,
    weighted: Expected,
}

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/losses.json")).unwrap()
}

fn weight(name: &str, shape: &[usize], values: &[f32]) -> Weight {
    Weight { name: name.into(), values: ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap() }
}

fn model(fixture: &Fixture, activation: ActivationFunction, loss: Loss) -> Model {
    let mut model = Sequential::new([FEATURES])
        .add(Dense::new(OUTPUTS).activation(activation))
        .compile(Sgd::new(1.0), loss, [])
        .unwrap();
    let kernel = weight("dense/kernel", &[FEATURES, OUTPUTS], &fixture.kernel);
    model.set_weights(&[kernel, weight("dense/bias", &[OUTPUTS], &fixture.bias)]).unwrap();
    model
}

/// Both sides sum a few numbers of about 1 in f32.
fn compare(what: &str, loss: f64, gradients: &[Weight], expected: &Expected) {
    assert_close(&format!("{what}: loss"), &[loss as f32], &[expected.loss as f32], 2e-6, 1e-6);
    assert_close(&format!("{what}: kernel"), &gradients[0].values, &expected.kernel, 1e-5, 1e-6);
    assert_close(&format!("{what}: bias"), &gradients[1].values, &expected.bias, 1e-5, 1e-6);
}

/// The loss and gradients without weights, and with them through a step of `fit`.
fn compare_case(case: &str, activation: ActivationFunction, loss: impl Into<Loss>) {
    let (fixture, loss) = (fixture(), loss.into());
    let Case { targets, plain, weighted } = &fixture.cases[case];
    let x = Array4::from_shape_vec((COUNT, 1, 1, FEATURES), fixture.x.clone()).unwrap();
    let classes: Vec<usize> = targets.iter().map(|target| *target as usize).collect();
    let rows = (targets.len() > COUNT).then(|| Array2::from_shape_vec((COUNT, OUTPUTS), targets.clone()).unwrap());
    let targets = || rows.as_ref().map_or(Targets::from(&classes), Targets::from);

    let (scores, gradients) = model(&fixture, activation, loss.clone()).gradients(&x, targets()).unwrap();
    compare(case, scores.loss, &gradients, plain);

    let mut model = model(&fixture, activation, loss);
    let before = model.get_weights();
    let scores = model.evaluate((&x, targets(), &fixture.weights)).unwrap();
    let config = FitConfig::new().batch_size(COUNT).sample_weight(&fixture.weights).verbose(0);
    let history = model.fit((&x, targets()), config).unwrap();
    assert!((history.losses()[0] - scores.loss).abs() < 1e-7, "{case}: fit and evaluate weigh alike");
    // At a learning rate of 1 a step is the gradient.
    let steps: Vec<Weight> = before
        .into_iter()
        .zip(model.get_weights())
        .map(|(before, after)| Weight { name: before.name, values: before.values - after.values })
        .collect();
    compare(&format!("{case}, weighted"), scores.loss, &steps, weighted);
}

#[test]
fn sparse_categorical_crossentropy_is_keras_s() {
    let loss = SparseCategoricalCrossentropy::default();
    compare_case("sparse", Softmax, loss);
    compare_case("sparse_logits", Linear, loss.from_logits(true));
}

#[test]
fn sparse_label_smoothing_is_pytorch_s() {
    let loss = SparseCategoricalCrossentropy::default().label_smoothing(0.1);
    compare_case("sparse_smoothed", Softmax, loss);
    compare_case("sparse_smoothed", Linear, loss.from_logits(true));
}

#[test]
fn categorical_crossentropy_is_keras_s() {
    let loss = CategoricalCrossentropy::default();
    compare_case("categorical", Softmax, loss);
    compare_case("categorical_soft", Softmax, loss);
    compare_case("categorical_smoothed", Softmax, loss.label_smoothing(0.1));
    compare_case("categorical_logits", Linear, loss.from_logits(true).label_smoothing(0.3));
}

#[test]
fn binary_crossentropy_is_keras_s() {
    let loss = BinaryCrossentropy::default();
    compare_case("binary", Sigmoid, loss);
    compare_case("binary_smoothed", Sigmoid, loss.label_smoothing(0.2));
    compare_case("binary_logits", Linear, loss.from_logits(true));
}

#[test]
fn mean_squared_error_is_keras_s() {
    compare_case("mean_squared_error", Linear, MeanSquaredError);
    compare_case("mean_squared_error_softmax", Softmax, MeanSquaredError);
    compare_case("mean_squared_error_sigmoid", Sigmoid, MeanSquaredError);
}

#[test]
fn mean_absolute_error_is_keras_s() {
    compare_case("mean_absolute_error", Linear, MeanAbsoluteError);
    compare_case("mean_absolute_error_tanh", Tanh, MeanAbsoluteError);
}

#[test]
fn huber_is_keras_s() {
    compare_case("huber", Linear, Huber::default());
    compare_case("huber_other", Linear, Huber::new(0.4));
}

#[test]
fn kl_divergence_is_keras_s() {
    compare_case("kl_divergence", Softmax, KlDivergence);
}

#[test]
fn a_class_stands_for_its_one_hot_row() {
    let fixture = fixture();
    let x = Array4::from_shape_vec((COUNT, 1, 1, FEATURES), fixture.x.clone()).unwrap();
    let classes = [0, 3, 1, 2, 2, 0, 1];
    let rows = inkstone::data::to_categorical(&classes, OUTPUTS).unwrap();
    let losses: [(ActivationFunction, Loss); 4] = [
        (Softmax, CategoricalCrossentropy::default().label_smoothing(0.2).into()),
        (Sigmoid, BinaryCrossentropy::default().into()),
        (Softmax, KlDivergence.into()),
        (Linear, Huber::default().into()),
    ];
    for (activation, loss) in losses {
        let mut model = model(&fixture, activation, loss.clone());
        let of_classes = model.gradients(&x, &classes).unwrap();
        assert_eq!(of_classes, model.gradients(&x, &rows).unwrap(), "{loss:?}");
    }
}

/// Where a probability would be 0 or 1 in f32, loss and gradient are still finite and right.
#[test]
fn confident_mistakes_cost_what_they_should() {
    let x = Array4::from_elem((1, 1, 1, 1), 200.0);
    let target = Array2::from_elem((1, 1), 0.0);
    let mut binary = Sequential::new([1])
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Sgd::default(), BinaryCrossentropy::default(), [])
        .unwrap();
    binary.set_weights(&[weight("dense/kernel", &[1, 1], &[1.0]), weight("dense/bias", &[1], &[0.0])]).unwrap();
    let (scores, gradients) = binary.gradients(&x, &target).unwrap();
    assert_eq!((scores.loss, gradients[1].values[[0]]), (200.0, 1.0));
}
