//! An array in a file, of which some examples are read at a time: IDX, not compressed, and NumPy's `.npy` in C's order.

use crate::data::element::{ByteOrder, Element};
use crate::data::idx;
#[cfg(feature = "numpy")]
use crate::data::numpy;
use crate::data::open::open;
use crate::error::{Error, Result};
use crate::short_floats::half;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// A gap of fewer bytes between two examples is read with them, as each read takes its own time.
const GAP_BYTES: usize = 1 << 16;

/// The array of an open file.
#[derive(Debug)]
pub(super) struct ArrayFile {
    file: File,
    pub(super) place: String,
    /// Where its elements begin.
    start: u64,
    element: Element,
    order: ByteOrder,
    /// (N, and the axes of an example).
    pub(super) shape: Vec<usize>,
    /// How many bytes of examples have been read.
    #[cfg(test)]
    pub(super) bytes_read: usize,
}

/// An element's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

/// What a header says: the type and the order of the bytes of the elements, and the lengths of the axes.
type Header = (Element, ByteOrder, Vec<usize>);

impl ArrayFile {
    /// Opens a file, and checks that it has what its header promises.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened; [`Error::Idx`] or [`Error::Data`] if it is no whole array of such a format.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let io = |source| Error::Io { place: place.clone(), source };
        let mut file = open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(Error::Data(format!("{place}: expected a file of an array, found a folder")));
        }
        let (element, order, shape) = header(&mut file, &place)?;
        let start = file.stream_position().map_err(io)?;
        let found = file.metadata().map_err(io)?.len() - start;
        let len = shape.iter().try_fold(element.width() as u64, |len, axis| len.checked_mul(*axis as u64));
        if len != Some(found) || found == 0 {
            let expected = len.map_or("too many".to_owned(), |len| len.to_string());
            return Err(Error::Data(format!(
                "{place}: expected {expected} bytes behind the header, for an array of {shape:?}, found {found}: it was cut off, or is \
                 no such file"
            )));
        }
        Ok(Self {
            file,
            place,
            start,
            element,
            order,
            shape,
            #[cfg(test)]
            bytes_read: 0,
        })
    }

    /// How many examples there are.
    pub(super) fn examples(&self) -> usize {
        self.shape[0]
    }

    pub(super) fn element(&self) -> Element {
        self.element
    }

    /// How many elements an example has.
    pub(super) fn len_of_one(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// How many bytes an example has.
    fn stride(&self) -> u64 {
        (self.len_of_one() * self.element.width()) as u64
    }

    /// Where an example lies, for errors.
    pub(super) fn at(&self, example: usize) -> String {
        format!("{}, example {example}, at byte {}", self.place, self.start + example as u64 * self.stride())
    }

    /// Reads those examples that are needed, neighbours at once, and gives each run of them.
    ///
    /// - first: the one that `needed` begins with; give: gets a run's first example and its bytes
    ///
    /// # Errors
    /// Those of [`read`](Self::read) and of `give`.
    pub(super) fn read_needed(
        &mut self,
        first: usize,
        needed: &[bool],
        bytes: &mut Vec<u8>,
        mut give: impl FnMut(&Self, usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let stride = self.stride() as usize;
        for piece in runs(needed, (GAP_BYTES - 1) / stride) {
            let start = first + piece.start;
            self.read(start, piece.len(), bytes)?;
            for run in runs(&needed[piece], 0) {
                give(self, start + run.start, &bytes[run.start * stride..run.end * stride])?;
            }
        }
        Ok(())
    }

    /// Reads the bytes of some examples.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Data`] with the file and where in it they lie.
    fn read(&mut self, first: usize, count: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let start = self.start + first as u64 * self.stride();
        let len = count * self.stride() as usize;
        bytes.resize(len, 0);
        #[cfg(test)]
        {
            self.bytes_read += len;
        }
        let file = &mut self.file;
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(bytes)).map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => Error::Data(format!(
                "{}: expected the examples {first} to {} at the bytes {start} to {}, the file ends before that: it was cut off while it \
                 was read",
                self.place,
                first + count - 1,
                start + len as u64
            )),
            _ => Error::Io { place: format!("{}, at byte {start}", self.place), source },
        })
    }

    /// Adds the values of elements that have been read, as floats.
    pub(super) fn floats(&self, bytes: &[u8], values: &mut Vec<f32>) {
        if self.element != Element::F32 {
            return values.extend(self.numbers(bytes).map(Number::as_f32));
        }
        let floats = bytes.as_chunks().0.iter();
        match self.order {
            ByteOrder::Little => values.extend(floats.map(|bytes| f32::from_le_bytes(*bytes))),
            ByteOrder::Big => values.extend(floats.map(|bytes| f32::from_be_bytes(*bytes))),
        }
    }

    /// The values of elements that have been read.
    pub(super) fn numbers<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Number> + use<'a> {
        let (element, order) = (self.element, self.order);
        bytes.chunks_exact(element.width()).map(move |bytes| {
            let mut low_first = [0; 8];
            let low_first_of = &mut low_first[..bytes.len()];
            low_first_of.copy_from_slice(bytes);
            if order == ByteOrder::Big {
                low_first_of.reverse();
            }
            element.number(low_first)
        })
    }
}

/// The runs of those that are needed; of two with at most so many others in between, one is made.
fn runs(needed: &[bool], gap: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in needed.iter().enumerate().filter(|(_, needed)| **needed) {
        match runs.last_mut() {
            Some(last) if at - last.end <= gap => last.end = at + 1,
            Some(_) | None => runs.push(at..at + 1),
        }
    }
    runs
}

impl Element {
    /// - bytes: the least significant first, and zeros behind them
    fn number(self, bytes: [u8; 8]) -> Number {
        let (word, bits) = (u64::from_le_bytes(bytes), 8 * self.width());
        let signed = i128::from((word << (64 - bits)).cast_signed() >> (64 - bits));
        match self {
            Self::Bool => Number::Whole((word != 0).into()),
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Number::Whole(word.into()),
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => Number::Whole(signed),
            Self::F16 => Number::Float(half(word as u16).into()),
            Self::F32 => Number::Float(f32::from_bits(word as u32).into()),
            Self::F64 => Number::Float(f64::from_bits(word)),
        }
    }
}

impl Number {
    /// The nearest float.
    pub(super) fn as_f32(self) -> f32 {
        match self {
            Self::Whole(value) => value as f32,
            Self::Float(value) => value as f32,
        }
    }

    /// The class of this number, if it is one.
    pub(super) fn as_class(self) -> Option<usize> {
        match self {
            Self::Whole(value) => value.try_into().ok(),
            Self::Float(value) => (value >= 0.0 && value.fract() == 0.0).then_some(value as usize),
        }
    }
}

/// As errors show it.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// Reads the header of a file of one of the formats, which its first bytes tell.
fn header(file: &mut File, place: &str) -> Result<Header> {
    let io = |source| Error::Io { place: place.to_owned(), source };
    let mut first = Vec::new();
    file.by_ref().take(6).read_to_end(&mut first).map_err(io)?;
    file.rewind().map_err(io)?;
    match first[..] {
        [0x93, b'N', ..] => numpy_header(file, place),
        [0x1f, 0x8b, ..] => Err(Error::Data(format!(
            "{place}: expected a file that is not compressed, as parts of it are read, found gzip: unpack it first, as with `gunzip`"
        ))),
        _ => idx::header_of_file(file, place).map(|(element, shape)| (element, ByteOrder::Big, shape)),
    }
}

#[cfg(feature = "numpy")]
fn numpy_header(file: &mut File, place: &str) -> Result<Header> {
    let header = numpy::header_of_file(file, place)?;
    if header.order == numpy::Order::Fortran && header.shape.len() > 1 {
        return Err(Error::Data(format!(
            "{place}: expected an array in C's order, whose examples lie one after the other, found one in Fortran's: save \
             `numpy.ascontiguousarray(array)`"
        )));
    }
    if header.shape.is_empty() {
        return Err(Error::Data(format!("{place}: expected an array of examples, found a single number")));
    }
    Ok((header.element, header.byte_order, header.shape))
}

#[cfg(not(feature = "numpy"))]
fn numpy_header(_: &mut File, place: &str) -> Result<Header> {
    Err(Error::Data(format!("{place}: expected an IDX file, found one of NumPy's: switch on the feature `numpy`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_those_near_them_are_one_run() {
        let needed = [1, 1, 0, 1, 0, 0, 0, 1, 1, 0].map(|needed| needed == 1);
        assert_eq!(runs(&needed, 0), [0..2, 3..4, 7..9]);
        assert_eq!(runs(&needed, 1), [0..4, 7..9]);
        assert_eq!(runs(&needed, 3).len(), 1);
        assert!(runs(&[false; 3], 5).is_empty());
    }
}
