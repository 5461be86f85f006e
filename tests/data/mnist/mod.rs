//! MNIST: how its files are found, and what is wrong with a folder.

mod real;
mod search;

use flate2::Compression;
use flate2::write::GzEncoder;
use inkstone::Error;
use inkstone::data::mnist;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
const TRAIN_IMAGES: &str = FILES[0];
const TRAIN_LABELS: &str = FILES[1];
const TEST_IMAGES: &str = FILES[2];
const TEST_LABELS: &str = FILES[3];

/// Images of 2 rows and 3 columns, all pixels of each its number.
fn images(count: u8) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend((0..count).flat_map(|n| [n; 6]));
    bytes
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1, 0, 0, 0, labels.len() as u8];
    bytes.extend(labels);
    bytes
}

/// Four sound files: three images to train on, labelled 0 to 2, and two to test with.
fn write_all(folder: &Path) {
    let contents = [images(3), labels(&[0, 1, 2]), images(2), labels(&[9, 8])];
    FILES.iter().zip(contents).for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
}

/// A folder with the four sound files.
fn sound_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    folder
}

/// Puts a compressed file in the place of a plain one.
fn compress(folder: &Path, name: &str) {
    let plain = folder.join(name);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.gz")), encoder.finish().unwrap()).unwrap();
    fs::remove_file(plain).unwrap();
}

#[test]
fn files_are_found_under_the_names_of_kaggle_and_torchvision() {
    let place_all = |place: &dyn Fn(&Path, &str) -> PathBuf| {
        let (sound, folder) = (sound_folder(), tempfile::tempdir().unwrap());
        for file in FILES {
            let to = place(folder.path(), file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(sound.path().join(file), to).unwrap();
        }
        let (train, test) = mnist::load_from(folder.path()).unwrap();
        assert_eq!((train.labels(), test.labels()), (&[0, 1, 2][..], &[9, 8][..]));
    };
    place_all(&|folder, file| folder.join(file.replace("-idx", ".idx")));
    place_all(&|folder, file| folder.join(file).join(file));
    place_all(&|folder, file| folder.join("MNIST/raw").join(file));
    place_all(&|folder, file| folder.join("raw").join(file));
}

fn error(folder: &Path) -> String {
    mnist::load_from(folder).unwrap_err().to_string()
}

/// Fails unless a folder with this content in the place of one file is refused for that file, with this reason.
#[track_caller]
fn refused(name: &str, content: &[u8], reason: &str) {
    let folder = sound_folder();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let error = mnist::load_from(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Idx { .. }));
    let reason = reason.replace("<folder>", &folder.path().join("").display().to_string());
    assert_eq!(error.to_string(), format!("{}: {reason}", path.display()));
}

/// What is said where the files are not.
fn not_found(folder: &Path) -> String {
    format!(
        "MNIST was not found. Searched:\n  {}\nWanted, in one of these folders, plain or with .gz added:\n  \
         train-images-idx3-ubyte\n  train-labels-idx1-ubyte\n  t10k-images-idx3-ubyte\n  t10k-labels-idx1-ubyte\n\
         Put them there, or, for `load_data`, set INKSTONE_DATA to the folder that holds them. Mirrors such as \
         http://ossci-datasets.s3.amazonaws.com/mnist/ have them.",
        folder.display(),
    )
}

#[track_caller]
fn assert_sound(folder: &Path) {
    let (train, test) = mnist::load_from(folder).unwrap();
    assert_eq!((train.labels(), test.labels()), (&[0, 1, 2][..], &[9, 8][..]));
    assert_eq!((train.shape(), test.shape()), ([2, 3, 1].into(), [2, 3, 1].into()));
    for set in [train, test] {
        let images = set.images();
        assert_eq!(images.dim(), (set.len(), 2, 3, 1));
        assert!(images.indexed_iter().all(|((n, ..), pixel)| *pixel == n as f32 / 255.0), "{images}");
    }
}

#[test]
fn four_plain_files_make_a_training_and_a_test_set() {
    assert_sound(sound_folder().path());
}

#[test]
fn four_compressed_files_make_a_training_and_a_test_set() {
    let folder = sound_folder();
    FILES.iter().for_each(|name| compress(folder.path(), name));
    assert_sound(folder.path());
}

#[test]
fn plain_and_compressed_files_mix() {
    for compressed in FILES {
        let folder = sound_folder();
        compress(folder.path(), compressed);
        assert_sound(folder.path());
    }
}

#[test]
fn a_plain_file_is_taken_where_there_is_a_compressed_one_too() {
    let folder = sound_folder();
    fs::write(folder.path().join(format!("{TRAIN_IMAGES}.gz")), "damaged").unwrap();
    assert_sound(folder.path());
}

#[test]
fn images_need_not_be_of_28_rows_and_columns_but_are_read_row_by_row() {
    let folder = sound_folder();
    let mut content = images(3);
    content[16..].iter_mut().zip(0..).for_each(|(pixel, n)| *pixel = n);
    fs::write(folder.path().join(TRAIN_IMAGES), content).unwrap();
    let images = mnist::load_from(folder.path()).unwrap().0.images();
    assert_eq!(images[[2, 1, 0, 0]], f32::from(2 * 6 + 3_u8) / 255.0);
}

#[test]
fn an_empty_folder_says_what_is_wanted_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = mnist::load_from(folder.path()).unwrap_err();
    assert!(matches!(error, Error::MissingData { name: "MNIST", .. }));
    assert_eq!(error.to_string(), not_found(folder.path()));
}

#[test]
fn a_folder_that_is_not_there_says_what_is_wanted_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert_eq!(error(&missing), not_found(&missing));
}

#[test]
fn each_missing_file_says_what_is_wanted_and_what_to_do() {
    for name in FILES {
        let folder = sound_folder();
        fs::remove_file(folder.path().join(name)).unwrap();
        assert_eq!(error(folder.path()), not_found(folder.path()), "without {name}");
    }
}

#[test]
fn a_folder_in_the_place_of_a_file_counts_as_missing() {
    let folder = sound_folder();
    fs::remove_file(folder.path().join(TEST_LABELS)).unwrap();
    fs::create_dir(folder.path().join(TEST_LABELS)).unwrap();
    assert_eq!(error(folder.path()), not_found(folder.path()));
}

#[test]
fn images_of_one_dimension_are_refused() {
    refused(TRAIN_IMAGES, &labels(&[0, 1, 2]), "expected images (3 dimensions: number, rows, columns), found 3");
}

#[test]
fn images_of_four_dimensions_are_refused() {
    let colour = [&[0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3], &[0; 6][..]].concat();
    refused(TEST_IMAGES, &colour, "expected images (3 dimensions: number, rows, columns), found 2 x 1 x 1 x 3");
}

#[test]
fn labels_of_more_than_one_dimension_are_refused() {
    refused(
        TEST_LABELS,
        &images(2),
        "expected 2 labels (1 dimension), one for each image of <folder>t10k-images-idx3-ubyte, found 2 x 2 x 3",
    );
}

#[test]
fn too_few_labels_are_refused() {
    refused(
        TRAIN_LABELS,
        &labels(&[0, 1]),
        "expected 3 labels (1 dimension), one for each image of <folder>train-images-idx3-ubyte, found 2",
    );
}

#[test]
fn too_many_labels_are_refused() {
    refused(
        TEST_LABELS,
        &labels(&[0, 1, 2]),
        "expected 2 labels (1 dimension), one for each image of <folder>t10k-images-idx3-ubyte, found 3",
    );
}

#[test]
fn labels_over_nine_are_refused() {
    refused(TRAIN_LABELS, &labels(&[0, 10, 11]), "expected labels from 0 to 9, found 10 at index 1");
    refused(TEST_LABELS, &labels(&[9, 255]), "expected labels from 0 to 9, found 255 at index 1");
}

#[test]
fn a_file_cut_short_is_named() {
    refused(TEST_IMAGES, &images(2)[..20], "expected 12 bytes of data for 2 x 2 x 3, the file ends after 4");
    refused(TRAIN_LABELS, &[], "expected an IDX header of 4 bytes, the file ends after 0");
}

#[test]
fn a_file_that_is_a_web_page_is_named() {
    let page = b"<!DOCTYPE html><title>404</title>";
    refused(TRAIN_IMAGES, page, "expected an IDX file, whose first two bytes are 0 0, found 0x3c 0x21");
}

#[test]
fn a_damaged_compressed_file_is_named_with_its_ending() {
    let folder = sound_folder();
    compress(folder.path(), TEST_LABELS);
    let path = folder.path().join(format!("{TEST_LABELS}.gz"));
    let content = fs::read(&path).unwrap();
    fs::write(&path, &content[..content.len() - 4]).unwrap();
    let text = error(folder.path());
    let start = format!("{}: expected a whole gzip stream, found a damaged one (", path.display());
    assert!(text.starts_with(&start) && text.ends_with("): fetch the file again"), "{text}");
}
