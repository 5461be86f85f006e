//! What is said of a plain file whose header or length is wrong.

use super::*;

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
