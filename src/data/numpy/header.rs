//! Headers of `.npy` files, as [NumPy's documentation](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
//! describes them. A header is a dictionary in Python of three entries, whose values are a text, a truth value and a tuple of
//! whole numbers. They are looked for here; what parses all of Python needs a C compiler.

use crate::data::element::{ByteOrder, Element};
use std::io::{self, Read, Write};

/// What the file begins with, before the version.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read; NumPy's have some hundred bytes.
const MAX_LEN: usize = 1 << 14;
/// What follows a header begins at a multiple of this.
const ALIGNMENT: usize = 64;

/// What a header says of the array behind it.
pub(in crate::data) struct Header {
    pub(in crate::data) element: Element,
    pub(in crate::data) byte_order: ByteOrder,
    pub(in crate::data) order: Order,
    pub(in crate::data) shape: Vec<usize>,
}

/// Which axis of an array is stored fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum Order {
    /// The last.
    C,
    /// The first.
    Fortran,
}

/// Reads and checks a header, and nothing behind it.
///
/// - most: how many numbers the array may have
///
/// # Errors
/// The system's, or what is wrong with it: of the kind `InvalidData`, or `Unsupported` where the elements are no numbers.
pub(super) fn read(reader: &mut impl Read, most: usize) -> io::Result<Header> {
    let mut bytes = Vec::new();
    let mut up_to = |count: usize, bytes: &mut Vec<u8>| {
        let read = reader.by_ref().take(count as u64).read_to_end(bytes)?;
        if read < count { Err(invalid("it ends in its header")) } else { Ok(()) }
    };
    up_to(8, &mut bytes)?;
    if !bytes.starts_with(MAGIC) {
        return Err(invalid("it does not begin with `\\x93NUMPY`"));
    }
    let len = match bytes[6] {
        1 => {
            up_to(2, &mut bytes)?;
            usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))
        }
        2 | 3 => {
            up_to(4, &mut bytes)?;
            u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize
        }
        version => return Err(invalid(&format!("it has the version {version} of the format, expected 1 to 3"))),
    };
    if len > MAX_LEN {
        return Err(invalid(&format!("its header has {len} bytes")));
    }
    let start = bytes.len();
    up_to(len, &mut bytes)?;
    let (text, order, shape) = parse(&String::from_utf8_lossy(&bytes[start..]))?;
    let len = shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis));
    if len.is_none_or(|len| len > most) {
        return Err(invalid(&format!("its header promises an array of {shape:?}, expected at most {most} numbers")));
    }
    let Some((element, byte_order)) = Element::of_numpy(&text) else {
        let problem = format!("expected an array of numbers or of bool, found one of `{text}`: save it as float32");
        return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
    };
    Ok(Header { element, byte_order, order, shape })
}

/// Writes the header of an array of 32-bit floats in C's order.
pub(super) fn write(file: &mut dyn Write, shape: &[usize]) -> io::Result<()> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", axes.trim_end());
    let before = MAGIC.len() + 4;
    // Its last character is a line break.
    let len = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
    text.push('\n');
    file.write_all(MAGIC)?;
    file.write_all(&[1, 0])?;
    // Some axes of at most twenty digits each: never as long as two bytes count.
    file.write_all(&(len as u16).to_le_bytes())?;
    file.write_all(text.as_bytes())
}

/// The type of the elements, as in `<f4`; of one that is no text, such as a record, what stands in its place. Then the order, and the
/// shape.
fn parse(text: &str) -> io::Result<(String, Order, Vec<usize>)> {
    let descr = entry(text, "descr")?;
    let element = match descr.chars().next() {
        Some(quote @ ('\'' | '"')) => descr[1..].split(quote).next().unwrap_or_default().to_owned(),
        _ => descr.chars().take(100).collect(),
    };
    let order = entry(text, "fortran_order")?;
    let order = if order.starts_with("True") {
        Order::Fortran
    } else if order.starts_with("False") {
        Order::C
    } else {
        return Err(invalid("its `fortran_order` is neither True nor False"));
    };
    let shape = entry(text, "shape")?.strip_prefix('(').and_then(|shape| shape.split_once(')'));
    let (shape, _) = shape.ok_or_else(|| invalid("its `shape` is no tuple"))?;
    // Python 2 wrote `3L`. The last axis has a comma behind it, or not.
    let axes = shape.split(',').map(|axis| axis.trim().trim_end_matches('L')).filter(|axis| !axis.is_empty());
    let axes: Option<Vec<usize>> = axes.map(|axis| axis.parse().ok()).collect();
    let shape = axes.ok_or_else(|| invalid("its `shape` has an axis that is no whole number, or too large"))?;
    Ok((element, order, shape))
}

/// What stands behind a name of the dictionary.
fn entry<'a>(text: &'a str, name: &str) -> io::Result<&'a str> {
    let behind = |quote: char| Some(text.split_once(&format!("{quote}{name}{quote}"))?.1);
    let value = behind('\'').or_else(|| behind('"')).and_then(|rest| rest.trim_start().strip_prefix(':'));
    value.map(str::trim_start).ok_or_else(|| invalid(&format!("its header has no `{name}`")))
}

pub(super) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
