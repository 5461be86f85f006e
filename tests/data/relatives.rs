//! EMNIST and QMNIST, as their makers write their files.

use inkstone::data::emnist::{self, Split};
use inkstone::data::idx::{self, IdxArray};
use inkstone::data::qmnist;
use ndarray::{Array2, Array3, ArrayD, IxDyn};
use std::path::Path;

/// Pictures that lie on their sides: what is lit is (row n, column 20) as one sees it.
fn write_emnist(folder: &Path, split: &str, part: &str, labels: &[u8]) {
    let images = Array3::from_shape_fn((labels.len(), 28, 28), |(n, y, x)| if (y, x) == (20, n) { 255 } else { 0_u8 });
    let place = |kind: &str| folder.join(format!("emnist-{split}-{part}-{kind}-ubyte.gz"));
    idx::write_file(place("images-idx3"), images.view().into_dyn()).unwrap();
    let labels = ArrayD::from_shape_vec(IxDyn(&[labels.len()]), labels.to_vec()).unwrap();
    idx::write_file(place("labels-idx1"), labels.view()).unwrap();
}

#[test]
fn emnist_is_turned_and_its_letters_begin_at_zero() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("gzip");
    std::fs::create_dir(&inside).unwrap();
    write_emnist(&inside, "letters", "train", &[1, 26, 3]);
    write_emnist(&inside, "letters", "test", &[2]);
    let (train, test) = emnist::load_from(folder.path(), Split::Letters).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[0, 25, 2][..], &[1][..]));
    for example in &train {
        let image = example.image();
        assert_eq!((image[[example.index(), 20, 0]], image.sum()), (1.0, 1.0));
    }
    let error = emnist::load_from(folder.path(), Split::ByClass).unwrap_err().to_string();
    assert!(error.starts_with("EMNIST was not found. Searched:"), "{error}");
    write_emnist(&inside, "letters", "test", &[0]);
    let error = emnist::load_from(folder.path(), Split::Letters).unwrap_err().to_string();
    assert!(error.ends_with("expected labels from 1 to 26, found 0 at index 0"), "{error}");
}

#[test]
fn qmnist_has_eight_numbers_for_each_picture() {
    let folder = tempfile::tempdir().unwrap();
    let write = |part: &str, classes: &[i32]| {
        let images = Array3::<u8>::zeros((classes.len(), 28, 28));
        idx::write_file(folder.path().join(format!("qmnist-{part}-images-idx3-ubyte")), images.view().into_dyn())
            .unwrap();
        let column = |(n, column): (usize, usize)| if column == 0 { classes[n] } else { (100 * n + column) as i32 };
        let table = IdxArray::I32(Array2::from_shape_fn((classes.len(), 8), column).into_dyn());
        table.write_file(folder.path().join(format!("qmnist-{part}-labels-idx2-int.gz"))).unwrap();
    };
    write("train", &[5, 0]);
    write("test", &[7]);
    let (train, test) = qmnist::load_from(folder.path()).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[5, 0][..], &[7][..]));
    assert_eq!(train.ids().collect::<Vec<_>>(), ["2", "102"]);
    write("test", &[10]);
    let error = qmnist::load_from(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("expected labels from 0 to 9, found 10 at index 0"), "{error}");
}
