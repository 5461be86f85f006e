//! What must hold of whatever bytes the model reader gets. Fuzzing shares this file.

use super::sound_file::around;
use inkstone::ndarray::{ArrayD, Axis};
use inkstone::{Error, Inputs, LoadLimits, Mode, Model, Targets};

/// How many examples go through a model.
const EXAMPLES: usize = 2;

/// Checks what becomes of a file, or of a text with a sound file around it.
pub(crate) fn check(bytes: &[u8]) {
    let built;
    let file = match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with('{') => {
            built = around(text);
            &built[..]
        }
        _ => bytes,
    };
    let limits = LoadLimits::new().memory(512 << 20);
    match Model::resume_from_bytes_with(file, limits) {
        Err(error) => check_error(&error),
        Ok(model) => {
            let saved = model.checkpoint_to_bytes().expect("what was loaded can be saved");
            let again = Model::resume_from_bytes(&saved).expect("what was saved can be loaded");
            assert_eq!(again.checkpoint_to_bytes().unwrap(), saved);
            assert!(Model::from_bytes(file).is_ok(), "a checkpoint is a model");
        }
    }
    match Model::from_bytes_with(file, limits) {
        Err(error) => check_error(&error),
        Ok(model) => {
            let saved = model.to_bytes().expect("what was loaded can be saved");
            let again = Model::from_bytes(&saved).expect("what was saved can be loaded");
            assert_eq!(again.to_bytes().unwrap(), saved);
            assert_eq!(format!("{again:?}"), format!("{model:?}"));
        }
    }
    // What takes little time is run as well.
    let little = LoadLimits::new().memory(4 << 20).operations(1_000_000);
    let part = Model::resume_from_bytes_with(file, little).or_else(|_| Model::from_bytes_with(file, little));
    if let Ok(model) = part {
        run(model);
    }
}

fn check_error(error: &Error) {
    assert!(matches!(error, Error::ModelFile { .. }), "{error}");
    assert!(error.to_string().starts_with("the bytes: expected "), "{error}");
}

/// Predicts, runs forward and backward, and takes steps.
pub(crate) fn run(mut model: Model) {
    let filled = |value: f32| -> Vec<ArrayD<f32>> {
        let arrays = model.input_shapes().into_iter().map(|shape| {
            let axes: Vec<usize> = [EXAMPLES].into_iter().chain(shape.axes().iter().copied()).collect();
            ArrayD::from_elem(axes, value)
        });
        arrays.collect()
    };
    // Where an input holds tokens, only whole numbers are any.
    let takes = |arrays: &[ArrayD<f32>]| model.predict_all(arrays.iter().map(Inputs::from).collect::<Vec<_>>()).is_ok();
    let arrays = [0.25, 0.0].map(filled).into_iter().find(|arrays| takes(arrays));
    let arrays = arrays.expect("inputs of the model's shapes can be predicted");
    let inputs = || Inputs::from(arrays.iter().map(Inputs::from).collect::<Vec<_>>());
    let predicted = model.predict_all(inputs()).expect("inputs of the model's shapes can be predicted");
    let pass = model.forward(inputs(), Mode::Training).expect("inputs of the model's shapes go forward");
    let shapes = |outputs: &[ArrayD<f32>]| outputs.iter().map(|output| output.shape().to_vec()).collect::<Vec<_>>();
    assert_eq!(shapes(&predicted), shapes(pass.outputs()));
    let ones: Vec<ArrayD<f32>> = predicted.iter().map(|output| ArrayD::ones(output.shape())).collect();
    let gradients = model.backward(pass, ones).expect("gradients of the outputs' shapes go backward");
    assert_eq!(shapes(&gradients.inputs), shapes(&arrays));
    // Either all of the losses take the one or they do not: whether a step fails, or comes to no number, is all the
    // same.
    let values: Vec<ArrayD<f32>> = predicted.iter().map(first_of_each).collect();
    let _ = model.train_on_batch(inputs(), values.iter().map(Targets::from).collect::<Vec<_>>());
    let classes = vec![&[0_usize; EXAMPLES]; predicted.len()];
    let _ = model.train_on_batch(inputs(), classes.into_iter().map(Targets::from).collect::<Vec<_>>());
    let _ = model.checkpoint_to_bytes();
}

/// Targets of an output's shape: 1 for the first class, 0 for all others.
fn first_of_each(output: &ArrayD<f32>) -> ArrayD<f32> {
    let mut targets = ArrayD::zeros(output.shape());
    targets.lanes_mut(Axis(output.ndim() - 1)).into_iter().for_each(|mut classes| classes[0] = 1.0);
    targets
}
