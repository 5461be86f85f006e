//! Files that are written.

use super::*;

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
