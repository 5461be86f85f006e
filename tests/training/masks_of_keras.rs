//! Models with masks, and recurrent layers with states, against Keras: outputs, losses, metrics, and the weights that
//! steps leave. `tests/fixtures/make_masks.py` and `make_states.py` made the numbers.

use crate::tensor::Tensor;
use inkstone::ndarray::ArrayD;
use inkstone::prelude::*;
use inkstone::{Inputs, Loss, Optimizer, Weight};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    network: Value,
    inputs: Vec<Tensor>,
    targets: Tensor,
    loss: String,
    optimizer: String,
    rate: f32,
    steps: usize,
    weights: Vec<Tensor>,
    output: Tensor,
    scores: BTreeMap<String, f64>,
    after: Vec<Vec<f32>>,
}

fn cases() -> Vec<Case> {
    let files = [include_str!("../fixtures/masks.json"), include_str!("../fixtures/states.json")];
    let cases = files.map(|file| serde_json::from_str::<Fixture>(file).unwrap().cases);
    assert!(cases[0].len() >= 12 && cases[1].len() >= 18);
    cases.into_iter().flatten().collect()
}

impl Case {
    fn model(&self) -> Model {
        let loss: Loss = match self.loss.as_str() {
            "mse" => MeanSquaredError.into(),
            "mae" => MeanAbsoluteError.into(),
            "binary_crossentropy" => BinaryCrossentropy::default().into(),
            other => panic!("{other}"),
        };
        let optimizer: Optimizer = match self.optimizer.as_str() {
            "SGD" => Sgd::new(self.rate).into(),
            "Adam" => Adam::new(self.rate).into(),
            other => panic!("{other}"),
        };
        let described: Functional = serde_json::from_value(json!({ "network": self.network })).unwrap();
        let metrics = [Metric::MeanSquaredError, Metric::MeanAbsoluteError];
        let mut model = described.compile(optimizer, loss, metrics).unwrap();
        let weights: Vec<Weight> = model
            .get_weights()
            .into_iter()
            .zip(&self.weights)
            .map(|(old, new)| Weight { name: old.name, values: new.array() })
            .collect();
        assert_eq!(weights.len(), self.weights.len(), "{}", self.name);
        model.set_weights(&weights).unwrap();
        model
    }

    fn inputs(&self) -> Vec<ArrayD<f32>> {
        self.inputs.iter().map(Tensor::array).collect()
    }
}

fn all(inputs: &[ArrayD<f32>]) -> Inputs<'_> {
    inputs.iter().map(Inputs::from).collect::<Vec<_>>().into()
}

#[track_caller]
fn assert_near(what: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 2e-5 * (0.1 + expected.abs()), "{what}: {found}, expected {expected}");
}

#[test]
fn masked_models_score_as_keras_does() {
    for case in cases() {
        let (model, inputs) = (case.model(), case.inputs());
        let output = model.predict(all(&inputs)).unwrap();
        crate::common::assert_close(&case.name, &output, &case.output.values, 1e-5, 1e-5);
        let scores = model.evaluate((all(&inputs), &case.targets.array())).unwrap();
        let [mse, mae] = [0, 1].map(|metric: usize| scores.metrics[metric].1);
        for (name, found) in [("loss", scores.loss), ("mse", mse), ("mae", mae)] {
            assert_near(&format!("{name} of {}", case.name), found, case.scores[name]);
        }
    }
}

#[test]
fn masked_models_train_as_keras_does() {
    for case in cases() {
        let (inputs, targets) = (case.inputs(), case.targets.array());
        let mut model = case.model();
        for _ in 0..case.steps {
            model.train_on_batch(all(&inputs), &targets).unwrap();
        }
        for (weight, expected) in model.get_weights().iter().zip(&case.after) {
            let what = format!("{} of {}", weight.name, case.name);
            crate::common::assert_close(&what, &weight.values, expected, 1e-4, 2e-5);
        }
    }
}

/// By hand, step by step, as in one go; and in batches so small that a chunk may have no step that counts.
#[test]
fn the_parts_of_a_step_give_its_bits() {
    for case in cases() {
        let (inputs, targets) = (case.inputs(), case.targets.array());
        let (mut whole, mut parts) = (case.model(), case.model());
        let scores = whole.train_on_batch(all(&inputs), &targets).unwrap();
        let pass = parts.forward(all(&inputs), inkstone::Mode::Training).unwrap();
        let (found, d_outputs) = parts.compute_loss(&pass, &targets).unwrap();
        assert_eq!(found, scores, "{}", case.name);
        let gradients = parts.backward(pass, d_outputs).unwrap();
        parts.apply_gradients(&gradients.weights).unwrap();
        assert_eq!(parts.get_weights(), whole.get_weights(), "{}", case.name);
    }
}
