//! Arrays in NumPy's files: `.npy`, and `.npz`, an archive of such. With the feature `numpy`.
//!
//! ```
//! use inkstone::data::numpy;
//! use inkstone::ndarray::array;
//! let path = tempfile::tempdir().unwrap().keep().join("probabilities.npy");
//! // For `numpy.load("probabilities.npy")`.
//! numpy::write_npy(&path, array![[0.25, 0.75], [1.0, 0.0]].view().into_dyn())?;
//! let array = numpy::read_npy(&path)?;
//! assert_eq!(array.into_f32(), array![[0.25, 0.75], [1.0, 0.0]].into_dyn());
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! Pictures and classes as `numpy.savez("digits.npz", x=images, y=labels)` writes them:
//!
//! ```no_run
//! use inkstone::data::numpy::{self, NpyArray};
//! let mut arrays = numpy::read_npz("digits.npz")?;
//! let of = |name: &str, arrays: &mut std::collections::BTreeMap<String, NpyArray>| arrays.remove(name).expect("saved under this name");
//! let digits = numpy::dataset(of("x", &mut arrays), of("y", &mut arrays))?;
//! # Ok::<(), inkstone::Error>(())
//! ```

mod archive;
mod array;
mod header;

pub use archive::{read_npz, read_npz_from};
pub use array::NpyArray;
pub(super) use header::{Header, Order};

use super::dataset::StoredInputs;
use super::idx::MAX_ELEMENTS;
use super::open::open;
use super::{Dataset, Values};
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::whole_file::write_whole;
use ndarray::ArrayViewD;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Reads an array of numbers, in C's or Fortran's order, of either byte order: floats of 16, 32 or 64 bits, integers, or bool.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Data`] if it is no whole NumPy file of at most 2^31 numbers.
pub fn read_npy(path: impl AsRef<Path>) -> Result<NpyArray> {
    let path = path.as_ref();
    let place = path.display().to_string();
    array::read(BufReader::new(opened(path)?), &place, MAX_ELEMENTS)
}

/// As [`read_npy`], from a reader: of bytes in memory, of a pipe, of an answer. It is read to its end.
///
/// Memory grows with what is read, up to twenty times as much: integers of one byte become such of eight.
///
/// # Errors
/// As [`read_npy`].
///
/// ```
/// use inkstone::data::numpy;
/// use inkstone::ndarray::array;
/// let path = tempfile::tempdir().unwrap().keep().join("probabilities.npy");
/// numpy::write_npy(&path, array![[0.25, 0.75]].view().into_dyn())?;
/// let bytes = std::fs::read(&path).unwrap();
/// assert_eq!(numpy::read_npy_from(&bytes[..])?.into_f32(), array![[0.25, 0.75]].into_dyn());
/// let error = numpy::read_npy_from(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
/// assert!(error.ends_with("found something else: it ends after 7 of 8 bytes of its array"), "{error}");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read_npy_from(reader: impl Read) -> Result<NpyArray> {
    array::read(BufReader::new(reader), "the NumPy array", MAX_ELEMENTS)
}

/// The data set of an array of inputs and one of classes: images of bytes, (N, H, W) or (N, H, W, C), which become `x / 255`
/// as they are used; of other numbers images, sequences or the rows of a table, (N, H, W, C), (N, T, F) or (N, F).
///
/// # Errors
/// [`Error::Data`] if the classes are not whole numbers from 0, one for each input, or as [`Dataset::from_bytes`].
///
/// ```
/// use inkstone::data::numpy::{self, NpyArray};
/// use inkstone::ndarray::{Array3, arr1};
/// let images = NpyArray::Bytes(Array3::from_elem((2, 28, 28), 51).into_dyn());
/// let digits = numpy::dataset(images, NpyArray::Integers(arr1(&[7, 2]).into_dyn()))?;
/// assert_eq!((digits.shape().to_string(), digits.labels()), ("(28, 28, 1)".to_owned(), &[7, 2][..]));
/// assert_eq!(digits.images()[[0, 0, 0, 0]], 0.2);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn dataset(inputs: NpyArray, labels: NpyArray) -> Result<Dataset> {
    let labels = labels.into_labels()?;
    with_targets(inputs, Some(labels), None)
}

/// The data set of an array of inputs and one of values, (N) or (N, outputs).
///
/// # Errors
/// As [`dataset`], and [`Error::Data`] if there is not a row of values for each input.
///
/// ```
/// use inkstone::data::numpy::{self, NpyArray};
/// use inkstone::ndarray::array;
/// let homes = NpyArray::Floats(array![[50.0, 2.0], [80.0, 3.0]].into_dyn());
/// let dataset = numpy::dataset_with_values(homes, NpyArray::Floats(array![0.9, 1.4].into_dyn()))?;
/// assert_eq!(dataset.table(), array![[50.0, 2.0], [80.0, 3.0]]);
/// assert_eq!(dataset.values().unwrap(), array![[0.9], [1.4]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn dataset_with_values(inputs: NpyArray, values: NpyArray) -> Result<Dataset> {
    let values = values.into_f32();
    let shape = values.shape().to_vec();
    let rows = match shape[..] {
        [rows] => values.into_shape_with_order((rows, 1)),
        [rows, outputs] => values.into_shape_with_order((rows, outputs)),
        _ => return Err(Error::Data(format!("values have the shape (N) or (N, outputs), got {shape:?}"))),
    };
    let rows = rows.map_err(|error| Error::Data(error.to_string()))?;
    with_targets(inputs, None, Some(Values::from(rows)))
}

/// Keras' `mnist.npz`: the training set and the test set of its arrays `x_train`, `y_train`, `x_test` and `y_test`. Fashion-MNIST
/// and others come in this form as well.
///
/// # Errors
/// As [`read_npz`] and [`dataset`], and [`Error::Data`] if an array is missing.
///
/// ```no_run
/// use inkstone::data::numpy;
/// let (train, test) = numpy::load_keras_npz("mnist.npz")?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_keras_npz(path: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    let path = path.as_ref();
    let place = path.display();
    let mut arrays = read_npz(path)?;
    let names: Vec<String> = arrays.keys().take(10).cloned().collect();
    let mut part = |part: &str| {
        let mut array = |kind: &str| {
            let name = format!("{kind}_{part}");
            let found = arrays.remove(&name);
            found.ok_or_else(|| Error::Data(format!("{place}: expected an array `{name}`, found {}", names.join(", "))))
        };
        let (inputs, labels) = (array("x")?, array("y")?);
        dataset(inputs, labels).map_err(|error| Error::Data(format!("{place}, {part}: {error}")))
    };
    Ok((part("train")?, part("test")?))
}

/// Writes an array as a `.npy` file of 32-bit floats.
///
/// # Errors
/// [`Error::NotWritten`] if it cannot be written.
pub fn write_npy(path: impl AsRef<Path>, array: ArrayViewD<'_, f32>) -> Result<()> {
    write_whole(path.as_ref(), |file| {
        header::write(file, array.shape())?;
        // In C's order, whatever the array's is.
        array.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
    })
}

/// The header of a file, however many numbers it promises; what is read next are the numbers.
pub(super) fn header_of_file(file: &mut File, place: &str) -> Result<Header> {
    header::read(file, usize::MAX).map_err(|error| array::fault(error, place))
}

fn opened(path: &Path) -> Result<File> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let file = open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(Error::Data(format!("{}: expected a NumPy file, found a folder", path.display())));
    }
    Ok(file)
}

fn with_targets(inputs: NpyArray, labels: Option<Vec<usize>>, values: Option<Values>) -> Result<Dataset> {
    let shape = inputs.shape().to_vec();
    let fault = |error: ndarray::ShapeError| Error::Data(error.to_string());
    match (inputs, &shape[..]) {
        (NpyArray::Bytes(bytes), &[count, height, width]) => {
            let images = bytes.into_shape_with_order((count, height, width, 1)).map_err(fault)?;
            Dataset::of_images(StoredInputs::bytes(images), labels, values)
        }
        (NpyArray::Bytes(bytes), &[count, height, width, channels]) => {
            let images = bytes.into_shape_with_order((count, height, width, channels)).map_err(fault)?;
            Dataset::of_images(StoredInputs::bytes(images), labels, values)
        }
        (inputs, &[count, ref axes @ ..]) if (1..=3).contains(&axes.len()) => {
            let of_one =
                Shape::new(axes).ok_or_else(|| Error::Data(format!("inputs of the shape {shape:?} are too large")))?;
            let (height, width, channels) = of_one.as_image();
            let stored = inputs.into_f32().into_shape_with_order((count, height, width, channels)).map_err(fault)?;
            Dataset::new(StoredInputs::floats(stored), of_one, labels, values)
        }
        _ => Err(Error::Data(format!("inputs have 2 to 4 axes, (N, ...), got the shape {shape:?}"))),
    }
}
