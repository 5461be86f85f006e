//! The moving statistics of batch normalization: what changes them, and what does not.

use inkstone::Mode;
use inkstone::ndarray::{Array2, array};
use inkstone::prelude::*;

fn model(norm: BatchNormalization) -> Model {
    Sequential::new([2]).add(norm).add(Dense::new(1)).seed(3).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

fn batch() -> (Array2<f32>, Array2<f32>) {
    (array![[1.0, 10.0], [3.0, 10.0], [5.0, 40.0]], array![[1.0], [0.0], [2.0]])
}

/// The moving means and variances.
fn moving(model: &Model) -> [Vec<f32>; 2] {
    ["moving_mean", "moving_variance"].map(|name| {
        let weight = model.get_weight(&format!("batch_normalization/{name}")).unwrap();
        weight.values.iter().copied().collect()
    })
}

#[track_caller]
fn assert_close(found: &[Vec<f32>; 2], expected: [[f32; 2]; 2]) {
    for (found, expected) in found.iter().flatten().zip(expected.as_flattened()) {
        assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{found}, expected {expected}");
    }
}

/// The batch's means are 3 and 20, its variances, Keras' biased ones, 8/3 and 200.
#[test]
fn a_step_takes_the_batch_s_moments_up() {
    let mut model = model(BatchNormalization::new().momentum(0.75));
    let (x, y) = batch();
    model.train_on_batch(&x, &y).unwrap();
    assert_close(&moving(&model), [[0.75, 5.0], [0.75 + 2.0 / 3.0, 50.75]]);
    model.evaluate((&x, &y)).unwrap();
    model.predict(&x).unwrap();
    model.gradients(&x, &y).unwrap();
    assert_close(&moving(&model), [[0.75, 5.0], [0.75 + 2.0 / 3.0, 50.75]]);
}

#[test]
fn passes_by_hand_are_taken_up_with_the_next_step_each_once() {
    let mut model = model(BatchNormalization::new().momentum(0.5));
    let (x, y) = batch();
    let mut gradients = Vec::new();
    for _ in 0..2 {
        let pass = model.forward(&x, Mode::Training).unwrap();
        let (_, d_outputs) = model.compute_loss(&pass, &y).unwrap();
        gradients = model.backward(pass, d_outputs).unwrap().weights;
    }
    assert_close(&moving(&model), [[0.0, 0.0], [1.0, 1.0]]);
    model.apply_gradients(&gradients).unwrap();
    // Twice half of what is left.
    assert_close(&moving(&model), [[2.25, 15.0], [2.25, 150.25]]);
    model.apply_gradients(&gradients).unwrap();
    assert_close(&moving(&model), [[2.25, 15.0], [2.25, 150.25]]);
}

#[test]
fn a_frozen_normalization_keeps_its_statistics_and_trains_with_them() {
    let mut model = model(BatchNormalization::new().trainable(false));
    let (x, y) = batch();
    let before = model.predict_rows(&x).unwrap();
    let pass = model.forward(&x, Mode::Training).unwrap();
    let in_training = pass.output().clone();
    in_training.iter().zip(&before).for_each(|(a, b)| assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{a} {b}"));
    model.train_on_batch(&x, &y).unwrap();
    assert_close(&moving(&model), [[0.0, 0.0], [1.0, 1.0]]);
}

/// A clone and a file keep them.
#[test]
fn they_are_weights_of_the_model() {
    let mut model = model(BatchNormalization::new().momentum(0.5));
    let (x, y) = batch();
    model.train_on_batch(&x, &y).unwrap();
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(moving(&loaded), moving(&model));
    assert_eq!(moving(&model.clone()), moving(&model));
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());
}
