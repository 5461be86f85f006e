//! What must hold of whatever bytes the readers of data get: an error that names the place, or what the bytes say. The tests
//! share this file: they check every seed, what fuzzing once found among them.

use inkstone::data::csv::{self, CsvOptions, Header};
use inkstone::data::numpy::{self, NpyArray};
use inkstone::data::pictures::{Colors, Interpolation, Picture, PictureLimits};
use inkstone::prelude::*;
use inkstone::{Error, LoadLimits};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// How many bytes the pixels of a picture may take.
pub(crate) const PICTURE_MEMORY: u64 = 1 << 20;

/// Checks a table: the first byte says how it is read.
pub(crate) fn csv(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else { return };
    let options = CsvOptions::new().delimiter(if choice & 1 == 0 { b',' } else { b';' });
    let options = match choice >> 1 & 3 {
        0 => options,
        1 => options.header(Header::Present),
        _ => options.header(Header::Absent),
    };
    let options = match choice >> 3 & 7 {
        0 => options,
        1 => options.target(0),
        2 => options.values([0]),
        3 => options.id(0).target(1),
        4 => options.target("kind").ignore(["id"]),
        5 => options.target(0).images([2, 2, 1]),
        6 => options.values([2, 0]).ignore([1]),
        _ => options.images([1, 2, 3]),
    };
    match csv::read_from(text, options) {
        Err(error) => {
            assert!(matches!(error, Error::Data(_)), "{error:?}");
            assert!(error.to_string().starts_with("the CSV text: "), "{error}");
        }
        Ok(table) => {
            let dataset = &table.dataset;
            assert!(dataset.len() > 0 && !table.features.is_empty());
            assert!(dataset.labels().is_empty() || dataset.labels().len() == dataset.len());
            assert!(table.classes.is_empty() || dataset.labels().iter().all(|label| *label < table.classes.len()));
            let features = dataset.shape().len().expect("the table is there");
            assert_eq!(table.features.len(), features);
        }
    }
}

/// Checks an array.
pub(crate) fn npy(bytes: &[u8]) {
    match numpy::read_npy_from(bytes) {
        Err(error) => {
            assert!(matches!(error, Error::Data(_)), "{error:?}");
            assert!(error.to_string().starts_with("the NumPy array: "), "{error}");
        }
        Ok(array) => check_array(array),
    }
}

/// Checks an archive of arrays.
pub(crate) fn npz(bytes: &[u8]) {
    match numpy::read_npz_from(Cursor::new(bytes)) {
        Err(error) => {
            assert!(matches!(error, Error::Data(_)), "{error:?}");
            assert!(error.to_string().starts_with("the NumPy archive"), "{error}");
        }
        Ok(arrays) => arrays.into_values().for_each(check_array),
    }
}

/// Whatever an array is: a data set, or an error that says why not.
fn check_array(array: NpyArray) {
    let count = array.shape().first().copied().unwrap_or_default();
    let labels = NpyArray::Bytes(ndarray::ArrayD::zeros(vec![count.min(1 << 12)]));
    match numpy::dataset(array.clone(), labels) {
        Ok(dataset) => assert_eq!(dataset.len(), count),
        Err(error) => assert!(matches!(error, Error::Data(_)), "{error:?}"),
    }
    if let Err(error) = array.clone().into_labels() {
        assert!(error.to_string().starts_with("classes "), "{error}");
    }
    let shape = array.shape().to_vec();
    assert_eq!(array.into_f32().shape(), shape);
}

/// Checks a picture.
pub(crate) fn picture(bytes: &[u8]) {
    let limits = PictureLimits::new().max_memory(PICTURE_MEMORY).longest_side(64);
    match Picture::decode(bytes, limits) {
        Err(error) => {
            assert!(matches!(error, Error::Picture { .. }), "{error:?}");
            let text = error.to_string();
            assert!(text.starts_with("the picture: expected "), "{text}");
        }
        Ok(picture) => {
            let (height, width) = picture.grey().dim();
            assert!((1..=64).contains(&height) && (1..=64).contains(&width), "({height}, {width})");
            for interpolation in [Interpolation::Bilinear, Interpolation::Area] {
                assert_eq!(picture.resized((5, 9), Colors::Rgb, interpolation).dim(), (5, 9, 3));
                assert_eq!(picture.resized((9, 5), Colors::Grey, interpolation).dim(), (9, 5, 1));
            }
        }
    }
}

/// Imports an ONNX file; the model, if it is a small one, is to be run.
pub(crate) fn onnx(bytes: &[u8]) -> Option<Model> {
    let little = LoadLimits::new().memory(4 << 20).operations(1_000_000);
    match Pretrained::from_onnx(bytes, little) {
        Err(error) => {
            assert!(matches!(error, Error::Onnx { .. } | Error::ModelFile { .. }), "{error:?}");
            assert!(error.to_string().starts_with("the ONNX file: expected "), "{error}");
            None
        }
        // Which losses the outputs are given is not what is asked here, but whether that can be.
        Ok(_) => Some(Model::from_onnx(bytes).expect("what is imported can be trained")),
    }
}

/// Imports a model of Keras; it is to be run, if it is a small one. A description or an HDF5 file alone gets the other of
/// the seed `mlp`, in an archive.
pub(crate) fn keras(bytes: &[u8]) -> Option<Model> {
    let (config, weights) = (include_bytes!("../seeds/keras/config-mlp"), include_bytes!("../seeds/keras/weights-mlp"));
    let built;
    let file = match bytes {
        [b'{', ..] => {
            built = archive(bytes, weights);
            &built[..]
        }
        [0x89, b'H', ..] => {
            built = archive(config, bytes);
            &built[..]
        }
        _ => bytes,
    };
    let little = LoadLimits::new().memory(4 << 20).operations(1_000_000);
    let is_small = Pretrained::read_keras(Cursor::new(file), little).map_err(check_keras_error).is_ok();
    is_small.then(|| Model::from_keras(file).expect("what is imported can be trained"))
}

fn check_keras_error(error: Error) {
    assert!(matches!(error, Error::Keras { .. } | Error::ModelFile { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the .keras file: expected "), "{error}");
}

/// What Keras makes of a description and weights.
fn archive(config: &[u8], weights: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("config.json", config), ("model.weights.h5", weights)] {
        archive.start_file(name, stored).expect("a name that is new");
        archive.write_all(bytes).expect("memory takes it");
    }
    archive.finish().expect("memory takes it").into_inner()
}

/// The model that weights of PyTorch are read for: the one of the fixture `lenet`.
pub(crate) fn torch_model() -> Model {
    Sequential::new([12, 16, 1])
        .add(Conv2D::new(4, (5, 5)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(6, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Relu))
        .add(Dense::new(10).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .expect("the model is sound")
}

/// Reads weights of PyTorch into a model.
pub(crate) fn torch(model: &mut Model, bytes: &[u8]) {
    match model.load_torch_weights_from_bytes(bytes, &[]) {
        Err(error) => {
            assert!(matches!(error, Error::ModelFile { .. }), "{error:?}");
            assert!(error.to_string().starts_with("the bytes: expected "), "{error}");
        }
        Ok(()) => assert!(model.get_weights().iter().all(|weight| weight.values.iter().all(|value| value.is_finite()))),
    }
}
