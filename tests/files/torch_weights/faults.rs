//! Files of PyTorch's that do not fit, are damaged, or leave open what belongs where.

use super::{case, compiled, fixture};
use inkstone::prelude::*;
use inkstone::{Error, ModelFault};
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::path::{Path, PathBuf};

/// A tensor: its name, type and shape, all zeros.
type Zeros<'a> = (&'a str, Dtype, &'a [usize]);

fn write(path: &Path, tensors: &[Zeros<'_>]) {
    let bytes = vec![0; 1 << 12];
    let tensors = tensors.iter().map(|(name, dtype, shape)| {
        let len = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, shape.to_vec(), &bytes[..len]).unwrap())
    });
    fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

/// A convolution, two dense layers of the same shapes, and one of another.
fn model() -> Model {
    compiled(
        Sequential::new([4, 4, 1])
            .add(Conv2D::new(2, (4, 4)))
            .add(Flatten::new())
            .add(Dense::new(2))
            .add(Dense::new(2))
            .add(Dense::new(3)),
    )
}

const F: Dtype = Dtype::F32;

const CONV: [Zeros<'_>; 2] = [("conv.weight", F, &[2, 1, 4, 4]), ("conv.bias", F, &[2])];
const LAST: [Zeros<'_>; 2] = [("out.weight", F, &[3, 2]), ("out.bias", F, &[3])];

/// The error of reading these, after which the model is as it was.
fn error(tensors: &[Zeros<'_>], names: &[(&str, &str)]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("weights");
    write(&path, tensors);
    let mut model = model();
    let before = model.get_weights();
    let error = model.load_torch_weights_with(&path, names).unwrap_err();
    assert_eq!(model.get_weights(), before);
    error
}

fn lists(error: Error) -> [Vec<String>; 3] {
    match error {
        Error::ModelFile { fault: ModelFault::Weights { missing, extra, different }, .. } => {
            [missing, extra, different]
        }
        other => panic!("{other}"),
    }
}

#[test]
fn modules_alike_without_numbers_ask_for_a_map() {
    let hidden: [Zeros<'_>; 4] =
        [("left.weight", F, &[2, 2]), ("left.bias", F, &[2]), ("right.weight", F, &[2, 2]), ("right.bias", F, &[2])];
    let tensors = [&CONV[..], &hidden, &LAST].concat();
    let said = error(&tensors, &[]).to_string();
    let expected = "which of the modules left, right is which of the layers dense, dense_1, found none or another order: \
                    give a map, as in `load_torch_weights_with(path, &[(\"dense\", \"left\"), ...])`";
    assert!(said.ends_with(expected), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    write(&path, &tensors);
    // One of two leaves no choice.
    model().load_torch_weights_with(&path, &[("dense_1", "left")]).unwrap();
}

#[test]
fn numbers_that_contradict_the_order_of_the_layers_ask_for_a_map() {
    let tensors: [Zeros<'_>; 8] = [
        ("net.3.weight", F, &[2, 1, 4, 4]),
        ("net.3.bias", F, &[2]),
        ("net.0.weight", F, &[2, 2]),
        ("net.0.bias", F, &[2]),
        ("net.5.weight", F, &[2, 2]),
        ("net.5.bias", F, &[2]),
        ("net.10.weight", F, &[3, 2]),
        ("net.10.bias", F, &[3]),
    ];
    match error(&tensors, &[]) {
        Error::ModelFile { fault: ModelFault::TorchModules { layers, modules }, .. } => {
            assert_eq!(layers, ["conv2d", "dense"]);
            assert_eq!(modules, ["net.0", "net.3"]);
        }
        other => panic!("{other}"),
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    write(&path, &tensors);
    model().load_torch_weights_with(&path, &[("conv2d", "net.3"), ("dense", "net.0")]).unwrap();
}

#[test]
fn all_that_does_not_fit_is_listed() {
    let tensors: [Zeros<'_>; 8] = [
        ("net.0.weight", F, &[2, 3, 4, 4]),
        ("net.0.bias", F, &[2]),
        ("net.2.weight", Dtype::I64, &[2, 2]),
        ("net.2.bias", F, &[2]),
        ("net.3.weight", F, &[2, 2]),
        ("net.5.weight", F, &[3, 2]),
        ("net.5.bias", F, &[3]),
        ("other.table", F, &[7]),
    ];
    let [missing, extra, different] = lists(error(&tensors, &[]));
    assert_eq!(missing, ["dense_1.bias [2], in \"net.3\""]);
    assert_eq!(extra, ["other.table F32 [7]"]);
    assert_eq!(
        different,
        [
            "conv2d.weight is net.0.weight F32 [2, 3, 4, 4], expected F32 or F64 or F16 or BF16 [2, 1, 4, 4]",
            "dense.weight is net.2.weight I64 [2, 2], expected F32 or F64 or F16 or BF16 [2, 2]",
        ]
    );
    let [missing, extra, _] = lists(error(&[&CONV[..], &LAST].concat(), &[("dense", "fc"), ("dense_1", "conv")]));
    assert!(missing.contains(&"dense.weight [2, 2], fc in the map".to_owned()), "{missing:?}");
    assert!(extra.is_empty(), "{extra:?}");
    let none = lists(error(&[], &[]));
    assert_eq!((none[0].len(), none[1].len(), none[2].len()), (8, 0, 0));
}

#[test]
fn a_bias_that_a_layer_does_not_have_is_extra() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    write(&path, &LAST);
    let mut model = compiled(Sequential::new([2]).add(Dense::new(3).use_bias(false)));
    let [missing, extra, different] = lists(model.load_torch_weights(&path).unwrap_err());
    assert_eq!(extra, ["out.bias F32 [3], beside those of dense"]);
    assert!(missing.is_empty() && different.is_empty());
}

#[test]
fn maps_name_what_there_is_once() {
    let tensors = [&CONV[..], &LAST].concat();
    for (names, expected) in [
        (
            &[("conv", "conv")][..],
            "the map names \"conv\", expected a layer with weights: the model has conv2d, dense, dense_1, dense_2",
        ),
        (&[("flatten", "conv")], "the map names \"flatten\", expected a layer with weights"),
        (&[("dense", "a"), ("dense", "b")], "the map has \"dense\" or \"b\" twice"),
        (&[("dense", "a"), ("dense_1", "a")], "the map has \"dense_1\" or \"a\" twice"),
    ] {
        let error = error(&tensors, names);
        assert!(matches!(error, Error::Data(_)) && error.to_string().starts_with(expected), "{error}");
    }
    // Two modules of one name would be one in the file.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let error = model().save_torch_weights_with(&path, &[("dense", "dense_1")]).unwrap_err();
    assert!(matches!(error, Error::Data(_)) && !path.exists(), "{error}");
}

#[test]
fn damaged_files_and_files_of_others_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let bytes = fs::read(fixture("lenet")).unwrap();
    let mut model = compiled(case("lenet").0);
    let before = model.get_weights();
    for len in [0, 7, 8, 100, bytes.len() - 4] {
        fs::write(&path, &bytes[..len]).unwrap();
        let error = model.load_torch_weights(&path).unwrap_err();
        assert!(matches!(error, Error::ModelFile { .. }), "{error}");
    }
    // A number that is none, in the last tensor.
    let mut damaged = bytes.clone();
    let end = damaged.len();
    damaged[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, &damaged).unwrap();
    let error = model.load_torch_weights(&path).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::NotFinite { .. }, .. }), "{error}");
    model.save_weights(&path).unwrap();
    let error = model.load_torch_weights(&path).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::NotTorch, .. }), "{error}");
    assert!(error.to_string().ends_with("read it with `Model::load_weights`"), "{error}");
    assert!(matches!(model.load_torch_weights(folder.path().join("none")).unwrap_err(), Error::Io { .. }));
    assert_eq!(model.get_weights(), before);
}
