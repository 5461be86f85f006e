//! Callbacks as a user writes and gives them: when they are called, with what, and what comes of it. That
//! `EarlyStopping` and `ReduceLROnPlateau` do what Keras' do is tested beside them.

use crate::small::{dataset, model, quiet};
use inkstone::callbacks::{
    Callback, CsvLogger, EarlyStopping, LambdaCallback, LearningRateScheduler, Logs, TerminateOnNan, Training,
};
use inkstone::prelude::*;
use inkstone::{Error, History, Model};
use ndarray::Array4;
use std::fs;

/// Writes down what it is called for, and fails or stops where it is told to.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    fails_at: Option<&'static str>,
    stops_at: Option<&'static str>,
}

impl Recorder {
    fn note(&mut self, event: String, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.events.push(event.clone());
        if self.stops_at == Some(&event) {
            assert!(!training.is_stopping());
            training.stop_training();
            assert!(training.is_stopping());
        }
        if self.fails_at == Some(&event) { Err(Error::Callback(format!("enough at {event}"))) } else { Ok(()) }
    }
}

fn names(logs: &Logs) -> String {
    logs.iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

impl Callback for Recorder {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> inkstone::Result<()> {
        let (first, last) = (training.initial_epoch(), training.epochs());
        let (steps, batch_size) = (training.steps(), training.batch_size());
        self.note(format!("train begins: epochs {first} to {last}, {steps} steps of {batch_size}"), training)
    }

    fn on_train_end(&mut self, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note("train ends".into(), training)
    }

    fn on_epoch_begin(&mut self, epoch: usize, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note(format!("epoch {epoch} begins"), training)
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note(format!("epoch {epoch} ends: {}", names(logs)), training)
    }

    fn on_train_batch_begin(&mut self, batch: usize, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note(format!("batch {batch} begins"), training)
    }

    fn on_train_batch_end(&mut self, batch: usize, logs: &Logs, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note(format!("batch {batch} ends: {}", names(logs)), training)
    }

    fn on_test_begin(&mut self, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note("test begins".into(), training)
    }

    fn on_test_end(&mut self, logs: &Logs, training: &mut Training<'_>) -> inkstone::Result<()> {
        self.note(format!("test ends: {}", names(logs)), training)
    }
}

/// All events of two epochs of three batches.
const EVENTS: [&str; 22] = [
    "train begins: epochs 0 to 2, 3 steps of 4",
    "epoch 0 begins",
    "batch 0 begins",
    "batch 0 ends: accuracy loss",
    "batch 1 begins",
    "batch 1 ends: accuracy loss",
    "batch 2 begins",
    "batch 2 ends: accuracy loss",
    "test begins",
    "test ends: accuracy loss",
    "epoch 0 ends: accuracy loss val_accuracy val_loss",
    "epoch 1 begins",
    "batch 0 begins",
    "batch 0 ends: accuracy loss",
    "batch 1 begins",
    "batch 1 ends: accuracy loss",
    "batch 2 begins",
    "batch 2 ends: accuracy loss",
    "test begins",
    "test ends: accuracy loss",
    "epoch 1 ends: accuracy loss val_accuracy val_loss",
    "train ends",
];

fn record(recorder: &mut Recorder) -> inkstone::Result<(History, Model)> {
    let mut model = model();
    let (train, test) = (dataset(10), dataset(5));
    let history = model.fit(&train, quiet().epochs(2).validation_data(&test).callback(recorder))?;
    Ok((history, model))
}

#[test]
fn events_come_in_keras_order() {
    let mut recorder = Recorder::default();
    record(&mut recorder).unwrap();
    assert_eq!(recorder.events, EVENTS);
}

#[test]
fn callbacks_are_called_in_the_order_in_which_they_were_given() {
    let order = std::sync::Mutex::new(Vec::new());
    let note = |name| {
        let order = &order;
        LambdaCallback::new().on_epoch_end(move |epoch, _, _| {
            order.lock().unwrap().push((epoch, name));
            Ok(())
        })
    };
    model().fit(&dataset(4), quiet().epochs(2).callback(note("first")).callback(note("second"))).unwrap();
    assert_eq!(*order.lock().unwrap(), [(0, "first"), (0, "second"), (1, "first"), (1, "second")]);
}

#[test]
fn stopping_in_the_middle_of_an_epoch_ends_it_with_validation() {
    let mut recorder = Recorder { stops_at: Some("batch 1 ends: accuracy loss"), ..Recorder::default() };
    let (history, stopped) = record(&mut recorder).unwrap();
    let expected: Vec<&str> = EVENTS[..6].iter().chain(&EVENTS[8..11]).chain(&EVENTS[21..]).copied().collect();
    assert_eq!(recorder.events, expected);
    assert_eq!(history.epochs.len(), 1);
    assert!(history.epochs[0].validation.is_some());
    // Two steps were taken, and count.
    let mut by_hand = model();
    let losses = [0, 4].map(|start| by_hand.train_on_batch(&images(start..start + 4), &labels(start..start + 4)));
    assert_eq!(stopped.get_weights(), by_hand.get_weights());
    let [first, second] = losses.map(|scores| scores.unwrap().loss);
    assert!((history.losses()[0] - (first + second) / 2.0).abs() < 1e-12);
}

#[test]
fn stopping_before_the_first_epoch_trains_nothing() {
    let mut recorder = Recorder { stops_at: Some(EVENTS[0]), ..Recorder::default() };
    let (history, stopped) = record(&mut recorder).unwrap();
    assert_eq!(recorder.events, [EVENTS[0], EVENTS[21]]);
    assert!(history.epochs.is_empty());
    assert_eq!(stopped.get_weights(), model().get_weights());
}

#[test]
fn an_error_of_a_callback_ends_the_training_and_is_returned() {
    for (place, event) in EVENTS.into_iter().enumerate().filter(|(place, _)| *place < 11 || *place == 21) {
        let mut recorder = Recorder { fails_at: Some(event), ..Recorder::default() };
        let Err(error) = record(&mut recorder) else { panic!("expected an error at {event}") };
        assert!(matches!(error, Error::Callback(_)));
        assert_eq!(error.to_string(), format!("enough at {event}"));
        // What has begun is ended.
        let ends = if place == 0 || place == 21 { &[] } else { &EVENTS[21..] };
        assert_eq!(recorder.events, [&EVENTS[..=place], ends].concat());
    }
}

fn images(places: std::ops::Range<usize>) -> Array4<f32> {
    dataset(10).images().slice_axis(ndarray::Axis(0), places.into()).to_owned()
}

fn labels(places: std::ops::Range<usize>) -> Vec<usize> {
    dataset(10).labels()[places].to_vec()
}

#[test]
fn logs_of_batches_are_the_means_of_the_epoch_so_far() {
    let mut seen = Vec::new();
    let watch = LambdaCallback::new().on_train_batch_end(|_, logs, _| {
        seen.push((logs.get("loss").unwrap(), logs.get("accuracy").unwrap()));
        Ok(())
    });
    let history = model().fit(&dataset(10), quiet().epochs(2).callback(watch)).unwrap();
    let mut by_hand = model();
    for epoch in 0..2 {
        let (mut loss, mut right) = (0.0, 0.0);
        for (batch, places) in [0..4, 4..8, 8..10].into_iter().enumerate() {
            let (end, count) = (places.end as f64, places.len() as f64);
            let scores = by_hand.train_on_batch(&images(places.clone()), &labels(places)).unwrap();
            loss += scores.loss * count;
            right += scores.accuracy().unwrap() * count;
            let (seen_loss, seen_accuracy) = seen[epoch * 3 + batch];
            // Sums of a few numbers near 1 in f64.
            assert!((seen_loss - loss / end).abs() < 1e-13, "epoch {epoch}, batch {batch}");
            assert!((seen_accuracy - right / end).abs() < 1e-13, "epoch {epoch}, batch {batch}");
        }
        assert_eq!(seen[epoch * 3 + 2], (history.losses()[epoch], history.get("accuracy").unwrap()[epoch]));
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn a_scheduler_is_asked_once_an_epoch_with_the_rate_so_far() {
    let mut asked = Vec::new();
    let scheduler = LearningRateScheduler::new(|epoch, rate| {
        asked.push((epoch, rate));
        rate * 0.5
    });
    let history = model().fit(&dataset(8), quiet().initial_epoch(1).epochs(4).callback(scheduler)).unwrap();
    assert_eq!(asked, [(1, 0.1), (2, 0.05), (3, 0.025)]);
    assert_eq!(history.get("learning_rate").unwrap(), [0.05_f32, 0.025, 0.0125].map(f64::from));
}

#[test]
fn a_rate_of_zero_trains_nothing_and_one_below_is_refused() {
    let mut still = model();
    still.fit(&dataset(8), quiet().callback(LearningRateScheduler::new(|_, _| 0.0))).unwrap();
    assert_eq!(still.get_weights(), model().get_weights());
    for (rate, written) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let config = quiet().callback(LearningRateScheduler::new(move |_, _| rate));
        let error = model().fit(&dataset(8), config).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }));
        assert_eq!(error.to_string(), format!("learning_rate must be finite and at least 0, got {written}"));
    }
}

/// The lines that a log of these epochs has.
fn rows(history: &History, first: usize, separator: &str) -> String {
    let row = |(epoch, record): (usize, &inkstone::Epoch)| {
        let scores = [Some(&record.training), record.validation.as_ref()];
        let values = scores.into_iter().flatten().flat_map(|scores| [scores.accuracy().unwrap(), scores.loss]);
        let fields = values.map(|value| value.to_string());
        [(first + epoch).to_string()].into_iter().chain(fields).collect::<Vec<_>>().join(separator) + "\n"
    };
    history.epochs.iter().enumerate().map(row).collect()
}

#[test]
fn a_csv_log_has_a_header_and_a_line_for_each_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    fs::write(&path, "what was there before").unwrap();
    let (train, test) = (dataset(10), dataset(5));
    let config = quiet().epochs(3).validation_data(&test).callback(CsvLogger::new(&path));
    let history = model().fit(&train, config).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "epoch,accuracy,loss,val_accuracy,val_loss\n".to_owned() + &rows(&history, 0, ","));
    let losses: Vec<f64> = text.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(losses, history.losses(), "values are read back to the last bit");
}

#[test]
fn a_csv_log_that_is_added_to_has_one_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let (mut model, train) = (model(), dataset(10));
    let mut logger = CsvLogger::new(&path).separator(';').append(true);
    let first = model.fit(&train, quiet().epochs(2).callback(&mut logger)).unwrap();
    let second = model.fit(&train, quiet().initial_epoch(2).epochs(3).callback(&mut logger)).unwrap();
    let expected = "epoch;accuracy;loss\n".to_owned() + &rows(&first, 0, ";") + &rows(&second, 2, ";");
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn a_csv_log_without_append_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let (mut model, train) = (model(), dataset(10));
    let mut logger = CsvLogger::new(&path);
    model.fit(&train, quiet().epochs(2).callback(&mut logger)).unwrap();
    let second = model.fit(&train, quiet().callback(&mut logger)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "epoch,accuracy,loss\n".to_owned() + &rows(&second, 0, ","));
}

#[test]
fn a_csv_log_is_on_disk_after_each_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    let mut lines = Vec::new();
    let look = LambdaCallback::new().on_epoch_end(|_, _, _| {
        lines.push(fs::read_to_string(&path).unwrap().lines().count());
        Ok(())
    });
    model().fit(&dataset(4), quiet().epochs(3).callback(CsvLogger::new(&path)).callback(look)).unwrap();
    assert_eq!(lines, [2, 3, 4]);
}

/// A model after four epochs, of which the last two only made it worse, and its predictions after each.
fn worse_and_worse(stopping: &mut EarlyStopping) -> (Model, Vec<ndarray::Array2<f32>>) {
    let (mut model, data) = (model(), dataset(10));
    let images = data.images();
    let mut predictions = Vec::new();
    let watch = LambdaCallback::new().on_epoch_end(|_, _, training| {
        predictions.push(training.model_mut().predict_rows(&images)?);
        Ok(())
    });
    let spoil = LambdaCallback::new().on_epoch_begin(|epoch, training| {
        let mut weights = training.model().get_weights();
        if epoch >= 2 {
            weights
                .iter_mut()
                .for_each(|weight| weight.values.mapv_inplace(|value| 9.0 * epoch as f32 * (value - 0.1)));
        }
        training.model_mut().set_weights(&weights)
    });
    let config = quiet().epochs(10).callback(watch).callback(stopping).callback(spoil);
    model.fit(&data, config).unwrap();
    (model, predictions)
}

#[test]
fn early_stopping_restores_the_weights_of_its_best_epoch() {
    let images = dataset(10).images();
    let mut stopping = EarlyStopping::new("loss").patience(2).restore_best_weights(true);
    let (restored, predictions) = worse_and_worse(&mut stopping);
    assert_eq!((stopping.best_epoch(), stopping.stopped_epoch()), (Some(1), Some(3)));
    assert_eq!(restored.predict_rows(&images).unwrap(), predictions[1]);

    let mut stopping = EarlyStopping::new("loss").patience(2);
    let (kept, predictions) = worse_and_worse(&mut stopping);
    assert_eq!(stopping.stopped_epoch(), Some(3));
    assert_eq!(kept.predict_rows(&images).unwrap(), predictions[3]);
    assert_ne!(predictions[3], predictions[1]);
}

#[test]
fn a_training_that_diverges_is_an_error_unless_a_callback_ends_it() {
    let images = Array4::<f32>::from_elem((64, 1, 1, 2), 1e20);
    let labels: Vec<usize> = (0..64).map(|n| n % 2).collect();
    let model = || {
        Sequential::new([2])
            .add(Dense::new(2).activation(Softmax))
            .seed(1)
            .compile(Sgd::new(1e10), SparseCategoricalCrossentropy::default(), [])
            .unwrap()
    };
    let error = model().fit((&images, &labels), FitConfig::new().epochs(10).verbose(0)).unwrap_err();
    let Error::Diverged { epoch: 1, step, loss } = error else { panic!("{error}") };
    assert!(!loss.is_finite());

    let mut ended = model();
    let mut batches = 0;
    let count = LambdaCallback::new().on_train_batch_end(|_, _, _| {
        batches += 1;
        Ok(())
    });
    let config = FitConfig::new().epochs(10).callback(TerminateOnNan).callback(count).verbose(0);
    let history = ended.fit((&images, &labels), config).unwrap();
    assert_eq!((history.epochs.len(), batches), (1, step));
    assert!(!history.losses()[0].is_finite());
    let weights = ended.get_weights();
    assert!(weights.iter().flat_map(|weight| &weight.values).all(|value| value.is_finite()), "no step to NaN is taken");
}

#[test]
fn stopping_at_the_beginning_of_an_epoch_leaves_it_one_batch() {
    let stop = LambdaCallback::new().on_epoch_begin(|epoch, training| {
        if epoch == 1 {
            training.stop_training();
        }
        Ok(())
    });
    let mut batches = 0;
    let count = LambdaCallback::new().on_train_batch_end(|_, _, _| {
        batches += 1;
        Ok(())
    });
    let config = quiet().epochs(5).batch_size(4).callback(stop).callback(count);
    let history = model().fit(&dataset(16), config).unwrap();
    assert_eq!(history.epochs.len(), 2);
    assert!(history.losses()[1].is_finite());
    assert_eq!(batches, 4 + 1);
}
