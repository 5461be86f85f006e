//! The Keras example's CNN against PyTorch: every gradient of the first step, every weight after it, and the losses of
//! ten steps. `tests/fixtures/make_training_step.py` made the numbers.

use crate::common::large_fixture;
use crate::common_keras_example::keras_example;
use inkstone::prelude::*;
use inkstone::{Model, Weight};
use ndarray::{Array4, ArrayD, IxDyn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    images: usize,
    learning_rate: f32,
    losses: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/training_step.json")).unwrap()
}

/// The formula of the script: numbers from 0 up to 1.
fn numbers(salt: u64, count: usize) -> Vec<f32> {
    let number = |index: u64| {
        let mixed = (index * 2_654_435_761 + salt * 974_711 + 12_345) % (1 << 32);
        let mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % (1 << 32);
        ((mixed ^ (mixed >> 13)) % (1 << 24)) as f32 / (1 << 24) as f32
    };
    (0..count as u64).map(number).collect()
}

fn weight(salt: usize, shape: &[usize]) -> ArrayD<f32> {
    let scale = match shape {
        [_] => 0.2,
        [rest @ .., outputs] => {
            let inputs: usize = rest.iter().product();
            let window: usize = rest[..rest.len() - 1].iter().product();
            2.0 * (6.0 / (inputs + window * outputs) as f32).sqrt()
        }
        [] => unreachable!("weights have axes"),
    };
    let values = numbers(salt as u64, shape.iter().product()).iter().map(|number| (number - 0.5) * scale).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap()
}

fn example() -> (Model, Array4<f32>, Vec<usize>) {
    let mut model = keras_example()
        .compile(Sgd::new(fixture().learning_rate), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let weights: Vec<Weight> = model
        .get_weights()
        .into_iter()
        .enumerate()
        .map(|(salt, old)| Weight { values: weight(salt, old.values.shape()), name: old.name })
        .collect();
    model.set_weights(&weights).unwrap();
    let images = fixture().images;
    let pixels = numbers(100, images * 784).into_iter().map(|x| if x < 0.5 { 0.0 } else { x }).collect();
    let labels = (0..images).map(|index| index * 3 % 10).collect();
    (model, Array4::from_shape_vec((images, 28, 28, 1), pixels).unwrap(), labels)
}

/// PyTorch's gradients, tensor by tensor.
fn expected_gradients(model: &Model) -> Vec<Vec<f32>> {
    let bytes = large_fixture("training_step.bin");
    let mut values = bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    let tensors = model.get_weights().iter().map(|w| values.by_ref().take(w.values.len()).collect()).collect();
    assert_eq!(values.next(), None, "the fixture has as many numbers as the model has weights");
    tensors
}

#[test]
fn every_gradient_of_the_first_step_is_pytorch_s() {
    let (mut model, images, labels) = example();
    let expected = expected_gradients(&model);
    let (scores, gradients) = model.gradients(&images, &labels).unwrap();
    assert!((scores.loss - fixture().losses[0]).abs() < 1e-5, "loss {}", scores.loss);
    for (gradient, expected) in gradients.iter().zip(&expected) {
        let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 0.0, "{} has gradients", gradient.name);
        for (index, (a, b)) in gradient.values.iter().zip(expected).enumerate() {
            let close = (a - b).abs() <= 1e-5 * largest + 1e-4 * b.abs();
            assert!(close, "{}[{index}]: {a}, PyTorch has {b}", gradient.name);
        }
    }
}

#[test]
fn every_weight_after_the_first_step_is_pytorch_s() {
    let (mut model, images, labels) = example();
    let gradients = expected_gradients(&model);
    let before = model.get_weights();
    model.train_on_batch(&images, &labels).unwrap();
    for ((before, after), gradient) in before.iter().zip(model.get_weights()).zip(&gradients) {
        for ((before, after), gradient) in before.values.iter().zip(&after.values).zip(gradient) {
            let expected = before - fixture().learning_rate * gradient;
            assert!((after - expected).abs() <= 1e-7 + 1e-6 * expected.abs(), "{after}, expected {expected}");
        }
    }
}

#[test]
fn the_losses_of_ten_steps_are_pytorch_s() {
    let (mut model, images, labels) = example();
    for (step, expected) in fixture().losses.iter().enumerate() {
        let loss = model.train_on_batch(&images, &labels).unwrap().loss;
        assert!((loss - expected).abs() < 2e-5, "step {step}: loss {loss}, PyTorch has {expected}");
    }
}
