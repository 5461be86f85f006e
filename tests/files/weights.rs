//! Weights one by one: read and set by name, and out of files that something else wrote.

use crate::common_python as python;
use inkstone::prelude::*;
use inkstone::{Error, Mismatch, ModelFault, Weight};
use ndarray::{ArrayD, IxDyn};
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::path::Path;
use std::process::Command;

fn model(classes: usize) -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(3, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(classes).activation(Softmax))
        .seed(classes as u64)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap()
}

fn filled(name: &str, shape: &[usize], value: f32) -> Weight {
    Weight { name: name.to_owned(), values: ArrayD::from_elem(IxDyn(shape), value) }
}

#[test]
fn weights_are_set_by_name_in_any_order_and_others_stay() {
    let mut model = model(4);
    let before = model.get_weights();
    let (kernel, bias) = (filled("conv2d/kernel", &[3, 3, 1, 3], 0.25), filled("dense/bias", &[4], -1.0));
    model.set_weights_by_name(&[bias.clone(), kernel.clone()]).unwrap();
    let after = model.get_weights();
    assert_eq!(after, [kernel, before[1].clone(), before[2].clone(), bias]);
    for weight in &after {
        assert_eq!(model.get_weight(&weight.name).unwrap(), *weight);
    }
    // The forward pass sees them.
    let logits = |model: &mut Model| model.predict(&ndarray::Array4::<f32>::ones((1, 6, 6, 1))).unwrap();
    let predicted = logits(&mut model);
    let mut other = self::model(4);
    other.set_weights(&after).unwrap();
    assert_eq!(logits(&mut other), predicted);
    model.set_weights_by_name(&[]).unwrap();
    assert_eq!(model.get_weights(), after);
}

#[test]
fn weights_that_the_model_does_not_have_are_refused_and_nothing_is_changed() {
    let mut model = model(4);
    let before = model.get_weights();
    let bias = filled("dense/bias", &[4], 1.0);
    let has = "it has conv2d/kernel, conv2d/bias, dense/kernel, dense/bias";
    for (wrong, expected) in [
        (filled("dense_1/bias", &[4], 0.0), format!("the model has no weight \"dense_1/bias\": {has}")),
        (
            filled("dense/kernel", &[4, 48], 0.0),
            "expected the weight dense/kernel of shape [48, 4], got dense/kernel of shape [4, 48]".to_owned(),
        ),
        (bias.clone(), "the weight dense/bias comes twice: give it once".to_owned()),
    ] {
        let error = model.set_weights_by_name(&[bias.clone(), wrong]).unwrap_err();
        assert!(matches!(error, Error::Data(_)));
        assert_eq!(error.to_string(), expected);
        assert_eq!(model.get_weights(), before);
    }
    assert_eq!(model.get_weight("bias").unwrap_err().to_string(), format!("the model has no weight \"bias\": {has}"));
    assert_eq!(
        model.set_weights(&[bias]).unwrap_err().to_string(),
        "the model has 4 weights, got 1: `set_weights_by_name` takes some of them"
    );
    let deep = (0..30).fold(Sequential::new([1]), |deep, _| deep.add(Dense::new(1)));
    let error = deep.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap().get_weight("x").unwrap_err().to_string();
    assert!(error.ends_with("dense_9/kernel, dense_9/bias, 40 more"), "{error}");
    let none = Sequential::new([2]).add(Dropout::new(0.5)).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    assert_eq!(none.get_weight("x").unwrap_err().to_string(), "the model has no weight \"x\": it has none");
}

#[test]
fn a_file_gives_the_weights_that_it_shares_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let mut digits = model(10);
    digits.set_weights_by_name(&[filled("conv2d/bias", &[3], 0.5)]).unwrap();
    digits.save_checkpoint(&path).unwrap();
    let mut letters = model(26);
    let before = letters.get_weights();

    let error = letters.load_weights_by_name(&path, Mismatch::Error).unwrap_err().to_string();
    let expected = format!(
        "{}: expected the weights of the model, found others:\n  different: dense/kernel is F32 [48, 10], expected F32 [48, 26]\n  \
         different: dense/bias is F32 [10], expected F32 [26]",
        path.display()
    );
    assert_eq!((error, letters.get_weights()), (expected, before.clone()));

    assert_eq!(letters.load_weights_by_name(&path, Mismatch::Skip).unwrap(), ["conv2d/kernel", "conv2d/bias"]);
    let (after, source) = (letters.get_weights(), digits.get_weights());
    assert_eq!((&after[..2], &after[2..]), (&source[..2], &before[2..]));
    // Weights that are missing are no mismatch.
    let mut more = Sequential::new([6, 6, 1])
        .add(Conv2D::new(3, (3, 3)))
        .add(Flatten::new())
        .add(Dense::new(10))
        .add(Dense::new(2))
        .compile(Adam::default(), MeanSquaredError, [])
        .unwrap();
    assert_eq!(more.load_weights_by_name(&path, Mismatch::Error).unwrap().len(), 4);
    assert_eq!(more.get_weights()[..4], source);
}

#[test]
fn a_file_without_any_weight_of_the_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let none: Vec<u8> = vec![0; 8];
    write(&path, &[("features.0.weight", Dtype::F32, &[2], &none)], &[]);
    for mismatch in [Mismatch::Error, Mismatch::Skip] {
        let error = model(4).load_weights_by_name(&path, mismatch).unwrap_err().to_string();
        let expected = "found others:\n  missing: conv2d/kernel [3, 3, 1, 3]\n  missing: conv2d/bias [3]\n  missing: \
                        dense/kernel [48, 4]\n  missing: dense/bias [4]\n  extra: features.0.weight [2]";
        assert!(error.ends_with(expected), "{error}");
    }
}

/// Writes tensors and metadata.
fn write(path: &Path, tensors: &[(&str, Dtype, &[usize], &[u8])], metadata: &[(&str, &str)]) {
    let tensors = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.to_vec(), bytes).unwrap()));
    let metadata = metadata.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    fs::write(path, safetensors::serialize(tensors, Some(metadata)).unwrap()).unwrap();
}

/// A model of a kernel of 2 x 3 and a bias of 3.
fn small() -> Model {
    Sequential::new([2]).add(Dense::new(3)).seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

#[test]
fn metadata_of_other_programs_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let (kernel, bias) = ([0; 24], [0; 12]);
    let tensors: [(&str, Dtype, &[usize], &[u8]); 2] =
        [("dense/kernel", Dtype::F32, &[2, 3], &kernel), ("dense/bias", Dtype::F32, &[3], &bias)];
    for metadata in [&[][..], &[("format", "pt")], &[("format", "pt"), ("epoch", "3"), ("notes", "{\"a\": [1]}")]] {
        write(&path, &tensors, metadata);
        let mut model = small();
        model.load_weights(&path).unwrap();
        assert!(
            model.get_weights().iter().all(|weight| weight.values.iter().all(|value| *value == 0.0)),
            "{metadata:?}"
        );
    }
    // What some writers put there in the place of nothing.
    let file = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let entries: serde_json::Value = serde_json::from_slice(&file[8..header]).unwrap();
    let mut entries = entries.as_object().unwrap().clone();
    for (metadata, is_taken) in [("null", true), ("{}", true), ("[]", false), ("{\"a\":1}", false)] {
        entries.insert("__metadata__".into(), serde_json::from_str(metadata).unwrap());
        let text = serde_json::to_string(&entries).unwrap();
        fs::write(&path, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &file[header..]].concat()).unwrap();
        assert_eq!(small().load_weights(&path).is_ok(), is_taken, "{metadata}");
    }
}

#[test]
fn an_entry_of_inkstone_s_under_a_damaged_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    small().save_weights(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(10).position(|part| part == b"\"inkstone\"").unwrap();
    bytes[at + 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = small().load_weights(&path).unwrap_err();
    assert!(
        matches!(&error, Error::ModelFile { fault: ModelFault::UnknownEntry(name), .. } if name == "hnkstone"),
        "{error}"
    );
}

#[test]
fn types_of_floats_are_read_and_others_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let halves: Vec<u8> =
        [0x3C00_u16, 0xC000, 0x3555, 0x0001, 0x7BFF, 0x8000].iter().flat_map(|v| v.to_le_bytes()).collect();
    let doubles: Vec<u8> = [0.1_f64, 2.0, -3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let whole = [0; 24];
    write(&path, &[("dense/kernel", Dtype::F16, &[2, 3], &halves), ("dense/bias", Dtype::F64, &[3], &doubles)], &[]);
    let mut model = small();
    model.load_weights(&path).unwrap();
    let values = |name: &str| model.get_weight(name).unwrap().values.iter().copied().collect::<Vec<_>>();
    assert_eq!(values("dense/kernel"), [1.0, -2.0, 0.333_251_95, 5.960_464_5e-8, 65504.0, -0.0]);
    assert_eq!(values("dense/bias"), [0.1, 2.0, -3.0]);

    write(&path, &[("dense/kernel", Dtype::I32, &[2, 3], &whole), ("dense/bias", Dtype::F64, &[3], &doubles)], &[]);
    let error = small().load_weights(&path).unwrap_err().to_string();
    let expected = "\n  different: dense/kernel is I32 [2, 3], expected F32 or F64 or F16 or BF16 [2, 3]";
    assert!(error.ends_with(expected), "{error}");
    let large: Vec<u8> = [0.1_f64, 1e300, -3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    write(&path, &[("dense/kernel", Dtype::F16, &[2, 3], &halves), ("dense/bias", Dtype::F64, &[3], &large)], &[]);
    let error = small().load_weights(&path).unwrap_err().to_string();
    assert!(error.contains("expected finite values, found inf in dense/bias, at index 1"), "{error}");
}

#[test]
fn weights_that_python_s_safetensors_wrote_are_read() {
    let Some(python) = python::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/write_weights.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, kernel) in [
        ("float32", [0.1_f32, -2.5, 3.0, 1e-3, 65_504.0, -0.0]),
        ("float64", [0.1, -2.5, 3.0, 1e-3, 65_504.0, -0.0]),
        ("float16", [0.099_975_586, -2.5, 3.0, 0.001_000_404_4, 65_504.0, -0.0]),
        ("bfloat16", [0.100_097_656, -2.5, 3.0, 0.000_999_450_7, 65_536.0, -0.0]),
    ] {
        let mut model = small();
        model.load_weights(folder.path().join(format!("{name}.safetensors"))).unwrap();
        let read = model.get_weight("dense/kernel").unwrap().values;
        assert_eq!(read.shape(), [2, 3]);
        assert_eq!(read.iter().copied().collect::<Vec<_>>(), kernel, "{name}");
        assert_eq!(model.get_weight("dense/bias").unwrap(), filled("dense/bias", &[3], 1.5));
    }
}
