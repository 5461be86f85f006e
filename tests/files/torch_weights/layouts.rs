//! Layers one by one: where PyTorch has the weights of each, in which order, and what it does not have.

use super::{compiled, predict};
use inkstone::prelude::*;
use inkstone::{Input, Weight};
use ndarray::{Array4, ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::path::Path;

/// What a model writes.
fn written(model: &Model, path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    model.save_torch_weights(path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values =
        |bytes: &[u8]| bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    tensors.iter().map(|(name, of)| (name.to_owned(), (of.shape().to_vec(), values(of.data())))).collect()
}

/// The model with weights that count up.
fn counted(network: Sequential) -> Model {
    let mut model = compiled(network);
    let mut next = 0.0;
    let mut weights = model.get_weights();
    for weight in &mut weights {
        weight.values.iter_mut().for_each(|value| {
            *value = next;
            next += 1.0;
        });
    }
    model.set_weights(&weights).unwrap();
    model
}

fn round_trip(model: &Model, mut other: Model, path: &Path) {
    other.load_torch_weights(path).unwrap();
    assert_eq!(other.get_weights(), model.get_weights());
}

#[test]
fn gates_and_biases_of_recurrent_layers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let gru = || Sequential::new([3, 1]).add(GRU::new(1));
    let model = counted(gru());
    let tensors = written(&model, &path);
    // Update, reset, candidate here; reset, update, new there.
    assert_eq!(tensors["gru.weight_ih_l0"], (vec![3, 1], vec![1.0, 0.0, 2.0]));
    assert_eq!(tensors["gru.bias_hh_l0"], (vec![3], vec![10.0, 9.0, 11.0]));
    round_trip(&model, compiled(gru()), &path);
    let lstm = || Sequential::new([3, 1]).add(Bidirectional::new(LSTM::new(1)));
    let model = counted(lstm());
    let tensors = written(&model, &path);
    assert_eq!(tensors["bidirectional.bias_ih_l0_reverse"].1, [20.0, 21.0, 22.0, 23.0]);
    assert_eq!(tensors["bidirectional.bias_hh_l0_reverse"].1, [0.0; 4]);
    round_trip(&model, compiled(lstm()), &path);
}

#[test]
fn layers_that_pytorch_does_not_have_keep_their_names_and_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let network = || {
        Sequential::new([4, 3])
            .add(Normalization::unadapted())
            .add(PReLU::new())
            .add(GRU::new(2).reset_after(false).return_sequences(true))
            .add(Bidirectional::new(GRU::new(2).reset_after(false)))
    };
    let model = counted(network());
    let tensors = written(&model, &path);
    assert_eq!(tensors["normalization.mean"].0, [3]);
    assert_eq!(tensors["p_re_lu.alpha"].0, [4, 3]);
    assert_eq!(tensors["gru.kernel"].0, [3, 6]);
    assert_eq!(tensors["bidirectional.forward_gru/kernel"].0, [2, 6]);
    round_trip(&model, compiled(network()), &path);
}

#[test]
fn a_normalization_with_one_of_two_weights_has_a_constant_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let network = |scale, center| Sequential::new([2]).add(BatchNormalization::new().scale(scale).center(center));
    let model = counted(network(false, true));
    assert_eq!(written(&model, &path)["batch_normalization.weight"].1, [1.0, 1.0]);
    round_trip(&model, compiled(network(false, true)), &path);
    // Where PyTorch's is another number, the layer cannot do as its module does.
    counted(network(true, true)).save_torch_weights(&path).unwrap();
    let mut other = compiled(network(false, true));
    let error = other.load_torch_weights(&path).unwrap_err().to_string();
    let expected = "batch_normalization.weight is batch_normalization.weight with other values, expected 1 in all";
    assert!(error.contains(expected), "{error}");
    let none = counted(network(false, false));
    assert_eq!(written(&none, &path).len(), 2);
    let alone = counted(Sequential::new([2]).add(LayerNormalization::new().center(false)));
    assert_eq!(written(&alone, &path).len(), 1);
}

#[test]
fn axes_of_a_normalized_image_and_of_vectors_side_by_side_are_turned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let network = || Sequential::new([1, 2, 2]).add(LayerNormalization::new().axis([1, 2, 3]));
    let model = counted(network());
    assert_eq!(written(&model, &path)["layer_normalization.weight"], (vec![2, 1, 2], vec![0.0, 2.0, 1.0, 3.0]));
    round_trip(&model, compiled(network()), &path);

    // A dense layer that reads a flattened image and a vector.
    let (image, vector) = (Input::new([1, 2, 2]), Input::new([2]));
    let both = Concatenate::of([&image.apply(Flatten::new()), &vector.apply(Activation::new(Relu))]);
    let network = Functional::new([&image, &vector], [&both.apply(Dense::new(1).use_bias(false))]);
    let mut model = network.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let kernel = ArrayD::from_shape_fn(IxDyn(&[6, 1]), |place| place[0] as f32);
    model.set_weights(&[Weight { name: "dense/kernel".into(), values: kernel }]).unwrap();
    assert_eq!(written(&model, &path)["dense.weight"], (vec![1, 6], vec![0.0, 2.0, 1.0, 3.0, 4.0, 5.0]));
}

#[test]
fn a_vector_that_becomes_a_sequence_for_a_convolution_has_its_channels_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let dense = || Sequential::new([1]).add(Dense::new(4).use_bias(false)).add(Reshape::new([2, 2]));
    let model = counted(dense().add(Conv1D::new(1, 1)));
    assert_eq!(written(&model, &path)["dense.weight"].1, [0.0, 2.0, 1.0, 3.0]);
    let model = counted(dense().add(LSTM::new(1)));
    assert_eq!(written(&model, &path)["dense.weight"].1, [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn an_order_that_cannot_be_told_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    // The states of a recurrent layer are not in the order of an image.
    let image = Sequential::new([3, 2]).add(LSTM::new(8)).add(Reshape::new([2, 2, 2])).add(Conv2D::new(1, (1, 1)));
    let error = compiled(image).save_torch_weights(&path).unwrap_err().to_string();
    assert!(error.contains("PyTorch orders otherwise"), "{error}");
    let rows = Sequential::new([2, 2, 2]).add(Reshape::new([2, 4])).add(LSTM::new(1));
    let error = compiled(rows).save_torch_weights(&path).unwrap_err().to_string();
    assert!(error.contains("PyTorch does in another order"), "{error}");
    assert!(!path.exists());
    // Of one channel all orders are the same.
    for network in [
        Sequential::new([2, 4, 1]).add(Reshape::new([2, 4])).add(LSTM::new(1)),
        Sequential::new([2, 4]).add(Reshape::new([2, 4, 1])).add(Conv2D::new(1, (1, 1))),
        Sequential::new([4, 2]).add(Reshape::new([2, 4])).add(LSTM::new(1)),
    ] {
        compiled(network).save_torch_weights(&path).unwrap();
    }
}

#[test]
fn shared_layers_are_one_module() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let build = |seed| {
        let (left, right) = (Input::new([2, 2, 3]), Input::new([2, 2, 3]));
        let dense = Shared::new(Dense::new(4));
        let sum = Add::of([&left.apply(Flatten::new()).apply(&dense), &right.apply(Flatten::new()).apply(&dense)]);
        let network = Functional::new([&left, &right], [&sum]).seed(seed);
        network.compile(Adam::default(), MeanSquaredError, []).unwrap()
    };
    let (model, mut other) = (build(1), build(2));
    assert_eq!(written(&model, &path).len(), 2);
    other.load_torch_weights(&path).unwrap();
    let images = || (Array4::<f32>::ones((1, 2, 2, 3)), Array4::<f32>::ones((1, 2, 2, 3)));
    let (left, right) = images();
    assert_eq!(other.predict((&left, &right)).unwrap(), model.predict((&left, &right)).unwrap());
    let plain = compiled(Sequential::new([2]).add(Dense::new(1)));
    assert_eq!(predict(&plain, &ArrayD::zeros(IxDyn(&[1, 2]))).len(), 1);
}
