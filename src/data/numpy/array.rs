//! The array of a `.npy` file.

use super::header;
use crate::data::gzip::is_damage;
use crate::error::{Error, Result};
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar};
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
    /// Of `float32`, and of `float64` the nearest to each.
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
    let fault = |error: io::Error| match error.kind() {
        // What `signed` says.
        ErrorKind::Unsupported => Error::Data(format!("{place}: {error}")),
        _ if is_damage(&error) => {
            Error::Data(format!("{place}: expected a whole NumPy array, found something else: {error}"))
        }
        _ => Error::Io { place: place.to_owned(), source: error },
    };
    let header = header::read(&mut reader, most).map_err(fault)?;
    let described = header.dtype().descr();
    let other = || {
        let shown: String = described.chars().take(100).collect();
        Error::Data(format!(
            "{place}: expected an array of numbers or of bool, found one of {shown}: save it as float32"
        ))
    };
    let DType::Plain(element) = header.dtype() else { return Err(other()) };
    let array = match (element.type_char(), element.size_field()) {
        (TypeChar::Uint, 1) => elements(header, &mut reader, |value: u8| value).map(NpyArray::Bytes),
        (TypeChar::Float, 4) => elements(header, &mut reader, |value: f32| value).map(NpyArray::Floats),
        (TypeChar::Float, 8) => elements(header, &mut reader, |value: f64| value as f32).map(NpyArray::Floats),
        (TypeChar::Bool, _) => elements(header, &mut reader, |value: bool| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Int, 1) => elements(header, &mut reader, |value: i8| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Int, 2) => elements(header, &mut reader, |value: i16| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Int, 4) => elements(header, &mut reader, |value: i32| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Int, 8) => elements(header, &mut reader, |value: i64| value).map(NpyArray::Integers),
        (TypeChar::Uint, 2) => elements(header, &mut reader, |value: u16| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Uint, 4) => elements(header, &mut reader, |value: u32| i64::from(value)).map(NpyArray::Integers),
        (TypeChar::Uint, 8) => try_elements(header, &mut reader, signed).map(NpyArray::Integers),
        _ => return Err(other()),
    };
    array.map_err(fault)
}

/// An integer of `uint64`, most of which are small.
fn signed(value: u64) -> io::Result<i64> {
    i64::try_from(value).map_err(|_| {
        let text = format!("expected integers of at most {}, found {value}: save it as float64", i64::MAX);
        io::Error::new(ErrorKind::Unsupported, text)
    })
}

fn elements<T: Deserialize, U: Clone>(
    header: NpyHeader,
    reader: &mut impl Read,
    of: impl Fn(T) -> U,
) -> io::Result<ArrayD<U>> {
    try_elements(header, reader, |value| Ok(of(value)))
}

/// All elements, and nothing behind them. Memory grows with what is read.
fn try_elements<T: Deserialize, U: Clone>(
    header: NpyHeader,
    reader: &mut impl Read,
    of: impl Fn(T) -> io::Result<U>,
) -> io::Result<ArrayD<U>> {
    let shape: Vec<usize> = header.shape().iter().map(|axis| *axis as usize).collect();
    let order = header.order();
    let data =
        NpyFile::with_header(header, &mut *reader).data::<T>().map_err(|error| header::invalid(&error.to_string()))?;
    let mut values = Vec::new();
    for value in data {
        values.push(of(value?)?);
    }
    values.shrink_to_fit();
    if reader.read(&mut [0])? != 0 {
        return Err(header::invalid("it goes on behind its array"));
    }
    let shaped = match order {
        Order::C => ArrayD::from_shape_vec(IxDyn(&shape), values),
        Order::Fortran => ArrayD::from_shape_vec(IxDyn(&shape).f(), values),
    };
    let array = shaped.map_err(|error| header::invalid(&error.to_string()))?;
    Ok(if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() })
}
