//! What
//! `export_onnx` writes is sound to ONNX' own checker, and ONNX Runtime predicts the same with it: the PyPI packages,
//! if `INKSTONE_PYTHON` names an interpreter that has them. What Rust's `tract` makes of the same models is in
//! `tests/tract`.
#![cfg(feature = "onnx")]

use crate::common_onnx_cases::{Case, cases, trained};
use crate::common_python as python;
use inkstone::prelude::*;
use ndarray::{Array2, Array4, ArrayViewD, Axis, concatenate};
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes a model as ONNX, with its inputs, predictions and weights.
fn write(folder: &Path, number: usize, case: &mut Case) {
    let predictions = case.model.predict_rows(&case.inputs).unwrap();
    let mut arrays =
        vec![("inputs".to_owned(), case.inputs.clone().into_dyn()), ("predictions".to_owned(), predictions.into_dyn())];
    arrays.extend(case.model.get_weights().into_iter().map(|weight| (weight.name, weight.values)));
    let bytes = |values: ArrayViewD<'_, f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let stored: Vec<_> =
        arrays.iter().map(|(name, values)| (name, values.shape().to_vec(), bytes(values.view()))).collect();
    let tensors =
        stored.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let name = [("name".to_owned(), case.name.clone())].into_iter().collect();
    fs::write(folder.join(format!("{number}.safetensors")), safetensors::serialize(tensors, Some(name)).unwrap())
        .unwrap();
    case.model.export_onnx(folder.join(format!("{number}.onnx"))).unwrap();
}

/// The largest difference between predictions of one model for different inputs.
fn spread(predictions: &Array2<f32>) -> f32 {
    let from_first = predictions - &predictions.row(0);
    from_first.iter().fold(0.0, |most, difference| f32::max(most, difference.abs()))
}

#[test]
fn onnx_s_checker_takes_every_model_and_onnx_runtime_predicts_the_same() {
    let Some(python) = python::python() else { return };
    let mut cases = cases();
    let mut digits = trained();
    if let Some(folder) = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()) {
        let handwritten = mnist::load_from(folder).unwrap().1.take(2000).unwrap().images();
        digits.inputs = concatenate![Axis(0), digits.inputs, handwritten.into_dyn()];
    }
    eprintln!("{} digits", digits.inputs.len_of(Axis(0)));
    let spreads = cases.iter_mut().map(|case| spread(&case.model.predict_rows(&case.inputs).unwrap()));
    let varied = spreads.filter(|spread| *spread > 0.01).count();
    assert!(varied * 4 > cases.len() * 3, "only {varied} of {} models tell inputs apart", cases.len());
    cases.push(digits);

    let folder = tempfile::tempdir().unwrap();
    cases.iter_mut().enumerate().for_each(|(number, case)| write(folder.path(), number, case));
    let mut runtimes = vec![None];
    match old_runtime() {
        Some(old) => runtimes.push(Some(old)),
        None => eprintln!("skipped the older runtime: set INKSTONE_OLD_ONNXRUNTIME to a folder that has one"),
    }
    for old in runtimes {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/check_onnx.py");
        let mut command = Command::new(&python);
        command.arg(script).arg(folder.path());
        if let Some(old) = &old {
            command.env("PYTHONPATH", old);
        }
        let output = command.output().unwrap();
        let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}{complaints}");
        assert!(said.starts_with(&format!("{} models", cases.len())), "{said}");
        assert_eq!(said.contains(OLD_RUNTIME), old.is_some(), "{said}");
        eprint!("{said}");
    }
}

/// The older runtime's version, as `check_onnx.py` writes it: of November 2024.
const OLD_RUNTIME: &str = "ONNX Runtime 1.20.1 ";

/// The folder of an ONNX Runtime of two years ago, as `pip install --target` makes one.
fn old_runtime() -> Option<PathBuf> {
    let folder = std::env::var_os("INKSTONE_OLD_ONNXRUNTIME").filter(|folder| !folder.is_empty());
    assert!(
        folder.is_some() || std::env::var_os("INKSTONE_REQUIRE_PYTHON").is_none(),
        "INKSTONE_REQUIRE_PYTHON is set, so INKSTONE_OLD_ONNXRUNTIME must name a folder with onnxruntime 1.20.1"
    );
    folder.map(Into::into)
}

#[test]
fn without_python_the_test_is_skipped_or_fails_as_the_environment_says() {
    python::is_skipped_or_fails_as_the_environment_says(
        "onnx::onnx_s_checker_takes_every_model_and_onnx_runtime_predicts_the_same",
    );
}

fn small() -> Model {
    Sequential::new([2, 2, 1])
        .add(Flatten::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap()
}

#[test]
fn the_same_model_gives_the_same_bytes_and_training_other_ones() {
    let mut model = small();
    let before = model.to_onnx().unwrap();
    assert_eq!(small().to_onnx().unwrap(), before);
    model.train_on_batch(&Array4::<f32>::ones((1, 2, 2, 1)), &[1]).unwrap();
    assert_ne!(model.to_onnx().unwrap(), before);
}

#[test]
fn what_cannot_be_exported_is_told_and_the_old_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let mut model = small();
    model.export_onnx(&path).unwrap();
    let old = fs::read(&path).unwrap();

    let error = model.export_onnx(folder.path().join("missing/model.onnx")).unwrap_err().to_string();
    let missing = folder.path().join("missing");
    let expected = format!(
        "{} was not written: the folder {} does not exist: create it first",
        missing.join("model.onnx").display(),
        missing.display()
    );
    assert_eq!(error, expected);
    let error = model.export_onnx(folder.path()).unwrap_err().to_string();
    assert_eq!(error, format!("{} was not written: it is a folder: give the path of a file", folder.path().display()));

    let mut weights = model.get_weights();
    weights[0].values[[3, 1]] = f32::NAN;
    model.set_weights(&weights).unwrap();
    assert_eq!(
        model.export_onnx(&path).unwrap_err().to_string(),
        "the model has the value NaN in dense/kernel, at index 7 of its values, and is not saved: expected finite weights"
    );
    assert_eq!(fs::read(&path).unwrap(), old);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
