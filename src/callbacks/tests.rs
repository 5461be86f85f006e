//! `EarlyStopping` and `ReduceLROnPlateau` against Keras', epoch by epoch, on random sequences of values.
//! `tests/fixtures/make_callbacks.py` made them.

use super::{Callback, EarlyStopping, Logs, Mode, ReduceLROnPlateau, Training};
use crate::model::Model;
use crate::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    early_stopping: Vec<Stopping>,
    reduce_lr_on_plateau: Vec<Plateau>,
}

#[derive(Deserialize)]
struct Stopping {
    monitor: String,
    mode: String,
    min_delta: f64,
    patience: usize,
    baseline: String,
    restore_best_weights: bool,
    start_from_epoch: usize,
    values: Vec<String>,
    /// After each epoch: whether it stops, the best value, its epoch, the epoch it stopped after; 0 stands for none
    /// too.
    epochs: Vec<(bool, String, usize, usize)>,
}

#[derive(Deserialize)]
struct Plateau {
    monitor: String,
    mode: String,
    min_delta: f64,
    patience: usize,
    factor: f64,
    cooldown: usize,
    min_lr: f64,
    values: Vec<String>,
    /// After each epoch: the best value, the learning rate.
    epochs: Vec<(String, String)>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/callbacks.json")).unwrap()
}

fn model() -> Model {
    Sequential::new([1])
        .add(Dense::new(2).activation(Softmax))
        .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn mode(name: &str) -> Mode {
    match name {
        "auto" => Mode::Auto,
        "min" => Mode::Min,
        "max" => Mode::Max,
        other => panic!("no mode {other}"),
    }
}

fn number(text: &str) -> Option<f64> {
    (text != "None").then(|| text.parse().unwrap())
}

/// NaN is NaN.
#[track_caller]
fn assert_same(what: &str, found: Option<f64>, expected: &str) {
    assert_eq!(found.map(|value| value.to_string()), number(expected).map(|value| value.to_string()), "{what}");
}

#[test]
fn early_stopping_stops_where_keras_does() {
    let mut stops = 0;
    for (place, case) in fixture().early_stopping.iter().enumerate() {
        let mut callback = EarlyStopping::new(&case.monitor)
            .mode(mode(&case.mode))
            .min_delta(case.min_delta)
            .patience(case.patience)
            .restore_best_weights(case.restore_best_weights)
            .start_from_epoch(case.start_from_epoch);
        if let Some(baseline) = number(&case.baseline) {
            callback = callback.baseline(baseline);
        }
        let mut model = model();
        let mut training = Training::for_test(&mut model, &[&case.monitor]);
        callback.on_train_begin(&mut training).unwrap();
        for (epoch, (value, (stopping, best, best_epoch, stopped_epoch))) in
            case.values.iter().zip(&case.epochs).enumerate()
        {
            let what = format!("case {place}, epoch {epoch}");
            callback.on_epoch_end(epoch, &Logs::of(&case.monitor, number(value).unwrap()), &mut training).unwrap();
            assert_same(&what, callback.best(), best);
            assert_eq!(training.is_stopping(), *stopping, "{what}");
            assert_eq!(callback.best_epoch().unwrap_or(0), *best_epoch, "{what}");
            assert_eq!(callback.stopped_epoch().unwrap_or(0), *stopped_epoch, "{what}");
            stops += usize::from(*stopping);
        }
    }
    assert!(stops > 20, "{stops} of the sequences are stopped");
}

#[test]
fn reduce_lr_on_plateau_lowers_the_rate_where_keras_does() {
    let mut model = model();
    let mut lowered = 0;
    for (place, case) in fixture().reduce_lr_on_plateau.iter().enumerate() {
        let mut callback = ReduceLROnPlateau::new(&case.monitor)
            .mode(mode(&case.mode))
            .min_delta(case.min_delta)
            .patience(case.patience)
            .factor(case.factor)
            .cooldown(case.cooldown)
            .min_lr(case.min_lr);
        model.set_learning_rate(0.5).unwrap();
        let mut training = Training::for_test(&mut model, &[&case.monitor]);
        callback.on_train_begin(&mut training).unwrap();
        for (epoch, (value, (best, rate))) in case.values.iter().zip(&case.epochs).enumerate() {
            let what = format!("case {place}, epoch {epoch}");
            let before = training.model().learning_rate();
            callback.on_epoch_end(epoch, &Logs::of(&case.monitor, number(value).unwrap()), &mut training).unwrap();
            assert_same(&what, callback.best(), best);
            let found = training.model().learning_rate();
            assert_eq!(Some(f64::from(found)), number(rate), "{what}");
            lowered += usize::from(found < before);
        }
    }
    assert!(lowered > 40, "the rate is lowered {lowered} times");
}
