//! Metrics of users' own types: in logs, histories, monitors and checkpoints.

use crate::small::{dataset, quiet};
use inkstone::callbacks::{BackupAndRestore, EarlyStopping, LambdaCallback};
use inkstone::custom::{CustomMetric, CustomObjects, Direction, Target};
use inkstone::prelude::*;
use inkstone::{Error, History, Scores};
use serde::{Deserialize, Serialize};

/// What `Metric::Accuracy` counts, for every class by itself; the value is the smallest.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WorstClass {
    #[serde(default)]
    direction: Option<bool>,
}

impl CustomMetric for WorstClass {
    const NAME: &'static str = "worst_class";

    fn direction(&self) -> Direction {
        if self.direction == Some(false) { Direction::Down } else { Direction::Up }
    }

    fn sums(&self, outputs: usize) -> usize {
        2 * outputs
    }

    fn update(&self, sums: &mut [f64], outputs: &[f32], target: Target<'_>) {
        let highest =
            (0..outputs.len()).fold(0, |best, class| if outputs[class] > outputs[best] { class } else { best });
        let class = target.class();
        sums[2 * class] += f64::from(u8::from(highest == class));
        sums[2 * class + 1] += 1.0;
    }

    fn value(&self, sums: &[f64]) -> f64 {
        sums.chunks(2).map(|class| class[0] / class[1]).fold(f64::NAN, f64::min)
    }
}

fn worst_class() -> WorstClass {
    WorstClass { direction: None }
}

fn model(metrics: impl IntoIterator<Item = Metric>) -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(7).activation(Relu))
        .add(Dense::new(3).activation(Softmax))
        .seed(3)
        .compile(Adam::new(0.02), SparseCategoricalCrossentropy::default(), metrics)
        .unwrap()
}

/// The same out of the report of an evaluation.
fn expected(model: &Model, data: &Dataset) -> f64 {
    let report = model.evaluate_report(data).unwrap();
    report.classes().iter().map(|class| class.recall).fold(f64::NAN, f64::min)
}

#[test]
fn logs_histories_and_scores_have_it_under_its_name() {
    let (train, validation) = (dataset(43), dataset(19));
    let mut logged = Vec::new();
    let mut model = model(metrics![Accuracy, worst_class()]);
    let callback = LambdaCallback::new().on_epoch_end(|_, logs, _| {
        logged.push((logs.get("worst_class").unwrap(), logs.get("val_worst_class").unwrap()));
        Ok(())
    });
    let history =
        model.fit(&train, quiet().epochs(3).batch_size(8).validation_data(&validation).callback(callback)).unwrap();
    let last = history.epochs.last().unwrap();
    assert_eq!(last.training.names(), ["accuracy", "worst_class"]);
    let of_validation = last.validation.as_ref().unwrap().get("worst_class").unwrap();
    assert_eq!(of_validation, expected(&model, &validation));
    assert_eq!(history.get("val_worst_class").unwrap().last(), Some(&of_validation));
    assert_eq!(logged.last(), Some(&(last.training.get("worst_class").unwrap(), of_validation)));
    assert_eq!(model.evaluate(&train).unwrap().get("worst_class").unwrap(), expected(&model, &train));
    assert_eq!(Metric::from(worst_class()).name(), "worst_class");
}

#[test]
fn two_of_one_type_are_told_apart() {
    let metrics = vec![(worst_class().into(), 0.5), (WorstClass { direction: Some(false) }.into(), 0.25)];
    let scores = Scores::new(0.5, metrics);
    assert_eq!(scores.names(), ["worst_class", "worst_class_1"]);
    assert_eq!((scores.get("worst_class").unwrap(), scores.get("worst_class_1").unwrap()), (0.5, 0.25));
}

#[test]
fn early_stopping_goes_by_its_direction() {
    let stopped_after = |direction| {
        let mut model = model(metrics![WorstClass { direction }]);
        let stopping = EarlyStopping::new("val_worst_class").patience(1).min_delta(1.0);
        model
            .fit(&dataset(16), quiet().epochs(9).validation_data(&dataset(16)).callback(stopping))
            .unwrap()
            .epochs
            .len()
    };
    // Nothing gets better by more than 1, whichever way.
    assert_eq!((stopped_after(None), stopped_after(Some(false))), (2, 2));
    let best = |direction| {
        let mut model = model(metrics![WorstClass { direction }]);
        let mut stopping = EarlyStopping::new("worst_class").patience(99);
        let config = quiet().epochs(12).batch_size(8).callback(&mut stopping);
        let history = model.fit(&dataset(43), config).unwrap();
        (stopping.best_epoch().unwrap(), history.get("worst_class").unwrap())
    };
    let (up, values) = best(None);
    assert_eq!(values[up], values.iter().copied().fold(f64::MIN, f64::max));
    let (down, values) = best(Some(false));
    assert_eq!(values[down], values.iter().copied().fold(f64::MAX, f64::min));
    assert_ne!(up, down, "training changes the metric");
}

/// What an epoch tells, but for its time, as bits.
fn bits(history: &History) -> Vec<u64> {
    let scores = |scores: &Scores| scores.named().map(|(_, value)| value.to_bits()).collect::<Vec<_>>();
    history.epochs.iter().flat_map(|epoch| scores(&epoch.training)).collect()
}

#[test]
fn a_checkpoint_in_the_middle_of_an_epoch_resumes_to_the_bit() {
    let train = dataset(43);
    let mut saved = Vec::new();
    let keep = LambdaCallback::new().on_train_batch_end(|_, _, training| {
        saved.push(training.model().checkpoint_to_bytes()?);
        Ok(())
    });
    let mut whole = model(metrics![worst_class(), Accuracy]);
    let history = whole.fit(&train, quiet().epochs(2).batch_size(8).callback(keep)).unwrap();
    let known = CustomObjects::new().metric::<WorstClass>();
    for bytes in &saved {
        let mut resumed = Model::resume_from_bytes_with(bytes, &known).unwrap();
        assert!(resumed.checkpoint_to_bytes().unwrap() == *bytes);
        let rest = bits(&resumed.fit(&train, quiet().epochs(2).batch_size(8)).unwrap());
        assert_eq!(rest, bits(&history)[bits(&history).len() - rest.len()..]);
        assert_eq!(resumed.get_weights(), whole.get_weights());
    }
    let error = Model::resume_from_bytes(&saved[0]).unwrap_err().to_string();
    assert!(error.contains("has a metric that is the custom metric `worst_class`"), "{error}");
}

#[test]
fn a_backup_takes_the_types_from_the_model_that_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let train = dataset(43);
    let config = |epochs| quiet().epochs(epochs).batch_size(8).backup(BackupAndRestore::new(folder.path()));
    let build = || model(metrics![worst_class()]);
    build().fit(&train, config(1)).unwrap();
    let (mut resumed, mut whole) = (build(), build());
    let history = resumed.fit(&train, config(3)).unwrap();
    assert_eq!(history.epochs.len(), 2, "the first is in the backup");
    whole.fit(&train, quiet().epochs(3).batch_size(8)).unwrap();
    assert_eq!(resumed.get_weights(), whole.get_weights());
    // A model that has no such metric is another one: it is not trained from the start over these checkpoints.
    let error = model([Accuracy]).fit(&train, config(3)).unwrap_err();
    assert!(matches!(error, Error::ModelFile { .. }), "{error}");
}

/// Keeps more than any model may.
#[derive(Debug, Serialize, Deserialize)]
struct Greedy;

impl CustomMetric for Greedy {
    const NAME: &'static str = "greedy";

    fn direction(&self) -> Direction {
        Direction::Down
    }

    fn sums(&self, _: usize) -> usize {
        usize::MAX
    }

    fn update(&self, _: &mut [f64], _: &[f32], _: Target<'_>) {}

    fn value(&self, _: &[f64]) -> f64 {
        0.0
    }
}

#[test]
fn sums_have_a_limit_and_histories_are_read_without_the_type() {
    let model = Sequential::new([2]).add(Dense::new(1));
    let error = model.compile(Sgd::default(), MeanSquaredError, metrics![Greedy, Greedy]).unwrap_err().to_string();
    assert!(error.starts_with("metrics must be metrics that keep at most 1048576 sums together, got"), "{error}");
    let scores = Scores::new(0.5, vec![(worst_class().into(), 0.25)]);
    let read: Scores = serde_json::from_str(&serde_json::to_string(&scores).unwrap()).unwrap();
    assert_eq!(read, scores);
    assert_eq!(read.to_string(), "worst_class: 0.2500 - loss: 0.5000");
    let stranger = Metric::clone(&read.metrics[0].0);
    let error = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::default(), MeanSquaredError, [stranger]);
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("the model has a metric that is the custom metric `worst_class`, whose type"), "{error}");
}
