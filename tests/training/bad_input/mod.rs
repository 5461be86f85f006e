//! What users do wrong: each case ends in an error that says where, what was expected and what was found; never in a
//! panic, and never in memory for a size that makes no sense.

mod absurd;
mod data;
mod datasets;
mod divergence;
mod ends;
mod layers;
mod normalized;
mod settings;
mod weights;
mod zeros;

use inkstone::prelude::*;
use inkstone::{Error, LearningRate, Model, Optimizer};
use ndarray::{Array4, ArrayD, Axis};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn try_compile(model: Sequential) -> inkstone::Result<Model> {
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
}

/// Fails unless this model is refused with this text.
#[track_caller]
fn refused(model: Sequential, expected: &str) {
    assert_eq!(compile_error(model), expected);
}

/// The text of the error that compiling this model gives.
#[track_caller]
fn compile_error(model: Sequential) -> String {
    // `unwrap_err` would print all weights of a model that should not be.
    let Err(error) = try_compile(model) else { panic!("expected an error") };
    error.to_string()
}

/// Fails unless this optimizer is refused with this text.
#[track_caller]
fn optimizer_refused(optimizer: impl Into<Optimizer>, expected: &str) {
    let error = head(image()).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(error.to_string(), expected);
}

fn image() -> Sequential {
    Sequential::new([8, 8, 1])
}

fn vector() -> Sequential {
    Sequential::new([64])
}

/// The end that most models here have.
fn head(model: Sequential) -> Sequential {
    model.add(Flatten::new()).add(Dense::new(10).activation(Softmax))
}

fn small() -> Model {
    try_compile(head(image()).seed(1)).unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 8, 8, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * 3) % 64) as f32 / 64.0)
}

fn dataset(labels: Vec<usize>) -> Dataset {
    Dataset::from_floats(images(labels.len()), labels).unwrap()
}

fn colour() -> Dataset {
    Dataset::from_bytes(Array4::zeros((2, 8, 8, 3)), vec![0, 0]).unwrap()
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().verbose(0)
}

/// The text of an error about data.
#[track_caller]
fn data_error<T>(result: inkstone::Result<T>) -> String {
    let Err(error) = result else { panic!("expected an error") };
    assert!(matches!(error, Error::Data(_)), "{error}");
    error.to_string()
}

/// `unwrap_err` on a `compile` that went well prints the model.
#[test]
fn a_printed_model_is_short() {
    let text = format!("{:?}", small());
    assert!(text.starts_with("Model { layers: [Flatten(Flatten { name: None }), Dense("), "{text}");
    assert!(text.len() < 1000, "{} characters", text.len());
}

/// A softmax of every pixel with `Flatten` behind it gives several sums of 1, not the probabilities of classes.
#[test]
fn a_softmax_over_pixels_is_not_taken_for_one_over_classes() {
    let pixels = || Sequential::new([2, 2, 1]).add(Conv2D::new(3, (1, 1)).activation(Softmax)).add(Flatten::new());
    let error = try_compile(pixels()).unwrap_err().to_string();
    assert!(
        error.starts_with("the model gives no probabilities, which SparseCategoricalCrossentropy expects"),
        "{error}"
    );
    let logits = SparseCategoricalCrossentropy::default().from_logits(true);
    let model = pixels().compile(Adam::default(), logits, [Accuracy]).unwrap();
    let sum = model.predict(&Array4::<f32>::zeros((1, 2, 2, 1))).unwrap().sum();
    assert!((sum - 4.0).abs() < 1e-5, "four pixels, four sums of 1, got {sum}");
}
