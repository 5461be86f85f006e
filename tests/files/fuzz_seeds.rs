//! What fuzzing of the model reader starts from: files of today's format. After a change of the format they are written
//! anew with `cargo test --test fuzz_seeds -- --ignored`.

use crate::common_model_file::{entry, with_entry};
use inkstone::callbacks::SaveFreq;
use inkstone::prelude::*;
use inkstone::{Error, ModelFault, Optimizer};
use ndarray::Array4;
use std::fs;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/model")
}

fn model(optimizer: impl Into<Optimizer>) -> Model {
    Sequential::new([6, 6, 1])
        .add(Conv2D::new(2, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Dropout::new(0.25))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(5)
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Layers of vectors alone, and a loss of logits.
fn dense() -> Vec<u8> {
    let model = Sequential::new([2]).add(Dense::new(2)).add(Activation::new(Tanh)).add(Dense::new(2).use_bias(false));
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    model.seed(1).compile(Adam::default(), loss, []).unwrap().to_bytes().unwrap()
}

/// The middle of an epoch, with a callback that remembers weights.
fn checkpoint() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(1)).keep(9);
    let images = Array4::from_shape_fn((5, 6, 6, 1), |(n, y, x, _)| ((n * 5 + y * 3 + x) % 7) as f32 / 7.0);
    let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    let config = FitConfig::new().epochs(2).batch_size(2).verbose(0).callback(stopping).backup(backup);
    model(Adam::default()).fit((&images, &[0, 1, 2, 0, 1]), config).unwrap();
    fs::read(folder.path().join("step-000000000005.safetensors")).unwrap()
}

/// The text of the last part of an entry, as it stands in a file.
fn text(bytes: &[u8], part: &str) -> String {
    let (_, metadata) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    let entry = &metadata.metadata().as_ref().unwrap()["inkstone"];
    let (_, text) = entry.split_once(&format!(r#""{part}":"#)).unwrap();
    text.strip_suffix('}').unwrap().to_owned()
}

#[test]
#[ignore = "writes the files"]
fn write_the_seeds() {
    let write = |name: &str, bytes: &[u8]| fs::write(folder().join(name), bytes).unwrap();
    let convs = model(Adam::default()).to_bytes().unwrap();
    let sgd = model(Sgd::new(OneCycle::new(0.1, 10)).momentum(0.9).clipnorm(1.0)).to_bytes().unwrap();
    write("convs", &convs);
    write("dense", &dense());
    write("checkpoint", &checkpoint());
    write("cut", &convs[..convs.len() * 5 / 6]);
    // The length of a header of 2^56 bytes.
    let mut promise = dense();
    promise[7] = 1;
    write("promise", &promise);
    let weights = tempfile::tempdir().unwrap().keep().join("weights");
    model(Adam::default()).save_weights(&weights).unwrap();
    write("weights", &fs::read(weights).unwrap());
    // As text, without what is around.
    write("description-adam", text(&convs, "model").as_bytes());
    write("description-sgd", text(&sgd, "model").as_bytes());
    let training = text(&checkpoint(), "training");
    assert!(training.starts_with(r#"{"step""#), "that is how the fuzz target tells it from a model");
    write("training", training.as_bytes());
}

#[test]
fn the_seeds_are_of_todays_format() {
    let read = |name: &str| fs::read(folder().join(name)).unwrap();
    let fault = |name: &str| match Model::from_bytes(&read(name)) {
        Err(Error::ModelFile { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    for name in ["convs", "dense", "checkpoint"] {
        Model::from_bytes(&read(name)).unwrap();
    }
    Model::resume_from_bytes(&read("checkpoint")).unwrap();
    assert!(matches!(fault("cut"), ModelFault::Length { .. }));
    assert!(matches!(fault("promise"), ModelFault::HeaderTooLarge { .. }));
    assert!(matches!(fault("weights"), ModelFault::WeightsOnly));
    let within = |file: &str, place: &str, text: &str| {
        let (bytes, mut changed) = (read(file), entry(&read(file)));
        changed[place] = serde_json::from_slice(&read(text)).unwrap();
        with_entry(&bytes, changed)
    };
    for description in ["description-adam", "description-sgd"] {
        Model::from_bytes(&within("convs", "model", description)).unwrap();
    }
    Model::resume_from_bytes(&within("checkpoint", "training", "training")).unwrap();
}
