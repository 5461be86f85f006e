//! What callbacks refuse before the first epoch: names that the logs do not have, settings that make no sense, files
//! that cannot be written.

use crate::small::{dataset, model, quiet};
use inkstone::callbacks::{
    Callback, CsvLogger, EarlyStopping, LambdaCallback, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau,
};
use inkstone::prelude::*;
use inkstone::{Error, History, OneCycle};
use std::fs;
use std::path::Path;

#[track_caller]
fn csv_refused(path: &Path) {
    let mut model = model();
    let before = model.get_weights();
    let error = model.fit(&dataset(4), quiet().callback(CsvLogger::new(path))).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    assert_eq!(model.get_weights(), before, "it is told before training");
}

#[test]
fn a_csv_log_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    csv_refused(folder.path());
    csv_refused(&folder.path().join("missing").join("log.csv"));
}

#[test]
fn a_value_that_the_logs_do_not_have_is_named_with_those_they_have() {
    let message = |error: inkstone::Result<History>| {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Callback(_)));
        error.to_string()
    };
    let (train, test) = (dataset(10), dataset(5));
    let without = "the value to monitor must be one of accuracy, loss, got val_loss: give `fit` validation data";
    assert_eq!(message(model().fit(&train, quiet().callback(EarlyStopping::default()))), without);
    assert_eq!(message(model().fit(&train, quiet().callback(ReduceLROnPlateau::default()))), without);
    let mut fitted = model();
    let config = quiet().validation_data(&test).callback(EarlyStopping::new("f1"));
    assert_eq!(
        message(fitted.fit(&train, config)),
        "the value to monitor must be one of accuracy, loss, val_accuracy, val_loss, got f1"
    );
    assert_eq!(fitted.get_weights(), model().get_weights(), "it is told before training");
}

#[test]
fn a_factor_that_lowers_nothing_is_refused() {
    for (factor, written) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN")] {
        let plateau = ReduceLROnPlateau::new("loss").factor(factor);
        let error = model().fit(&dataset(4), quiet().callback(plateau)).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }));
        assert_eq!(error.to_string(), format!("factor must be at least 0 and less than 1, got {written}"));
    }
}

#[test]
fn a_model_checkpoint_that_cannot_work_is_told_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |checkpoint: ModelCheckpoint| {
        let mut begun = false;
        let watch = LambdaCallback::new().on_epoch_begin(|_, _| {
            begun = true;
            Ok(())
        });
        let error = model().fit(&dataset(16), quiet().validation_split(0.25).callback(checkpoint).callback(watch));
        assert!(!begun, "no epoch was begun");
        error.unwrap_err().to_string()
    };
    let at = |name: &str| ModelCheckpoint::new(folder.path().join(name));
    let batches = inkstone::callbacks::SaveFreq::Batches(2);
    assert_eq!(
        refused(at("m").save_best_only(true).save_freq(batches)),
        "the logs of batches have no val_loss, they have accuracy, loss: monitor one of these, or save after epochs"
    );
    assert!(refused(at("{los}")).contains("asks for {los}, there are epoch, "));
    assert!(refused(at("{val_loss}").save_freq(batches)).contains("asks for {val_loss}, there are epoch, "));
    let missing = folder.path().join("missing");
    assert_eq!(
        refused(ModelCheckpoint::new(missing.join("m-{epoch}"))),
        format!(
            "{} was not written: the folder {} does not exist: create it first",
            missing.join("m-1").display(),
            missing.display()
        )
    );
    assert!(refused(ModelCheckpoint::new(folder.path())).ends_with("it is a folder: give the path of a file"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking leaves nothing behind");
}

#[test]
fn settings_that_can_be_no_numbers_are_refused_before_training() {
    let refused = |callback: Box<dyn Callback + Send>| {
        let mut model = model();
        let mut callback = callback;
        let error = model.fit(&dataset(16), quiet().callback(&mut *callback)).unwrap_err();
        assert_eq!(model.steps(), 0);
        assert!(matches!(error, Error::Setting { .. }));
        error.to_string()
    };
    let path = "model.safetensors";
    let best = || ModelCheckpoint::new(path).monitor("loss").save_best_only(true);
    assert_eq!(
        [
            refused(Box::new(EarlyStopping::new("loss").min_delta(f64::NAN))),
            refused(Box::new(EarlyStopping::new("loss").baseline(f64::NAN))),
            refused(Box::new(ReduceLROnPlateau::new("loss").min_delta(f64::NAN))),
            refused(Box::new(ReduceLROnPlateau::new("loss").min_lr(f64::NAN))),
            refused(Box::new(best().initial_value_threshold(f64::NAN))),
        ],
        ["min_delta", "baseline", "min_delta", "min_lr", "initial_value_threshold"]
            .map(|name| format!("{name} must be a number, got NaN"))
    );
}

#[test]
fn a_rate_that_follows_a_schedule_is_refused_by_those_who_set_it_before_training() {
    let refused = |config: FitConfig<'_>| {
        let mut model = Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(Dense::new(3).activation(Softmax))
            .compile(Sgd::new(OneCycle::new(0.1, 100)), SparseCategoricalCrossentropy::default(), [])
            .unwrap();
        let error = model.fit(&dataset(16), config).unwrap_err();
        assert_eq!(model.steps(), 0);
        error.to_string()
    };
    let expected = "learning_rate must be a number to be set later, not a schedule, got OneCycle";
    assert_eq!(refused(quiet().epochs(20).callback(ReduceLROnPlateau::new("loss"))), expected);
    assert_eq!(refused(quiet().callback(LearningRateScheduler::new(|_, rate| rate))), expected);
}
