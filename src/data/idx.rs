//! The IDX format of the [MNIST database](http://yann.lecun.com/exdb/mnist/): a header of big-endian dimensions, then
//! elements. [`read`] and [`read_file`] read unsigned bytes, which is what all files of the MNIST family hold;
//! [`IdxArray`] reads elements of every type and arrays of every number of dimensions.
//!
//! The header is validated before anything is allocated, and memory grows with the data that is read, so a file cannot
//! make the reader allocate more than twice its own (unpacked) size.

mod array;

pub use array::IdxArray;

use super::element::Element;
use super::gzip::{Unpacked, is_damage};
use super::open::open;
use crate::error::{Error, IdxFault, Result};
use crate::whole_file::write_whole;
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::path::Path;

/// The most elements that are read: 40 times the largest file of the MNIST family.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// Type byte of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;
/// The first two bytes of every gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads an IDX file, plain or gzip; the content decides which, not the name. Use [`read`] for a pipe or the standard
/// input.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened or read, or is a pipe or a device; [`Error::Idx`] if its content is not a
/// complete IDX file of unsigned bytes with 1 to 4 dimensions.
pub fn read_file(path: impl AsRef<Path>) -> Result<ArrayD<u8>> {
    let place = path.as_ref().display().to_string();
    match open(path.as_ref()) {
        Ok(file) => read(file, &place),
        Err(source) => Err(Error::Io { place, source }),
    }
}

/// Writes an array as an IDX file, compressed if the name ends in `.gz`. It is replaced atomically: a crash leaves the
/// old file or the new one.
///
/// # Errors
/// [`Error::Data`] unless the array has 1 to 4 axes without a zero and at most 2^31 elements, [`Error::NotWritten`] if
/// it cannot be written.
///
/// ```
/// use inkstone::data::idx;
/// use inkstone::ndarray::{Array3, ArrayD};
/// let path = tempfile::tempdir().unwrap().keep().join("images-idx3-ubyte.gz");
/// let images = Array3::from_shape_fn((2, 3, 3), |(n, y, x)| (n * 9 + y * 3 + x) as u8);
/// idx::write_file(&path, images.view().into_dyn())?;
/// assert_eq!(idx::read_file(&path)?, images.into_dyn());
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn write_file(path: impl AsRef<Path>, array: ArrayViewD<'_, u8>) -> Result<()> {
    let shape = array.shape();
    if !(1..=4).contains(&shape.len()) || shape.contains(&0) || array.len() > MAX_ELEMENTS {
        return Err(Error::Data(format!(
            "an IDX file has 1 to 4 axes without a zero, and at most {MAX_ELEMENTS} elements, got an array of {shape:?}"
        )));
    }
    let mut header = vec![0, 0, UNSIGNED_BYTE, shape.len() as u8];
    shape.iter().for_each(|axis| header.extend((*axis as u32).to_be_bytes()));
    let array = array.as_standard_layout();
    let elements = array.as_slice().unwrap_or_default();
    let path = path.as_ref();
    write_whole(path, |file| {
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut encoder = GzEncoder::new(file, Compression::default());
            encoder.write_all(&header)?;
            encoder.write_all(elements)?;
            return encoder.finish().map(drop);
        }
        file.write_all(&header)?;
        file.write_all(elements)
    })
}

/// Reads IDX data, plain or gzip, to its end; `place` names it in errors.
///
/// # Errors
/// As [`read_file`].
///
/// ```
/// let labels = [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1];
/// let array = inkstone::data::idx::read(&labels[..], "labels")?;
/// assert_eq!(array.as_slice(), Some(&[7, 2, 1][..]));
///
/// let error = inkstone::data::idx::read(&labels[..10], "labels").unwrap_err();
/// assert_eq!(error.to_string(), "labels: expected 3 bytes of data for 3, the file ends after 2");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read(reader: impl Read, place: &str) -> Result<ArrayD<u8>> {
    unpacked(reader, place, &mut |reader| {
        let (header, shape) = read_header(&mut *reader, MAX_ELEMENTS)?;
        if header.element != Element::U8 {
            return Err(IdxFault::ElementType { found: header.number }.into());
        }
        if !(1..=4).contains(&shape.len()) {
            return Err(IdxFault::Dimensions { found: shape.len() as u8 }.into());
        }
        let data = read_data(reader, &shape, 1)?;
        let (expected, found) = (data.len(), data.len());
        ArrayD::from_shape_vec(IxDyn(&shape), data).map_err(|_| IdxFault::Truncated { shape, expected, found }.into())
    })
}

/// The type of the elements and the lengths of the axes of a file that is not compressed, however many elements it has; what
/// is read next are the elements.
pub(super) fn header_of_file(file: &mut File, place: &str) -> Result<(Element, Vec<usize>)> {
    let (header, shape) = read_header(file, usize::MAX).map_err(|fault| fault.at(place))?;
    Ok((header.element, shape))
}

/// What `parse` makes of IDX data, plain or gzip.
fn unpacked<T>(reader: impl Read, place: &str, parse: &mut Parse<'_, T>) -> Result<T> {
    let mut reader = BufReader::new(reader);
    let at_place = |fault: Fault| fault.at(place);
    let mut start = Vec::new();
    read_up_to(&mut reader, GZIP.len(), &mut start).map_err(|error| at_place(Fault::Io(error)))?;
    let compressed = start == GZIP;
    let mut whole = Cursor::new(start).chain(reader);
    if compressed {
        parse(&mut Unpacked::new(whole)).map_err(Fault::in_gzip).map_err(at_place)
    } else {
        parse(&mut whole).map_err(at_place)
    }
}

/// Parses what is unpacked.
type Parse<'a, T> = dyn FnMut(&mut dyn Read) -> std::result::Result<T, Fault> + 'a;

/// Who is at fault: the environment or the content.
enum Fault {
    Io(io::Error),
    Content(IdxFault),
}

impl From<IdxFault> for Fault {
    fn from(fault: IdxFault) -> Self {
        Self::Content(fault)
    }
}

impl Fault {
    fn at(self, place: &str) -> Error {
        match self {
            Self::Io(source) => Error::Io { place: place.to_owned(), source },
            Self::Content(fault) => Error::Idx { place: place.to_owned(), fault },
        }
    }

    fn in_gzip(self) -> Self {
        match self {
            Self::Io(error) if is_damage(&error) => Self::Content(IdxFault::Gzip(error)),
            other => other,
        }
    }
}

/// The bytes of all elements, after which there is nothing.
///
/// - width: bytes of an element
fn read_data(reader: &mut dyn Read, shape: &[usize], width: usize) -> std::result::Result<Vec<u8>, Fault> {
    let Some(expected) = shape.iter().try_fold(width, |len, axis| len.checked_mul(*axis)) else {
        return Err(IdxFault::TooLarge { shape: shape.to_vec(), limit: usize::MAX / width }.into());
    };
    let mut data = Vec::new();
    read_up_to(&mut *reader, expected, &mut data).map_err(Fault::Io)?;
    if data.len() < expected {
        return Err(IdxFault::Truncated { shape: shape.to_vec(), expected, found: data.len() }.into());
    }
    if read_up_to(reader, 1, &mut Vec::new()).map_err(Fault::Io)? > 0 {
        return Err(IdxFault::TooLong { shape: shape.to_vec(), expected }.into());
    }
    data.shrink_to_fit();
    Ok(data)
}

/// What a header says besides the shape.
struct Header {
    /// The type of the elements, and its number in the file.
    element: Element,
    number: u8,
}

/// Reads and checks the header: the type and the dimensions, of at most so many elements.
fn read_header(reader: &mut dyn Read, most: usize) -> std::result::Result<(Header, Vec<usize>), Fault> {
    let mut header = Vec::new();
    read_up_to(&mut *reader, 4, &mut header).map_err(Fault::Io)?;
    let [zero, other_zero, number, dimensions] = header[..] else {
        return Err(IdxFault::ShortHeader { expected: 4, found: header.len() }.into());
    };
    if (zero, other_zero) != (0, 0) {
        return Err(IdxFault::Magic { found: [zero, other_zero] }.into());
    }
    let Some(element) = Element::of_idx(number) else {
        return Err(IdxFault::ElementType { found: number }.into());
    };
    if dimensions == 0 {
        return Err(IdxFault::Dimensions { found: dimensions }.into());
    }
    let expected = 4 + 4 * usize::from(dimensions);
    read_up_to(reader, expected - 4, &mut header).map_err(Fault::Io)?;
    if header.len() < expected {
        return Err(IdxFault::ShortHeader { expected, found: header.len() }.into());
    }
    let shape: Vec<usize> = header[4..].as_chunks().0.iter().map(|axis| u32::from_be_bytes(*axis) as usize).collect();
    if shape.contains(&0) {
        return Err(IdxFault::ZeroDimension { shape }.into());
    }
    let len = shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis));
    if len.is_none_or(|len| len > most) {
        return Err(IdxFault::TooLarge { shape, limit: most }.into());
    }
    Ok((Header { element, number }, shape))
}

/// Appends up to `count` bytes, fewer only at the end of the input.
fn read_up_to(reader: impl Read, count: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
    reader.take(count as u64).read_to_end(bytes)
}
