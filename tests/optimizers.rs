//! Optimizers against Keras: the weights after each of twenty steps. `tests/fixtures/make_optimizers.py` made the numbers.

use approx::abs_diff_eq;
use inkstone::prelude::*;
use inkstone::{Optimizer, Weight};
use ndarray::{Array4, ArrayD, IxDyn};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Fixture {
    x: Vec<f32>,
    y: Vec<usize>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
    cases: HashMap<String, Vec<Step>>,
}

#[derive(Deserialize)]
struct Step {
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

fn compare_with_keras(case: &str, optimizer: impl Into<Optimizer>) {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/optimizers.json")).unwrap();
    let mut model = Sequential::new([4])
        .add(Dense::new(3).activation(Softmax))
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let weight = |name: &str, shape: &[usize], values: &[f32]| Weight {
        name: name.into(),
        values: ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap(),
    };
    model
        .set_weights(&[weight("dense/kernel", &[4, 3], &fixture.kernel), weight("dense/bias", &[3], &fixture.bias)])
        .unwrap();
    let x = Array4::from_shape_vec((6, 1, 1, 4), fixture.x).unwrap();
    assert_eq!(fixture.cases[case].len(), 20);
    for (step, expected) in fixture.cases[case].iter().enumerate() {
        model.train_on_batch(&x, &fixture.y).unwrap();
        let weights = model.get_weights();
        let actual = weights.iter().flat_map(|weight| weight.values.iter());
        for (actual, expected) in actual.zip(expected.kernel.iter().chain(&expected.bias)) {
            let close = abs_diff_eq!(actual, expected, epsilon = 5e-6);
            assert!(close, "{case}, step {step}: {actual}, Keras has {expected}");
        }
    }
}

#[test]
fn adam_with_default_settings_is_keras_s() {
    compare_with_keras("adam", Adam::default());
}

#[test]
fn adam_with_other_settings_is_keras_s() {
    compare_with_keras("adam_other", Adam::new(0.05).beta_1(0.7).beta_2(0.95).epsilon(1e-3));
}

#[test]
fn sgd_is_keras_s() {
    compare_with_keras("sgd", Sgd::default());
}

#[test]
fn sgd_with_momentum_is_keras_s() {
    compare_with_keras("sgd_momentum", Sgd::new(0.1).momentum(0.9));
}

#[test]
fn sgd_with_nesterov_momentum_is_keras_s() {
    compare_with_keras("sgd_nesterov", Sgd::new(0.1).momentum(0.9).nesterov(true));
}
