//! Python's
//! `safetensors` reads what is saved, Keras predicts the same with it, and what Python writes is read again: the PyPI
//! packages, if `INKSTONE_PYTHON` names an interpreter that has them.

use crate::common_python as python;
use inkstone::prelude::*;
use ndarray::Array4;
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::process::Command;

#[test]
fn keras_predicts_the_same_from_a_saved_model() {
    let Some(python) = python::python() else { return };
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(16, (3, 2)).strides((2, 1)).padding(Same).use_bias(false))
        .add(Activation::new(Tanh))
        .add(MaxPooling2D::new((3, 3)).strides((2, 2)).padding(Same))
        .add(Dropout::new(0.2))
        .add(Flatten::new())
        .add(Dense::new(32).activation(Sigmoid))
        .add(Dense::new(10).activation(Softmax))
        .seed(3)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let digits = inkstone::data::synthetic::digits(400, 1).unwrap();
    model.fit(&digits, FitConfig::new().epochs(8).verbose(0)).unwrap();
    // No digits, but values all over the range.
    let images = Array4::from_shape_fn((50, 28, 28, 1), |(n, y, x, _)| {
        ((n * 7919 + y * 104_729 + x * 1_299_709) % 1009) as f32 / 1008.0
    });
    let predictions = model.predict_rows(&images).unwrap();
    let from_first = &predictions - &predictions.row(0);
    let spread = from_first.iter().fold(0.0, |most, difference| f32::max(most, difference.abs()));
    assert!(spread > 0.01, "predictions of different images differ: {spread}");

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    model.save(path("model")).unwrap();
    let bytes = |floats: &[f32]| floats.iter().flat_map(|float| float.to_le_bytes()).collect::<Vec<u8>>();
    let (stored_images, stored_predictions) =
        (bytes(images.as_slice().unwrap()), bytes(predictions.as_slice().unwrap()));
    let cases = [
        ("images", TensorView::new(Dtype::F32, images.shape().to_vec(), &stored_images).unwrap()),
        ("predictions", TensorView::new(Dtype::F32, predictions.shape().to_vec(), &stored_predictions).unwrap()),
    ];
    fs::write(path("cases"), safetensors::serialize(cases, None).unwrap()).unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_saved.py");
    let files = ["model", "cases", "again", "weights"].map(path);
    let output = Command::new(&python).arg(script).args(files).output().unwrap();
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaints}");
    eprint!("{said}");

    // The way back: the same file written by Python, and weights without anything else.
    let again = Model::load(path("again")).unwrap();
    assert_eq!(again.to_bytes().unwrap(), model.to_bytes().unwrap());
    let mut other = Model::load(path("model")).unwrap();
    let mut weights = other.get_weights();
    weights.iter_mut().for_each(|weight| weight.values.fill(0.0));
    other.set_weights(&weights).unwrap();
    other.load_weights(path("weights")).unwrap();
    assert_eq!(other.predict_rows(&images).unwrap(), predictions);
}

#[test]
fn without_python_the_test_is_skipped_or_fails_as_the_environment_says() {
    python::is_skipped_or_fails_as_the_environment_says("python::keras_predicts_the_same_from_a_saved_model");
}
