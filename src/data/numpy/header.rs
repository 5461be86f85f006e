//! Headers of `.npy` files: looked at before they are parsed, as they are Python, which may be nested without end.

use super::super::idx::MAX_ELEMENTS;
use npyz::NpyHeader;
use std::io::{self, Read};

/// What the file begins with, before the version.
const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read; NumPy's have some hundred bytes.
const MAX_LEN: usize = 1 << 14;
/// How deep brackets may be nested.
const MAX_DEPTH: usize = 8;

/// Reads and checks a header, and nothing behind it.
///
/// - most: how many numbers the array may have
///
/// # Errors
/// The system's, or of the kind `InvalidData` what is wrong with it.
pub(super) fn read(reader: &mut impl Read, most: usize) -> io::Result<NpyHeader> {
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
        _ => {
            up_to(4, &mut bytes)?;
            u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize
        }
    };
    if len > MAX_LEN {
        return Err(invalid(&format!("its header has {len} bytes")));
    }
    let start = bytes.len();
    up_to(len, &mut bytes)?;
    check_text(&bytes[start..])?;
    let header = NpyHeader::from_reader(&bytes[..])?;
    let len = header.shape().iter().try_fold(1_u64, |len, axis| len.checked_mul(*axis));
    if len.is_none_or(|len| len > most as u64) {
        // Of an archive, less than that are left.
        return Err(invalid(&format!(
            "its header promises an array of {:?}, expected at most {most} numbers, as a file has at most {MAX_ELEMENTS}",
            header.shape()
        )));
    }
    Ok(header)
}

/// Whether a text can be parsed without harm: its depth, and the product of its numbers, which are the axes.
fn check_text(text: &[u8]) -> io::Result<()> {
    let (mut depth, mut product, mut number) = (0_usize, 1_u64, None);
    for byte in text.iter().chain(b" ") {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let digit = char::from(*byte).to_digit(10).map(u64::from);
        number = match (number, digit) {
            (before, Some(digit)) => {
                before.unwrap_or(0_u64).checked_mul(10).and_then(|number| number.checked_add(digit)).map(Some)
            }
            (Some(number), None) => {
                product = product
                    .checked_mul(number.max(1))
                    .ok_or_else(|| invalid("its header promises more than any array has"))?;
                Some(None)
            }
            (None, None) => Some(None),
        }
        .ok_or_else(|| invalid("its header promises more than any array has"))?;
        if depth > MAX_DEPTH {
            return Err(invalid("its header is nested too deep"));
        }
    }
    Ok(())
}

pub(super) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
