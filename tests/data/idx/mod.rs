//! The IDX reader: what it reads, the error for each thing that can be wrong with a file, and the memory it takes.

mod compressed;
mod header;
mod places;
mod random;
mod types;
mod writing;

use flate2::Compression;
use flate2::write::GzEncoder;
use inkstone::data::idx::{read, read_file, write_file};
use inkstone::{Error, IdxFault};
use ndarray::{ArrayD, Dimension};
use proptest::prelude::*;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// An IDX file of these dimensions and bytes.
fn file(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|axis| bytes.extend(axis.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip_at(level: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(Compression::default(), bytes)
}

fn error(bytes: &[u8]) -> String {
    read(bytes, "some file").unwrap_err().to_string()
}

/// Fails unless these bytes, plain and compressed, from memory and from a file, are refused with this text, and the
/// place named before it.
#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("plain", bytes), ("plain.gz", &gzip(bytes)[..])] {
        assert_eq!(error(bytes), format!("some file: {expected}"), "{name}");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = read_file(&path).unwrap_err();
        assert!(matches!(error, Error::Idx { .. }), "{name}");
        assert_eq!(error.to_string(), format!("{}: {expected}", path.display()), "{name}");
    }
}

#[test]
fn one_to_four_dimensions_are_read_plain_and_compressed() {
    let data: Vec<u8> = (0..24).collect();
    for shape in [&[24][..], &[4, 6], &[2, 3, 4], &[2, 3, 2, 2]] {
        let plain = file(shape, &data);
        for bytes in [plain.clone(), gzip(&plain), gzip_at(Compression::none(), &plain)] {
            let array = read(&bytes[..], "f").unwrap();
            assert_eq!(array.shape(), shape.iter().map(|axis| *axis as usize).collect::<Vec<_>>());
            assert_eq!(array.as_slice().unwrap(), data);
        }
    }
}

#[test]
fn compression_is_told_by_content_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let plain = file(&[3], &[7, 8, 9]);
    for (name, bytes) in [("plain.gz", plain.clone()), ("compressed", gzip(&plain))] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_file(&path).unwrap().as_slice(), Some(&[7, 8, 9][..]), "{name}");
    }
}

#[test]
fn a_reader_that_gives_one_byte_at_a_time_is_read_to_its_end() {
    struct Trickle<R>(R);
    impl<R: Read> Read for Trickle<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(1);
            self.0.read(&mut buffer[..len])
        }
    }
    let plain = file(&[2, 2], &[1, 2, 3, 4]);
    for bytes in [plain.clone(), gzip(&plain), [gzip(&plain[..5]), gzip(&plain[5..])].concat()] {
        assert_eq!(read(Trickle(&bytes[..]), "f").unwrap().as_slice(), Some(&[1, 2, 3, 4][..]));
    }
}

/// Every other read fails with this kind of error.
struct Failing<'a>(&'a [u8], io::ErrorKind, bool);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 { Err(io::Error::new(self.1, "the disk is tired")) } else { self.0.read(buffer) }
    }
}

#[test]
fn a_reader_that_is_interrupted_is_asked_again() {
    let plain = file(&[2, 2], &[1, 2, 3, 4]);
    for bytes in [plain.clone(), gzip(&plain)] {
        let array = read(Failing(&bytes, io::ErrorKind::Interrupted, false), "f").unwrap();
        assert_eq!(array.as_slice(), Some(&[1, 2, 3, 4][..]));
    }
}

#[test]
fn a_disk_that_fails_is_not_called_a_damaged_file() {
    let plain = file(&[2, 2], &[1, 2, 3, 4]);
    for bytes in [plain.clone(), gzip(&plain)] {
        for fails_first in [false, true] {
            let error = read(Failing(&bytes, io::ErrorKind::Other, fails_first), "f").unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{error}");
            assert_eq!(error.to_string(), "f: the disk is tired");
        }
    }
}
