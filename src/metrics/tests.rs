//! Metrics against Keras, after each of several batches. `tests/fixtures/make_metrics.py` made the numbers.

use super::{
    Auc, BinaryAccuracy, F1Score, Metric, MetricState, Precision, Recall, TopKCategoricalAccuracy, unique_names,
};
use crate::data::Target;
use crate::fixture::fixture;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    outputs: usize,
    batches: Vec<Batch>,
    metrics: Vec<Measured>,
}

#[derive(Deserialize)]
struct Batch {
    probabilities: Vec<f32>,
    targets: Vec<f32>,
    /// Where each target is a class.
    classes: Option<Vec<usize>>,
}

#[derive(Deserialize)]
struct Measured {
    metric: Metric,
    name: String,
    values: Vec<f64>,
}

impl Batch {
    fn len(&self, outputs: usize) -> usize {
        self.probabilities.len() / outputs
    }

    fn update(&self, state: &mut MetricState, outputs: usize, example: usize, targets: Targets) {
        let place = example * outputs..(example + 1) * outputs;
        let target = match (targets, &self.classes) {
            (Targets::Classes, Some(classes)) => Target::Class(classes[example]),
            (Targets::Classes, None) | (Targets::Rows, _) => Target::Values(&self.targets[place.clone()]),
        };
        state.update(&self.probabilities[place], target);
    }
}

#[derive(Clone, Copy, Debug)]
enum Targets {
    Classes,
    Rows,
}

fn cases() -> Option<Vec<Case>> {
    let fixture: Fixture = serde_json::from_str(&fixture("metrics.json")?).unwrap();
    Some(fixture.cases)
}

/// Keras adds fewer than 200 numbers up in 32 bits, and rounds a few times more: 2e-5 is some 200 roundings of half of
/// `f32::EPSILON`.
#[track_caller]
fn assert_keras(what: &str, actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-7 + 2e-5 * expected.abs(), "{what}: {actual}, Keras has {expected}");
}

#[test]
fn every_metric_has_keras_value_after_each_batch_with_classes_and_with_rows() {
    let Some(cases) = cases() else { return };
    let mut checked = BTreeMap::new();
    for case in cases {
        for Measured { metric, name, values } in &case.metrics {
            metric.check(case.outputs).unwrap();
            assert_eq!(metric.name(), name);
            for targets in [Targets::Classes, Targets::Rows] {
                let mut state = MetricState::new(metric.clone(), case.outputs);
                for (index, (batch, expected)) in case.batches.iter().zip(values).enumerate() {
                    let examples = 0..batch.len(case.outputs);
                    examples.for_each(|example| batch.update(&mut state, case.outputs, example, targets));
                    assert_keras(&format!("{}, {metric:?}, batch {index}", case.name), state.value(), *expected);
                }
            }
            checked.entry(name.clone()).or_insert_with(Vec::new).push(values[2]);
        }
    }
    // The fixture tells right from wrong: no metric has the same value wherever it is measured.
    assert_eq!(checked.len(), 11, "{:?}", checked.keys());
    for (name, values) in checked {
        assert!(values.iter().any(|value| *value != values[0]), "{name} is {} everywhere", values[0]);
    }
}

#[test]
fn metrics_that_need_only_the_order_say_the_same_of_logits() {
    let Some(cases) = cases() else { return };
    let mut compared = 0;
    for case in cases {
        for Measured { metric, values, .. } in &case.metrics {
            let mut state = MetricState::new(metric.clone(), case.outputs);
            if state.needs_probabilities() {
                continue;
            }
            for batch in &case.batches {
                // In the order of the probabilities, but neither between 0 and 1 nor of sum 1.
                let logits = batch.probabilities.iter().map(|p| 8.0 * p - 5.0).collect();
                let logits = Batch { probabilities: logits, targets: batch.targets.clone(), classes: None };
                (0..batch.len(case.outputs)).for_each(|i| logits.update(&mut state, case.outputs, i, Targets::Rows));
            }
            assert_keras(&format!("{}, {metric:?}", case.name), state.value(), values[2]);
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
    let needs = |metric: Metric, outputs| MetricState::new(metric, outputs).needs_probabilities();
    assert!(!needs(Metric::Accuracy, 10) && needs(Metric::Accuracy, 1));
    assert!(needs(Precision::new().into(), 3) && !needs(Precision::new().top_k(2).into(), 3));
}

#[test]
fn shards_merged_are_the_whole_and_a_reset_forgets() {
    let Some(cases) = cases() else { return };
    for case in cases {
        for Measured { metric, values, .. } in &case.metrics {
            let new = || MetricState::new(metric.clone(), case.outputs);
            let (mut even, mut odd, mut whole) = (new(), new(), new());
            even.update(&vec![0.75; case.outputs], Target::Class(0));
            even.reset();
            assert_eq!(even, new());
            for batch in &case.batches {
                for example in 0..batch.len(case.outputs) {
                    let part = if example % 2 == 0 { &mut even } else { &mut odd };
                    batch.update(part, case.outputs, example, Targets::Rows);
                    batch.update(&mut whole, case.outputs, example, Targets::Rows);
                }
            }
            even.merge(&odd);
            let difference = (even.value() - whole.value()).abs();
            assert!(difference <= 1e-14 * whole.value(), "{}, {metric:?}: {difference}", case.name);
            assert_keras(&format!("{}, {metric:?}", case.name), even.value(), values[2]);
        }
    }
}

#[test]
fn of_nothing_every_metric_is_zero_as_in_keras() {
    let Some(cases) = cases() else { return };
    for case in cases {
        for Measured { metric, .. } in &case.metrics {
            assert_eq!(MetricState::new(metric.clone(), case.outputs).value(), 0.0, "{metric:?}");
        }
    }
}

#[test]
fn of_equal_outputs_accuracy_takes_the_first_and_top_1_takes_any() {
    let value = |metric, class| {
        let mut state = MetricState::new(metric, 3);
        state.update(&[0.2, 0.4, 0.4], Target::Class(class));
        state.value()
    };
    assert_eq!([0, 1, 2].map(|class| value(Metric::Accuracy, class)), [0.0, 1.0, 0.0]);
    assert_eq!([0, 1, 2].map(|class| value(TopKCategoricalAccuracy::new(1).into(), class)), [0.0, 1.0, 1.0]);
    assert_eq!([0, 1, 2].map(|class| value(Precision::new().top_k(1).into(), class)), [0.0, 1.0, 0.0]);
}

#[test]
fn a_name_that_comes_twice_gets_a_number() {
    let metrics =
        [Precision::new().into(), Metric::Accuracy, Precision::new().top_k(2).into(), Precision::new().into()];
    assert_eq!(unique_names(metrics.iter()), ["precision", "accuracy", "precision_1", "precision_2"]);
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let refused = |metric: Metric, outputs: usize, text: &str| {
        assert_eq!(metric.check(outputs).unwrap_err().to_string(), text);
    };
    let outputs = "at least 1 and at most the number of the model's outputs";
    let top_k = |k: usize| TopKCategoricalAccuracy::new(k).into();
    refused(top_k(0), 10, &format!("k of TopKCategoricalAccuracy must be {outputs}, got 0 for 10 outputs"));
    refused(top_k(11), 10, &format!("k of TopKCategoricalAccuracy must be {outputs}, got 11 for 10 outputs"));
    refused(Precision::new().top_k(4).into(), 3, &format!("top_k of Precision must be {outputs}, got 4 for 3 outputs"));
    refused(Recall::new().top_k(0).into(), 3, &format!("top_k of Recall must be {outputs}, got 0 for 3 outputs"));
    refused(
        Recall::new().class_id(3).into(),
        3,
        "class_id of Recall must be less than the number of the model's outputs, got 3 for 3 outputs",
    );
    refused(Precision::new().thresholds(1.5).into(), 3, "thresholds of Precision must be from 0 to 1, got 1.5");
    refused(Recall::new().thresholds(f32::NAN).into(), 3, "thresholds of Recall must be from 0 to 1, got NaN");
    refused(
        BinaryAccuracy::new().threshold(-0.1).into(),
        1,
        "threshold of BinaryAccuracy must be from 0 to 1, got -0.1",
    );
    refused(Auc::new().num_thresholds(1).into(), 1, "num_thresholds of Auc must be from 2 to 2^16, got 1");
    refused(F1Score::new().threshold(0.0).into(), 3, "threshold of F1Score must be above 0 and at most 1, got 0");
    refused(
        Metric::CategoricalCrossentropy,
        1,
        "metric must be BinaryCrossentropy for a model of one output, which alone is always probability 1, got \
         CategoricalCrossentropy",
    );
}
