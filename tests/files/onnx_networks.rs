//! Networks with several inputs and outputs as ONNX, run by ONNX Runtime, where `INKSTONE_PYTHON` names an interpreter
//! that has it.
#![cfg(feature = "onnx")]

use crate::cases::{Random, batch};
use crate::common_python as python;
use inkstone::Inputs;
use inkstone::prelude::*;
use ndarray::ArrayD;
use rand::{RngExt, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use std::process::Command;

const EXAMPLES: usize = 5;

/// Images and a row; a layer that is called twice, a residual block, an image, a sequence and probabilities as outputs.
fn several_ends() -> Model {
    let (image, row, other) = (Input::new([6, 5, 3]), Input::new([4]), Input::new([4]));
    // Names that ONNX gives the ends of the graph.
    let x = image.apply(Conv2D::new(8, (3, 3)).padding(Same).activation(Relu).name("input_0"));
    let y = x.apply(Conv2D::new(8, (3, 3)).padding(Same).name("stem.1"));
    let x = Add::of([&x, &y, &x]).apply(Activation::new(Relu));
    let joined = Concatenate::of([&x, &image, &x]);
    let picture = joined.apply(Conv2D::new(2, (1, 1)).activation(Sigmoid));
    let twin = Shared::new(Dense::new(6).activation(Tanh));
    let rows = Concatenate::of([&row.apply(&twin), &other.apply(&twin)]);
    let sequence = rows.apply(Reshape::new([3, 4])).apply(Dense::new(5).activation(Softmax));
    let pooled = joined.apply(GlobalAveragePooling2D::new());
    let probabilities = Concatenate::of([&pooled, &rows]).apply(Dense::new(3).activation(Softmax).name("output_2"));
    let outputs = [&picture, &sequence, &probabilities, &rows];
    Functional::new([&image, &row, &other], outputs).seed(3).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

/// Sums of images that lie as convolutions leave them and of images that do not, and the input as an output.
fn turned() -> Model {
    let image = Input::new([4, 3, 2]);
    let conv = image.apply(Conv2D::new(2, (3, 3)).padding(Same));
    let flat = image.apply(Flatten::new()).apply(Dense::new(24)).apply(Reshape::new([4, 3, 2]));
    let sum = Add::of([&conv, &image, &flat]);
    let other = image.apply(Conv2D::new(2, (1, 1)));
    let mixed = Add::of([&image, &conv, &other]);
    let pooled = sum.apply(ZeroPadding2D::new((1, 0))).apply(MaxPooling2D::new((2, 1)));
    let again = mixed.apply(Dropout::new(0.5));
    Functional::new([&image], [&sum, &pooled, &image, &mixed, &again, &mixed, &conv])
        .seed(4)
        .compile(Adam::default(), MeanSquaredError, [])
        .unwrap()
}

/// Layers that give their states, and layers that start from them: of each kind, backward, and in both directions.
fn states() -> Model {
    let (x, h) = (Input::new([5, 3]), Input::new([4]));
    let lstm = x.apply(LSTM::new(4).return_state(true).return_sequences(true).go_backwards(true));
    let last = x.apply_with_initial_state(LSTM::new(4).use_bias(false).return_state(true), &lstm.states());
    let simple = x.apply_with_initial_state(SimpleRNN::new(4).return_state(true), [&last.states()[1]]);
    let gru = GRU::new(4).return_state(true).return_sequences(true);
    let gru = lstm.apply_with_initial_state(gru, [&h]);
    let both = |mode| Bidirectional::new(LSTM::new(4).return_state(true).return_sequences(true)).merge_mode(mode);
    let apart = gru.apply(both(MergeMode::None));
    let product = Multiply::of(&apart.outputs()[..2]);
    let together = product.apply_with_initial_state(both(MergeMode::Concat), &apart.states());
    let nodes = [&lstm, &last, &simple, &gru, &apart, &together];
    let outputs: Vec<Node> = nodes.iter().flat_map(|node| node.outputs()).collect();
    Functional::new([&x, &h], &outputs).seed(6).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

/// The generator of a GAN, with a label: transposed convolutions whose kernels are multiples of their strides.
fn generator() -> Model {
    let (latent, label) = (Input::new([6]), Input::new([3]));
    let normalized = |x: &Node| x.apply(BatchNormalization::new()).apply(Activation::new(Relu));
    let x = normalized(&Concatenate::of([&latent, &label]).apply(Dense::new(4 * 4 * 8).use_bias(false)));
    let up = |filters| Conv2DTranspose::new(filters, (4, 4)).strides((2, 2)).padding(Same);
    let x = normalized(&x.apply(Reshape::new([4, 4, 8])).apply(up(5).use_bias(false)));
    let image = x.apply(up(1).activation(Sigmoid));
    Functional::new([&latent, &label], [&image]).seed(7).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

/// A model with its inputs drawn at random, and what it makes of them.
fn write(folder: &Path, number: usize, mut model: Model) {
    let mut random = Random::seed_from_u64(number as u64);
    let mut weights = model.get_weights();
    for weight in weights.iter_mut().filter(|weight| weight.name.ends_with("/bias")) {
        weight.values.mapv_inplace(|_| random.random_range(-0.5..0.5));
    }
    model.set_weights(&weights).unwrap();
    let inputs: Vec<ArrayD<f32>> =
        model.input_shapes().into_iter().map(|shape| batch(shape, EXAMPLES, &mut random)).collect();
    let outputs = model.predict_all(inputs.iter().map(Inputs::from).collect::<Vec<Inputs<'_>>>()).unwrap();
    let named = |end: &str, arrays: Vec<ArrayD<f32>>| {
        let name = |index| if arrays.len() == 1 { end.to_owned() } else { format!("{end}_{index}") };
        arrays.iter().enumerate().map(|(index, array)| (name(index), array.clone())).collect::<Vec<_>>()
    };
    let arrays = [named("input", inputs), named("output", outputs)].concat();
    let bytes = |array: &ArrayD<f32>| array.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let stored: Vec<_> = arrays.iter().map(|(name, array)| (name, array.shape().to_vec(), bytes(array))).collect();
    let tensors =
        stored.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let file = safetensors::serialize(tensors, None).unwrap();
    std::fs::write(folder.join(format!("{number}.safetensors")), file).unwrap();
    model.export_onnx(folder.join(format!("{number}.onnx"))).unwrap();
}

#[test]
fn onnx_runtime_gives_every_output_of_every_network() {
    let Some(python) = python::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 0, several_ends());
    write(folder.path(), 1, turned());
    write(folder.path(), 2, states());
    write(folder.path(), 3, generator());
    for old in [None, std::env::var_os("INKSTONE_OLD_ONNXRUNTIME").filter(|old| !old.is_empty())] {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/check_onnx_networks.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(folder.path()).envs(old.map(|old| ("PYTHONPATH", old)));
        let output = command.output().unwrap();
        let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}{complaints}");
        assert!(said.starts_with("4 networks, 33 outputs"), "{said}");
        eprint!("{said}");
    }
}
