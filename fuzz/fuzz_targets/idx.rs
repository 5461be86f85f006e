//! Whatever bytes the IDX reader gets: an error that names the place, or an array that says what the bytes say.
//!
//! `cargo +nightly fuzz run idx fuzz/corpus/idx fuzz/seeds/idx -- -runs=3000000`
#![no_main]

use inkstone::data::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match idx::read(bytes, "place") {
        Err(error) => assert!(error.to_string().starts_with("place: expected "), "{error}"),
        Ok(array) => {
            assert!((1..=4).contains(&array.ndim()) && !array.is_empty());
            // Plain files are just their header and their data; packed ones say less by themselves.
            if bytes[..2] == [0, 0] {
                let header = 4 + 4 * array.ndim();
                assert_eq!(array.as_slice(), Some(&bytes[header..]));
                let axes = bytes[4..header]
                    .chunks_exact(4)
                    .map(|axis| u32::from_be_bytes([axis[0], axis[1], axis[2], axis[3]]));
                assert!(axes.eq(array.shape().iter().map(|axis| *axis as u32)));
            }
        }
    }
});
