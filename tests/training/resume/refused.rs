//! Checkpoints that do not belong to a training, and settings that cannot be.

use super::*;

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
    let header = r#"{"__metadata__":{"inkstone":"{\"format_version\":5,\"library\":\"9.8.7\"}"}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    fs::write(folder.path().join("step-000000000099.safetensors"), bytes).unwrap();
    let error = small(&BackupAndRestore::new(folder.path()), 1).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::Version { found: 5, .. }, .. }), "{error}");
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
