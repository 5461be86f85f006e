//! Files that are read in pieces: orders, formats, and what opening refuses.

use super::Files;
use inkstone::data::{BatchSource, EpochStart, FileBatches, idx};
use ndarray::{Array1, Array3};
use std::fs;
use std::path::Path;

/// The labels of all batches from this one on.
fn labels(source: &mut FileBatches, shuffle: bool, trained_epochs: usize, first_batch: usize) -> Vec<Vec<usize>> {
    let mut start = EpochStart::new(8);
    (start.seed, start.shuffle, start.trained_epochs, start.first_batch) = (3, shuffle, trained_epochs, first_batch);
    source.begin(start).unwrap();
    std::iter::from_fn(|| source.next_batch()).map(|batch| batch.unwrap().dataset().labels().to_vec()).collect()
}

/// Images whose labels are their numbers.
fn numbered(count: usize) -> (Files, FileBatches) {
    let files = Files::new(count);
    let numbers = Array1::from_shape_fn(count, |n| n as u8);
    idx::write_file(&files.labels, numbers.view().into_dyn()).unwrap();
    let source = files.open();
    (files, source)
}

#[test]
fn each_epoch_has_each_example_once_in_an_order_of_its_own() {
    let (_files, source) = numbered(100);
    let mut source = source.block_len(7).buffer_size(30);
    let in_order: Vec<usize> = (0..100).collect();
    assert_eq!(labels(&mut source, false, 0, 0).concat(), in_order);
    let epochs: Vec<_> = (0..3).map(|epoch| labels(&mut source, true, epoch, 0)).collect();
    for epoch in &epochs {
        assert_eq!(epoch.iter().map(Vec::len).collect::<Vec<_>>(), [[8; 12].as_slice(), &[4]].concat());
        let mut sorted = epoch.concat();
        sorted.sort_unstable();
        assert_eq!(sorted, in_order);
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
    assert_eq!(labels(&mut source, true, 1, 0), epochs[1]);
    // Four blocks are together: 28 examples, whose numbers are those of four runs of seven.
    let together = &epochs[0].concat()[..28];
    let mut blocks: Vec<usize> = together.iter().map(|number| number / 7).collect();
    assert!(!blocks.is_sorted());
    blocks.sort_unstable();
    blocks.dedup();
    assert!(blocks.len() <= 5, "{together:?}");
}

#[test]
fn an_epoch_begins_at_any_batch() {
    let (_files, source) = numbered(50);
    let mut source = source.block_len(6).buffer_size(12);
    for shuffle in [false, true] {
        let all = labels(&mut source, shuffle, 1, 0);
        for first in 0..=all.len() + 1 {
            assert_eq!(labels(&mut source, shuffle, 1, first), all[first.min(all.len())..], "from batch {first}");
        }
    }
}

fn refused(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> String {
    FileBatches::open(images, labels).unwrap_err().to_string()
}

#[test]
fn files_that_cannot_be_read_in_pieces_are_refused() {
    let files = Files::new(10);
    let place = |path: &Path| path.display().to_string();
    let packed = files.folder.path().join("packed.gz");
    idx::write_file(&packed, Array3::<u8>::zeros((10, 2, 2)).view().into_dyn()).unwrap();
    assert_eq!(
        refused(&packed, &files.labels),
        format!(
            "{}: expected a file that is not compressed, as parts of it are read, found gzip: unpack it first, as with `gunzip`",
            place(&packed)
        )
    );
    let few = files.folder.path().join("few");
    idx::write_file(&few, Array1::<u8>::zeros(9).view().into_dyn()).unwrap();
    assert_eq!(
        refused(&files.images, &few),
        format!(
            "{}: there must be one target for each example, got 10 examples, and 9 targets in {}",
            place(&files.images),
            place(&few)
        )
    );
    assert_eq!(
        refused(&files.images, &files.images),
        format!("{}: classes have the shape (N), got [10, 6, 6]", place(&files.images))
    );
    let text = files.folder.path().join("text");
    fs::write(&text, "<!DOCTYPE html>").unwrap();
    assert!(refused(&text, &files.labels).contains("expected an IDX file, whose first two bytes are 0 0"));
    assert!(refused(files.folder.path(), &files.labels).ends_with("expected a file of an array, found a folder"));
    assert!(refused(files.folder.path().join("none"), &files.labels).contains("No such file"));
    let bytes = fs::read(&files.images).unwrap();
    for (len, found) in [(bytes.len() - 1, 359), (16, 0)] {
        fs::write(&text, &bytes[..len]).unwrap();
        assert_eq!(
            refused(&text, &files.labels),
            format!(
                "{}: expected 360 bytes behind the header, for an array of [10, 6, 6], found {found}: it was cut off, or is no such \
                 file",
                place(&text)
            )
        );
    }
    // Axes whose product overflows.
    fs::write(&text, [&[0, 0, 14, 3][..], &[255; 12]].concat()).unwrap();
    assert!(refused(&text, &files.labels).contains("expected at most"));
}

#[cfg(feature = "numpy")]
mod numpy {
    use super::*;
    use inkstone::data::numpy;
    use ndarray::Array2;

    fn npy(path: &Path, kind: &str, order: &str, shape: &str, data: &[u8]) {
        let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn arrays_of_numpy_become_what_they_become_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (x, y) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
        let table = Array2::from_shape_fn((9, 4), |(n, f)| n as f32 - f as f32 / 3.0);
        numpy::write_npy(&x, table.view().into_dyn()).unwrap();
        numpy::write_npy(&y, Array2::from_shape_fn((9, 2), |(n, o)| (n * o) as f32).view().into_dyn()).unwrap();
        let read = FileBatches::open_with_values(&x, &y).unwrap().dataset().unwrap();
        let whole = numpy::dataset_with_values(numpy::read_npy(&x).unwrap(), numpy::read_npy(&y).unwrap()).unwrap();
        assert_eq!((read.table(), read.values()), (whole.table(), whole.values()));

        for (kind, width) in
            [("|u1", 1), ("|i1", 1), (">i2", 2), ("<u4", 4), ("<i8", 8), (">f4", 4), ("<f8", 8), ("|b1", 1)]
        {
            for (shape, len) in [("(3, 4)", 12), ("(3, 2, 2)", 12), ("(3, 2, 2, 1)", 12)] {
                let data: Vec<u8> = (0..len * width).map(|byte| (byte * 37 % 61) as u8).collect();
                npy(&x, kind, "False", shape, &data);
                npy(&y, "<i4", "False", "(3,)", &[1_i32, 0, 2].map(i32::to_le_bytes).concat());
                let read = FileBatches::open(&x, &y).unwrap().dataset().unwrap();
                let whole = numpy::dataset(numpy::read_npy(&x).unwrap(), numpy::read_npy(&y).unwrap()).unwrap();
                assert_eq!((read.images(), read.shape()), (whole.images(), whole.shape()), "{kind} {shape}");
                assert_eq!(read.labels(), [1, 0, 2]);
            }
        }
    }

    #[test]
    fn arrays_of_numpy_that_have_no_examples_in_a_row_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (x, y) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
        npy(&y, "<f4", "False", "(2,)", &[0; 8]);
        let refused = || FileBatches::open(&x, &y).unwrap_err().to_string().replace(&x.display().to_string(), "x");
        npy(&x, "<f4", "True", "(2, 3)", &[0; 24]);
        assert_eq!(
            refused(),
            "x: expected an array in C's order, whose examples lie one after the other, found one in Fortran's: save \
             `numpy.ascontiguousarray(array)`"
        );
        npy(&x, "<f4", "False", "()", &[0; 4]);
        assert_eq!(refused(), "x: expected an array of examples, found a single number");
        npy(&x, "|O", "False", "(2,)", &[0; 16]);
        assert_eq!(refused(), "x: expected an array of numbers or of bool, found one of `|O`: save it as float32");
        npy(&x, "<f4", "False", "(2, 1, 1, 1, 1)", &[0; 8]);
        assert_eq!(refused(), "x: inputs have 2 to 4 axes, (N, ...), got the shape [2, 1, 1, 1, 1]");
        npy(&x, "<f4", "False", "(0, 3)", &[]);
        assert!(refused().contains("found 0"), "{}", refused());
    }

    #[test]
    fn values_that_are_no_numbers_or_classes_are_told_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let (x, y) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
        let values = |bad: f32| [0.0, 1.0, 2.0, bad, 4.0, 5.0].map(f32::to_le_bytes).concat();
        let refused = || {
            let error = FileBatches::open(&x, &y).unwrap().dataset().unwrap_err().to_string();
            error.replace(&x.display().to_string(), "x").replace(&y.display().to_string(), "y")
        };
        npy(&x, "<f4", "False", "(3, 2)", &values(f32::NAN));
        npy(&y, "<i8", "False", "(3,)", &[0_i64, 1, 0].map(i64::to_le_bytes).concat());
        let start = 10 + "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n".len();
        assert_eq!(
            refused(),
            format!("x, example 1, at byte {}: values must be finite, got NaN at index 1 of the example", start + 8)
        );
        npy(&x, "<f4", "False", "(3, 2)", &values(3.0));
        npy(&y, "<i8", "False", "(3,)", &[0_i64, 1, -4].map(i64::to_le_bytes).concat());
        let start = 10 + "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }\n".len();
        let place = format!("y, example 2, at byte {}", start + 16);
        assert_eq!(refused(), format!("{place}: classes are whole numbers from 0, got -4"));
    }
}
