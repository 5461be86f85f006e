//! Compressed files: several members, padding, and what is damaged.

use super::*;

/// Fails unless these bytes are refused as a damaged gzip stream. The reason in the brackets is the decoder's own
/// words.
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
fn a_stream_of_several_gzip_members_is_one_file_wherever_it_is_cut() {
    let plain = file(&[3], &[7, 8, 9]);
    for cut in 0..=plain.len() {
        let bytes = [gzip(&plain[..cut]), gzip(b""), gzip(&plain[cut..])].concat();
        assert_eq!(read(&bytes[..], "f").unwrap().as_slice(), Some(&[7, 8, 9][..]), "cut at {cut}");
    }
}

#[test]
fn a_stream_compressed_twice_is_refused() {
    let twice = gzip(&gzip(&file(&[1], &[7])));
    assert_eq!(error(&twice), "some file: expected an IDX file, whose first two bytes are 0 0, found 0x1f 0x8b");
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
    for garbage in [&b"garbage"[..], &[0x1f], &[0x1f, 0x8b], &stream_behind_padding, &garbage_behind_padding] {
        refused_as_damaged(&[&compressed(), garbage].concat());
    }
}

#[test]
fn a_gzip_stream_with_too_many_zeros_after_it_is_refused() {
    let bytes = [&compressed(), &vec![0; (1 << 24) + 1][..]].concat();
    let error = read(&bytes[..], "f").unwrap_err().to_string();
    assert!(error.contains("more than 16777216 zeros follow the stream"), "{error}");
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
