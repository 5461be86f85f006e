//! Layers one by one against Keras: outputs, gradients of inputs and of weights, and the state that training leaves.
//! `tests/fixtures/make_layers.py` made the numbers.

use crate::cases::KINDS;
use crate::common::large_fixture;
use inkstone::layers::Layer;
use inkstone::ndarray::ArrayD;
use inkstone::prelude::*;
use inkstone::{Inputs, Mode, Weight};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Groups of cases whose layer, or the argument that they are named after, does not exist yet.
const NOT_YET: &[&str] = &[];

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    group: String,
    layer: Value,
    mode: Modes,
    inputs: Vec<Tensor>,
    weights: Vec<Tensor>,
    output: Tensor,
    /// Empty for cases of inference.
    #[serde(default)]
    dy: Vec<f32>,
    #[serde(default)]
    d_inputs: Vec<Vec<f32>>,
    /// By the weight's name.
    #[serde(default)]
    d_weights: BTreeMap<String, Vec<f32>>,
    #[serde(default)]
    state: BTreeMap<String, Vec<f32>>,
}

/// In which modes the numbers hold: the value of Keras' argument `training`.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Modes {
    Any,
    Training,
    Inference,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    #[serde(default)]
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    fn array(&self) -> ArrayD<f32> {
        shaped(&self.shape, &self.values)
    }
}

fn shaped(shape: &[usize], values: &[f32]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(shape, values.to_vec()).unwrap()
}

/// The cases.
fn cases() -> Vec<Case> {
    let text = large_fixture("layers.json");
    let Fixture { cases } = serde_json::from_slice(&text).unwrap();
    assert!(cases.len() >= 130, "only {} cases", cases.len());
    cases
}

fn is_awaited(case: &Case) -> bool {
    NOT_YET.contains(&case.group.as_str())
}

impl Case {
    fn what(&self, part: &str) -> String {
        format!("{part} of {}: {}", self.group, self.layer)
    }

    /// The layer on inputs of the case's shapes, with the case's weights.
    fn model(&self) -> Model {
        let reads: Vec<Value> = (0..self.inputs.len()).map(|index| json!({ "Input": index })).collect();
        let shapes: Vec<&[usize]> = self.inputs.iter().map(|input| &input.shape[1..]).collect();
        let call = json!({ "layer": 0, "reads": reads });
        let network = json!({ "inputs": shapes, "layers": [self.layer], "calls": [call], "outputs": [{ "Call": 0 }] });
        let described: Functional = serde_json::from_value(json!({ "network": network }))
            .unwrap_or_else(|error| panic!("{}: {error}", self.what("description")));
        // So small a learning rate that a step changes state alone.
        let mut model = described
            .compile(Sgd::new(1e-30), MeanSquaredError, [])
            .unwrap_or_else(|error| panic!("{}: {error}", self.what("model")));
        let weights: Vec<Weight> = model
            .get_weights()
            .into_iter()
            .zip(&self.weights)
            .map(|(old, new)| {
                assert_eq!(short(&old.name), new.name, "{}", self.what("weights in Keras' order"));
                Weight { name: old.name, values: new.array() }
            })
            .collect();
        assert_eq!(weights.len(), self.weights.len(), "{}", self.what("number of weights"));
        model.set_weights(&weights).unwrap_or_else(|error| panic!("{}: {error}", self.what("weights")));
        model
    }

    fn check(&self) {
        let mut model = self.model();
        let inputs: Vec<ArrayD<f32>> = self.inputs.iter().map(Tensor::array).collect();
        let given = || Inputs::from(inputs.iter().map(Inputs::from).collect::<Vec<_>>());
        if self.mode != Modes::Training {
            let pass = model.forward(given(), Mode::Inference).unwrap();
            assert_eq!(pass.output().shape(), self.output.shape, "{}", self.what("output"));
            assert_close(&self.what("output in inference"), pass.output(), &self.output.values);
        }
        if self.mode != Modes::Inference {
            let pass = model.forward(given(), Mode::Training).unwrap();
            assert_eq!(pass.output().shape(), self.output.shape, "{}", self.what("output"));
            assert_close(&self.what("output in training"), pass.output(), &self.output.values);
            let gradients = model.backward(pass, shaped(&self.output.shape, &self.dy)).unwrap();
            assert_eq!(gradients.inputs.len(), self.d_inputs.len(), "{}", self.what("inputs"));
            for (found, expected) in gradients.inputs.iter().zip(&self.d_inputs) {
                assert_close(&self.what("gradient of an input"), found, expected);
            }
            let names: Vec<&str> = gradients.weights.iter().map(|weight| short(&weight.name)).collect();
            let trained = self.weights.iter().map(|weight| weight.name.as_str());
            let trained: Vec<&str> = trained.filter(|name| self.d_weights.contains_key(*name)).collect();
            assert_eq!(names, trained, "{}", self.what("trained weights"));
            for found in &gradients.weights {
                let name = short(&found.name);
                assert_close(&self.what(&format!("gradient of {name}")), &found.values, &self.d_weights[name]);
            }
        }
        let trains = self.d_weights.keys().next().is_some();
        if !self.state.is_empty() && trains {
            model.train_on_batch(given(), &ArrayD::zeros(self.output.shape.clone())).unwrap();
            let weights = model.get_weights();
            for (name, expected) in &self.state {
                let found = weights.iter().find(|weight| short(&weight.name) == name).unwrap();
                assert_close(&self.what(&format!("{name} after a call")), &found.values, expected);
            }
        }
    }
}

/// A weight's name within its layer.
fn short(name: &str) -> &str {
    name.split_once('/').unwrap().1
}

/// Keras' numbers have six digits, and ours are sums in f32.
#[track_caller]
fn assert_close<'a>(what: &str, found: impl IntoIterator<Item = &'a f32>, expected: &'a [f32]) {
    let largest = expected.iter().fold(0.1_f32, |largest, value| largest.max(value.abs()));
    crate::common::assert_close(what, found, expected, 1e-5, 1e-5 * largest);
}

#[test]
fn layers_give_keras_outputs_gradients_and_state() {
    cases().iter().filter(|case| !is_awaited(case)).for_each(Case::check);
}

#[test]
fn a_layer_that_exists_is_no_longer_awaited() {
    for case in cases().iter().filter(|case| is_awaited(case)) {
        let (layer, group) = (serde_json::from_value::<Layer>(case.layer.clone()), &case.group);
        assert!(layer.is_err(), "{} is a layer now: take {group:?} off NOT_YET, so that its cases run", case.layer);
    }
}

#[test]
fn every_layer_has_cases_and_nothing_else_is_awaited() {
    let cases = cases();
    let groups: BTreeSet<&str> = cases.iter().map(|case| case.group.as_str()).collect();
    if groups.is_empty() {
        return;
    }
    for kind in KINDS {
        let name = format!("{kind:?}");
        assert!(groups.contains(name.as_str()), "{name} has no cases: add some to tests/fixtures/make_layers.py");
    }
    for group in NOT_YET {
        assert!(groups.contains(group), "{group} is in NOT_YET and has no cases");
    }
}
