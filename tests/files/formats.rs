//! Files that earlier versions wrote are still read: each folder `tests/fixtures/format-N` holds what was written with
//! format version N, and what the models in it predicted then.
//!
//! `cargo test --test formats -- --ignored` writes the fixtures of a new format version; it never replaces any.

use inkstone::callbacks::SaveFreq;
use inkstone::layers::Layer;
use inkstone::prelude::*;
use ndarray::{Array2, Array4};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Other instruction sets round otherwise.
const TOLERANCE: f32 = 1e-5;
/// Training on makes more of these differences.
const TOLERANCE_TRAINED: f32 = 1e-3;
/// The format versions of this crate so far.
const MODEL_FORMATS: [u64; 2] = [1, 3];
const CHECKPOINT_FORMATS: [u64; 2] = [2, 3];

/// What the model that was written predicted.
#[derive(Serialize, Deserialize)]
struct Expected {
    epochs: usize,
    /// Of the first step, as the optimizer starts anew.
    learning_rate: f32,
    predictions: Array2Values,
}

/// What the training that was interrupted came to without an interruption.
#[derive(Serialize, Deserialize)]
struct ExpectedTraining {
    predictions: Array2Values,
    steps: u64,
    /// At the end: the losses of the epochs after the interruption, and predictions.
    losses: Vec<f64>,
    final_predictions: Array2Values,
}

/// Rows of a matrix.
type Array2Values = Vec<Vec<f32>>;

fn rows(values: &Array2<f32>) -> Array2Values {
    values.rows().into_iter().map(|row| row.to_vec()).collect()
}

#[track_caller]
fn assert_close(actual: &Array2<f32>, expected: &Array2Values, tolerance: f32) {
    assert_eq!(actual.nrows(), expected.len());
    for (actual, expected) in actual.rows().into_iter().zip(expected) {
        assert_eq!(actual.len(), expected.len());
        for (a, b) in actual.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance, "{a}, expected {b}");
        }
    }
}

fn folder(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/format-{format}"))
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 8, 8, 2), |(n, y, x, c)| ((n * 37 + y * 11 + x * 5 + c * 3) % 17) as f32 / 17.0)
}

fn labels(count: usize) -> Vec<usize> {
    (0..count).map(|n| n * 37 % 17 / 6).collect()
}

/// One layer of each kind, with settings that are no defaults.
fn layers() -> Vec<Layer> {
    vec![
        Conv2D::new(4, (3, 3)).padding(Same).use_bias(false).into(),
        Activation::new(Tanh).into(),
        MaxPooling2D::new((2, 2)).strides((1, 1)).into(),
        Conv2D::new(3, (2, 3)).strides((2, 1)).activation(Relu).into(),
        MaxPooling2D::new((2, 2)).padding(Same).into(),
        Dropout::new(0.25).into(),
        Flatten::new().into(),
        Dense::new(5).activation(Sigmoid).into(),
        Dense::new(3).activation(Softmax).into(),
    ]
}

fn described() -> Sequential {
    layers().into_iter().fold(Sequential::new([8, 8, 2]), Sequential::add).seed(u64::MAX - 7)
}

/// A model that was trained for two epochs.
fn model() -> Model {
    let optimizer = Sgd::new(OneCycle::new(0.07, 40).rising(0.1 + 0.2)).momentum(0.9).nesterov(true);
    let mut model = described().compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let config = FitConfig::new().epochs(2).batch_size(8).verbose(0);
    model.fit((&images(20), &labels(20)[..]), config).unwrap();
    model
}

/// The training of the checkpoint: three epochs of five steps.
fn config<'a>() -> FitConfig<'a> {
    let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    let config = FitConfig::new().epochs(3).batch_size(4).verbose(0);
    config.callback(stopping).callback(ReduceLROnPlateau::new("loss"))
}

#[test]
fn models_of_every_earlier_format_predict_what_they_predicted_then() {
    for format in MODEL_FORMATS {
        let folder = folder(format);
        let expected: Expected = serde_json::from_str(&fs::read_to_string(folder.join("model.json")).unwrap()).unwrap();
        let loaded = Model::load(folder.join("model.safetensors")).unwrap();
        assert_is_described(&loaded);
        assert_eq!((loaded.epochs(), loaded.learning_rate()), (expected.epochs, expected.learning_rate));
        assert_same_weights(&loaded, &folder.join("model.safetensors"));
        assert_close(&loaded.predict_rows(&images(6)).unwrap(), &expected.predictions, TOLERANCE);

        let mut weights_only = described().compile(Adam::default(), MeanSquaredError, []).unwrap();
        weights_only.load_weights(folder.join("weights.safetensors")).unwrap();
        assert_same_weights(&weights_only, &folder.join("weights.safetensors"));
        assert_close(&weights_only.predict_rows(&images(6)).unwrap(), &expected.predictions, TOLERANCE);
    }
}

#[test]
fn checkpoints_of_every_earlier_format_train_on_as_they_would_have_then() {
    for format in CHECKPOINT_FORMATS {
        let folder = folder(format);
        let path = folder.join("checkpoint.safetensors");
        let expected: ExpectedTraining =
            serde_json::from_str(&fs::read_to_string(folder.join("checkpoint.json")).unwrap()).unwrap();
        let mut resumed = Model::resume(&path).unwrap();
        assert_is_described(&resumed);
        assert_eq!((resumed.epochs(), resumed.steps()), (1, expected.steps));
        assert_close(&resumed.predict_rows(&images(6)).unwrap(), &expected.predictions, TOLERANCE);

        // Weights, moments, scores and what callbacks keep are saved again as the bits that were read.
        let (bytes, again) = (fs::read(&path).unwrap(), resumed.checkpoint_to_bytes().unwrap());
        let (file, file_again) = (SafeTensors::deserialize(&bytes).unwrap(), SafeTensors::deserialize(&again).unwrap());
        for (name, tensor) in file.tensors() {
            let tensor_again = file_again.tensor(&name).unwrap();
            assert_eq!((tensor_again.shape(), tensor_again.data()), (tensor.shape(), tensor.data()), "{name}");
        }
        assert_eq!(file_again.len(), file.len());
        assert_eq!(entry(&again)["training"], entry(&bytes)["training"]);

        // The rest of the epoch that was interrupted, and the last one.
        let history = resumed.fit((&images(20), &labels(20)[..]), config()).unwrap();
        let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.training.loss).collect();
        assert_eq!(losses.len(), expected.losses.len());
        for (loss, expected) in losses.iter().zip(&expected.losses) {
            assert!((loss - expected).abs() <= f64::from(TOLERANCE_TRAINED), "{loss}, expected {expected}");
        }
        assert_close(&resumed.predict_rows(&images(6)).unwrap(), &expected.final_predictions, TOLERANCE_TRAINED);
    }
}

#[test]
fn the_formats_that_are_written_have_fixtures() {
    assert!(MODEL_FORMATS.contains(&format_of(&model().to_bytes().unwrap())));
    assert!(CHECKPOINT_FORMATS.contains(&format_of(&model().checkpoint_to_bytes().unwrap())));
}

/// Layers, seed, loss and metrics are those of [`described`].
#[track_caller]
fn assert_is_described(model: &Model) {
    assert_eq!((model.layers(), model.seed()), (&layers()[..], u64::MAX - 7));
    assert_eq!(model.loss(), SparseCategoricalCrossentropy::default().into());
    assert_eq!(model.metrics(), [Accuracy]);
}

/// The weights are the file's tensors, to the bit.
#[track_caller]
fn assert_same_weights(model: &Model, path: &Path) {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let weights = model.get_weights();
    assert_eq!(weights.len(), file.len());
    for weight in weights {
        let values: Vec<u8> = weight.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = file.tensor(&weight.name).unwrap();
        assert_eq!((tensor.shape(), tensor.data()), (weight.values.shape(), &values[..]), "{}", weight.name);
    }
}

fn entry(bytes: &[u8]) -> Value {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()["inkstone"]).unwrap()
}

fn format_of(bytes: &[u8]) -> u64 {
    entry(bytes)["format_version"].as_u64().unwrap()
}

/// Writes the fixtures of the format versions that this code writes, if there are none yet.
#[test]
#[ignore = "writes fixtures"]
fn write_fixtures() {
    let model = model();
    let weights = tempfile::NamedTempFile::new().unwrap();
    model.save_weights(weights.path()).unwrap();
    let first_rate = Model::from_bytes(&model.to_bytes().unwrap()).unwrap().learning_rate();
    let expected = Expected {
        epochs: model.epochs(),
        learning_rate: first_rate,
        predictions: rows(&model.predict_rows(&images(6)).unwrap()),
    };
    let model_bytes = model.to_bytes().unwrap();
    let format = format_of(&model_bytes);
    write_new(format, "model.safetensors", &model_bytes);
    write_new(format, "model.json", serde_json::to_string(&expected).unwrap().as_bytes());
    write_new(format, "weights.safetensors", &fs::read(weights.path()).unwrap());

    // Step 7 is the second of the second epoch.
    let backups = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(backups.path()).save_freq(SaveFreq::Batches(1)).keep(99);
    let mut model = described().compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let history = model.fit((&images(20), &labels(20)[..]), config().backup(backup)).unwrap();
    let path = backups.path().join("step-000000000007.safetensors");
    let resumed = Model::resume(&path).unwrap();
    let expected = ExpectedTraining {
        predictions: rows(&resumed.predict_rows(&images(6)).unwrap()),
        steps: 7,
        losses: history.epochs[1..].iter().map(|epoch| epoch.training.loss).collect(),
        final_predictions: rows(&model.predict_rows(&images(6)).unwrap()),
    };
    let bytes = fs::read(&path).unwrap();
    let format = format_of(&bytes);
    write_new(format, "checkpoint.safetensors", &bytes);
    write_new(format, "checkpoint.json", serde_json::to_string(&expected).unwrap().as_bytes());
}

fn write_new(format: u64, name: &str, bytes: &[u8]) {
    let path = folder(format).join(name);
    if path.exists() {
        return eprintln!("{} is there, and stays", path.display());
    }
    fs::create_dir_all(folder(format)).unwrap();
    fs::write(&path, bytes).unwrap();
    eprintln!("wrote {}: {} bytes", path.display(), bytes.len());
}
