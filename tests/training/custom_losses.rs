//! Losses of users' own types: the numbers of the crate's, through files, and what happens when they fail.

use crate::common::assert_close;
use crate::small::{dataset, quiet};
use inkstone::custom::{CustomLoss, CustomObjects, Target};
use inkstone::prelude::*;
use inkstone::{Error, Loss, ModelFault, Weight};
use ndarray::{Array2, Array4};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `MeanSquaredError` does.
#[derive(Debug, Serialize, Deserialize)]
struct Squares;

impl CustomLoss for Squares {
    const NAME: &'static str = "Squares";

    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        let square = |output: usize| f64::from(outputs[output] - target.value(output, outputs.len())).powi(2);
        (0..outputs.len()).map(square).sum::<f64>() / outputs.len() as f64
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        for (output, gradient) in gradient.iter_mut().enumerate() {
            *gradient = 2.0 * (outputs[output] - target.value(output, outputs.len())) / outputs.len() as f32;
        }
    }
}

fn model(function: ActivationFunction, loss: impl Into<Loss>) -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(7).activation(Tanh))
        .add(Dense::new(3).activation(function))
        .seed(3)
        .compile(Sgd::new(0.1), loss, [])
        .unwrap()
}

#[test]
fn a_copy_of_the_squared_error_gives_its_numbers_behind_every_function() {
    let images = Array4::from_shape_fn((6, 4, 4, 1), |(n, y, x, _)| ((n * 7 + y * 5 + x * 3) % 11) as f32 / 11.0);
    let values = Array2::from_shape_fn((6, 3), |(n, output)| (n + 2 * output) as f32 * 0.3 - 0.5);
    let check = |own: (inkstone::Scores, Vec<Weight>), built_in: (inkstone::Scores, Vec<Weight>)| {
        assert!((own.0.loss - built_in.0.loss).abs() < 1e-7, "{} and {}", own.0.loss, built_in.0.loss);
        for (own, built_in) in own.1.iter().zip(&built_in.1) {
            assert_close(&own.name, &own.values, &built_in.values, 1e-5, 1e-8);
        }
    };
    for function in [Linear, Softmax, Sigmoid] {
        let (mut own, mut built_in) = (model(function, Squares), model(function, MeanSquaredError));
        check(own.gradients(&images, &values).unwrap(), built_in.gradients(&images, &values).unwrap());
        let classes = [0, 1, 2, 2, 1, 0];
        check(own.gradients(&images, &classes).unwrap(), built_in.gradients(&images, &classes).unwrap());
    }
}

#[test]
fn training_gives_the_same_bits_on_any_number_of_threads() {
    let trained = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = model(Softmax, Squares);
            model.fit(&dataset(43), quiet().epochs(2).batch_size(8)).unwrap();
            model.get_weights()
        })
    };
    assert_eq!(trained(1), trained(3));
}

/// Wants targets up to a limit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounded {
    limit: f32,
}

impl CustomLoss for Bounded {
    const NAME: &'static str = "Bounded";

    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        Squares.loss(outputs, target)
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        Squares.gradient(outputs, target, gradient);
    }

    fn check_target(&self, target: Target<'_>, outputs: usize) -> Result<(), String> {
        match (0..outputs).map(|output| target.value(output, outputs)).find(|value| *value > self.limit) {
            Some(value) => Err(format!("expected targets up to {}, got {value}", self.limit)),
            None => Ok(()),
        }
    }
}

#[test]
fn targets_that_it_refuses_are_named() {
    let model = model(Linear, Bounded { limit: 0.5 });
    let images = Array4::<f32>::zeros((2, 4, 4, 1));
    let error = model.evaluate((&images, &[[0.0, 0.1, 0.5], [0.0, 2.0, 0.0]])).unwrap_err();
    assert_eq!(error.to_string(), "the loss Bounded, at index 1: expected targets up to 0.5, got 2");
    let error = model.evaluate((&images, &[[0.0, 0.1], [0.0, 2.0]])).unwrap_err().to_string();
    assert_eq!(error, "targets must have a value for each output, (N, 3), got (2, 2)");
    let error = model.evaluate((&images, &[3, 0])).unwrap_err().to_string();
    assert_eq!(error, "labels must be from 0 to 2, as the model has 3 outputs, got 3 at index 0");
}

fn fault(error: Error) -> String {
    match error {
        Error::ModelFile { fault: ModelFault::CustomObject(problem), .. } => problem,
        error => panic!("{error}"),
    }
}

#[test]
fn files_keep_its_name_and_configuration_and_need_its_type() {
    let bytes = model(Linear, Bounded { limit: 0.3 }).to_bytes().unwrap();
    let known = CustomObjects::new().loss::<Squares>().loss::<Bounded>();
    let loaded = Model::from_bytes_with(&bytes, &known).unwrap();
    assert_eq!(*loaded.loss().kind(), *"Bounded");
    assert_eq!(loaded.loss(), Bounded { limit: 0.3 }.into());
    assert_ne!(loaded.loss(), Bounded { limit: 0.4 }.into());
    assert_ne!(loaded.loss(), Squares.into());
    assert_eq!(loaded.to_bytes().unwrap(), bytes);
    let problem = "has a loss that is the custom loss `Bounded`, whose type is not known: pass \
                   `CustomObjects::new().loss::<Bounded>()`, where `Bounded` is the type with this `NAME`, to `Model::load_with` or \
                   `Sequential::from_json_with`";
    assert_eq!(fault(Model::from_bytes(&bytes).unwrap_err()), problem);
    assert_eq!(fault(Model::from_bytes_with(&bytes, CustomObjects::new().loss::<Squares>()).unwrap_err()), problem);
}

/// Another type under the same name.
#[derive(Debug, Serialize, Deserialize)]
struct Other {
    limits: Vec<f32>,
}

impl CustomLoss for Other {
    const NAME: &'static str = "Bounded";

    fn loss(&self, _: &[f32], _: Target<'_>) -> f64 {
        self.limits.len() as f64
    }

    fn gradient(&self, _: &[f32], _: Target<'_>, _: &mut [f32]) {}
}

#[test]
fn a_type_that_refuses_its_configuration_is_named_with_the_reason() {
    let bytes = model(Linear, Bounded { limit: 0.5 }).to_bytes().unwrap();
    assert_eq!(
        fault(Model::from_bytes_with(&bytes, CustomObjects::new().loss::<Other>()).unwrap_err()),
        "has a loss that is the custom loss `Bounded`, which refuses its configuration {\"limit\":0.5}: missing field `limits`"
    );
}

/// Has no form in JSON that can be read back.
#[derive(Debug, Serialize, Deserialize)]
struct Unsaved {
    by_pair: HashMap<(u8, u8), f32>,
    infinite: f32,
}

impl CustomLoss for Unsaved {
    const NAME: &'static str = "Unsaved";

    fn loss(&self, _: &[f32], _: Target<'_>) -> f64 {
        0.0
    }

    fn gradient(&self, _: &[f32], _: Target<'_>, _: &mut [f32]) {}
}

#[test]
fn one_that_no_file_can_hold_is_refused_before_it_is_trained() {
    let refused = |loss: Unsaved| {
        let model = Sequential::new([1]).add(Dense::new(1));
        model.compile(Sgd::default(), loss, []).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Unsaved { by_pair: HashMap::from([((1, 2), 0.5)]), infinite: 0.0 }),
        "the model has a loss that cannot be saved: the configuration of `Unsaved` is no JSON: key must be a string"
    );
    let error = refused(Unsaved { by_pair: HashMap::new(), infinite: f32::INFINITY });
    let start = "the model has a loss that cannot be saved: the configuration of `Unsaved` {\"by_pair\":{},\"infinite\":null} cannot be \
                 read back: ";
    assert!(error.starts_with(start), "{error}");
}

/// How many examples `Panics` has yet to see before it panics.
static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

#[derive(Debug, Serialize, Deserialize)]
struct Panics;

impl CustomLoss for Panics {
    const NAME: &'static str = "Panics";

    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
        Squares.loss(outputs, target)
    }

    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
        assert_ne!(LEFT.fetch_sub(1, Ordering::Relaxed), 0, "the loss panics");
        Squares.gradient(outputs, target, gradient);
    }
}

#[test]
fn after_its_panic_the_model_is_that_of_the_last_step_and_can_be_trained() {
    let train = dataset(16);
    let (mut model, mut whole) = (model(Softmax, Panics), model(Softmax, Squares));
    // In the second epoch's first batch.
    LEFT.store(17, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(|| model.fit(&train, quiet().epochs(3).batch_size(8))));
    assert!(outcome.is_err());
    LEFT.store(usize::MAX, Ordering::Relaxed);
    whole.fit(&train, quiet().epochs(1).batch_size(8)).unwrap();
    assert_eq!(model.get_weights(), whole.get_weights());
    let history = model.fit(&train, quiet().epochs(2)).unwrap();
    assert_eq!(history.epochs.len(), 2);
    assert!(model.evaluate(&train).unwrap().loss.is_finite());
}
