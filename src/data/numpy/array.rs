//! The array of a `.npy` file.

use super::header::{self, Header, Order};
use crate::data::element::{ByteOrder, Element};
use crate::data::gzip::is_damage;
use crate::error::{Error, Result};
use crate::short_floats::half;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use std::io::{self, ErrorKind, Read};

/// An array of a NumPy file.
///
/// ```
/// use inkstone::data::numpy::NpyArray;
/// use inkstone::ndarray::arr1;
/// let labels = NpyArray::Integers(arr1(&[5, 0, 4]).into_dyn());
/// assert_eq!(labels.shape(), [3]);
/// assert_eq!(labels.clone().into_f32(), arr1(&[5.0, 0.0, 4.0]).into_dyn());
/// assert_eq!(labels.into_labels()?, [5, 0, 4]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NpyArray {
    /// Of `uint8`: pixels, mostly.
    Bytes(ArrayD<u8>),
    /// Of `float16` and `float32`, and of `float64` the nearest to each.
    Floats(ArrayD<f32>),
    /// Of `bool` and of integers of all other kinds, those of `uint64` only up to the largest of `int64`.
    Integers(ArrayD<i64>),
}

impl NpyArray {
    /// The lengths of the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Bytes(array) => array.shape(),
            Self::Floats(array) => array.shape(),
            Self::Integers(array) => array.shape(),
        }
    }

    /// The numbers as 32-bit floats, the nearest to each.
    #[must_use]
    pub fn into_f32(self) -> ArrayD<f32> {
        match self {
            Self::Bytes(array) => array.mapv(f32::from),
            Self::Floats(array) => array,
            Self::Integers(array) => array.mapv(|value| value as f32),
        }
    }

    /// The numbers as classes; a last axis of one is left out.
    ///
    /// # Errors
    /// [`Error::Data`] if the array has more than one axis, or a number is negative or not whole.
    pub fn into_labels(self) -> Result<Vec<usize>> {
        let shape = self.shape().to_vec();
        if !matches!(shape[..], [_] | [_, 1]) {
            return Err(Error::Data(format!("classes have the shape (N), got {shape:?}")));
        }
        let class = |value: f64| if value >= 0.0 && value.fract() == 0.0 { Ok(value as usize) } else { Err(value) };
        let labels: std::result::Result<Vec<usize>, f64> = match self {
            Self::Bytes(array) => Ok(array.iter().map(|value| usize::from(*value)).collect()),
            Self::Floats(array) => array.iter().map(|value| class(f64::from(*value))).collect(),
            Self::Integers(array) => array.iter().map(|value| class(*value as f64)).collect(),
        };
        labels.map_err(|value| Error::Data(format!("classes are whole numbers from 0, got {value}")))
    }
}

/// Reads a whole file of at most so many numbers; `place` names it in errors.
pub(super) fn read(mut reader: impl Read, place: &str, most: usize) -> Result<NpyArray> {
    let fault = |error| fault(error, place);
    let header = header::read(&mut reader, most).map_err(fault)?;
    let is_big = header.byte_order == ByteOrder::Big;
    let mut elements = Elements { header: &header, is_big, reader: &mut reader };
    let array = match header.element {
        Element::U8 => elements.all(|[byte]| byte).map(NpyArray::Bytes),
        Element::F16 => elements.all(|bytes| half(u16::from_le_bytes(bytes))).map(NpyArray::Floats),
        Element::F32 => elements.all(f32::from_le_bytes).map(NpyArray::Floats),
        Element::F64 => elements.all(|bytes| f64::from_le_bytes(bytes) as f32).map(NpyArray::Floats),
        Element::Bool => elements.all(|[byte]| i64::from(byte != 0)).map(NpyArray::Integers),
        Element::I8 => elements.all(|bytes| i64::from(i8::from_le_bytes(bytes))).map(NpyArray::Integers),
        Element::I16 => elements.all(|bytes| i64::from(i16::from_le_bytes(bytes))).map(NpyArray::Integers),
        Element::I32 => elements.all(|bytes| i64::from(i32::from_le_bytes(bytes))).map(NpyArray::Integers),
        Element::I64 => elements.all(i64::from_le_bytes).map(NpyArray::Integers),
        Element::U16 => elements.all(|bytes| i64::from(u16::from_le_bytes(bytes))).map(NpyArray::Integers),
        Element::U32 => elements.all(|bytes| i64::from(u32::from_le_bytes(bytes))).map(NpyArray::Integers),
        Element::U64 => elements.try_all(|bytes| signed(u64::from_le_bytes(bytes))).map(NpyArray::Integers),
    };
    array.map_err(fault)
}

pub(super) fn fault(error: io::Error, place: &str) -> Error {
    match error.kind() {
        // What `signed` and the header say.
        ErrorKind::Unsupported => Error::Data(format!("{place}: {error}")),
        _ if is_damage(&error) => {
            Error::Data(format!("{place}: expected a whole NumPy array, found something else: {error}"))
        }
        _ => Error::Io { place: place.to_owned(), source: error },
    }
}

/// An integer of `uint64`, most of which are small.
fn signed(value: u64) -> io::Result<i64> {
    i64::try_from(value).map_err(|_| {
        let text = format!("expected integers of at most {}, found {value}: save it as float64", i64::MAX);
        io::Error::new(ErrorKind::Unsupported, text)
    })
}

/// The elements behind a header.
struct Elements<'a, R> {
    header: &'a Header,
    /// Whether the most significant byte of each comes first.
    is_big: bool,
    reader: &'a mut R,
}

impl<R: Read> Elements<'_, R> {
    /// - of: what an element is, of its bytes, the least significant first
    fn all<T: Clone, const N: usize>(&mut self, of: impl Fn([u8; N]) -> T) -> io::Result<ArrayD<T>> {
        self.try_all(|bytes| Ok(of(bytes)))
    }

    /// All elements, and nothing behind them. Memory grows with what is read.
    fn try_all<T: Clone, const N: usize>(&mut self, of: impl Fn([u8; N]) -> io::Result<T>) -> io::Result<ArrayD<T>> {
        let shape = IxDyn(&self.header.shape);
        let len = self.header.shape.iter().product::<usize>() as u64 * N as u64;
        let mut bytes = Vec::new();
        self.reader.by_ref().take(len).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < len {
            return Err(header::invalid(&format!("it ends after {} of {len} bytes of its array", bytes.len())));
        }
        if self.reader.read(&mut [0])? != 0 {
            return Err(header::invalid("it goes on behind its array"));
        }
        let element = |bytes: &[u8; N]| {
            let mut bytes = *bytes;
            if self.is_big {
                bytes.reverse();
            }
            of(bytes)
        };
        let values: Vec<T> = bytes.as_chunks().0.iter().map(element).collect::<io::Result<_>>()?;
        let shaped = match self.header.order {
            Order::C => ArrayD::from_shape_vec(shape, values),
            Order::Fortran => ArrayD::from_shape_vec(shape.f(), values),
        };
        let array = shaped.map_err(|error| header::invalid(&error.to_string()))?;
        Ok(if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() })
    }
}
