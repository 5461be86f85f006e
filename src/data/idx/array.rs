//! IDX files of every type of element.

use super::{Fault, MAX_ELEMENTS, read_data, read_header, unpacked};
use crate::data::open::open;
use crate::error::{Error, IdxFault, Result};
use crate::whole_file::write_whole;
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayD, IxDyn};
use std::io::{Read, Write};
use std::path::Path;

/// An array of an IDX file, with elements of any of the format's types.
///
/// ```
/// use inkstone::data::idx::IdxArray;
/// use inkstone::ndarray::arr2;
/// let path = tempfile::tempdir().unwrap().keep().join("labels-idx2-int.gz");
/// // QMNIST has eight numbers for each picture, of which the first is the class.
/// let labels = IdxArray::I32(arr2(&[[5, 0, 2433, 87, 1, 0, 0, 0], [4, 0, 2, 7, 2, 0, 0, 0]]).into_dyn());
/// labels.write_file(&path)?;
/// assert_eq!(IdxArray::read_file(&path)?, labels);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IdxArray {
    /// Unsigned bytes.
    U8(ArrayD<u8>),
    /// Signed bytes.
    I8(ArrayD<i8>),
    /// Integers of 16 bits.
    I16(ArrayD<i16>),
    /// Integers of 32 bits.
    I32(ArrayD<i32>),
    /// Floats of 32 bits.
    F32(ArrayD<f32>),
    /// Floats of 64 bits.
    F64(ArrayD<f64>),
}

impl IdxArray {
    /// Reads an IDX file of any type and number of dimensions, plain or gzip.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened or read, or is a pipe or a device; [`Error::Idx`] if its content is not a
    /// complete IDX file.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Self> {
        let place = path.as_ref().display().to_string();
        match open(path.as_ref()) {
            Ok(file) => Self::read(file, &place),
            Err(source) => Err(Error::Io { place, source }),
        }
    }

    /// Reads IDX data of any type, plain or gzip, to its end; `place` names it in errors.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read(reader: impl Read, place: &str) -> Result<Self> {
        unpacked(reader, place, &mut |reader| {
            let (header, shape) = read_header(&mut *reader, MAX_ELEMENTS)?;
            let data = read_data(reader, &shape, header.element.width())?;
            Ok(match header.number {
                0x08 => Self::U8(array(shape, data)?),
                0x09 => Self::I8(array(shape, data.iter().map(|byte| byte.cast_signed()).collect())?),
                0x0b => Self::I16(array(shape, numbers(&data, i16::from_be_bytes))?),
                0x0c => Self::I32(array(shape, numbers(&data, i32::from_be_bytes))?),
                0x0d => Self::F32(array(shape, numbers(&data, f32::from_be_bytes))?),
                _ => Self::F64(array(shape, numbers(&data, f64::from_be_bytes))?),
            })
        })
    }

    /// Writes the array as an IDX file, as [`write_file`](super::write_file) writes bytes.
    ///
    /// # Errors
    /// [`Error::Data`] unless the array has 1 to 255 axes without a zero and at most 2^31 elements,
    /// [`Error::NotWritten`] if it cannot be written.
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let shape = self.shape();
        let len: usize = shape.iter().product();
        if !(1..=255).contains(&shape.len()) || len == 0 || len > MAX_ELEMENTS {
            return Err(Error::Data(format!(
                "an IDX file has 1 to 255 axes without a zero, and at most {MAX_ELEMENTS} elements, got an array of {shape:?}"
            )));
        }
        let mut header = vec![0, 0, self.element(), shape.len() as u8];
        shape.iter().for_each(|axis| header.extend((*axis as u32).to_be_bytes()));
        let path = path.as_ref();
        write_whole(path, |file| {
            if path.extension().is_some_and(|extension| extension == "gz") {
                let mut encoder = GzEncoder::new(file, Compression::default());
                encoder.write_all(&header)?;
                self.write_elements(&mut encoder)?;
                return encoder.finish().map(drop);
            }
            file.write_all(&header)?;
            self.write_elements(file)
        })
    }

    /// The lengths of the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::U8(array) => array.shape(),
            Self::I8(array) => array.shape(),
            Self::I16(array) => array.shape(),
            Self::I32(array) => array.shape(),
            Self::F32(array) => array.shape(),
            Self::F64(array) => array.shape(),
        }
    }

    /// The elements as floats of 32 bits, the nearest to each: what a [`Dataset`](crate::Dataset) takes.
    #[must_use]
    pub fn into_f32(self) -> ArrayD<f32> {
        match self {
            Self::U8(array) => array.mapv(f32::from),
            Self::I8(array) => array.mapv(f32::from),
            Self::I16(array) => array.mapv(f32::from),
            Self::I32(array) => array.mapv(|value| value as f32),
            Self::F32(array) => array,
            Self::F64(array) => array.mapv(|value| value as f32),
        }
    }

    fn element(&self) -> u8 {
        match self {
            Self::U8(_) => 0x08,
            Self::I8(_) => 0x09,
            Self::I16(_) => 0x0b,
            Self::I32(_) => 0x0c,
            Self::F32(_) => 0x0d,
            Self::F64(_) => 0x0e,
        }
    }

    fn write_elements(&self, file: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::U8(array) => array.iter().try_for_each(|value| file.write_all(&[*value])),
            Self::I8(array) => array.iter().try_for_each(|value| file.write_all(&value.to_be_bytes())),
            Self::I16(array) => array.iter().try_for_each(|value| file.write_all(&value.to_be_bytes())),
            Self::I32(array) => array.iter().try_for_each(|value| file.write_all(&value.to_be_bytes())),
            Self::F32(array) => array.iter().try_for_each(|value| file.write_all(&value.to_be_bytes())),
            Self::F64(array) => array.iter().try_for_each(|value| file.write_all(&value.to_be_bytes())),
        }
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|bytes| of(*bytes)).collect()
}

fn array<T>(shape: Vec<usize>, elements: Vec<T>) -> std::result::Result<ArrayD<T>, Fault> {
    let (expected, found) = (elements.len(), elements.len());
    ArrayD::from_shape_vec(IxDyn(&shape), elements).map_err(|_| IdxFault::Truncated { shape, expected, found }.into())
}
