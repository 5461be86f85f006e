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

#[test]
fn gradients_and_a_step_with_them_take_the_moments_up() {
    let mut model = model(BatchNormalization::new().momentum(0.75));
    let (x, y) = batch();
    let (_, gradients) = model.gradients(&x, &y).unwrap();
    assert_close(&moving(&model), [[0.0, 0.0], [1.0, 1.0]]);
    model.apply_gradients(&gradients).unwrap();
    assert_close(&moving(&model), [[0.75, 5.0], [0.75 + 2.0 / 3.0, 50.75]]);
}

#[test]
fn a_pass_of_no_examples_changes_nothing() {
    let mut model = model(BatchNormalization::new());
    let pass = model.forward(&Array2::<f32>::zeros((0, 2)), Mode::Training).unwrap();
    let gradients = model.backward(pass, Array2::<f32>::zeros((0, 1))).unwrap().weights;
    model.apply_gradients(&gradients).unwrap();
    assert_close(&moving(&model), [[0.0, 0.0], [1.0, 1.0]]);
}

#[test]
fn a_pass_goes_back_on_more_threads_than_it_came_on() {
    let model = model(BatchNormalization::new());
    let x = Array2::from_shape_fn((300, 2), |(n, column)| (n * 7 % 11 + column) as f32);
    let on = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pass = on(1).install(|| model.forward(&x, Mode::Training)).unwrap();
    let gradients = on(4).install(|| model.backward(pass, Array2::<f32>::ones((300, 1)))).unwrap();
    assert_eq!(gradients.inputs[0].shape(), [300, 2]);
}

/// Batches of several sizes on several numbers of threads, one after the other, give what fresh models give.
#[test]
fn memory_of_one_batch_leaves_nothing_for_the_next() {
    let data = |count: usize| {
        let x = Array2::from_shape_fn((count, 2), |(n, column)| ((n * 13 + column * 5) % 17) as f32 / 17.0);
        (x, Array2::from_shape_fn((count, 1), |(n, _)| (n % 3) as f32))
    };
    let mut used = model(BatchNormalization::new().momentum(0.9));
    for (threads, count) in [(2, 200), (1, 7), (3, 320), (2, 64)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (x, y) = data(count);
        let mut fresh = model(BatchNormalization::new().momentum(0.9));
        fresh.set_weights(&used.get_weights()).unwrap();
        pool.install(|| used.train_on_batch(&x, &y)).unwrap();
        fresh.train_on_batch(&x, &y).unwrap();
        assert_eq!(used.get_weights(), fresh.get_weights(), "{count} on {threads} threads");
    }
}

#[test]
fn penalties_of_outputs_have_gradients_beside_a_normalization() {
    let regularized = Dense::new(4).activity_regularizer(Regularizer::l2(0.5));
    let described = Sequential::new([2]).add(regularized).add(BatchNormalization::new()).add(Dense::new(1)).seed(5);
    let mut model = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let (x, y) = batch();
    let pass = model.forward(&x, Mode::Training).unwrap();
    let (_, d_outputs) = model.compute_loss(&pass, &y).unwrap();
    let by_hand = model.backward(pass, d_outputs).unwrap().weights;
    let (_, gradients) = model.gradients(&x, &y).unwrap();
    assert_eq!(by_hand, gradients);
    // Behind a normalization nothing else would tell how large the outputs are.
    assert!(gradients[0].values.iter().any(|gradient| gradient.abs() > 0.1), "{:?}", gradients[0]);
}

/// The plan that predicts has normalization and pooling in a convolution; the one with frozen statistics has them
/// apart.
#[test]
fn what_is_folded_into_kernels_predicts_the_same() {
    let described = |trainable: bool| {
        Sequential::new([4, 4, 64])
            .add(Conv2D::new(64, (4, 4)).use_bias(false))
            .add(BatchNormalization::new().momentum(0.5).trainable(trainable))
            .add(Activation::new(Relu))
            .add(GlobalMaxPooling2D::new())
            .add(Dense::new(3))
            .seed(9)
            .compile(Sgd::new(0.1), MeanSquaredError, [])
            .unwrap()
    };
    let x = inkstone::ndarray::Array4::from_shape_fn((9, 4, 4, 64), |(n, y, x, c)| {
        ((n * 31 + y * 7 + x * 3 + c) % 23) as f32 / 23.0
    });
    let mut model = described(true);
    for _ in 0..3 {
        model.train_on_batch(&x, &Array2::from_elem((9, 3), 0.5)).unwrap();
    }
    let mut apart = described(false);
    apart.set_weights(&model.get_weights()).unwrap();
    let expected = apart.forward(&x, Mode::Training).unwrap();
    let predictions = model.predict(&x).unwrap();
    for (found, expected) in predictions.iter().zip(expected.output()) {
        assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{found}, expected {expected}");
    }
    assert_eq!(model.into_predictor().predict(&x).unwrap(), predictions);
}
