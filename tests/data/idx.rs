//! The IDX reader: what it reads, the error for each thing that can be wrong with a file, and the memory it takes.

use byteorder::{BigEndian, WriteBytesExt};
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

/// The most bytes on the heap while `work` runs, with the little that other tests allocate at the same time.
fn peak(work: impl FnOnce()) -> usize {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _profiler = dhat::Profiler::builder().testing().build();
    work();
    dhat::HeapStats::get().max_bytes
}

/// An IDX file of these dimensions and bytes.
fn file(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|axis| bytes.write_u32::<BigEndian>(*axis).unwrap());
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

/// Fails unless these bytes are refused as a damaged gzip stream. The reason in the brackets is the decoder's own words.
#[track_caller]
fn refused_as_damaged(bytes: &[u8]) {
    let error = read(bytes, "some file").unwrap_err();
    let Error::Idx { place, fault: IdxFault::Gzip(reason) } = &error else {
        panic!("expected a damaged gzip stream, got: {error}");
    };
    assert_eq!(place, "some file");
    assert_eq!(
        error.to_string(),
        format!("some file: expected a whole gzip stream, found a damaged one ({reason}): fetch the file again")
    );
}

/// A compressed file, whose data barely compress.
fn compressed() -> Vec<u8> {
    gzip(&file(&[200], &(0..200).map(|i: u8| i.wrapping_mul(167) ^ 0x5a).collect::<Vec<_>>()))
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
fn a_stream_of_several_gzip_members_is_one_file_wherever_it_is_cut() {
    let plain = file(&[3], &[7, 8, 9]);
    for cut in 0..=plain.len() {
        let bytes = [gzip(&plain[..cut]), gzip(b""), gzip(&plain[cut..])].concat();
        assert_eq!(read(&bytes[..], "f").unwrap().as_slice(), Some(&[7, 8, 9][..]), "cut at {cut}");
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

#[test]
fn an_empty_file_is_refused() {
    refused(b"", "expected an IDX header of 4 bytes, the file ends after 0");
}

#[test]
fn a_header_cut_short_is_told_at_every_length() {
    for dimensions in 1..=4 {
        let whole = file(&vec![1; dimensions], &[]);
        for len in 0..whole.len() {
            let expected = if len < 4 { 4 } else { 4 + 4 * dimensions };
            let message = format!("expected an IDX header of {expected} bytes, the file ends after {len}");
            refused(&whole[..len], &message);
        }
    }
}

#[test]
fn a_file_of_another_format_is_refused() {
    refused(b"\x89PNG\r\n\x1a\n", "expected an IDX file, whose first two bytes are 0 0, found 0x89 0x50");
    refused(&[0, 1, 8, 1, 0, 0, 0, 1, 7], "expected an IDX file, whose first two bytes are 0 0, found 0x00 0x01");
}

#[test]
fn a_stream_compressed_twice_is_refused() {
    let twice = gzip(&gzip(&file(&[1], &[7])));
    assert_eq!(error(&twice), "some file: expected an IDX file, whose first two bytes are 0 0, found 0x1f 0x8b");
}

#[test]
fn other_element_types_are_refused() {
    for element in [0, 7, 9, 0x0b, 0x0c, 0x0d, 0x0e, 255] {
        let message = format!("expected elements of type 0x08 (unsigned byte), found type {element:#04x}");
        refused(&[0, 0, element, 1, 0, 0, 0, 1, 7], &message);
    }
}

#[test]
fn no_dimension_and_more_than_four_are_refused() {
    refused(&file(&[], &[7]), "expected 1 to 4 dimensions, found 0");
    refused(&file(&[1; 5], &[7]), "expected 1 to 4 dimensions, found 5");
    refused(&file(&[1; 255], &[7]), "expected 1 to 4 dimensions, found 255");
}

#[test]
fn a_dimension_of_zero_is_refused() {
    refused(&file(&[0], &[]), "expected dimensions of at least 1, found 0");
    refused(&file(&[60_000, 0, 28], &[]), "expected dimensions of at least 1, found 60000 x 0 x 28");
    refused(
        &file(&[u32::MAX, u32::MAX, u32::MAX, 0], &[]),
        "expected dimensions of at least 1, found 4294967295 x 4294967295 x 4294967295 x 0",
    );
}

#[test]
fn dimensions_whose_product_overflows_are_refused() {
    refused(
        &file(&[u32::MAX; 4], &[0; 10]),
        "expected at most 2147483648 elements, the header promises 4294967295 x 4294967295 x 4294967295 x 4294967295",
    );
    // 2^64: a product that wraps around to 0.
    refused(
        &file(&[1 << 16; 4], &[0; 10]),
        "expected at most 2147483648 elements, the header promises 65536 x 65536 x 65536 x 65536",
    );
    // 2^64 + 4: a product that wraps around to 4.
    refused(
        &file(&[2, 2, 2_147_418_113, 2_147_549_185], &[0; 4]),
        "expected at most 2147483648 elements, the header promises 2 x 2 x 2147418113 x 2147549185",
    );
}

#[test]
fn the_limit_of_elements_is_exact() {
    refused(&file(&[(1 << 31) + 1], &[0; 10]), "expected at most 2147483648 elements, the header promises 2147483649");
    refused(&file(&[1 << 31], &[0; 10]), "expected 2147483648 bytes of data for 2147483648, the file ends after 10");
}

#[test]
fn a_file_shorter_than_its_header_says_is_refused() {
    for found in 0..6 {
        let message = format!("expected 6 bytes of data for 2 x 3, the file ends after {found}");
        refused(&file(&[2, 3], &vec![0; found]), &message);
    }
}

#[test]
fn a_file_longer_than_its_header_says_is_refused() {
    for found in [7, 8, 100_000] {
        refused(&file(&[2, 3], &vec![0; found]), "expected 6 bytes of data for 2 x 3, the file goes on after them");
    }
}

#[test]
fn a_gzip_stream_cut_short_is_refused_at_every_length() {
    let whole = compressed();
    for len in 2..whole.len() {
        refused_as_damaged(&whole[..len]);
    }
}

#[test]
fn one_byte_of_a_gzip_stream_is_no_gzip_stream() {
    assert_eq!(error(&compressed()[..1]), "some file: expected an IDX header of 4 bytes, the file ends after 1");
}

#[test]
fn a_gzip_stream_with_a_wrong_checksum_or_length_is_refused() {
    let whole = compressed();
    for place in whole.len() - 8..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        refused_as_damaged(&bytes);
    }
}

#[test]
fn a_gzip_stream_with_garbage_after_it_is_refused() {
    let stream_behind_padding = [&[0; 512], &gzip(b"")[..]].concat();
    let garbage_behind_padding = [&[0; 100_000], &b"garbage"[..]].concat();
    let too_much_padding = vec![0; (1 << 24) + 1];
    for garbage in
        [&b"garbage"[..], &[0x1f], &[0x1f, 0x8b], &stream_behind_padding, &garbage_behind_padding, &too_much_padding]
    {
        refused_as_damaged(&[&compressed(), garbage].concat());
    }
}

#[test]
fn a_gzip_stream_padded_with_zeros_is_read_as_by_gzip() {
    let plain = file(&[3], &[7, 8, 9]);
    for zeros in [1, 512, 100_000] {
        let padded = [gzip(&plain[..5]), gzip(&plain[5..]), vec![0; zeros]].concat();
        assert_eq!(read(&padded[..], "f").unwrap().as_slice(), Some(&[7, 8, 9][..]), "{zeros}");
        let interrupted = read(Failing(&padded, io::ErrorKind::Interrupted, false), "f");
        assert_eq!(interrupted.unwrap().as_slice(), Some(&[7, 8, 9][..]), "{zeros}");
    }
}

#[test]
fn a_flipped_bit_of_stored_data_is_told_by_the_checksum() {
    let data: Vec<u8> = (0..200).collect();
    let mut bytes = gzip_at(Compression::none(), &file(&[200], &data));
    let place = bytes.windows(200).position(|window| window == data).expect("the data are stored as they are");
    bytes[place + 100] ^= 0x10;
    refused_as_damaged(&bytes);
}

#[test]
fn any_flipped_bit_of_a_gzip_stream_gives_an_error_or_changes_nothing() {
    let whole = compressed();
    let array = read(&whole[..], "f").unwrap();
    let mut unchanged = 0;
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match read(&bytes[..], "some file") {
            Ok(read) => {
                assert_eq!(read, array, "bit {bit}");
                unchanged += 1;
            }
            Err(error) => {
                let (kind, text) = (matches!(error, Error::Idx { .. }), error.to_string());
                assert!(kind && text.starts_with("some file: expected "), "bit {bit}: {text}");
            }
        }
    }
    // Its time, its operating system, how hard it was compressed, and whether it is text.
    assert!(unchanged <= 8 * 7, "{unchanged} bits change nothing");
}

#[test]
fn a_missing_file_is_an_error_that_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    let error = read_file(&path).unwrap_err();
    assert!(matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound));
    assert_eq!(error.to_string(), format!("{}: {}", path.display(), std::fs::read(&path).unwrap_err()));
}

#[test]
fn a_path_that_is_a_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().into();
    let error = read_file(&path).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert_eq!(error.to_string(), format!("{}: {}", path.display(), std::fs::read(&path).unwrap_err()));
}

#[cfg(unix)]
#[test]
fn a_pipe_and_a_device_are_refused_instead_of_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, what) in [(pipe, "a pipe"), ("/dev/zero".into(), "a device")] {
        let error = read_file(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        let expected = format!("{}: expected a file, found {what}: copy its content into a file first", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_header_that_promises_two_gibibytes_does_not_make_the_reader_allocate_them() {
    for shape in [&[1 << 31][..], &[1 << 16, 1 << 15], &[1 << 11, 1 << 10, 1 << 10], &[1 << 10, 1 << 10, 1 << 10, 2]] {
        let plain = file(shape, &[0; 10]);
        for bytes in [plain.clone(), gzip(&plain)] {
            let mut text = String::new();
            let peak = peak(|| text = error(&bytes));
            assert!(text.ends_with(", the file ends after 10"), "{text}");
            assert!(peak < 1 << 20, "{peak} bytes for {shape:?}");
        }
    }
}

#[test]
fn memory_grows_with_the_data_to_at_most_twice_their_size() {
    const DATA: usize = 12 << 20;
    let plain = file(&[1 << 31], &vec![7; DATA]);
    for bytes in [plain.clone(), gzip(&plain)] {
        let mut text = String::new();
        let peak = peak(|| text = error(&bytes));
        assert_eq!(
            text,
            format!("some file: expected 2147483648 bytes of data for 2147483648, the file ends after {DATA}")
        );
        assert!(peak >= DATA, "counting works: {peak} bytes");
        assert!(peak < 2 * DATA + (1 << 20), "{peak} bytes");
    }
}

#[test]
fn a_reader_without_end_is_read_no_further_than_its_header_says() {
    let mut zeros = io::repeat(0).take(1 << 30);
    let error = read((&file(&[1000], &[])[..]).chain(&mut zeros), "f").unwrap_err().to_string();
    let taken = (1 << 30) - zeros.limit();
    assert_eq!(error, "f: expected 1000 bytes of data for 1000, the file goes on after them");
    assert!(taken < 100_000, "{taken} bytes were read");
}

/// What a plain file holds, read in the plainest way; `None` if it is no such file.
fn shape_and_data(bytes: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let [0, 0, 8, dimensions @ 1..=4, rest @ ..] = bytes else {
        return None;
    };
    let (axes, data) = rest.split_at_checked(4 * usize::from(*dimensions))?;
    let axis = |bytes: &[u8]| bytes.iter().fold(0, |axis, byte| axis << 8 | usize::from(*byte));
    let shape: Vec<usize> = axes.chunks(4).map(axis).collect();
    let len = shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis))?;
    (len > 0 && len == data.len()).then_some((shape, data))
}

/// Fails unless the reader takes these bytes for what [`shape_and_data`] takes them.
fn read_right(bytes: &[u8]) -> std::result::Result<(), TestCaseError> {
    match (read(bytes, "f"), shape_and_data(bytes)) {
        (Ok(array), Some((shape, data))) => {
            prop_assert_eq!(array.shape(), shape);
            prop_assert_eq!(array.as_slice(), Some(data));
        }
        (Ok(array), None) => prop_assert!(false, "read {:?} where there is no IDX file", array),
        (Err(error), Some(_)) => prop_assert!(false, "{}", error),
        (Err(error), None) => prop_assert!(error.to_string().starts_with("f: expected "), "{}", error),
    }
    Ok(())
}

prop_compose! {
    /// A sound file: its shape, its data and its bytes.
    fn sound()(shape in prop::collection::vec(1..7_u32, 1..=4))(
        data in prop::collection::vec(any::<u8>(), shape.iter().product::<u32>() as usize), shape in Just(shape),
    ) -> (Vec<u32>, Vec<u8>, Vec<u8>) {
        let bytes = file(&shape, &data);
        (shape, data, bytes)
    }
}

/// Changes, removes, adds or cuts at one place.
fn damage(bytes: &mut Vec<u8>, place: prop::sample::Index, with: u8, how: u8) {
    let place = place.index(bytes.len());
    match how {
        0 => bytes[place] = with,
        1 => drop(bytes.remove(place)),
        2 => bytes.insert(place, with),
        _ => bytes.truncate(place),
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read((shape, data, plain) in sound(), compress: bool, level in 0..=9_u32) {
        let bytes = if compress { gzip_at(Compression::new(level), &plain) } else { plain };
        let array = read(&bytes[..], "f").unwrap();
        prop_assert_eq!(array.shape(), shape.iter().map(|axis| *axis as usize).collect::<Vec<_>>());
        prop_assert_eq!(array.as_slice(), Some(&data[..]));
    }

    #[test]
    fn any_bytes_are_read_right_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_right(&bytes)?;
    }

    #[test]
    fn any_bytes_after_a_gzip_header_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], &bytes[..]].concat();
        if let Err(error) = read(&bytes[..], "f") {
            prop_assert!(error.to_string().starts_with("f: expected "), "{}", error);
        }
    }

    #[test]
    fn any_dimensions_and_any_length_are_read_right_or_refused(
        shape in prop::collection::vec(prop_oneof![8 => 1..4_u32, 1 => Just(0), 1 => any::<u32>()], 0..=5),
        more in -1..=1_i64,
    ) {
        let len = shape.iter().try_fold(1_u32, |len, axis| len.checked_mul(*axis)).filter(|len| *len < 1000);
        let data = vec![7; (i64::from(len.unwrap_or(5)) + more).max(0) as usize];
        read_right(&file(&shape, &data))?;
    }

    #[test]
    fn a_damaged_plain_file_is_read_right_or_refused(
        (_, _, mut bytes) in sound(), place: prop::sample::Index, with: u8, how in 0..4_u8,
    ) {
        damage(&mut bytes, place, with, how);
        read_right(&bytes)?;
    }

    #[test]
    fn a_damaged_compressed_file_is_read_right_or_refused(
        (_, data, plain) in sound(), place: prop::sample::Index, with: u8, how in 0..4_u8,
    ) {
        let mut bytes = gzip(&plain);
        damage(&mut bytes, place, with, how);
        match read(&bytes[..], "f") {
            Ok(array) => prop_assert_eq!(array.as_slice(), Some(&data[..])),
            Err(error) => prop_assert!(error.to_string().starts_with("f: expected "), "{}", error),
        }
    }
}

#[test]
fn arrays_that_no_idx_file_holds_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for shape in [&[][..], &[2, 0], &[1, 1, 1, 1, 1]] {
        let error = write_file(&path, ArrayD::zeros(shape).view()).unwrap_err().to_string();
        let expected = "an IDX file has 1 to 4 axes without a zero, and at most 2147483648 elements, got an array of";
        assert_eq!(error, format!("{expected} {shape:?}"));
    }
    assert!(!path.exists());
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_file(&path, ArrayD::zeros(vec![3]).view()).unwrap();
    for place in [path.join("below"), folder.path().join("missing/a"), folder.path().to_owned()] {
        let error = write_file(&place, ArrayD::zeros(vec![3]).view()).unwrap_err();
        assert!(
            matches!(&error, Error::NotWritten { place: told, .. } if *told == place.display().to_string()),
            "{error}"
        );
    }
    assert_eq!(read_file(&path).unwrap(), ArrayD::<u8>::zeros(vec![3]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(shape in prop::collection::vec(1..6_usize, 1..=4), ending in prop_oneof![Just(""), Just(".gz")], seed: u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("a{ending}"));
        let array = ArrayD::from_shape_fn(shape, |place| place.as_array_view().iter().fold(seed, |sum, axis| sum.wrapping_mul(7).wrapping_add(*axis as u8)));
        // In another memory order than the file's, too.
        let turned = array.t();
        write_file(&path, turned.view()).unwrap();
        let read = read_file(&path).unwrap();
        prop_assert_eq!(read.view(), turned);
        let gzip = std::fs::read(&path).unwrap()[..2] == [0x1f, 0x8b];
        prop_assert_eq!(gzip, ending == ".gz");
    }
}
