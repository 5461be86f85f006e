//! Every optimizer and callback resumed anywhere.

use super::*;

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
