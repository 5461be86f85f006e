//! How trainings end before their last epoch: by an error, a panic, an interruption; and what is left then.

use crate::small::{dataset, model, quiet};
use inkstone::callbacks::{CsvLogger, EarlyStopping, LambdaCallback, ModelCheckpoint, SaveFreq, Training};
use inkstone::prelude::*;
use inkstone::{Error, Interrupt, MeanAbsoluteError, Model, Optimizer};
use ndarray::Array4;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, fs, mem, thread};

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
fn a_training_that_could_not_begin_leaves_the_history_of_the_last_one() {
    let train = dataset(16);
    let fails = || LambdaCallback::new().on_train_begin(|_| Err(Error::Callback("of the beginning".into())));
    let mut model = model();
    let history = model.fit(&train, quiet().epochs(2)).unwrap();
    model.fit(&train, quiet().callback(fails())).unwrap_err();
    assert_eq!(model.history(), &history);
    // A model that is put in the place of another one keeps its own.
    let mut other = crate::small::model();
    let others = other.fit(&train, quiet().epochs(1)).unwrap();
    let mut other = Some(other);
    let replaces = LambdaCallback::new().on_train_begin(|training| {
        other.take().into_iter().for_each(|other| *training.model_mut() = other);
        Ok(())
    });
    model.fit(&train, quiet().callback(replaces).callback(fails())).unwrap_err();
    assert_eq!(model.history(), &others);
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

/// A program of three epochs of four batches, interrupted when this event comes for the `nth` time; the epochs it
/// returns, and its model.
fn interrupted(folder: &Path, event: &str, nth: usize) -> (usize, Model) {
    let mut model = model();
    let mut seen = 0;
    let mut come = |name: &str, training: &mut Training<'_>| {
        seen += usize::from(name == event);
        if name == event && seen == nth {
            training.interrupt();
            assert!(training.is_interrupted() && training.is_stopping());
        }
        Ok(())
    };
    struct Events<'a>(&'a mut (dyn FnMut(&str, &mut Training<'_>) -> inkstone::Result<()> + Send));
    impl inkstone::callbacks::Callback for Events<'_> {
        fn on_train_begin(&mut self, training: &mut Training<'_>) -> inkstone::Result<()> {
            (self.0)("train begins", training)
        }
        fn on_epoch_begin(&mut self, _: usize, training: &mut Training<'_>) -> inkstone::Result<()> {
            (self.0)("epoch begins", training)
        }
        fn on_train_batch_begin(&mut self, _: usize, training: &mut Training<'_>) -> inkstone::Result<()> {
            (self.0)("batch begins", training)
        }
        fn on_train_batch_end(
            &mut self,
            _: usize,
            _: &inkstone::callbacks::Logs,
            training: &mut Training<'_>,
        ) -> inkstone::Result<()> {
            (self.0)("batch ends", training)
        }
        fn on_epoch_end(
            &mut self,
            _: usize,
            _: &inkstone::callbacks::Logs,
            training: &mut Training<'_>,
        ) -> inkstone::Result<()> {
            (self.0)("epoch ends", training)
        }
    }
    let stopping = EarlyStopping::new("loss").patience(2).restore_best_weights(true);
    let config = FitConfig::new().epochs(3).batch_size(4).verbose(0).callback(CsvLogger::new(folder.join("log.csv")));
    let config = config.callback(stopping).callback(Events(&mut come)).backup(BackupAndRestore::new(folder));
    let history = model.fit(&dataset(16), config).unwrap();
    (history.epochs.len(), model)
}

#[test]
fn interrupted_anywhere_a_training_resumes_and_ends_with_the_same_bits() {
    let undisturbed = tempfile::tempdir().unwrap();
    let (epochs, whole) = interrupted(undisturbed.path(), "never", 0);
    assert_eq!(epochs, 3);
    let log = |folder: &Path| fs::read_to_string(folder.join("log.csv")).unwrap();
    let cases = [("train begins", 1, 0), ("epoch begins", 1, 0), ("epoch begins", 2, 1), ("epoch ends", 2, 2)];
    let batches = (1..=12).flat_map(|nth| [("batch begins", nth, (nth - 1) / 4), ("batch ends", nth, (nth - 1) / 4)]);
    for (event, nth, completed) in cases.into_iter().chain(batches) {
        let folder = tempfile::tempdir().unwrap();
        let what = format!("{event} {nth}");
        let (before, _) = interrupted(folder.path(), event, nth);
        assert_eq!(before, completed, "{what}");
        let (after, resumed) = interrupted(folder.path(), "never", 0);
        assert_eq!(before + after, 3, "{what}");
        assert_eq!(resumed.checkpoint_to_bytes().unwrap(), whole.checkpoint_to_bytes().unwrap(), "{what}");
        assert_eq!(log(folder.path()), log(undisturbed.path()), "{what}");
    }
}

#[test]
fn another_thread_interrupts_a_training() {
    let interrupt = Interrupt::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(30));
            interrupt.interrupt();
        });
        let mut model = model();
        // As many epochs as that would take days.
        let config = FitConfig::new().epochs(usize::MAX).interrupt(&interrupt).verbose(0);
        let history = model.fit(&dataset(16), config).unwrap();
        assert_eq!(history.epochs.len(), model.epochs());
    });
    // One that has been interrupted before it begins trains nothing.
    let mut model = model();
    let epochs = model.fit(&dataset(16), quiet().interrupt(&interrupt)).unwrap().epochs.len();
    assert_eq!((epochs, model.steps()), (0, 0));
}

/// What a program says whose training is of two epochs: interrupted, resumed, complete; then with one more epoch, which
/// a callback stops; and complete again.
#[test]
#[ignore = "no test of its own: the one below runs it in a process whose output is a pipe"]
fn child_that_is_interrupted() {
    let folder = env::var_os("INKSTONE_INTERRUPTED").unwrap();
    let train = dataset(16);
    let run = |epochs: usize, callback: LambdaCallback<'_>| {
        let config = FitConfig::new().epochs(epochs).batch_size(4).verbose(2).callback(callback);
        model().fit(&train, config.backup(BackupAndRestore::new(&folder))).unwrap();
        println!("--");
    };
    let interrupt = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
        if batch == 1 && training.history().epochs.len() == 1 {
            training.interrupt();
        }
        Ok(())
    });
    run(2, interrupt);
    run(2, LambdaCallback::new());
    run(2, LambdaCallback::new());
    let stop = LambdaCallback::new().on_epoch_end(|_, _, training| {
        training.stop_training();
        Ok(())
    });
    run(9, stop);
    run(9, LambdaCallback::new());
}

#[test]
fn a_program_says_where_it_was_interrupted_where_it_resumes_and_when_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(["endings::child_that_is_interrupted", "--exact", "--nocapture", "--ignored"])
        .env("INKSTONE_INTERRUPTED", folder.path());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let said: String =
        said.lines().filter(|line| !line.starts_with("Note: ")).map(|line| line.to_owned() + "\n").collect();
    let runs: Vec<&str> = said.split("--\n").collect();
    let place = |step| folder.path().join(format!("step-{step:012}.safetensors")).display().to_string();
    assert!(runs[0].ends_with("Epoch 2/2\nInterrupted in epoch 2, after 2 of 4 steps.\n"), "{said}");
    let resumed = format!("Resuming from {}, with epoch 2, batch 3\nEpoch 2/2\n", place(6));
    assert!(runs[1].starts_with(&resumed), "{said}");
    assert_eq!(runs[2], format!("The training of {} has had its 2 epochs: nothing is left to do\n", place(8)));
    assert_eq!(runs[4], format!("The training of {} was stopped after epoch 3: nothing is left to do\n", place(12)));
}

#[test]
fn a_folder_for_checkpoints_belongs_to_one_training_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let backup = || BackupAndRestore::new(folder.path());
    let train = dataset(16);
    let mut refusal = String::new();
    let meanwhile = LambdaCallback::new().on_epoch_begin(|_, _| {
        let error = model().fit(&train, quiet().backup(backup())).unwrap_err();
        assert!(matches!(error, Error::NotWritten { .. }));
        refusal = error.to_string();
        Ok(())
    });
    model().fit(&train, quiet().backup(backup()).callback(meanwhile)).unwrap();
    let expected =
        "was not written: another training writes its checkpoints there: give each `fit` a folder of its own";
    assert_eq!(refusal, format!("{} {expected}", folder.path().display()));
    // It is free again, after a panic too.
    let fails = LambdaCallback::new().on_epoch_end(|_, _, _| panic!("in an epoch"));
    let config = quiet().epochs(2).backup(backup()).callback(fails);
    assert!(catch_unwind(AssertUnwindSafe(|| model().fit(&train, config))).is_err());
    model().fit(&train, quiet().epochs(2).backup(backup())).unwrap();
}

#[test]
fn weights_that_are_no_numbers_any_more_are_an_error_though_losses_are_finite_and_are_not_saved() {
    let images = Array4::<f32>::from_elem((8, 1, 1, 1), 1e20);
    let targets = ndarray::Array2::<f32>::zeros((8, 1));
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.safetensors");
    let optimizers = [Optimizer::from(Adam::new(0.1)), Sgd::new(1e19).into(), RmsProp::new(0.1).into()];
    for (optimizer, name) in optimizers.into_iter().zip(["optimizer/velocity/", "", "optimizer/velocity/"]) {
        let model = || {
            Sequential::new([1]).add(Dense::new(1)).seed(1).compile(optimizer.clone(), MeanAbsoluteError, []).unwrap()
        };
        let every = ModelCheckpoint::new(&saved).save_freq(SaveFreq::Batches(1));
        let each = BackupAndRestore::new(folder.path().join("backup")).save_freq(SaveFreq::Batches(1));
        for config in
            [quiet(), quiet().callback(ModelCheckpoint::new(&saved)), quiet().callback(every), quiet().backup(each)]
        {
            let error = model().fit((&images, &targets), config.batch_size(8)).unwrap_err();
            let Error::WeightDiverged { epoch: 1, name: found, value } = &error else { panic!("{error}") };
            assert!(found.starts_with(name) && found.ends_with("dense/kernel"), "{found}");
            assert!(!value.is_finite());
            let text = format!(
                "{found} became {value} in epoch 1: lower the learning rate, or look for extreme values in the data"
            );
            assert_eq!(error.to_string(), text);
        }
    }
    assert!(!saved.exists());
    assert_eq!(fs::read_dir(folder.path().join("backup")).unwrap().count(), 1, "the lock alone");
}
