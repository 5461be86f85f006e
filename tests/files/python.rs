//! Python's
//! `safetensors` reads what is saved, Keras predicts the same with it, and what Python writes is read again: the PyPI
//! packages, if `INKSTONE_PYTHON` names an interpreter that has them.

use crate::common_python as python;
use inkstone::prelude::*;
use ndarray::{Array2, Array3, Array4, ArrayD};
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::process::Command;

#[test]
fn keras_predicts_the_same_from_a_saved_model() {
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
    if python::python().is_some() {
        let digits = inkstone::data::synthetic::digits(400, 1).unwrap();
        model.fit(&digits, FitConfig::new().epochs(8).verbose(0)).unwrap();
    }
    // No digits, but values all over the range.
    let images = Array4::from_shape_fn((50, 28, 28, 1), |(n, y, x, _)| {
        ((n * 7919 + y * 104_729 + x * 1_299_709) % 1009) as f32 / 1008.0
    });
    check(&model, &images.into_dyn());
}

/// Layers of sequences, whose padding is found by a table or by its value.
#[test]
fn keras_predicts_the_same_from_saved_models_of_sequences() {
    let compiled = |layers: Sequential| {
        let described = layers.add(Dense::new(3).activation(Softmax)).seed(3);
        described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap()
    };
    // Rows of different lengths, with padding behind or in front, and one of padding alone.
    let is_padding = |row: usize, step: usize| if row.is_multiple_of(2) { step >= row / 2 } else { step < row / 3 };
    let wide = || Initializer::RandomUniform { minval: -1.0, maxval: 1.0 };
    let words = Sequential::new([8])
        .add(Embedding::new(20, 5).mask_zero(true).embeddings_initializer(wide()))
        .add(Bidirectional::new(LSTM::new(6).return_sequences(true).dropout(0.2)))
        .add(GRU::new(7).return_sequences(true).go_backwards(true))
        .add(GRU::new(6).reset_after(false).return_sequences(true).recurrent_dropout(0.1))
        .add(TimeDistributed::new(Dense::new(5).activation(Tanh)))
        .add(SimpleRNN::new(4).kernel_initializer(wide()).bias_initializer(wide()));
    let tokens = Array2::from_shape_fn((18, 8), |(row, step)| {
        if is_padding(row, step) { 0.0 } else { ((row * 7 + step * 5) % 19 + 1) as f32 }
    });
    check(&compiled(words), &tokens.into_dyn());

    let series = Sequential::new([8, 2])
        .add(Masking::new().mask_value(-1.0))
        .add(SimpleRNN::new(5).return_sequences(true).activation(Relu).kernel_initializer(wide()))
        .add(Bidirectional::new(GRU::new(4).bias_initializer(wide())).merge_mode(MergeMode::Mul));
    let values = Array3::from_shape_fn((18, 8, 2), |(row, step, feature)| {
        if is_padding(row, step) { -1.0 } else { ((row * 13 + step * 7 + feature * 5) % 23) as f32 / 23.0 }
    });
    check(&compiled(series), &values.into_dyn());
}

/// Fails unless Keras predicts the same from a model's file, and the files that Python writes of it are read again.
fn check(model: &Model, inputs: &ArrayD<f32>) {
    let Some(python) = python::python() else { return };
    let predictions = model.predict_rows(inputs).unwrap();
    let from_first = &predictions - &predictions.row(0);
    let spread = from_first.iter().fold(0.0, |most, difference| f32::max(most, difference.abs()));
    assert!(spread > 0.01, "predictions of different inputs differ: {spread}");

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    model.save(path("model")).unwrap();
    let bytes = |floats: &[f32]| floats.iter().flat_map(|float| float.to_le_bytes()).collect::<Vec<u8>>();
    let (stored_inputs, stored_predictions) =
        (bytes(inputs.as_slice().unwrap()), bytes(predictions.as_slice().unwrap()));
    let cases = [
        ("inputs", TensorView::new(Dtype::F32, inputs.shape().to_vec(), &stored_inputs).unwrap()),
        ("predictions", TensorView::new(Dtype::F32, predictions.shape().to_vec(), &stored_predictions).unwrap()),
    ];
    fs::write(path("cases"), safetensors::serialize(cases, None).unwrap()).unwrap();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/check_saved.py");
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
    assert_eq!(other.predict_rows(inputs).unwrap(), predictions);
}

#[test]
fn without_python_the_test_is_skipped_or_fails_as_the_environment_says() {
    python::is_skipped_or_fails_as_the_environment_says("python::keras_predicts_the_same_from_a_saved_model");
}
