//! Saving and loading as a user sees it: what comes back, what is refused, and in which words.

use crate::common_model_file::{entry, with_entry};
use crate::common_unknown_fields::with_unknown;
use inkstone::prelude::*;
use inkstone::{Error, Mismatch, ModelFault, Weight};
use ndarray::{Array4, ArrayD};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// One layer of each kind, and settings that are no defaults.
fn rich() -> Model {
    Sequential::new([12, 12, 2])
        .add(Conv2D::new(4, (3, 3)).padding(Same).use_bias(false))
        .add(Activation::new(Tanh))
        .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
        .add(Conv2D::new(3, (2, 3)).strides((2, 1)).activation(Relu))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(5).activation(Sigmoid))
        .add(Dense::new(3).activation(Softmax))
        .seed(u64::MAX - 7)
        .compile(
            Sgd::new(OneCycle::new(0.07, 40).rising(0.1 + 0.2)).momentum(0.9).nesterov(true),
            SparseCategoricalCrossentropy::default(),
            [Accuracy],
        )
        .unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 12, 12, 2), |(n, y, x, c)| ((n * 37 + y * 11 + x * 5 + c) % 17) as f32 / 17.0)
}

/// A model of two weights.
pub(crate) fn small() -> Model {
    Sequential::new([2])
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn bits(weights: &[Weight]) -> Vec<(String, Vec<usize>, Vec<u32>)> {
    let bits = |values: &ArrayD<f32>| values.iter().map(|value| value.to_bits()).collect();
    weights.iter().map(|weight| (weight.name.clone(), weight.values.shape().to_vec(), bits(&weight.values))).collect()
}

#[test]
fn a_loaded_model_predicts_the_same_bits_and_has_the_same_settings() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let mut model = rich();
    let labels: Vec<usize> = (0..20).map(|n| n % 3).collect();
    let train = (&images(20), &labels[..]);
    model.fit(train, FitConfig::new().epochs(2).batch_size(8).verbose(0)).unwrap();
    model.save(&path).unwrap();
    let mut loaded = Model::load(&path).unwrap();
    assert_eq!(bits(&loaded.get_weights()), bits(&model.get_weights()));
    assert_eq!(loaded.predict(&images(9)).unwrap(), model.predict(&images(9)).unwrap());
    // Layers, seed, loss, metrics, optimizer and epochs.
    assert_eq!(format!("{loaded:?}"), format!("{model:?}"));
    assert!(format!("{loaded:?}").contains("epochs: 2"));
    // What is loaded is saved as the same bytes.
    assert_eq!(loaded.to_bytes().unwrap(), fs::read(&path).unwrap());
    let before = loaded.evaluate(train).unwrap().loss;
    loaded.fit(train, FitConfig::new().epochs(20).batch_size(8).verbose(0)).unwrap();
    assert!(loaded.evaluate(train).unwrap().loss < before, "it goes on training");
}

#[test]
fn the_first_step_after_loading_is_that_of_the_saved_model() {
    let mut model = small();
    let mut loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    let points = Array4::from_shape_fn((6, 1, 1, 2), |(n, _, _, f)| (n * 2 + f) as f32 / 12.0);
    for trained in [&mut model, &mut loaded] {
        trained.train_on_batch(&points, &[0, 1, 2, 0, 1, 2]).unwrap();
    }
    assert_eq!(bits(&loaded.get_weights()), bits(&model.get_weights()));
}

#[test]
fn the_file_is_safetensors_with_keras_names_and_layouts() {
    let bytes = rich().to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    let expected = [
        "conv2d/kernel",
        "conv2d_1/bias",
        "conv2d_1/kernel",
        "dense/bias",
        "dense/kernel",
        "dense_1/bias",
        "dense_1/kernel",
    ];
    assert_eq!(names, expected);
    for weight in rich().get_weights() {
        let tensor = file.tensor(&weight.name).unwrap();
        let values: Vec<u8> = weight.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!((tensor.dtype(), tensor.shape(), tensor.data()), (Dtype::F32, weight.values.shape(), &values[..]));
    }
    let entry = entry(&bytes);
    assert_eq!((&entry["format_version"], &entry["library"]), (&json!(3), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(entry["model"]["network"]["inputs"], json!([[12, 12, 2]]));
    assert_eq!(
        entry["model"]["network"]["layers"][7],
        json!({"Dense": {"units": 3, "activation": "Softmax", "use_bias": true, "trainable": true}})
    );
    assert_eq!(entry["model"]["seed"], json!(u64::MAX - 7));
}

#[test]
fn weights_alone_go_into_a_model_that_exists() {
    let folder = folder();
    let (weights, whole) = (folder.path().join("weights"), folder.path().join("whole"));
    let model = rich();
    model.save_weights(&weights).unwrap();
    model.save(&whole).unwrap();
    for path in [weights, whole] {
        let mut other = rich();
        let mut changed = other.get_weights();
        changed[0].values.fill(0.5);
        other.set_weights(&changed).unwrap();
        other.load_weights(&path).unwrap();
        assert_eq!(bits(&other.get_weights()), bits(&model.get_weights()));
    }
}

#[test]
fn weights_of_another_origin_are_taken_by_name() {
    let folder = folder();
    let path = folder.path().join("torch");
    let kernel: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let bias = [0; 12];
    let tensors = || {
        let view = |shape: &[usize], data| TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap();
        [("dense/kernel", view(&[2, 3], &kernel)), ("dense/bias", view(&[3], &bias))]
    };
    let mut model = small();
    let write = |metadata: Option<&str>| {
        let metadata = metadata.map(|name| [(name.to_owned(), "pt".to_owned())].into_iter().collect());
        fs::write(&path, safetensors::serialize(tensors(), metadata).unwrap()).unwrap();
    };
    for metadata in [None, Some("format"), Some("epoch")] {
        write(metadata);
        model.set_weights(&small().get_weights()).unwrap();
        model.load_weights(&path).unwrap();
        assert_eq!(model.get_weights()[0].values.iter().copied().collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
    let error = Model::load(&path).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::OtherOrigin, .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "{}: expected a model that Inkstone saved, found a safetensors file of another origin (no `inkstone` in its \
             metadata): `load_weights` takes weights from it, if they have the names and shapes of the model's",
            path.display()
        )
    );
}

#[test]
fn other_weights_are_all_listed_and_nothing_is_changed() {
    let folder = folder();
    let path = folder.path().join("weights");
    rich().save_weights(&path).unwrap();
    let mut model = small();
    let error = model.load_weights(&path).unwrap_err().to_string();
    let expected = format!(
        "{}: expected the weights of the model, found others:\n  extra: conv2d/kernel [3, 3, 2, 4]\n  extra: \
         conv2d_1/bias [3]\n  extra: conv2d_1/kernel [2, 3, 4, 3]\n  extra: dense_1/bias [3]\n  extra: dense_1/kernel [5, 3]\n  \
         different: dense/kernel is F32 [135, 5], expected F32 [2, 3]\n  different: dense/bias is F32 [5], expected F32 [3]",
        path.display()
    );
    assert_eq!(error, expected);
    small().save_weights(&path).unwrap();
    let error = rich().load_weights(&path).unwrap_err().to_string();
    assert!(
        error.contains("\n  missing: conv2d/kernel [3, 3, 2, 4]\n  missing: conv2d_1/kernel [2, 3, 4, 3]\n"),
        "{error}"
    );
    assert_eq!(bits(&model.get_weights()), bits(&small().get_weights()));
}

#[test]
fn a_file_of_weights_is_no_model() {
    let folder = folder();
    let path = folder.path().join("weights");
    small().save_weights(&path).unwrap();
    assert_eq!(
        Model::load(&path).unwrap_err().to_string(),
        format!(
            "{}: expected a model, found weights only, as `save_weights` writes them: build the model, then \
             `load_weights` into it",
            path.display()
        )
    );
}

#[test]
fn weights_that_are_no_numbers_are_neither_saved_nor_loaded() {
    let folder = folder();
    let path = folder.path().join("model");
    small().save(&path).unwrap();
    let mut model = small();
    let mut weights = model.get_weights();
    weights[0].values[[1, 0]] = f32::NAN;
    model.set_weights(&weights).unwrap();
    for error in [model.save(&path).unwrap_err(), model.save_weights(&path).unwrap_err()] {
        assert_eq!(
            error.to_string(),
            "the model has the value NaN in dense/kernel, at index 3 of its values, and is not saved: expected finite weights"
        );
    }
    assert_eq!(bits(&Model::load(&path).unwrap().get_weights()), bits(&small().get_weights()), "the old file is there");

    // A file of another origin, as ours has a checksum.
    let kernel: Vec<u8> = [0.0, f32::INFINITY, 0.0, 0.0, 0.0, 0.0].iter().flat_map(|n: &f32| n.to_le_bytes()).collect();
    let tensors = [
        ("dense/kernel", TensorView::new(Dtype::F32, vec![2, 3], &kernel).unwrap()),
        ("dense/bias", TensorView::new(Dtype::F32, vec![3], &[0; 12]).unwrap()),
    ];
    fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    assert_eq!(
        model.load_weights(&path).unwrap_err().to_string(),
        format!(
            "{}: expected finite values, found inf in dense/kernel, at index 1 of its values: use a copy from before that",
            path.display()
        )
    );
}

#[test]
fn what_is_no_file_is_told() {
    let folder = folder();
    let missing = folder.path().join("missing");
    assert!(
        matches!(Model::load(&missing).unwrap_err(), Error::Io { place, .. } if place == missing.display().to_string())
    );
    let not_a_file = |path: &Path| {
        let mut model = small();
        let errors = [
            Model::load(path).map(drop),
            Model::resume(path).map(drop),
            model.load_weights(path),
            model.load_weights_by_name(path, Mismatch::Skip).map(drop),
        ];
        for error in errors.map(Result::unwrap_err) {
            let expected = "expected a model file, found a folder, a device or a pipe: give the path of a file";
            assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
        }
    };
    not_a_file(folder.path());
    #[cfg(unix)]
    {
        not_a_file(Path::new("/dev/zero"));
        // Opening a pipe would wait for somebody who writes to it.
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        not_a_file(&pipe);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        not_a_file(&link);
    }
}

#[test]
fn places_that_cannot_be_written_are_told() {
    let folder = folder();
    let path = folder.path().join("model");
    small().save(&path).unwrap();
    let refused = |place: &Path, reason: &str| {
        let error = small().save(place).unwrap_err();
        assert!(matches!(error, Error::NotWritten { .. }));
        assert_eq!(error.to_string(), format!("{} was not written: {reason}", place.display()));
    };
    let at = folder.path().display();
    refused(folder.path(), "it is a folder: give the path of a file");
    refused(&folder.path().join("a/b"), &format!("the folder {at}/a does not exist: create it first"));
    refused(&path.join("below"), &format!("{} is no folder: give a path in one", path.display()));
    assert_eq!(Model::load(&path).unwrap().get_weights(), small().get_weights());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

/// What is said of a file whose entry was changed this way.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let bytes = small().to_bytes().unwrap();
    let mut entry = entry(&bytes);
    change(&mut entry);
    Model::from_bytes(&with_entry(&bytes, entry)).unwrap_err().to_string()
}

#[test]
fn an_entry_written_anew_without_a_change_is_taken() {
    for bytes in [small().to_bytes().unwrap(), rich().to_bytes().unwrap()] {
        let again = with_entry(&bytes, entry(&bytes));
        assert_eq!(Model::from_bytes(&again).unwrap().to_bytes().unwrap(), bytes);
    }
}

#[test]
fn a_future_version_is_refused_by_its_number() {
    let error = changed(|entry| *entry = json!({"format_version": 5, "library": "9.8.7", "news": [1]}));
    let here = env!("CARGO_PKG_VERSION");
    assert_eq!(
        error,
        format!(
            "the bytes: expected format version 4, which inkstone {here} reads, found format version 5, written by inkstone \
             9.8.7: update the crate"
        )
    );
    let error = changed(|entry| entry["format_version"] = json!(0));
    assert!(error.contains("there is no format version 0"), "{error}");
}

#[test]
fn an_unknown_field_is_refused_wherever_it_is() {
    let bytes = rich().to_bytes().unwrap();
    let mut entries = Vec::new();
    with_unknown(&entry(&bytes), &mut entries);
    assert!(entries.len() > 20, "only {} objects", entries.len());
    for entry in entries {
        let error = Model::from_bytes(&with_entry(&bytes, entry.clone())).unwrap_err().to_string();
        assert!(error.starts_with("the bytes: expected metadata of a model, found "), "{error}\n{entry}");
    }
    let error = changed(|entry| entry["model"]["network"]["layers"][0]["Dense"]["gain"] = json!(2));
    let expected = "the bytes: expected metadata of a model, found something else (at network.layers[0].Dense.gain: unknown field \
                    `gain`, expected one of `units`, `activation`, `use_bias`, `trainable`, `kernel_initializer`, ";
    assert!(error.starts_with(expected), "{error}");
    let error = changed(|entry| entry["model"]["gain"] = json!(2));
    assert_eq!(
        error,
        "the bytes: expected metadata of a model, found the unknown entry `gain`: something else changed \
         the file, or it is damaged"
    );
}

#[test]
fn described_models_are_checked_before_memory_is_taken() {
    let described = |layers: Value, input: Value| {
        changed(|entry| {
            entry["model"]["network"] = json!({"inputs": [input], "layers": layers});
        })
    };
    let dense =
        |units: u64| json!({"Dense": {"units": units, "activation": "Softmax", "use_bias": true, "trainable": true}});
    let huge = described(json!([dense(1 << 40)]), json!({"Vector": 2}));
    assert_eq!(
        huge,
        "the bytes: expected a model that can be, found one where layer 0 (Dense) has an output of (1099511627776): each \
         tensor must have between 1 and 268435456 values"
    );
    let large = described(json!([dense(1 << 20)]), json!({"Vector": 200}));
    assert_eq!(
        large,
        "the bytes: expected the weights of the model, found others:\n  different: dense/kernel is F32 [2, 3], expected \
         F32 [200, 1048576]\n  different: dense/bias is F32 [3], expected F32 [1048576]"
    );
    let conv = json!({"Conv2D": {
        "filters": 1, "kernel_size": [1, 1], "strides": [1, 1], "padding": "Valid", "activation": "Linear", "use_bias": false,
    }});
    let image = json!({"Image": {"height": 16384, "width": 16384, "channels": 1}});
    let wide = described(json!(vec![conv; 1000]), image);
    assert!(
        wide.contains("at most 2147483648 bytes of memory beside its weights, found one that takes at least"),
        "{wide}"
    );
    let none = described(json!([dense(3)]), json!({"Vector": 0}));
    assert!(none.contains("has an input of (0)"), "{none}");
    let nonsense = changed(|entry| entry["model"]["optimizer"]["algorithm"]["Adam"]["beta_1"] = json!(7));
    assert!(nonsense.contains("found one where beta_1 must be at least 0 and less than 1, got 7"), "{nonsense}");
}
