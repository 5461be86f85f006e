//! A training that was interrupted anywhere, and resumed, ends with the bits of one that ran through.

use inkstone::callbacks::{CsvLogger, LambdaCallback, SaveFreq};
use inkstone::data::Augment;
use inkstone::metrics::{Auc, F1Score};
use inkstone::prelude::*;
use inkstone::{Epoch, Error, History, ModelFault, Optimizer};
use ndarray::Array4;
use std::fs;
use std::path::Path;

const EPOCHS: usize = 4;
/// The last batch of an epoch is smaller.
const BATCH: usize = 8;

/// Images that have something to be learned, of no convenient number.
fn dataset(len: usize) -> Dataset {
    let pixel = |(n, y, x, _): (usize, usize, usize, usize)| (n * 37 + y * (n % 3) * 11 + x * 29 + n * x * y) as u8;
    Dataset::from_bytes(Array4::from_shape_fn((len, 8, 8, 1), pixel), (0..len).map(|n| n % 3).collect()).unwrap()
}

fn model(optimizer: impl Into<Optimizer>, seed: u64) -> Model {
    Sequential::new([8, 8, 1])
        .add(Conv2D::new(5, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(9).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(3).activation(Softmax))
        .seed(seed)
        .compile(
            optimizer,
            SparseCategoricalCrossentropy::default(),
            [Accuracy, Auc::new().into(), F1Score::default().into()],
        )
        .unwrap()
}

fn config<'a>() -> FitConfig<'a> {
    FitConfig::new().epochs(EPOCHS).batch_size(BATCH).augment(Augment::new().shift(1).rotate(10.0)).verbose(0)
}

/// What an epoch tells, but for its time, as bits.
fn bits(epoch: &Epoch) -> Vec<u64> {
    let scores = |scores: &inkstone::Scores| scores.named().map(|(_, value)| value.to_bits()).collect::<Vec<_>>();
    let validation = epoch.validation.iter().flat_map(scores);
    scores(&epoch.training).into_iter().chain(validation).chain([epoch.learning_rate.to_bits().into()]).collect()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Every algorithm, and every option that a state hangs on.
fn optimizers() -> Vec<Optimizer> {
    vec![
        Adam::new(0.01).into(),
        Adam::new(0.01).amsgrad(true).into(),
        AdamW::new(0.01).global_clipnorm(0.5).use_ema(true),
        Sgd::new(0.1).into(),
        Sgd::new(0.1).momentum(0.9).nesterov(true).clipvalue(0.01),
        Sgd::new(OneCycle::new(0.2, 24)).momentum(0.8).into(),
        RmsProp::new(0.01).into(),
        RmsProp::new(0.01).centered(true).momentum(0.5).epsilon(1e-3).clipnorm(0.1),
        Adagrad::new(0.05).into(),
        Nadam::new(0.01).into(),
        Nadam::new(CosineDecay::new(0.02, 20)).use_ema(true).ema_momentum(0.8).ema_overwrite_frequency(5),
        Lion::new(ExponentialDecay::new(0.01, 10, 0.5)).weight_decay(0.1),
    ]
}

/// All that is left of a training: what its history tells, its optimizer's state and weights, its predictions.
fn remains(model: &mut Model, history: &History) -> (Vec<Vec<u64>>, Vec<u8>, Vec<u32>) {
    let predictions = model.predict(&dataset(7).images()).unwrap();
    let predictions = predictions.iter().map(|value| value.to_bits()).collect();
    (history.epochs.iter().map(bits).collect(), model.checkpoint_to_bytes().unwrap(), predictions)
}

#[test]
fn resumed_after_any_step_and_any_epoch_every_optimizer_ends_with_the_same_bits() {
    let (train, validation) = (dataset(43), dataset(17));
    let fit = |model: &mut Model, save: LambdaCallback<'_>| {
        model.fit(&train, config().validation_data(&validation).callback(save)).unwrap()
    };
    for optimizer in optimizers() {
        for (threads, other) in [(1, 2), (2, 1)] {
            // The epoch in which each was written, and its bytes.
            let saved = std::sync::Mutex::new(Vec::new());
            let keep = |model: &Model| {
                saved.lock().unwrap().push((model.epochs(), model.checkpoint_to_bytes()?));
                Ok(())
            };
            let save = LambdaCallback::new()
                .on_train_batch_end(|_, _, training| keep(training.model()))
                .on_epoch_end(|_, _, training| keep(training.model()));
            let expected = on_threads(threads, || {
                let mut model = model(optimizer.clone(), 7);
                let history = fit(&mut model, save);
                remains(&mut model, &history)
            });
            let saved = saved.into_inner().unwrap();
            assert_eq!(saved.len(), EPOCHS * (43_usize.div_ceil(BATCH) + 1));
            // All of them for the first, every third for the others; on the other number of threads.
            let every = if optimizer == Adam::new(0.01).into() { 1 } else { 3 };
            for (place, (epoch, bytes)) in saved.iter().enumerate().step_by(every) {
                let mut resumed = Model::resume_from_bytes(bytes).unwrap();
                assert!(resumed.checkpoint_to_bytes().unwrap() == *bytes, "it is saved as it was loaded");
                let found = on_threads(other, || {
                    let history = fit(&mut resumed, LambdaCallback::new());
                    remains(&mut resumed, &history)
                });
                assert_eq!(found.0, expected.0[*epoch..], "{place}: history, {optimizer:?}");
                assert!(found.1 == expected.1, "{place}: weights or the optimizer's state, {optimizer:?}");
                assert_eq!(found.2, expected.2, "{place}: predictions, {optimizer:?}");
            }
        }
    }
}

#[test]
fn a_state_that_were_missing_would_be_noticed() {
    // Adam without its moments, as `load` makes it, ends elsewhere: the comparisons above can fail.
    let train = dataset(43);
    let mut model = model(Adam::new(0.01), 7);
    model.fit(&train, config().epochs(1)).unwrap();
    let bytes = model.checkpoint_to_bytes().unwrap();
    let ends = [Model::resume_from_bytes(&bytes), Model::from_bytes(&bytes)].map(|model| {
        let mut model = model.unwrap();
        model.fit(&train, config().epochs(1)).unwrap();
        model.get_weights()
    });
    model.fit(&train, config().epochs(1)).unwrap();
    assert_eq!(ends[0], model.get_weights());
    assert_ne!(ends[1], model.get_weights());
}

/// A program with all callbacks that remember something, which fails after so many batches.
fn program(folder: &Path, seed: u64, backup: BackupAndRestore, fails_after: Option<usize>) -> Option<Vec<u8>> {
    let (train, validation) = (dataset(43), dataset(17));
    let mut model = model(Adam::new(0.03), seed);
    let mut batches = 0;
    let failing = LambdaCallback::new().on_train_batch_end(|_, _, _| {
        batches += 1;
        if fails_after == Some(batches) { Err(Error::Callback("a power cut".into())) } else { Ok(()) }
    });
    let config = config()
        .epochs(12)
        .validation_data(&validation)
        .callback(ReduceLROnPlateau::new("val_loss").factor(0.5).patience(1).cooldown(1))
        .callback(EarlyStopping::new("val_loss").patience(4).restore_best_weights(true))
        .callback(ModelCheckpoint::new(folder.join("best")).save_best_only(true))
        .callback(ModelCheckpoint::new(folder.join("{epoch}-{batch}")).save_freq(SaveFreq::Batches(13)))
        .callback(CsvLogger::new(folder.join("log.csv")))
        .callback(failing)
        .backup(backup);
    match model.fit(&train, config) {
        Ok(_) => Some(model.checkpoint_to_bytes().unwrap()),
        Err(error) => {
            assert_eq!(error.to_string(), "a power cut");
            None
        }
    }
}

/// All files of a folder with their bytes, but for backups and their lock.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let entries = entries.filter(|path| !path.ends_with("lock"));
    let read = |path: std::path::PathBuf| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap());
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

#[test]
fn callbacks_go_on_as_well_and_a_model_without_a_seed_takes_that_of_the_checkpoint() {
    let straight = tempfile::tempdir().unwrap();
    let backup = |folder: &Path, freq| BackupAndRestore::new(folder.join("backup")).save_freq(freq);
    let expected = program(straight.path(), 7, backup(straight.path(), SaveFreq::Epoch), None).unwrap();
    let expected_files = files(straight.path());
    let lines = String::from_utf8(expected_files.last().unwrap().1.clone()).unwrap().lines().count();
    assert!((6..13).contains(&lines), "it stops early, not at once: {lines} lines");
    for (freq, lives) in [
        (SaveFreq::Epoch, vec![7, 15, 9]),
        (SaveFreq::Batches(1), vec![2, 6, 7, 3, 3, 12, 2]),
        (SaveFreq::Batches(5), vec![11, 8, 6, 7, 13]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (life, fails_after) in lives.into_iter().enumerate() {
            // Another seed each time, but for the first.
            let seed = if life == 0 { 7 } else { 1000 + life as u64 };
            assert_eq!(program(folder.path(), seed, backup(folder.path(), freq), Some(fails_after)), None);
        }
        let ended = program(folder.path(), 0, backup(folder.path(), freq), None).unwrap();
        assert!(ended == expected, "{freq:?}");
        assert!(files(folder.path()) == expected_files, "{freq:?}: files of callbacks");
        // When it has ended, it is over at once, with the same model.
        let again = program(folder.path(), 0, backup(folder.path(), freq), None).unwrap();
        assert!(again == expected, "{freq:?}");
        assert!(files(folder.path()) == expected_files, "{freq:?}: files of callbacks, once more");
    }
}

/// Trains a small model with backups, so many epochs.
fn small(backup: &BackupAndRestore, epochs: usize) -> inkstone::Result<(Vec<u8>, usize)> {
    let mut model = model(Adam::new(0.01), 3);
    let history = model.fit(&dataset(43), config().epochs(epochs).backup(backup.clone()))?;
    Ok((model.checkpoint_to_bytes()?, history.epochs.len()))
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_last_checkpoints_are_kept_and_other_files_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path());
    fs::write(folder.path().join("notes"), "mine").unwrap();
    small(&backup, 4).unwrap();
    let steps = |steps: &[usize]| {
        let steps = steps.iter().map(|step| format!("step-{step:012}.safetensors"));
        ["notes".to_owned()].into_iter().chain(steps).collect::<Vec<_>>()
    };
    assert_eq!(names(folder.path()), steps(&[18, 24]));
    small(&backup.clone().keep(3).save_freq(SaveFreq::Batches(4)), 5).unwrap();
    assert_eq!(names(folder.path()), steps(&[24, 28, 30]));
    small(&backup.delete_checkpoint(true), 6).unwrap();
    assert_eq!(names(folder.path()), ["notes"]);
}

#[test]
fn damaged_checkpoints_are_passed_over_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path());
    let straight = small(&BackupAndRestore::new(folder.path().join("other")), 6).unwrap().0;
    small(&backup, 4).unwrap();
    let path = |step: usize| folder.path().join(format!("step-{step:012}.safetensors"));
    let damage = |step: usize| {
        let mut bytes = fs::read(path(step)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(path(step), bytes).unwrap();
    };
    damage(24);
    // From the end of the third epoch.
    assert_eq!(small(&backup, 6).unwrap(), (straight.clone(), 3));
    assert!(Model::resume(path(36)).is_ok());

    // The newest is cut off, the other no checkpoint: it starts from the beginning.
    fs::write(path(36), &fs::read(path(36)).unwrap()[..1000]).unwrap();
    model(Adam::new(0.01), 3).save(path(30)).unwrap();
    assert_eq!(small(&backup, 6).unwrap(), (straight, 6));

    // With a place for one alone, and a damaged one of a later step in it.
    damage(36);
    fs::remove_file(path(30)).unwrap();
    small(&backup.keep(1), 2).unwrap();
    assert_eq!(names(folder.path()), ["step-000000000012.safetensors"]);
}

#[test]
fn checkpoints_of_another_training_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path());
    small(&backup, 2).unwrap();
    let path = folder.path().join("step-000000000012.safetensors");
    let refusal = |model: &mut Model| {
        let error = model.fit(&dataset(43), config().backup(backup.clone())).unwrap_err().to_string();
        let expected = format!("{}: expected a checkpoint of this training, found one of ", path.display());
        let advice = ": give each `fit` a folder of its own, or remove what is there";
        error.strip_prefix(&expected).and_then(|rest| rest.strip_suffix(advice)).expect(&error).to_owned()
    };
    let other = |optimizer: Optimizer, loss: bool, units: usize| {
        let model = Sequential::new([8, 8, 1]).add(Flatten::new()).add(Dense::new(units).activation(Softmax)).seed(3);
        let metrics = if loss { vec![Accuracy] } else { vec![] };
        model.compile(optimizer, SparseCategoricalCrossentropy::default(), metrics).unwrap()
    };
    assert_eq!(refusal(&mut other(Adam::new(0.01).into(), true, 3)), "a model with other layers");
    assert_eq!(refusal(&mut model(Adam::new(0.01).beta_1(0.8), 3)), "a model with another optimizer");
    assert_eq!(refusal(&mut model(Adam::new(CosineDecay::new(0.01, 9)), 3)), "a model with another optimizer");
    let mut second = model(Adam::new(0.01), 3);
    second.fit(&dataset(8), config().epochs(1)).unwrap();
    assert_eq!(
        refusal(&mut second),
        "a training that began after 0 steps, not after 1 (a model that is built anew resumes it)"
    );

    // As a callback of one's own might have put it there after training.
    let mut done = model(Adam::new(0.01), 3);
    done.fit(&dataset(43), config().epochs(2)).unwrap();
    done.save_checkpoint(&path).unwrap();
    assert_eq!(refusal(&mut model(Adam::new(0.01), 3)), "a model that was not being trained");

    fs::remove_dir_all(folder.path()).unwrap();
    let one = |metrics: Vec<inkstone::Metric>| {
        let model = Sequential::new([8, 8, 1]).add(Flatten::new()).add(Dense::new(3).activation(Softmax));
        model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), metrics).unwrap()
    };
    one(vec![Accuracy]).fit(&dataset(91), config().epochs(1).backup(backup.clone())).unwrap();
    assert_eq!(refusal(&mut one(vec![])), "a model with another loss or other metrics");
}

#[test]
fn a_checkpoint_of_a_future_version_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"__metadata__":{"inkstone":"{\"format_version\":3,\"library\":\"9.8.7\"}"}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    fs::write(folder.path().join("step-000000000099.safetensors"), bytes).unwrap();
    let error = small(&BackupAndRestore::new(folder.path()), 1).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::Version { found: 3, .. }, .. }), "{error}");
}

/// A model that stands in the middle of an epoch.
fn in_an_epoch() -> Model {
    let mut bytes = Vec::new();
    let save = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
        if batch == 2 {
            bytes = training.model().checkpoint_to_bytes()?;
        }
        Ok(())
    });
    model(Adam::new(0.01), 3).fit(&dataset(43), config().epochs(1).callback(save)).unwrap();
    Model::resume_from_bytes(&bytes).unwrap()
}

#[test]
fn what_would_be_another_epoch_is_refused_in_its_middle_and_can_be_mended() {
    let train = dataset(43);
    let mut model = in_an_epoch();
    let mut refusal = |config: FitConfig<'_>, train: &Dataset| model.fit(train, config).unwrap_err().to_string();
    let written = "must be that of the checkpoint, which was written in the middle of an epoch, got";
    assert_eq!(refusal(config().batch_size(16), &train), format!("batch_size {written} 16 instead of 8"));
    assert_eq!(refusal(config().shuffle(false), &train), format!("shuffle {written} false instead of true"));
    assert_eq!(
        refusal(config(), &train.take(40).unwrap()),
        "the model was resumed in the middle of an epoch of 43 examples, got 40: give `fit` the same data"
    );
    assert_eq!(model.fit(&train, config().epochs(1)).unwrap().epochs.len(), 1);
    assert_eq!((model.epochs(), model.steps()), (1, 6));
    // The next `fit` is another one, and has all of its epochs.
    assert_eq!(model.fit(&train.take(40).unwrap(), config().epochs(2).batch_size(16)).unwrap().epochs.len(), 2);
}

#[test]
fn a_resumed_training_that_cannot_begin_can_still_go_on() {
    let train = dataset(43);
    let mut model = in_an_epoch();
    let fails = LambdaCallback::new().on_train_begin(|_| Err(Error::Callback("no room".into())));
    assert_eq!(model.fit(&train, config().epochs(1).callback(fails)).unwrap_err().to_string(), "no room");
    assert_eq!(model.fit(&train, config().epochs(1)).unwrap().epochs.len(), 1);
    assert_eq!((model.epochs(), model.steps()), (1, 6));
}

#[test]
fn other_callbacks_than_those_of_the_checkpoint_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let backup = || BackupAndRestore::new(folder.path());
    let train = dataset(43);
    let stopping = || EarlyStopping::new("loss").patience(9);
    model(Adam::new(0.01), 3).fit(&train, config().epochs(1).callback(stopping()).backup(backup())).unwrap();
    let refusal =
        |config: FitConfig<'_>| model(Adam::new(0.01), 3).fit(&train, config.backup(backup())).unwrap_err().to_string();
    let expected = |got: &str| {
        format!(
            "the callbacks must be those of the checkpoint, EarlyStopping, got {got}: give `fit` the same ones in the same order"
        )
    };
    assert_eq!(refusal(config()), expected("none"));
    assert_eq!(refusal(config().callback(ReduceLROnPlateau::new("loss"))), expected("ReduceLROnPlateau"));
    // Those that remember nothing may come and go.
    let config = config().callback(LambdaCallback::new()).callback(stopping()).backup(backup());
    assert_eq!(model(Adam::new(0.01), 3).fit(&train, config).unwrap().epochs.len(), EPOCHS - 1);
}

#[test]
fn settings_and_folders_that_cannot_be_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |backup: BackupAndRestore| small(&backup, 1).unwrap_err().to_string();
    let backup = || BackupAndRestore::new(folder.path());
    assert_eq!(refusal(backup().keep(0)), "keep must be at least 1 checkpoint, got 0");
    assert_eq!(refusal(backup().save_freq(SaveFreq::Batches(0))), "save_freq must be at least 1 batch, got 0");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refusal(BackupAndRestore::new(&file));
    assert!(error.starts_with(&format!("{} was not written: the folder", file.display())), "{error}");
    let error = refusal(BackupAndRestore::new(file.join("below")));
    assert!(error.starts_with(&format!("{} was not written: the folder", file.join("below").display())), "{error}");
}

#[test]
fn a_checkpoint_is_a_model_too_and_a_model_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let model = in_an_epoch();
    model.save_checkpoint(&path).unwrap();
    let mut loaded = Model::load(&path).unwrap();
    assert_eq!(loaded.predict(&dataset(5).images()).unwrap(), model.predict(&dataset(5).images()).unwrap());
    assert_eq!((loaded.steps(), model.steps()), (0, 3));
    // Nothing of the epoch is left: it trains all of one.
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
    loaded.fit(&dataset(9), config().epochs(1)).unwrap();
    loaded.load_weights(&path).unwrap();
    assert_eq!(loaded.get_weights(), model.get_weights());

    model.save(&path).unwrap();
    assert_eq!(
        Model::resume(&path).unwrap_err().to_string(),
        format!(
            "{}: expected a checkpoint, as `save_checkpoint` writes them, found a model without the state of its training: \
             `Model::load` takes it",
            path.display()
        )
    );
}

#[test]
fn tensors_have_keras_names_and_layouts() {
    let bytes = in_an_epoch().checkpoint_to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weights = in_an_epoch().get_weights();
    for weight in &weights {
        for folder in ["", "optimizer/momentum/", "optimizer/velocity/"] {
            let tensor = file.tensor(&format!("{folder}{}", weight.name)).unwrap();
            assert_eq!(tensor.shape(), weight.values.shape());
        }
    }
    // The loss, the accuracy's, the 2 * 199 of the AUC, the 3 classes' of the F1 score.
    assert_eq!(file.tensor("training/scores").unwrap().dtype(), safetensors::Dtype::F64);
    assert_eq!(file.names().len(), 3 * weights.len() + 1);
}
