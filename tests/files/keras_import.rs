//! What is imported from Keras predicts as Keras does, trains on, and is refused with what is wrong where it cannot be.

use crate::common_peer_values::{Fixture, largest};
use inkstone::prelude::*;
use inkstone::{Error, KerasFault, LoadLimits, Loss, Metric};
use ndarray::Array4;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/keras")).join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(&format!("{name}.keras"))).unwrap()
}

fn import(name: &str) -> Model {
    Model::import_keras(path(&format!("{name}.keras"))).unwrap()
}

/// Why bytes are refused.
#[track_caller]
fn refused(bytes: &[u8]) -> String {
    let started = Instant::now();
    let error = Pretrained::read_keras(Cursor::new(bytes), LoadLimits::new()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    error.to_string().strip_prefix("the .keras file: expected ").unwrap().to_owned()
}

/// The models that Keras has predicted with.
const MODELS: [&str; 12] = [
    "activations",
    "branches",
    "cnn",
    "convolutions",
    "masking",
    "mlp",
    "nested",
    "normalizations",
    "recurrent",
    "residual",
    "sequences",
    "tokens",
];

#[test]
fn what_keras_saves_predicts_as_keras_does() {
    let (mut kinds, mut most) = (BTreeSet::<String>::new(), 0.0_f32);
    for name in MODELS {
        let model = import(name);
        let text = fs::read_to_string(path(&format!("{name}.json"))).unwrap();
        let Fixture { inputs, outputs } = serde_json::from_str(&text).unwrap();
        let difference = largest(&model, &inputs, &outputs);
        assert!(difference < 1e-5, "{name}: {difference}");
        most = most.max(difference);
        kinds.extend(model.layers().iter().map(|layer| layer.kind().to_owned()));
    }
    eprintln!("the largest difference is {most:e}");
    // All that there are.
    let every = crate::cases::KINDS.iter().map(|kind| format!("{kind:?}")).filter(|kind| kind != "Custom");
    let missing: Vec<String> = every.filter(|kind| !kinds.contains(&kind[..])).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_loaded_model_has_its_optimizer_loss_and_metrics() {
    let cnn = import("cnn");
    assert_eq!(cnn.layer_names(), ["first", "max_pooling2d", "conv2d", "flatten", "dropout", "dense"]);
    // What a file keeps of the optimizer.
    let optimizer = |model: &Model| crate::common_model_file::entry(&model.to_bytes().unwrap()).to_string();
    let text = optimizer(&cnn);
    assert!(text.contains("\"Adam\":{") && text.contains("\"Constant\":0.002"), "{text}");
    assert_eq!((cnn.loss().kind(), cnn.metrics()), ("SparseCategoricalCrossentropy", &[Metric::Accuracy][..]));

    let mlp = import("mlp");
    let text = optimizer(&mlp);
    let expected = ["\"Sgd\":{", "\"momentum\":0.9", "\"clipnorm\":1.0", "\"decay_rate\":0.9", "\"decay_steps\":100"];
    assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    let Loss::BinaryCrossentropy(loss) = mlp.loss() else { panic!("{:?}", mlp.loss()) };
    assert_eq!(loss.label_smoothing, 0.1);
    // Keras' cosine similarity is none of ours.
    assert_eq!(mlp.metrics().iter().map(Metric::name).collect::<Vec<_>>(), ["binary_accuracy", "auc"]);

    // In the order of the outputs' names.
    let branches = import("branches").objectives();
    assert_eq!((branches[0].weight, branches[1].weight), (1.0, 0.25));
    assert_eq!((branches[0].loss.kind(), branches[1].loss.kind()), ("SparseCategoricalCrossentropy", "Huber"));
    assert_eq!(branches[1].metrics, [Metric::MeanAbsoluteError, Metric::MeanSquaredError]);

    // AdamW is Adam with a decay; a model that was never compiled has what fits.
    let text = optimizer(&import("tokens"));
    assert!(text.contains("\"Adam\":{") && text.contains("\"weight_decay\":0.004"), "{text}");
    assert_eq!(import("residual").loss().kind(), "MeanSquaredError");
}

#[test]
fn a_loaded_model_trains_on() {
    let mut model = import("cnn");
    let images = Array4::from_shape_fn((64, 14, 14, 1), |(n, y, x, _)| f32::from(u8::from((x + y) % 4 == n % 4)));
    let classes: Vec<usize> = (0..64).map(|n| n % 4).collect();
    let history = model.fit((&images, &classes), FitConfig::new().epochs(8).batch_size(16).verbose(0)).unwrap();
    let losses = history.losses();
    assert!(losses[7] < 0.7 * losses[0], "{losses:?}");
    // What is not to be trained in Keras is frozen.
    assert!(
        import("nested").summary().to_string().contains("Non-trainable params: 300 "),
        "{}",
        import("nested").summary()
    );
}

#[test]
fn files_of_other_things_are_refused() {
    let expected = [
        (
            "refused_lambda",
            "layers that there are, found \"lambda\" (Lambda), which holds a function in Python, which is never run",
        ),
        (
            "refused_class",
            "layers that there are, found \"unit\" (UnitNormalization), which is a class that is not supported: use A",
        ),
        (
            "refused_custom",
            "layers that there are, found \"doubled\" (Doubled), which is the custom object \"mine>Doubled\", whose code",
        ),
        (
            "refused_format",
            "layers that there are, found \"first\" (Conv2D), which has data_format \"channels_first\", expected",
        ),
        (
            "refused_dtype",
            "layers that there are, found \"half\" (Dense), which has the dtype \"mixed_float16\", expected \"float32\"",
        ),
        (
            "refused_argument",
            "layers that there are, found \"zeros\" (LSTM), which has zero_output_for_mask true, expected false",
        ),
        (
            "refused_function",
            "layers that there are, found \"logs\" (Dense), which has activation \"log_softmax\", which is not",
        ),
        (
            "refused_subclass",
            "a model that the layers express, found one that is a \"Own\": save a Sequential or a functional model",
        ),
    ];
    for (name, start) in expected {
        let error = refused(&bytes(name));
        assert!(error.starts_with(start), "{error}");
    }
    assert!(
        refused(&bytes("refused_steps"))
            .contains("which has an input of shape [null,null,3]: expected the sizes of one to")
    );
    let error = Model::import_keras(path("refused_whole.h5")).unwrap_err().to_string();
    assert!(error.contains("expected a .keras file, found HDF5, the older format: load it in Keras 3"), "{error}");
    assert!(matches!(Model::import_keras(path("")), Err(Error::Keras { fault: KerasFault::NotAFile, .. })));
    assert!(matches!(Model::import_keras(path("none.keras")), Err(Error::Io { .. })));
}

/// The files in an archive: the description, and the weights.
fn parts(name: &str) -> (String, Vec<u8>) {
    let mut archive = ZipArchive::new(Cursor::new(bytes(name))).unwrap();
    let (mut config, mut weights) = (String::new(), Vec::new());
    archive.by_name("config.json").unwrap().read_to_string(&mut config).unwrap();
    archive.by_name("model.weights.h5").unwrap().read_to_end(&mut weights).unwrap();
    (config, weights)
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn with_config(name: &str, from: &str, to: &str) -> Vec<u8> {
    let (config, weights) = parts(name);
    assert!(config.contains(from), "{config}");
    packed(&[("config.json", config.replacen(from, to, 1).as_bytes()), ("model.weights.h5", &weights)])
}

#[test]
fn what_is_missing_or_of_another_shape_is_told_by_its_name() {
    let (config, weights) = parts("cnn");
    // Compressed it is read as well.
    assert!(Model::from_keras(&packed(&[("config.json", config.as_bytes()), ("model.weights.h5", &weights)])).is_ok());
    let error = refused(&packed(&[("config.json", config.as_bytes())]));
    assert_eq!(error, "a sound model.weights.h5 in the archive, found one that is missing");
    let error = refused(&packed(&[("config.json", b"{}"), ("model.weights.h5", &weights)]));
    assert!(
        error.starts_with("a model that the layers express, found one that is a \"\": save a Sequential"),
        "{error}"
    );
    let error = refused(&packed(&[("config.json", config.as_bytes()), ("model.weights.h5", &[0; 40_000])]));
    assert!(
        error.starts_with("a sound model.weights.h5 in the archive, found one that is no HDF5, or a damaged one"),
        "{error}"
    );
    let error = refused(&with_config("cnn", "\"units\": 10", "\"units\": 11"));
    assert!(
        error.starts_with(
            "the weights of layer \"dense\", found a kernel that has the shape [54, 10] at layers/dense/vars/0"
        ),
        "{error}"
    );
    let error = refused(&with_config("residual", "\"scale\": false", "\"scale\": true"));
    assert!(
        error.contains("of layer \"batch_normalization_1\", found a moving_variance that is not at layers/batch_norm"),
        "{error}"
    );
    let error = refused(&with_config("residual", "\"scale\": true", "\"scale\": false"));
    assert!(error.contains("found a variable that is one more than the 3 that a BatchNormalization has"), "{error}");
    let error = refused(&with_config("cnn", "\"rate\": 0.5", "\"rate\": 1.5"));
    assert!(error.contains("(Dropout), which expects a rate"), "{error}");
    let error = refused(&with_config("cnn", "\"rate\": 0.5", "\"rate\": \"half\""));
    assert!(
        error.contains("found \"dropout\" (Dropout), which cannot be read in the argument \"rate\" (invalid type"),
        "{error}"
    );
    let error = refused(&with_config("cnn", "\"rate\": 0.5", "\"rate\": 0.5, \"other\": 1"));
    assert!(error.contains("which cannot be read in the argument \"other\" (unknown field"), "{error}");
    let error = refused(&with_config("branches", "[\"twin\", 1, 0]", "[\"twin\", 7, 0]"));
    assert!(error.contains("reads call 7 of \"twin\", which there is not"), "{error}");
    let error = refused(&with_config("nested", "\"filters\": 2", "\"filters\": 3"));
    assert!(error.contains("(Dense)") || error.contains("kernel"), "{error}");
}

#[test]
fn much_that_is_packed_into_little_is_refused() {
    let (config, weights) = parts("cnn");
    let error = refused(&packed(&[("config.json", config.as_bytes()), ("model.weights.h5", &vec![0; 1 << 26])]));
    assert!(error.contains("the most that the model can need"), "{error}");
    let spaces = " ".repeat(1 << 26);
    let error = refused(&packed(&[("config.json", spaces.as_bytes()), ("model.weights.h5", &weights)]));
    assert!(error.contains("a sound config.json in the archive, found one that has more than "), "{error}");
    let error = refused(&with_config("cnn", "\"units\": 10", "\"units\": 1000000"));
    assert!(error.contains("expected at least"), "{error}");
    let deep = format!("{}{}", "[".repeat(1 << 16), "]".repeat(1 << 16));
    let error = refused(&packed(&[("config.json", deep.as_bytes()), ("model.weights.h5", &weights)]));
    assert!(error.contains("found one that is no JSON object"), "{error}");
}

/// A model that calls the one within it twice, and so on.
#[test]
fn models_within_models_take_no_time_without_end() {
    let input =
        r#"{"class_name": "InputLayer", "name": "i", "config": {"batch_shape": [null, 2]}, "inbound_nodes": []}"#;
    let read = |name: &str| {
        format!(
            r#"{{"args": [{{"class_name": "__keras_tensor__", "config": {{"keras_history": ["{name}", 0, 0]}}}}], "kwargs": {{}}}}"#
        )
    };
    let mut model =
        format!(r#"{{"class_name": "Sequential", "name": "m", "config": {{"name": "m", "layers": [{input}]}}"#);
    for _ in 0..30 {
        let nodes = format!(r#""inbound_nodes": [{}, {}]"#, read("i"), read("i"));
        model = format!(
            r#"{{"class_name": "Functional", "name": "m", "config": {{"name": "m", "layers": [{input}, {model}, {nodes}}}],
            "input_layers": [["i", 0, 0]], "output_layers": [["m", 1, 0]]}}"#
        );
    }
    let error = refused(&packed(&[("config.json", format!("{model}}}").as_bytes())]));
    assert!(error.contains("calls models within models with more than"), "{error}");
}

#[test]
fn damaged_files_are_told_as_such() {
    for name in ["mlp", "recurrent"] {
        let sound = bytes(name);
        let started = Instant::now();
        let (mut count, mut refused) = (0, 0);
        let mut random = 1_u32;
        let mut offset = 0;
        while offset < sound.len() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut damaged = sound.clone();
            damaged[offset] ^= (random >> 24) as u8 | 1;
            let model = Pretrained::read_keras(Cursor::new(damaged), LoadLimits::new());
            refused += usize::from(model.is_err());
            count += 1;
            offset += 1 + (random >> 8) as usize % 128;
        }
        assert!(refused > count / 2, "{refused} of {count}");
        let mut len = 0;
        while len < sound.len() {
            assert!(Pretrained::read_keras(Cursor::new(&sound[..len]), LoadLimits::new()).is_err(), "{len}");
            len += 499;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
    }
}

/// Damage that the archive's checksum does not tell of.
#[test]
fn damaged_weights_are_told_as_such() {
    let (config, weights) = parts("mlp");
    let started = Instant::now();
    // Every byte of the first groups, and some of each of the others.
    let places = (0..2048).chain((2048..weights.len()).step_by(11));
    let mut refused = 0;
    for (offset, flip) in places.zip([0xff, 0x80, 0x01, 0x10].into_iter().cycle()) {
        let mut damaged = weights.clone();
        damaged[offset] ^= flip;
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in [("config.json", config.as_bytes()), ("model.weights.h5", &damaged)] {
            archive.start_file(name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        refused += usize::from(Pretrained::read_keras(archive.finish().unwrap(), LoadLimits::new()).is_err());
    }
    assert!(refused > 50, "{refused}");
    assert!(started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}
