//! Rust's `tract` reads what `export_onnx` writes, and predicts the same.

#[path = "../../src/exec/tests/cases.rs"]
mod cases;
#[path = "../common/onnx_cases.rs"]
mod onnx_cases;

use ndarray::Array2;
use onnx_cases::{Case, cases, trained};
use std::sync::Arc;
use tract_onnx::prelude::*;

/// Of the largest prediction, where that is more than 1.
const TOLERANCE: f32 = 1e-5;

/// Layers that tract 0.23 runs for a fixed batch alone: of a model for any batch its reader panics.
const RECURRENT: [&str; 4] = ["SimpleRNN", "LSTM", "GRU", "Bidirectional"];

fn is_recurrent(case: &Case) -> bool {
    RECURRENT.iter().any(|kind| case.name.starts_with(kind))
}

fn read(case: &Case) -> TractResult<Arc<TypedRunnableModel>> {
    let bytes = case.model.to_onnx().unwrap();
    tract_onnx::onnx().model_for_read(&mut &bytes[..])?.into_optimized()?.into_runnable()
}

/// tract's predictions for the inputs from `start` on, `count` of them.
fn run(model: &Arc<TypedRunnableModel>, case: &Case, start: usize, count: usize) -> TractResult<Array2<f32>> {
    let axes = &case.inputs.shape()[1..];
    let len: usize = axes.iter().product();
    let values = &case.inputs.as_slice().unwrap()[start * len..(start + count) * len];
    let shape: Vec<usize> = [count].into_iter().chain(axes.iter().copied()).collect();
    let outputs = model.run(tvec!(Tensor::from_shape(&shape, values)?.into()))?;
    let output = outputs[0].to_plain_array_view::<f32>()?;
    let shape = (output.shape()[0], output.shape()[1]);
    Ok(Array2::from_shape_vec(shape, output.iter().copied().collect())?)
}

#[test]
fn tract_predicts_the_same_for_any_batch() {
    let mut worst = (0.0, String::new());
    let (mut models, mut predictions) = (0, 0);
    for case in cases().into_iter().chain([trained()]).filter(|case| !is_recurrent(case)) {
        let expected = case.model.predict_rows(&case.inputs).unwrap();
        let model = read(&case).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        for (start, count) in [(0, expected.nrows()), (0, 1), (expected.nrows() - 3, 2)] {
            let found = run(&model, &case, start, count).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
            assert_eq!(found.dim(), (count, expected.ncols()), "{}", case.name);
            for (found, expected) in found.iter().zip(expected.rows().into_iter().skip(start).flatten()) {
                let difference = (found - expected).abs();
                assert!(
                    difference <= TOLERANCE * expected.abs().max(1.0),
                    "{}: {found}, expected {expected}",
                    case.name
                );
                if difference > worst.0 {
                    worst = (difference, case.name.clone());
                }
            }
            predictions += found.len();
        }
        models += 1;
    }
    eprintln!("{models} models, {predictions} predictions of tract differ by at most {:.2e} ({})", worst.0, worst.1);
}

/// The program in the documentation of `export_onnx`.
#[test]
fn the_documented_program_gives_probabilities() -> TractResult<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("digits.onnx");
    trained().model.export_onnx(&path)?;

    let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?.into_runnable()?;
    let images = tract_ndarray::Array4::<f32>::zeros((3, 28, 28, 1)).into_tensor();
    let output = model.run(tvec!(images.into()))?.remove(0);
    let probabilities = output.to_plain_array_view::<f32>()?;

    assert_eq!(probabilities.shape(), [3, 10]);
    assert!((probabilities.sum() - 3.0).abs() < 1e-5);
    Ok(())
}
