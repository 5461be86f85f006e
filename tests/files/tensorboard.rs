//! What `TensorBoard` writes, read back by TensorBoard itself: the PyPI package, if `INKSTONE_PYTHON` names an
//! interpreter that has it.
#![cfg(feature = "tensorboard")]

use crate::common_python as python;
use inkstone::callbacks::{LearningRateScheduler, TensorBoard};
use inkstone::prelude::*;
use inkstone::{Error, Model};
use ndarray::Array4;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A step, the upper edges of its buckets, and how many values are in each.
type Buckets = (usize, Vec<f64>, Vec<f64>);

/// What `tests/python/read_events.py` prints.
#[derive(Debug, Deserialize)]
struct Events {
    /// Steps and values.
    scalars: HashMap<String, Vec<(usize, f64)>>,
    histograms: HashMap<String, Vec<Buckets>>,
    file_version: f64,
    plugins: HashMap<String, String>,
    /// Lower edge, upper edge and number of each bucket, as TensorBoard makes them.
    expected: HashMap<String, Vec<[f64; 3]>>,
}

fn read(python: &Path, folder: &Path, arrays: Option<&Path>) -> Events {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/read_events.py");
    let output = Command::new(python).arg(script).arg(folder).args(arrays).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn model() -> Model {
    Sequential::new([4, 4, 1])
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn dataset() -> Dataset {
    let images = Array4::from_shape_fn((40, 4, 4, 1), |(n, y, x, _)| ((n * 31 + y * 7 + x * x * (n % 3)) % 256) as u8);
    Dataset::from_bytes(images, (0..40).map(|n| n % 3).collect()).unwrap()
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn sorted<T>(map: &HashMap<String, T>) -> Vec<&str> {
    let mut names: Vec<&str> = map.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Values as an event file has them.
fn rounded(values: Vec<f64>) -> Vec<(usize, f64)> {
    values.into_iter().map(|value| f64::from(value as f32)).enumerate().collect()
}

#[test]
fn tensorboard_reads_back_what_the_history_has() {
    let Some(python) = python::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut model, data) = (model(), dataset());
    let rates = LearningRateScheduler::new(|epoch, _| 0.01 / (epoch + 1) as f32);
    let board = TensorBoard::new(folder.path()).update_freq(2).histogram_freq(2);
    let config = FitConfig::new().epochs(3).batch_size(8).validation_split(0.25).verbose(0);
    let history = model.fit(&data, config.callback(rates).callback(board)).unwrap();

    let arrays = folder.path().join("weights.json");
    let weights: BTreeMap<String, Vec<f64>> = model
        .get_weights()
        .into_iter()
        .map(|weight| (weight.name, weight.values.into_iter().map(f64::from).collect()))
        .collect();
    fs::write(&arrays, serde_json::to_string(&weights).unwrap()).unwrap();
    let train = read(&python, &folder.path().join("train"), Some(&arrays));
    let validation = read(&python, &folder.path().join("validation"), None);

    assert_eq!((train.file_version, validation.file_version), (2.0, 2.0));
    let epochs = ["epoch_accuracy", "epoch_learning_rate", "epoch_loss"];
    assert_eq!(sorted(&train.scalars), [&["batch_accuracy", "batch_loss"], &epochs[..]].concat());
    for name in ["accuracy", "learning_rate", "loss"] {
        assert_eq!(train.scalars[&format!("epoch_{name}")], rounded(history.get(name).unwrap()), "{name}");
    }
    // 30 examples in batches of 8: 4 steps an epoch, of which each second is written. An epoch's last mean is the
    // epoch's.
    for name in ["accuracy", "loss"] {
        let batches = &train.scalars[&format!("batch_{name}")];
        assert_eq!(batches.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 12]);
        for (epoch, value) in train.scalars[&format!("epoch_{name}")].iter() {
            assert_eq!(batches[epoch * 2 + 1].1, *value, "{name}");
            assert_ne!(batches[epoch * 2].1, *value, "{name}");
        }
        let after = &validation.scalars[&format!("evaluation_{name}_vs_iterations")];
        let steps: Vec<(usize, f64)> = rounded(history.get(&format!("val_{name}")).unwrap())
            .into_iter()
            .map(|(n, value)| (4 * (n + 1), value))
            .collect();
        assert_eq!(*after, steps, "{name}");
        assert_eq!(
            validation.scalars[&format!("epoch_{name}")],
            rounded(history.get(&format!("val_{name}")).unwrap()),
            "{name}"
        );
    }
    assert_eq!(validation.scalars.len(), 4);
    assert!(train.scalars.keys().all(|name| train.plugins[name] == "scalars"), "{:?}", train.plugins);
    assert!(validation.plugins.values().all(|plugin| plugin == "scalars"), "{:?}", validation.plugins);

    // Histograms after epochs 0 and 2; the last is that of the weights there are now.
    assert_eq!(sorted(&train.histograms), ["dense/bias/histogram", "dense/kernel/histogram"]);
    for (name, buckets) in &train.expected {
        let found = &train.histograms[&format!("{name}/histogram")];
        assert_eq!(train.plugins[&format!("{name}/histogram")], "histograms");
        assert_eq!(found.iter().map(|(step, ..)| *step).collect::<Vec<_>>(), [0, 2]);
        let (_, limits, counts) = &found[1];
        assert_eq!((limits.len(), counts.len()), (30, 30));
        assert_eq!(counts.iter().sum::<f64>(), weights[name].len() as f64);
        for ((limit, count), [_, upper, number]) in limits.iter().zip(counts).zip(buckets) {
            assert_eq!(count, number, "{name}: {found:?}, expected {buckets:?}");
            assert!((limit - upper).abs() < 1e-12, "{limit}, expected {upper}");
        }
    }
}

#[test]
fn names_of_files_are_those_that_tensorboard_looks_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::new(folder.path());
    for _ in 0..3 {
        model().fit(&dataset(), FitConfig::new().callback(&mut board).verbose(0)).unwrap();
    }
    let files = names(&folder.path().join("train"));
    assert_eq!(files.len(), 3, "each training has a file of its own: {files:?}");
    for name in files {
        let seconds = name.strip_prefix("events.out.tfevents.").and_then(|rest| rest.split('.').next()).unwrap();
        assert!(seconds.len() == 10 && seconds.bytes().all(|digit| digit.is_ascii_digit()), "{name}");
    }
    assert!(!folder.path().join("validation").exists(), "there were no validation data");
}

#[test]
fn files_are_flushed_after_each_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("train");
    let mut lengths = Vec::new();
    let look = inkstone::callbacks::LambdaCallback::new().on_epoch_end(|_, _, _| {
        lengths.push(fs::read(train.join(&names(&train)[0])).unwrap().len());
        Ok(())
    });
    let config = FitConfig::new().epochs(3).callback(TensorBoard::new(folder.path())).callback(look).verbose(0);
    model().fit(&dataset(), config).unwrap();
    let whole = fs::read(train.join(&names(&train)[0])).unwrap().len();
    assert!(lengths[0] < lengths[1] && lengths[1] < lengths[2] && lengths[2] == whole, "{lengths:?}, at last {whole}");
}

/// Fails unless a training is refused because of this path, before its first step.
#[track_caller]
fn refused(log_dir: &Path, path: PathBuf) {
    let mut model = model();
    let before = model.get_weights();
    let config = FitConfig::new().callback(TensorBoard::new(log_dir)).verbose(0);
    let error = model.fit(&dataset(), config).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    assert_eq!(model.get_weights(), before);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&file, file.join("train"));
    fs::create_dir(folder.path().join("logs")).unwrap();
    fs::write(folder.path().join("logs/train"), "").unwrap();
    refused(&folder.path().join("logs"), folder.path().join("logs/train"));
}

#[test]
fn tests_without_python_are_skipped_or_fail_as_the_environment_says() {
    python::is_skipped_or_fails_as_the_environment_says("tensorboard::tensorboard_reads_back_what_the_history_has");
}
