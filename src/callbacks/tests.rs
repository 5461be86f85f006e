//! `EarlyStopping` and `ReduceLROnPlateau` against Keras', epoch by epoch, on random sequences of values.
//! `tests/fixtures/make_callbacks.py` made them.

use super::{Callback, EarlyStopping, Logs, Mode, ModelCheckpoint, ReduceLROnPlateau, Training};
use crate::error::Error;
use crate::fixture::fixture;
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

fn of_keras() -> Option<Fixture> {
    fixture("callbacks.json").map(|file| serde_json::from_str(&file).unwrap())
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
    let Some(fixture) = of_keras() else { return };
    let mut stops = 0;
    for (place, case) in fixture.early_stopping.iter().enumerate() {
        // Ours does not keep a NaN as the best value.
        if number(&case.values[case.start_from_epoch.min(case.values.len() - 1)]).is_some_and(f64::is_nan) {
            continue;
        }
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
fn any_number_is_better_than_nan() {
    let mut model = model();
    let mut training = Training::for_test(&mut model, &["loss"]);
    let mut stopping = EarlyStopping::new("loss").patience(2).restore_best_weights(true);
    let mut plateau = ReduceLROnPlateau::new("loss").patience(2);
    stopping.on_train_begin(&mut training).unwrap();
    plateau.on_train_begin(&mut training).unwrap();
    for (epoch, value) in [f64::NAN, 3.0, f64::NAN, 2.0, 2.5].into_iter().enumerate() {
        stopping.on_epoch_end(epoch, &Logs::of("loss", value), &mut training).unwrap();
        plateau.on_epoch_end(epoch, &Logs::of("loss", value), &mut training).unwrap();
    }
    assert_eq!((stopping.best(), stopping.best_epoch(), plateau.best()), (Some(2.0), Some(3), Some(2.0)));
    assert!(!training.is_stopping());
    assert_eq!(training.model().learning_rate(), 0.5);
    // Nor is one believed that an older checkpoint has.
    let state = stopping.state().unwrap().with("best", f64::NAN.to_bits());
    stopping.restore(&state).unwrap();
    assert_eq!(stopping.best(), None);
    // A training without a number ends as one that gets no better.
    stopping.on_train_begin(&mut training).unwrap();
    for epoch in 0..2 {
        stopping.on_epoch_end(epoch, &Logs::of("loss", f64::NAN), &mut training).unwrap();
    }
    assert!(training.is_stopping());
}

#[test]
fn counts_that_no_training_reaches_are_refused_by_name() {
    fn refusals(mut callback: impl Callback, counts: &[&str]) {
        for name in counts {
            for count in [u64::MAX, (1 << 53) + 1] {
                let state = callback.state().unwrap().with(name, count);
                let kind = state.callback.clone();
                let error = callback.restore(&state).unwrap_err();
                assert!(matches!(error, Error::Callback(_)));
                let expected = format!(
                    "the checkpoint's state of {kind} has the {name} {count}: expected a count of at most 9007199254740992, \
                     use another checkpoint"
                );
                assert_eq!(error.to_string(), expected);
            }
            callback.restore(&callback.state().unwrap().with(name, 1_u64 << 53)).unwrap();
        }
    }
    refusals(EarlyStopping::new("loss"), &["wait", "best_epoch", "stopped_epoch"]);
    refusals(ReduceLROnPlateau::new("loss"), &["wait", "cooling"]);
    refusals(ModelCheckpoint::new("model.safetensors"), &["epoch", "batches"]);
    #[cfg(feature = "tensorboard")]
    refusals(super::TensorBoard::new("logs"), &["batches"]);
}

#[test]
fn reduce_lr_on_plateau_lowers_the_rate_where_keras_does() {
    let Some(fixture) = of_keras() else { return };
    let mut model = model();
    let mut lowered = 0;
    for (place, case) in fixture.reduce_lr_on_plateau.iter().enumerate() {
        // Ours does not keep a NaN as the best value.
        if number(&case.values[0]).is_some_and(f64::is_nan) {
            continue;
        }
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
