//! Weights of PyTorch modules, which `tests/fixtures/make_torch_weights.py` wrote with what the modules predict: read,
//! and written again.

mod faults;
mod layouts;

use inkstone::prelude::*;
use ndarray::{ArrayD, IxDyn};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    fn array(&self) -> ArrayD<f32> {
        ArrayD::from_shape_vec(IxDyn(&self.shape), self.values.clone()).unwrap()
    }
}

#[derive(Deserialize)]
struct Case {
    x: Tensor,
    y: Tensor,
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("../../fixtures/torch/cases.json")).unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/torch/{name}.safetensors"))
}

type Names = &'static [(&'static str, &'static str)];

/// The model of a case, the map that it is read with, and the names of all its modules in PyTorch.
fn case(name: &str) -> (Sequential, Names, Names) {
    match name {
        "lenet" => (
            Sequential::new([12, 16, 1])
                .add(Conv2D::new(4, (5, 5)).padding(Same).activation(Relu))
                .add(MaxPooling2D::new((2, 2)))
                .add(Conv2D::new(6, (3, 3)).activation(Relu))
                .add(MaxPooling2D::new((2, 2)))
                .add(Flatten::new())
                .add(Dropout::new(0.5))
                .add(Dense::new(10).activation(Relu))
                .add(Dense::new(10).activation(Relu))
                .add(Dense::new(10).activation(Softmax)),
            &[],
            &[("conv2d", "conv1"), ("conv2d_1", "conv2"), ("dense", "fc1"), ("dense_1", "fc2"), ("dense_2", "fc3")],
        ),
        "norms" => (
            Sequential::new([9, 7, 3])
                .add(Conv2D::new(4, (3, 3)).use_bias(false))
                .add(BatchNormalization::new().epsilon(1e-5))
                .add(Activation::new(Relu))
                .add(DepthwiseConv2D::new((3, 3)).depth_multiplier(2).padding(Same))
                .add(BatchNormalization::new().epsilon(1e-5))
                .add(PReLU::new().shared_axes([1, 2]))
                .add(Conv2D::new(6, (1, 2)).groups(2))
                .add(GroupNormalization::new().groups(3).epsilon(1e-5))
                .add(Activation::new(Silu))
                .add(SeparableConv2D::new(5, (3, 3)))
                .add(GlobalAveragePooling2D::new())
                .add(Dense::new(4).activation(Softmax)),
            &[],
            &[
                ("conv2d", "features.0"),
                ("batch_normalization", "features.1"),
                ("depthwise_conv2d", "features.3"),
                ("batch_normalization_1", "features.4"),
                ("p_re_lu", "features.5"),
                ("conv2d_1", "features.6"),
                ("group_normalization", "features.7"),
                ("separable_conv2d.depthwise", "features.9"),
                ("separable_conv2d.pointwise", "features.10"),
                ("dense", "classifier"),
            ],
        ),
        "autoencoder" => (
            Sequential::new([7, 9, 2])
                .add(Conv2D::new(5, (3, 3)).strides((2, 2)).activation(Relu))
                .add(Flatten::new())
                .add(BatchNormalization::new().epsilon(1e-5))
                .add(Dense::new(6).activation(Tanh))
                .add(Dense::new(60))
                .add(BatchNormalization::new().epsilon(1e-5))
                .add(Activation::new(Relu))
                .add(Reshape::new([3, 4, 5]))
                .add(Conv2DTranspose::new(5, (3, 3)).strides((2, 2)).activation(Relu))
                .add(Conv2DTranspose::new(2, (1, 2)).activation(Sigmoid)),
            // Both have tensors of the same shapes.
            &[("batch_normalization", "encoder.3"), ("batch_normalization_1", "decoder.1")],
            &[
                ("conv2d", "encoder.0"),
                ("batch_normalization", "encoder.3"),
                ("dense", "encoder.4"),
                ("dense_1", "decoder.0"),
                ("batch_normalization_1", "decoder.1"),
                ("conv2d_transpose", "decoder.4"),
                ("conv2d_transpose_1", "decoder.6"),
            ],
        ),
        "recurrent" => (
            Sequential::new([5, 3])
                .add(LSTM::new(4).return_sequences(true))
                .add(LSTM::new(4).return_sequences(true))
                .add(Bidirectional::new(GRU::new(3).return_sequences(true)))
                .add(SimpleRNN::new(5))
                .add(Dense::new(4).activation(Softmax)),
            &[],
            &[
                ("lstm", "lstm"),
                ("lstm_1", "lstm.l1"),
                ("bidirectional", "gru"),
                ("simple_rnn", "rnn"),
                ("dense", "fc"),
            ],
        ),
        "both" => (
            Sequential::new([6, 2])
                .add(GRU::new(4).return_sequences(true).use_bias(false))
                .add(Bidirectional::new(LSTM::new(3)))
                .add(Dense::new(3).activation(Softmax)),
            &[],
            &[("gru", "gru"), ("bidirectional", "lstm"), ("dense", "fc")],
        ),
        "text" => (
            Sequential::new([8])
                .add(Embedding::new(20, 4))
                .add(Conv1D::new(6, 3).activation(Relu))
                .add(MaxPooling1D::new(2))
                .add(Flatten::new())
                .add(LayerNormalization::new().epsilon(1e-5))
                .add(Dense::new(3).activation(Softmax)),
            &[],
            &[("embedding", "embed"), ("conv1d", "conv"), ("layer_normalization", "norm"), ("dense", "fc")],
        ),
        other => panic!("no model of {other}"),
    }
}

fn compiled(network: Sequential) -> Model {
    network.compile(Adam::default(), MeanSquaredError, []).unwrap()
}

fn predict(model: &Model, x: &ArrayD<f32>) -> ArrayD<f32> {
    let x = x.clone();
    match x.ndim() {
        2 => model.predict(&x.into_dimensionality::<ndarray::Ix2>().unwrap()),
        3 => model.predict(&x.into_dimensionality::<ndarray::Ix3>().unwrap()),
        _ => model.predict(&x.into_dimensionality::<ndarray::Ix4>().unwrap()),
    }
    .unwrap()
    .into_dyn()
}

fn largest_difference(model: &Model, case: &Case) -> f32 {
    let (predicted, expected) = (predict(model, &case.x.array()), case.y.array());
    let values: usize = expected.shape().iter().product();
    assert_eq!(predicted.len(), values);
    predicted.iter().zip(expected.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn models_predict_what_the_modules_of_their_weights_do() {
    for (name, expected) in cases() {
        let (network, map, all) = case(&name);
        let mut model = compiled(network.clone());
        assert!(largest_difference(&model, &expected) > 1e-3, "{name}");
        model.load_torch_weights_with(fixture(&name), map).unwrap();
        let difference = largest_difference(&model, &expected);
        eprintln!("{name}: {difference:e}");
        assert!(difference < 1e-5, "{name}: {difference}");
        let mut mapped = compiled(network);
        mapped.load_torch_weights_with(fixture(&name), all).unwrap();
        assert_eq!(mapped.get_weights(), model.get_weights(), "{name}");
    }
}

#[test]
fn written_weights_are_read_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written");
    for name in cases().keys() {
        let (network, map, all) = case(name);
        let (mut model, mut other) = (compiled(network.clone().seed(1)), compiled(network.seed(2)));
        model.load_torch_weights_with(fixture(name), map).unwrap();
        for names in [&[], all] {
            model.save_torch_weights_with(&path, names).unwrap();
            other.load_torch_weights_with(&path, names).unwrap();
            let bits = |model: &Model| -> Vec<u32> {
                model
                    .get_weights()
                    .iter()
                    .flat_map(|weight| weight.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
                    .collect()
            };
            assert_eq!(bits(&other), bits(&model), "{name}");
        }
    }
}

#[test]
fn written_files_have_the_tensors_of_the_modules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written");
    for name in cases().keys() {
        let (network, map, all) = case(name);
        let mut model = compiled(network);
        model.load_torch_weights_with(fixture(name), map).unwrap();
        model.save_torch_weights_with(&path, all).unwrap();
        let shapes = |path: &Path| -> BTreeMap<String, Vec<usize>> {
            let bytes = std::fs::read(path).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let all = tensors.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
            all.map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())).collect()
        };
        assert_eq!(shapes(&path), shapes(&fixture(name)), "{name}");
    }
}

/// What is written goes into PyTorch's modules, which predict the same.
#[test]
fn pytorch_reads_what_is_written() {
    let Some(python) = std::env::var_os("INKSTONE_TORCH_PYTHON").filter(|python| !python.is_empty()) else {
        eprintln!("skipped: set INKSTONE_TORCH_PYTHON to a Python interpreter that has torch and safetensors");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.safetensors");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/make_torch_weights.py");
    for name in cases().keys() {
        let (network, map, all) = case(name);
        let mut model = compiled(network);
        model.load_torch_weights_with(fixture(name), map).unwrap();
        model.save_torch_weights_with(&path, all).unwrap();
        let output = Command::new(&python).arg(&script).args(["check", name]).arg(&path).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let difference: f32 = said.trim().parse().unwrap();
        eprintln!("{name}: {difference:e}");
        assert!(difference < 1e-6, "{name}: {difference}");
    }
}
