//! How trainings end before their last epoch: by an error, a panic, an interruption; and what is left then.

use inkstone::callbacks::{EarlyStopping, LambdaCallback, Training};
use inkstone::prelude::*;
use inkstone::{Error, Model};
use ndarray::Array4;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

fn model() -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn dataset(count: usize) -> Dataset {
    let images = Array4::from_shape_fn((count, 4, 4, 1), |(n, y, x, _)| ((n * 31 + y * 7 + x * (n % 3)) % 256) as u8);
    Dataset::from_bytes(images, (0..count).map(|n| n % 3).collect()).unwrap()
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().batch_size(4).shuffle(false).verbose(0)
}

#[test]
fn every_callback_that_has_begun_is_ended_and_the_first_error_returned() {
    let said = Mutex::new(Vec::new());
    let end = |name: &'static str, fails: Option<&'static str>| {
        let said = &said;
        LambdaCallback::new().on_train_end(move |_| {
            said.lock().unwrap().push(name);
            fails.map_or(Ok(()), |text| Err(Error::Callback(text.into())))
        })
    };
    let trained = |callback: LambdaCallback<'_>| {
        let config = quiet()
            .callback(end("first", Some("of the first")))
            .callback(callback)
            .callback(end("last", Some("of the last")));
        model().fit(&dataset(16), config).unwrap_err().to_string()
    };
    assert_eq!(trained(LambdaCallback::new()), "of the first");
    assert_eq!(mem::take(&mut *said.lock().unwrap()), ["first", "last"]);
    let fails = LambdaCallback::new().on_epoch_end(|_, _, _| Err(Error::Callback("of the epoch".into())));
    assert_eq!(trained(fails), "of the epoch");
    assert_eq!(mem::take(&mut *said.lock().unwrap()), ["first", "last"]);
    let fails = LambdaCallback::new().on_train_begin(|_| Err(Error::Callback("of the beginning".into())));
    assert_eq!(trained(fails), "of the beginning");
    assert_eq!(mem::take(&mut *said.lock().unwrap()), ["first"], "the last one had not begun");
}

#[test]
fn an_error_keeps_the_best_weights_and_the_epochs_so_far() {
    let train = dataset(16);
    let mut stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    let mut best = Vec::new();
    let spoil = LambdaCallback::new().on_epoch_end(|epoch, _, training| match epoch {
        0 => {
            best = training.model().get_weights();
            training.model_mut().set_learning_rate(f32::MAX)
        }
        _ => Ok(()),
    });
    let mut diverging = model();
    let error = diverging.fit(&train, quiet().epochs(9).callback(&mut stopping).callback(spoil)).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 2.., .. }), "{error}");
    assert_eq!(stopping.best_epoch(), Some(0));
    assert_eq!(diverging.get_weights(), best);
    assert!(!diverging.history().epochs.is_empty());
    assert_eq!(diverging.history().epochs.len(), diverging.epochs());
    // The next training is one of its own.
    diverging.set_learning_rate(0.01).unwrap();
    let history = diverging.fit(&train, quiet().epochs(2)).unwrap();
    assert_eq!(*diverging.history(), history);
    assert_eq!(history.epochs.len(), 2);
}

#[test]
fn after_a_panic_of_a_callback_the_next_training_starts_at_its_beginning() {
    let train = dataset(16);
    let panics = [
        LambdaCallback::new().on_train_batch_end(|_, _, training| {
            if training.history().epochs.len() == 1 { panic!("in a batch") } else { Ok(()) }
        }),
        LambdaCallback::new().on_epoch_end(|epoch, _, _| if epoch == 1 { panic!("in an epoch") } else { Ok(()) }),
        LambdaCallback::new().on_train_begin(|_| panic!("at the beginning")),
    ];
    for (panics, epochs) in panics.into_iter().zip([1, 2, 0]) {
        let mut model = model();
        let config = quiet().epochs(3).batch_size(4).callback(panics);
        let outcome = catch_unwind(AssertUnwindSafe(|| model.fit(&train, config)));
        assert!(outcome.is_err());
        assert_eq!(model.history().epochs.len(), epochs);
        // A checkpoint is one of a model that is not being trained.
        let mut resumed = Model::resume_from_bytes(&model.checkpoint_to_bytes().unwrap()).unwrap();
        for model in [&mut model, &mut resumed] {
            let mut begun = Vec::new();
            let count = LambdaCallback::new().on_train_batch_begin(|batch, _| {
                begun.push(batch);
                Ok(())
            });
            // Another batch size is as good as any.
            let history = model.fit(&train, quiet().epochs(2).batch_size(8).callback(count)).unwrap();
            assert_eq!(history.epochs.len(), 2);
            assert_eq!(begun, [0, 1, 0, 1]);
        }
    }
}

#[test]
fn a_model_in_training_can_neither_be_replaced_nor_trained_by_its_callbacks() {
    let train = dataset(16);
    let other = || {
        Sequential::new([4, 4, 1])
            .add(Flatten::new())
            .add(Dense::new(7).activation(Relu))
            .add(Dense::new(3).activation(Softmax))
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
            .unwrap()
    };
    let replaced =
        "the model was replaced by another one while it was trained: a callback may call `set_weights` on it";
    let mut moved = None;
    for event in ["train begins", "epoch begins", "batch begins", "batch ends"] {
        let mut replace = |training: &mut Training<'_>| {
            moved = Some(mem::replace(training.model_mut(), other()));
            Ok(())
        };
        let callback = LambdaCallback::new();
        let callback = if event == "train begins" {
            callback.on_train_begin(replace)
        } else if event == "epoch begins" {
            callback.on_epoch_begin(move |_, training| replace(training))
        } else if event == "batch begins" {
            callback.on_train_batch_begin(move |_, training| replace(training))
        } else {
            callback.on_train_batch_end(move |_, _, training| replace(training))
        };
        let mut replaced_by = model();
        let error = replaced_by.fit(&train, quiet().epochs(2).callback(callback)).unwrap_err();
        assert_eq!(error.to_string(), replaced);
        // Both models can be trained from their beginnings.
        for mut model in [replaced_by, moved.take().unwrap()] {
            assert_eq!(model.fit(&train, quiet().epochs(2)).unwrap().epochs.len(), 2);
        }
    }

    let mut refusals = Vec::new();
    let nested = LambdaCallback::new().on_epoch_end(|_, _, training| {
        refusals.push(training.model_mut().fit(&train, quiet()).unwrap_err().to_string());
        Ok(())
    });
    assert_eq!(model().fit(&train, quiet().epochs(2).callback(nested)).unwrap().epochs.len(), 2);
    let refusal =
        "the model is being trained already: a callback of its training may call `train_on_batch`, but not `fit`";
    assert_eq!(refusals, [refusal, refusal]);
}
