//! What a model from a file may take: small files that describe models of much memory or work are refused, with the
//! limit and how to raise it.

use crate::common_model_file as model_file;
use inkstone::callbacks::SaveFreq;
use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Error, LoadLimits, ModelFault, Shape};
use ndarray::Array4;
use std::fs;
use std::time::{Duration, Instant};

fn model(input: impl Into<Shape>, layers: impl IntoIterator<Item = Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new(input), Sequential::add);
    described.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

/// What is needed and the setting that allows it, of a model that is refused.
#[track_caller]
fn refused(bytes: &[u8], limits: LoadLimits) -> (u64, &'static str) {
    match Model::from_bytes_with(bytes, limits).unwrap_err() {
        Error::ModelFile { fault: ModelFault::Limit { needed, setting, .. }, .. } => (needed, setting),
        error => panic!("{error}"),
    }
}

/// Half a megabyte that describes values of 47 GiB for a single image.
fn wide() -> Vec<u8> {
    let activations = std::iter::repeat_with(|| Activation::new(Sigmoid).into()).take(3000);
    let layers = [Conv2D::new(65_536, (1, 1)).into()].into_iter().chain(activations);
    model([8, 8, 1], layers.chain([Flatten::new().into()])).to_bytes().unwrap()
}

#[test]
fn a_small_file_of_wide_layers_is_refused_before_memory_is_taken() {
    let bytes = wide();
    assert!(bytes.len() < 700_000, "{}", bytes.len());
    let started = Instant::now();
    let (needed, setting) = refused(&bytes, LoadLimits::new());
    assert!(started.elapsed() < Duration::from_secs(2));
    // 3001 layers of 8 x 8 x 65536 floats, and little beside them.
    let values = 3001 * 64 * 65_536 * 4;
    assert!(needed > values && needed < values + values / 100, "{needed}");
    assert_eq!(setting, "memory");
    assert_eq!(
        Model::from_bytes(&bytes).unwrap_err().to_string(),
        format!(
            "the bytes: expected a model that takes at most 2147483648 bytes of memory beside its weights, found one that takes \
             at least {needed}: if you trust the file, load it with `LoadLimits::new().memory({needed})`, for example by \
             `Model::load_with`"
        )
    );
    // As the error says. Only predicting would take that memory.
    let allowed = LoadLimits::new().memory(needed);
    assert_eq!(refused(&bytes, LoadLimits::new().memory(needed - 1)), (needed, "memory"));
    let (operations, setting) = refused(&bytes, allowed);
    assert_eq!(setting, "operations");
    let allowed = allowed.operations(operations);
    assert_eq!(Model::from_bytes_with(&bytes, allowed).unwrap().layers().len(), 3002);
    assert_eq!(Model::from_bytes_with(&bytes, LoadLimits::unlimited()).unwrap().layers().len(), 3002);
}

#[test]
fn every_way_to_load_has_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let model = model([4], [Dense::new(3).into()]);
    model.save_checkpoint(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let no_memory = LoadLimits::new().memory(10);
    let loaded = [
        Model::load_with(&path, no_memory),
        Model::resume_with(&path, no_memory),
        Model::from_bytes_with(&bytes, no_memory),
        Model::resume_from_bytes_with(&bytes, no_memory),
    ];
    for loaded in loaded {
        let error = loaded.unwrap_err();
        assert!(matches!(error, Error::ModelFile { fault: ModelFault::Limit { limit: 10, .. }, .. }), "{error}");
    }
    // Weights go into a model that is there already.
    Model::load(&path).unwrap().load_weights(&path).unwrap();
}

#[test]
fn lists_of_windows_are_refused_before_a_plan_has_them() {
    let convs = std::iter::repeat_with(|| Conv2D::new(1, (1, 1)).use_bias(false).into()).take(200);
    // Compiled on small images, described on large ones: weights of 1x1 fit either.
    let small = model([1, 1, 1], convs.chain([Flatten::new().into()])).to_bytes().unwrap();
    let large = model_file::with_input(&small, [16_384, 16_384, 1]);
    let started = Instant::now();
    let (needed, setting) = refused(&large, LoadLimits::new());
    assert_eq!((needed, setting), (200 * 16_384 * 16_384 * 4, "memory"));
    assert!(started.elapsed() < Duration::from_secs(2));
}

/// A pooling over whole images, of every pixel: no weights, and more work than is allowed.
fn slow() -> [Layer; 3] {
    [
        MaxPooling2D::new((140, 140)).strides((1, 1)).padding(Same).into(),
        Flatten::new().into(),
        Dense::new(1).use_bias(false).into(),
    ]
}

#[test]
fn work_without_weights_is_refused() {
    let (needed, setting) = refused(&model([140, 140, 1], slow()).to_bytes().unwrap(), LoadLimits::new());
    assert!(needed > 100_000_000_000, "{needed}");
    assert_eq!(setting, "operations");
}

#[test]
fn a_training_goes_on_from_its_own_checkpoints_however_large_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let images = Array4::from_shape_fn((1, 140, 140, 1), |(_, y, x, _)| ((y * 7 + x) % 11) as f32 / 11.0);
    let targets = ndarray::arr2(&[[0.5_f32]]);
    let fit = |epochs| {
        let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Epoch);
        let config = FitConfig::new().epochs(epochs).verbose(0).backup(backup);
        let mut model = model([140, 140, 1], slow());
        model.fit((&images, &targets), config).unwrap().epochs.len()
    };
    assert_eq!(fit(1), 1);
    assert_eq!(fit(2), 1, "the first epoch is behind");
}
