//! The IDX reader: what it reads, and the error for each thing that can be wrong with a file.

use byteorder::{BigEndian, WriteBytesExt};
use flate2::Compression;
use flate2::write::GzEncoder;
use inkstone::data::idx::{read, read_file};
use proptest::prelude::*;
use std::io::{self, Read, Write};

/// An IDX file of these dimensions and bytes.
fn file(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|axis| bytes.write_u32::<BigEndian>(*axis).unwrap());
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn error(bytes: &[u8]) -> String {
    read(bytes, "some file").unwrap_err().to_string()
}

#[test]
fn one_to_four_dimensions_are_read_plain_and_compressed() {
    let data: Vec<u8> = (0..24).collect();
    for shape in [&[24][..], &[4, 6], &[2, 3, 4], &[2, 3, 2, 2]] {
        let plain = file(shape, &data);
        for bytes in [plain.clone(), gzip(&plain)] {
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
fn a_stream_of_several_gzip_members_is_one_file() {
    let plain = file(&[3], &[7, 8, 9]);
    let mut bytes = gzip(&plain[..6]);
    bytes.extend(gzip(&plain[6..]));
    assert_eq!(read(&bytes[..], "f").unwrap().as_slice(), Some(&[7, 8, 9][..]));
}

/// Gives one byte at a time, as a slow connection may.
struct Trickle<R>(R);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

#[test]
fn a_reader_that_trickles_is_read_to_its_end() {
    for bytes in [file(&[2, 2], &[1, 2, 3, 4]), gzip(&file(&[2, 2], &[1, 2, 3, 4]))] {
        assert_eq!(read(Trickle(&bytes[..]), "f").unwrap().as_slice(), Some(&[1, 2, 3, 4][..]));
    }
}

#[test]
fn a_header_cut_short_is_told_at_every_length() {
    let whole = file(&[2, 2], &[1, 2, 3, 4]);
    for len in 0..12 {
        let expected = if len < 4 { 4 } else { 12 };
        let message = format!("some file: expected an IDX header of {expected} bytes, the file ends after {len}");
        assert_eq!(error(&whole[..len]), message);
    }
}

#[test]
fn each_field_of_the_header_has_an_error_of_its_own() {
    assert_eq!(
        error(b"\x89PNG\r\n"),
        "some file: expected an IDX file, whose first two bytes are 0 0, found 0x89 0x50"
    );
    assert_eq!(
        error(&[0, 0, 13, 1, 0, 0, 0, 1]),
        "some file: expected elements of type 0x08 (unsigned byte), found type 0x0d"
    );
    assert_eq!(error(&[0, 0, 8, 0]), "some file: expected 1 to 4 dimensions, found 0");
    assert_eq!(error(&file(&[1; 5], &[1])), "some file: expected 1 to 4 dimensions, found 5");
    assert_eq!(error(&file(&[2, 0], &[])), "some file: expected dimensions of at least 1, found 2 x 0");
    assert_eq!(
        error(&file(&[u32::MAX; 4], &[])),
        "some file: expected at most 2147483648 elements, the header promises \
         4294967295 x 4294967295 x 4294967295 x 4294967295"
    );
    assert_eq!(
        error(&file(&[1 << 16, 1 << 16], &[])),
        "some file: expected at most 2147483648 elements, the header promises 65536 x 65536"
    );
}

#[test]
fn a_file_shorter_or_longer_than_its_header_says_is_refused() {
    let (short, long) = (file(&[2, 3], &[0; 5]), file(&[2, 3], &[0; 7]));
    for (short, long) in [(short.clone(), long.clone()), (gzip(&short), gzip(&long))] {
        assert_eq!(error(&short), "some file: expected 6 bytes of data for 2 x 3, the file ends after 5");
        assert_eq!(error(&long), "some file: expected 6 bytes of data for 2 x 3, the file goes on after them");
    }
}

#[test]
fn a_damaged_gzip_stream_is_told_from_a_damaged_file() {
    let whole = gzip(&file(&[200], &(0..200).collect::<Vec<u8>>()));
    let mut bad_checksum = whole.clone();
    let crc = whole.len() - 8;
    bad_checksum[crc] ^= 1;
    let mut garbage_after = whole.clone();
    garbage_after.extend(b"garbage");
    let mut bad_block = whole.clone();
    bad_block[10] = 0xff;
    for (what, bytes) in [
        ("truncated", &whole[..whole.len() / 2]),
        ("without its trailer", &whole[..whole.len() - 4]),
        ("wrong checksum", &bad_checksum),
        ("garbage after it", &garbage_after),
        ("bad block", &bad_block),
        ("magic only", &whole[..2]),
    ] {
        let error = error(bytes);
        assert!(error.starts_with("some file: expected a whole gzip stream, found a damaged one ("), "{what}: {error}");
        assert!(error.ends_with("): fetch the file again"), "{what}: {error}");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_errors_that_name_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for path in [&missing, folder.path()] {
        let error = read_file(path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
    }
}

/// Zeros without end, which notes how many were taken.
struct Endless<'a>(&'a [u8], &'a mut usize, usize);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.0.is_empty() {
            return self.0.read(buffer);
        }
        let len = buffer.len().min(self.2 - *self.1);
        *self.1 += len;
        Ok(len)
    }
}

/// The reader's memory cannot be measured without `unsafe`, but it is bounded by what it was given to fill: a buffer of
/// the promised 2 GiB would be offered to `read` at once.
#[test]
fn a_hostile_header_does_not_make_the_reader_allocate_what_it_promises() {
    struct Largest<'a>(&'a [u8], &'a mut usize);
    impl Read for Largest<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            *self.1 = (*self.1).max(buffer.len());
            self.0.read(buffer)
        }
    }
    let bytes = file(&[1 << 31], &[0; 10]);
    let mut largest = 0;
    let error = read(Largest(&bytes, &mut largest), "f").unwrap_err().to_string();
    assert_eq!(error, "f: expected 2147483648 bytes of data for 2147483648, the file ends after 10");
    assert!(largest <= 64 * 1024, "a buffer of {largest} bytes was offered");
}

#[test]
fn a_file_without_end_is_read_no_further_than_its_header_says() {
    let mut taken = 0;
    let error = read(Endless(&file(&[1000], &[]), &mut taken, 1 << 30), "f").unwrap_err().to_string();
    assert_eq!(error, "f: expected 1000 bytes of data for 1000, the file goes on after them");
    assert!(taken < 100_000, "{taken} bytes were read");
}

proptest! {
    #[test]
    fn any_bytes_give_an_error_or_an_array_of_the_right_size(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(array) = read(&bytes[..], "f") {
            prop_assert!(!array.is_empty());
            prop_assert_eq!(array.len() + 4 + 4 * array.ndim(), bytes.len());
        }
    }

    #[test]
    fn what_was_written_is_read_and_damage_never_panics(
        shape in proptest::collection::vec(1..5_u32, 1..=4), seed: u8, compress: bool,
        place: prop::sample::Index, with: u8,
    ) {
        let len: u32 = shape.iter().product();
        let data: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect();
        let plain = file(&shape, &data);
        let mut bytes = if compress { gzip(&plain) } else { plain };
        let array = read(&bytes[..], "f").unwrap();
        prop_assert_eq!(array.as_slice().unwrap(), &data[..]);
        let place = place.index(bytes.len());
        bytes[place] = with;
        if let Ok(array) = read(&bytes[..], "f") {
            prop_assert_eq!(array.len(), data.len());
        }
        prop_assert!(read(&bytes[..place], "f").is_err());
    }
}
