//! Elements of every type, and arrays of every number of axes.

use super::{file, gzip};
use inkstone::data::idx::IdxArray;
use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;

/// An IDX file of this type, shape and bytes.
fn typed(element: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = file(shape, data);
    bytes[2] = element;
    bytes
}

#[test]
fn each_type_is_read_big_endian() {
    let array = |element, bytes: &[u8]| {
        let width = bytes.len() / 2;
        assert!(width > 0);
        IdxArray::read(&typed(element, &[2], bytes)[..], "file").unwrap()
    };
    let one = |values: [i32; 2]| ArrayD::from_shape_vec(IxDyn(&[2]), values.to_vec()).unwrap();
    assert_eq!(array(0x08, &[1, 255]), IdxArray::U8(one([1, 255]).mapv(|value| value as u8)));
    assert_eq!(array(0x09, &[1, 255]), IdxArray::I8(one([1, -1]).mapv(|value| value as i8)));
    assert_eq!(array(0x0b, &[1, 2, 255, 254]), IdxArray::I16(one([258, -2]).mapv(|value| value as i16)));
    assert_eq!(array(0x0c, &[0, 1, 0, 0, 255, 255, 255, 255]), IdxArray::I32(one([65_536, -1])));
    assert_eq!(array(0x0d, &[0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]), IdxArray::F32(one([1, -2]).mapv(|value| value as f32)));
    let doubles = [[0x3f, 0xf0, 0, 0, 0, 0, 0, 0], [0xc0, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(array(0x0e, &doubles), IdxArray::F64(one([1, -2]).mapv(f64::from)));
    assert_eq!(array(0x0e, &doubles).into_f32(), one([1, -2]).mapv(|value| value as f32));
}

#[test]
fn types_that_there_are_not_and_lengths_that_do_not_fit_are_refused() {
    let said = |bytes: &[u8]| IdxArray::read(bytes, "file").unwrap_err().to_string();
    for element in [0, 7, 0x0a, 0x0f, 255] {
        assert_eq!(
            said(&typed(element, &[1], &[0; 8])),
            format!("file: expected elements of type 0x08 (unsigned byte), found type {element:#04x}")
        );
    }
    assert_eq!(said(&typed(0x0c, &[2], &[0; 7])), "file: expected 8 bytes of data for 2, the file ends after 7");
    assert_eq!(said(&typed(0x0b, &[2], &[0; 5])), "file: expected 4 bytes of data for 2, the file goes on after them");
    assert!(said(&typed(0x0e, &[1 << 30, 1 << 30], &[])).contains("expected at most 2147483648 elements"));
    assert!(said(&gzip(&typed(0x0d, &[1 << 20], &[0; 10]))).contains("the file ends after 10"));
}

proptest! {
    #[test]
    fn what_is_written_is_read(shape in proptest::collection::vec(1_usize..4, 1..8), kind in 0..6, packed: bool, seed: u32) {
        let len: usize = shape.iter().product();
        let of = |place: usize| (place as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) as i32;
        let ints = ArrayD::from_shape_vec(IxDyn(&shape), (0..len).map(of).collect()).unwrap();
        let array = match kind {
            0 => IdxArray::U8(ints.mapv(|value| value as u8)),
            1 => IdxArray::I8(ints.mapv(|value| value as i8)),
            2 => IdxArray::I16(ints.mapv(|value| value as i16)),
            3 => IdxArray::I32(ints),
            4 => IdxArray::F32(ints.mapv(|value| value as f32)),
            _ => IdxArray::F64(ints.mapv(f64::from)),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if packed { "array.gz" } else { "array" });
        array.write_file(&path).unwrap();
        prop_assert_eq!(IdxArray::read_file(&path).unwrap(), array);
    }
}
