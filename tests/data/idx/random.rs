//! Random files, sound and damaged, against the plainest reader.

use super::*;

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
