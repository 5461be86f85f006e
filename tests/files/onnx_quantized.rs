//! What `QuantizedPredictor::export_onnx` writes is sound to ONNX' own checker, and ONNX Runtime predicts the same with
//! it up to a rounding of bytes here and there.
#![cfg(feature = "onnx")]

use crate::common_onnx_cases::{Case, cases, trained};
use crate::common_python as python;
use ndarray::ArrayViewD;
use safetensors::tensor::{Dtype, TensorView};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes a quantized model as ONNX, with its inputs and predictions; not if it has a layer that has no operator there.
fn write(folder: &Path, number: usize, Case { name, model, inputs }: &Case) -> bool {
    let quantized = model.quantize(inputs).unwrap();
    if let Err(error) = quantized.export_onnx(folder.join(format!("{number}.onnx"))) {
        let said = error.to_string();
        assert!(said.contains("`export_onnx` the model of floats"), "{name}: {said}");
        return false;
    }
    let predictions = quantized.predict_rows(inputs).unwrap().into_dyn();
    let bytes = |values: ArrayViewD<'_, f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let stored = [("inputs", inputs), ("predictions", &predictions)];
    let stored = stored.map(|(name, values)| (name, values.shape().to_vec(), bytes(values.view())));
    let tensors =
        stored.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    let metadata = [("name".to_owned(), name.clone())].into_iter().collect();
    fs::write(folder.join(format!("{number}.safetensors")), safetensors::serialize(tensors, Some(metadata)).unwrap())
        .unwrap();
    true
}

#[test]
fn onnx_runtime_predicts_the_same_with_bytes() {
    let Some(python) = python::python() else { return };
    let mut all = cases();
    all.push(trained());
    let folder = tempfile::tempdir().unwrap();
    let written = all.iter().enumerate().filter(|(number, case)| write(folder.path(), *number, case)).count();
    assert!(written * 3 > all.len(), "only {written} of {} models have a form on bytes in ONNX", all.len());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/check_onnx_quantized.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaints}");
    assert!(said.starts_with(&format!("{written} models")), "{said}");
    eprint!("{said}");
}
