//! A training that was interrupted anywhere, and resumed, ends with the bits of one that ran through.

mod bits;
mod refused;
mod sequences;

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

/// All files of a folder with their bytes, but for backups and their lock.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let entries = entries.filter(|path| !path.ends_with("lock"));
    let read = |path: std::path::PathBuf| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap());
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
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
