//! Folders of PNG and JPEG files, in colour or grey, at one size.
#![cfg(feature = "image")]

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage};
use inkstone::data::pictures::{self, Broken, Colors, Interpolation, Order, PictureOptions};
use std::fs;
use std::path::{Path, PathBuf};

/// Red above, blue below.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |_, y| if y < height / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

fn jpeg(path: &Path, picture: &RgbImage, orientation: Option<u8>) {
    let mut encoder = JpegEncoder::new_with_quality(fs::File::create(path).unwrap(), 100);
    if let Some(orientation) = orientation {
        // One entry: tag 0x0112, a short.
        let exif =
            [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
        encoder.set_exif_metadata(exif).unwrap();
    }
    encoder.write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
}

fn class(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Red and blue of a pixel, 0 to 255, of a picture of colours from 0 to 1.
fn red_and_blue(dataset: &inkstone::Dataset, example: usize, y: usize, x: usize) -> (u8, u8) {
    let image = dataset.get(example).unwrap().image();
    ((image[[y, x, 0]] * 255.0).round() as u8, (image[[y, x, 2]] * 255.0).round() as u8)
}

fn in_order(size: (usize, usize)) -> PictureOptions {
    PictureOptions::new(size).order(Order::ByName)
}

#[test]
fn png_and_jpeg_come_in_colour_and_at_one_size() {
    let folder = tempfile::tempdir().unwrap();
    flag(64, 64).save(class(&folder, "a").join("1.png")).unwrap();
    jpeg(&class(&folder, "a").join("2.JPG"), &flag(300, 200), None);
    jpeg(&class(&folder, "b").join("3.jpeg"), &flag(20, 20), None);
    fs::write(class(&folder, "b").join("notes.txt"), "none").unwrap();
    for interpolation in [Interpolation::Bilinear, Interpolation::Area] {
        let read = pictures::read_folder(folder.path(), in_order((32, 16)).interpolation(interpolation)).unwrap();
        assert_eq!((read.dataset.labels(), &read.classes[..]), (&[0, 0, 1][..], &["a".to_owned(), "b".into()][..]));
        assert_eq!((read.dataset.shape().to_string(), read.left_out.len()), ("(32, 16, 3)".to_owned(), 0));
        for example in 0..3 {
            let ((red, less), (more, blue)) =
                (red_and_blue(&read.dataset, example, 2, 8), red_and_blue(&read.dataset, example, 29, 8));
            assert!(red > 245 && blue > 245 && less < 10 && more < 10, "{example}: {red} {less} {more} {blue}");
        }
    }
    let grey = pictures::read_folder(folder.path(), in_order((8, 8)).colors(Colors::Grey)).unwrap().dataset;
    assert_eq!(grey.shape().to_string(), "(8, 8, 1)");
    // Shuffled as Keras does, if nothing else is said.
    let many = class(&folder, "c");
    (0..40).for_each(|n| flag(8, 8).save(many.join(format!("{n}.png"))).unwrap());
    let read = pictures::read_folder(folder.path(), PictureOptions::new((8, 8)).keep_names()).unwrap();
    assert!(!read.dataset.labels().is_sorted());
    for example in &read.dataset {
        assert_eq!(example.id().unwrap().split('/').next(), Some(&read.classes[example.label().unwrap()][..]));
    }
}

#[test]
fn pictures_are_turned_as_the_camera_was_held() {
    let folder = tempfile::tempdir().unwrap();
    let place = class(&folder, "a");
    // Upside down, and lying on a side: what is stored first is seen on the right.
    jpeg(&place.join("1.jpg"), &flag(32, 32), Some(3));
    jpeg(&place.join("2.jpg"), &flag(32, 32), Some(6));
    let read = pictures::read_folder(folder.path(), in_order((32, 32))).unwrap().dataset;
    let ((_, above), (below, _)) = (red_and_blue(&read, 0, 3, 16), red_and_blue(&read, 0, 28, 16));
    assert!(above > 245 && below > 245);
    let ((_, left), (right, _)) = (red_and_blue(&read, 1, 16, 3), red_and_blue(&read, 1, 16, 28));
    assert!(left > 245 && right > 245, "{left} {right}");
}

#[test]
fn what_is_transparent_lies_on_white() {
    let folder = tempfile::tempdir().unwrap();
    let place = class(&folder, "a").join("1.png");
    RgbaImage::from_fn(4, 4, |x, _| if x < 2 { Rgba([0, 0, 0, 0]) } else { Rgba([0, 0, 0, 255]) }).save(place).unwrap();
    let read = pictures::read_folder(folder.path(), in_order((4, 4))).unwrap().dataset;
    assert_eq!((red_and_blue(&read, 0, 0, 0), red_and_blue(&read, 0, 0, 3)), ((255, 255), (0, 0)));
}

#[test]
fn broken_pictures_are_refused_or_listed() {
    let folder = tempfile::tempdir().unwrap();
    let place = class(&folder, "a");
    flag(8, 8).save(place.join("1.png")).unwrap();
    jpeg(&place.join("2.jpg"), &flag(64, 64), None);
    let whole = fs::read(place.join("2.jpg")).unwrap();
    fs::write(place.join("2.jpg"), &whole[..whole.len() / 3]).unwrap();
    fs::write(place.join("3.png"), "no picture").unwrap();
    // A header that promises 60,000 x 60,000 pixels.
    let mut encoder = png::Encoder::new(fs::File::create(place.join("4.png")).unwrap(), 60_000, 60_000);
    encoder.set_color(png::ColorType::Rgb);
    drop(encoder.write_header().unwrap());
    let read = pictures::read_folder(folder.path(), in_order((8, 8)).broken(Broken::LeaveOut)).unwrap();
    let names: Vec<&str> = read.left_out.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names.ends_with(&["3.png", "4.png"]) && read.dataset.len() + names.len() == 4, "{names:?}");
    let error = pictures::read_folder(folder.path(), in_order((8, 8))).unwrap_err().to_string();
    assert!(error.contains("expected a whole PNG or JPEG file, found something else"), "{error}");
    fs::remove_file(place.join("1.png")).unwrap();
    fs::remove_file(place.join("2.jpg")).unwrap();
    let error =
        pictures::read_folder(folder.path(), in_order((8, 8)).broken(Broken::LeaveOut)).unwrap_err().to_string();
    assert!(
        error.ends_with("expected at least one whole picture, found that this and all others are broken"),
        "{error}"
    );
    let error = pictures::read_folder(folder.path(), in_order((0, 8))).unwrap_err().to_string();
    assert_eq!(error, "image_size must be from 1 to 4096 on each side, got (0, 8)");
    class(&folder, "b");
    let error = pictures::read_folder(folder.path(), in_order((8, 8))).unwrap_err().to_string();
    assert!(error.ends_with("expected .png, .jpg or .jpeg files of this class, found none"), "{error}");
}

#[test]
fn lists_of_files_have_classes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = (0..3).map(|n| folder.path().join(format!("{n}.png"))).collect();
    files.iter().for_each(|path| flag(8, 8).save(path).unwrap());
    let read = pictures::read_files(&files, &[2, 0, 1], in_order((8, 8))).unwrap();
    assert_eq!((read.dataset.labels(), read.classes.len()), (&[2, 0, 1][..], 0));
    let error = pictures::read_files(&files, &[2], in_order((8, 8))).unwrap_err().to_string();
    assert_eq!(error, "there must be a class for each of at least one picture, got 3 pictures and 1 classes");
}
