//! Pictures: every kind of PNG, what becomes of a digit, folders as data sets, contact sheets, and what is refused.
#![cfg(feature = "image")]

use inkstone::data::{mnist, pictures, synthetic};
use inkstone::{Dataset, Error};
use ndarray::{Array2, Array4, Axis};
use png::{BitDepth, ColorType, Encoder};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, width: u32, height: u32, color: ColorType, depth: BitDepth, data: &[u8]) {
    let mut encoder = Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255]);
        encoder.set_trns(vec![255, 255, 255, 0]);
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
}

#[test]
fn every_colour_type_and_depth_becomes_grey() {
    let folder = folder();
    let path = folder.path().join("a.png");
    // (colour type, depth, bytes of 1 row with 4 pixels, grey values)
    let cases: [(ColorType, BitDepth, Vec<u8>, [u8; 4]); 10] = [
        (ColorType::Grayscale, BitDepth::One, vec![0b0101_0000], [0, 255, 0, 255]),
        (ColorType::Grayscale, BitDepth::Two, vec![0b0001_1011], [0, 85, 170, 255]),
        (ColorType::Grayscale, BitDepth::Four, vec![0x05, 0xaf], [0, 85, 170, 255]),
        (ColorType::Grayscale, BitDepth::Eight, vec![0, 7, 200, 255], [0, 7, 200, 255]),
        (ColorType::Grayscale, BitDepth::Sixteen, vec![0, 0, 7, 9, 200, 1, 255, 255], [0, 7, 200, 255]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, vec![0, 255, 0, 0, 100, 255, 0, 51], [0, 255, 100, 204]),
        (ColorType::Rgb, BitDepth::Eight, vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9], [76, 150, 29, 9]),
        (ColorType::Rgb, BitDepth::Sixteen, [[255; 6], [0; 6], [255; 6], [0; 6]].concat(), [255, 0, 255, 0]),
        (
            ColorType::Rgba,
            BitDepth::Eight,
            [[255, 0, 0, 255], [0, 0, 0, 0], [9; 4], [0, 0, 0, 255]].concat(),
            [76, 255, 246, 0],
        ),
        // The palette's last entry is transparent.
        (ColorType::Indexed, BitDepth::Two, vec![0b0001_1011], [0, 76, 150, 255]),
    ];
    for (color, depth, data, expected) in cases {
        write(&path, 4, 1, color, depth, &data);
        let picture = pictures::read_png(&path).unwrap();
        assert_eq!(picture.dim(), (1, 4));
        assert_eq!(picture.as_slice().unwrap(), expected, "{color:?} {depth:?}");
    }
}

#[test]
fn pictures_that_are_written_are_read_back() {
    let path = folder().keep().join("a.png");
    let picture = Array2::from_shape_fn((7, 5), |(y, x)| (y * 40 + x * 3) as u8);
    pictures::write_png(&path, &picture).unwrap();
    assert_eq!(pictures::read_png(&path).unwrap(), picture);
    pictures::write_png(&path, &picture.t().to_owned()).unwrap();
    assert_eq!(pictures::read_png(&path).unwrap(), picture.t());
}

/// A digit as it is, 5 times as large.
fn large(images: &Array4<f32>, image: usize) -> Array2<u8> {
    Array2::from_shape_fn((140, 140), |(y, x)| (images[[image, y / 5, x / 5, 0]] * 255.0).round() as u8)
}

#[test]
fn dark_on_light_and_light_on_dark_give_the_same_digit() {
    let images = synthetic::digits(20, 1).unwrap().images();
    for n in 0..20 {
        let light = large(&images, n);
        let dark = light.mapv(|value| 255 - value);
        assert_eq!(pictures::to_mnist(&light).unwrap(), pictures::to_mnist(&dark).unwrap());
    }
}

fn mean_difference(one: &Array2<u8>, images: &Array4<f32>, n: usize) -> f32 {
    let other = images.index_axis(Axis(0), n);
    one.indexed_iter().map(|((y, x), value)| (f32::from(*value) / 255.0 - other[[y, x, 0]]).abs()).sum::<f32>() / 784.0
}

#[test]
fn drawn_digits_come_back_from_grey_grainy_paper() {
    let images = synthetic::digits(100, 2).unwrap().images();
    let differences = (0..100).map(|n| {
        let paper = |(y, x): (usize, usize)| (215 + (y * 7 + x * 13) % 5) as f32;
        let ink = large(&images, n);
        let photo = Array2::from_shape_fn((300, 200), |(y, x)| {
            let ink = if (80..220).contains(&y) && (30..170).contains(&x) { ink[[y - 80, x - 30]] } else { 0 };
            (paper((y, x)) - f32::from(ink) * 0.7) as u8
        });
        mean_difference(&pictures::to_mnist(&photo).unwrap(), &images, n)
    });
    let differences: Vec<f32> = differences.collect();
    // A centre of mass near half a pixel may round the other way: then a digit comes back a pixel aside.
    let mean = differences.iter().sum::<f32>() / 100.0;
    assert!(mean < 0.02 && differences.iter().all(|difference| *difference < 0.12), "{mean} {differences:?}");
}

#[test]
fn wide_and_tall_pictures_keep_their_aspect() {
    for (height, width, rows, columns) in [(10, 40, 5, 20), (90, 30, 20, 7), (3, 3, 20, 20), (400, 1, 20, 1)] {
        let mut picture = Array2::from_elem((height + 20, width + 20), 0_u8);
        picture.indexed_iter_mut().for_each(|((y, x), value)| {
            if (10..10 + height).contains(&y) && (10..10 + width).contains(&x) {
                *value = 200;
            }
        });
        let image = pictures::to_mnist(&picture).unwrap();
        let full = |axis: usize| {
            image.map_axis(Axis(axis), |line| line.iter().any(|value| *value > 0)).iter().filter(|any| **any).count()
        };
        assert_eq!((full(1), full(0)), (rows, columns), "{height} x {width}");
        assert_eq!(*image.iter().max().unwrap(), 255);
    }
}

#[test]
fn digits_are_centred_by_mass_and_stay_whole() {
    let images = synthetic::digits(200, 3).unwrap().images();
    for n in 0..200 {
        let image = pictures::to_mnist(&large(&images, n)).unwrap();
        let mass: f64 = image.iter().map(|value| f64::from(*value)).sum();
        let centre = |axis: usize| {
            image.indexed_iter().map(|(place, value)| [place.0, place.1][axis] as f64 * f64::from(*value)).sum::<f64>()
                / mass
        };
        assert!((centre(0) - 14.0).abs() <= 0.51 && (centre(1) - 14.0).abs() <= 0.51, "{} {}", centre(0), centre(1));
    }
}

/// The mean absolute difference was 0.0001 of the whole range on 2026-11-24.
#[test]
fn real_digits_come_back_as_they_were() {
    let Some(real) = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()) else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_MNIST").is_none(), "INKSTONE_REQUIRE_MNIST is set");
        return println!("skipped: set INKSTONE_DATA to the MNIST folder");
    };
    let images = mnist::load_from(real).unwrap().1.take(200).unwrap().images();
    let differences = (0..200).map(|n| mean_difference(&pictures::to_mnist(&large(&images, n)).unwrap(), &images, n));
    let mean = differences.sum::<f32>() / 200.0;
    println!("mean absolute difference {mean}");
    assert!(mean < 0.002, "{mean}");
}

/// Class folders with a digit each, under these names.
fn class_folders(names: &[&str]) -> tempfile::TempDir {
    let root = folder();
    let images = synthetic::digits(names.len(), 4).unwrap().images();
    for (n, name) in names.iter().enumerate() {
        fs::create_dir(root.path().join(name)).unwrap();
        pictures::write_png(root.path().join(name).join("a.png"), &large(&images, n)).unwrap();
    }
    root
}

#[test]
fn folders_are_classes_in_the_order_of_their_names() {
    let root = class_folders(&["pear", "apple", "fig"]);
    let extra = root.path().join("fig");
    fs::copy(extra.join("a.png"), extra.join("B.PNG")).unwrap();
    for ignored in ["notes.txt", ".hidden.png", "Thumbs.db"] {
        fs::write(extra.join(ignored), "no picture").unwrap();
    }
    fs::create_dir(root.path().join(".git")).unwrap();
    fs::write(root.path().join("README"), "").unwrap();
    let (dataset, classes) = pictures::from_folder_in(root.path(), pictures::Order::ByName).unwrap();
    assert_eq!(classes, ["apple", "fig", "pear"]);
    assert_eq!((dataset.labels(), dataset.shape()), (&[0, 1, 1, 2][..], [28, 28, 1].into()));
}

/// What `validation_split` takes, the last images, has all classes; sorted by class it would have one.
#[test]
fn folders_are_shuffled_by_a_seed_with_every_image_beside_its_label() {
    let root = folder();
    let images = synthetic::digits(60, 6).unwrap();
    for (n, label) in images.labels().iter().enumerate() {
        fs::create_dir_all(root.path().join(label.to_string())).unwrap();
        pictures::write_png(root.path().join(format!("{label}/{n}.png")), &large(&images.images(), n)).unwrap();
    }
    let read = |order| pictures::from_folder_in(root.path(), order).unwrap().0;
    let (in_order, shuffled) = (read(pictures::Order::ByName), pictures::from_folder(root.path()).unwrap().0);
    assert!(in_order.labels().is_sorted());
    let last: std::collections::BTreeSet<usize> = shuffled.labels()[36..].iter().copied().collect();
    assert!(last.len() >= 7, "{last:?}");
    let same = |one: &Dataset, other: &Dataset| one.labels() == other.labels() && one.images() == other.images();
    assert!(same(&shuffled, &read(pictures::Order::Shuffled { seed: 0 })));
    assert!(!same(&shuffled, &read(pictures::Order::Shuffled { seed: 1 })));
    let by_image = |dataset: &Dataset| {
        let images = dataset.images().mapv(|value| (value * 255.0) as u8);
        let mut pairs: Vec<_> = images.outer_iter().map(|image| image.iter().copied().collect::<Vec<_>>()).collect();
        pairs.iter_mut().zip(dataset.labels()).for_each(|(image, label)| image.push(*label as u8));
        pairs.sort_unstable();
        pairs
    };
    assert_eq!(by_image(&shuffled), by_image(&in_order));
}

#[test]
fn folders_named_by_numbers_are_in_their_order() {
    let (_, classes) = pictures::from_folder(class_folders(&["10", "9", "0", "2"]).path()).unwrap();
    assert_eq!(classes, ["0", "2", "9", "10"]);
}

#[test]
fn contact_sheets_show_every_image_in_its_place() {
    let path = folder().keep().join("sheet.png");
    let images = Array4::from_shape_fn((5, 3, 4, 1), |(n, ..)| 50 * n as u8);
    let dataset = Dataset::from_bytes(images, vec![0; 5]).unwrap();
    pictures::write_contact_sheet(&path, &dataset, 3).unwrap();
    let sheet = pictures::read_png(&path).unwrap();
    assert_eq!(sheet.dim(), (2 * 5 + 2, 3 * 6 + 2));
    for n in 0..5 {
        assert_eq!(sheet[[2 + n / 3 * 5, 2 + n % 3 * 6]], 50 * n as u8);
    }
    assert_eq!((sheet[[0, 0]], sheet[[11, 19]]), (64, 64));
    let colours = Array4::from_shape_fn((1, 1, 1, 3), |(.., channel)| [255, 0, 0][channel]);
    pictures::write_contact_sheet(&path, &Dataset::from_bytes(colours, vec![0]).unwrap(), 9).unwrap();
    assert_eq!(pictures::read_png(&path).unwrap()[[2, 2]], 76);
}

#[track_caller]
fn refused(path: &Path, expected: &str) {
    let error = pictures::read_digit(path).unwrap_err();
    let text = error.to_string().replace(&format!("{}: ", path.display()), "");
    assert!(text.starts_with(expected), "expected {expected}, got {error}");
}

fn valid() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = folder();
    let path = folder.path().join("a.png");
    pictures::write_png(&path, &large(&synthetic::digits(1, 5).unwrap().images(), 0)).unwrap();
    let bytes = fs::read(&path).unwrap();
    (folder, path, bytes)
}

#[test]
fn files_that_are_no_png_are_refused() {
    let (folder, path, bytes) = valid();
    for content in [&b""[..], b"P5 28 28 255", b"\xff\xd8\xff\xe0 a JPEG", &bytes[..8], &bytes[..30]] {
        fs::write(&path, content).unwrap();
        refused(&path, "expected a whole PNG file, found something else (");
    }
    refused(folder.path(), "expected a PNG file, found a folder");
    let missing = folder.path().join("missing.png");
    assert!(
        matches!(pictures::read_digit(&missing).unwrap_err(), Error::Io { place, .. } if place == missing.display().to_string())
    );
}

#[test]
fn a_png_that_ends_early_is_refused_wherever_it_ends() {
    let (_folder, path, bytes) = valid();
    // Without the last chunk the picture is whole: it is the file's end that is missing.
    for len in 0..bytes.len() - 12 {
        fs::write(&path, &bytes[..len]).unwrap();
        refused(&path, "expected a whole PNG file, found something else (");
    }
}

#[test]
fn a_damaged_chunk_is_refused() {
    let (_folder, path, mut bytes) = valid();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    refused(&path, "expected a whole PNG file, found something else (");
}

#[test]
fn a_header_that_promises_too_much_costs_no_memory() {
    let (_folder, path, _) = valid();
    let header = |width: u32, height: u32| {
        let mut chunk = b"IHDR".to_vec();
        chunk.extend(width.to_be_bytes());
        chunk.extend(height.to_be_bytes());
        chunk.extend([8, 0, 0, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        let start = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
        [start, chunk, crc.sum().to_be_bytes().to_vec(), b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e".to_vec()].concat()
    };
    for (width, height) in [(100_000, 100_000), (u32::MAX >> 1, u32::MAX >> 1), (1, u32::MAX >> 1)] {
        fs::write(&path, header(width, height)).unwrap();
        refused(&path, "expected ");
    }
    fs::write(&path, header(10_000, 10_000)).unwrap();
    refused(&path, "expected at most 67108864 pixels, found 10000 x 10000: make it smaller");
    fs::write(&path, header(0, 5)).unwrap();
    refused(&path, "expected a whole PNG file, found something else (");
}

#[test]
fn a_picture_with_nothing_on_it_is_refused() {
    let (_folder, path, _) = valid();
    for (least, most) in [(0, 0), (255, 255), (120, 130)] {
        pictures::write_png(
            &path,
            &Array2::from_shape_fn((40, 40), |(y, x)| if (y, x) == (20, 20) { most } else { least }),
        )
        .unwrap();
        refused(
            &path,
            &format!(
                "expected a digit darker or lighter than its background, found values from {least} to {most} only"
            ),
        );
    }
    let error = pictures::to_mnist(&Array2::zeros((0, 5))).unwrap_err().to_string();
    assert_eq!(error, "the picture: expected at least one pixel on every axis, found 0 x 5");
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let root = folder();
    let text = |path: &Path| pictures::from_folder(path).unwrap_err().to_string();
    assert_eq!(text(root.path()), format!("{}: expected a folder for each class, found none", root.path().display()));
    let class = root.path().join("cats");
    fs::create_dir(&class).unwrap();
    assert_eq!(text(root.path()), format!("{}: expected .png files of this class, found none", class.display()));
    fs::write(class.join("a.png"), "no picture").unwrap();
    assert!(text(root.path()).starts_with(&format!("{}: expected a whole PNG file", class.join("a.png").display())));
    for path in [root.path().join("missing"), class.join("a.png")] {
        let error = pictures::from_folder(&path).unwrap_err();
        assert!(matches!(&error, Error::Io { place, .. } if *place == path.display().to_string()), "{error}");
    }
}

#[test]
fn what_cannot_be_written_is_told_and_leaves_nothing() {
    let (folder, path, _) = valid();
    let picture = Array2::zeros((2, 2));
    for place in [path.join("below.png"), folder.path().join("missing/a.png"), folder.path().to_owned()] {
        let error = pictures::write_png(&place, &picture).unwrap_err();
        assert!(
            matches!(&error, Error::NotWritten { place: told, .. } if *told == place.display().to_string()),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
    let error = pictures::write_png(&path, &Array2::zeros((0, 2))).unwrap_err().to_string();
    assert_eq!(error, "a picture must have at least one pixel on every axis, got (0, 2)");
    let dataset = synthetic::digits(2, 0).unwrap();
    let error = pictures::write_contact_sheet(&path, &dataset, 0).unwrap_err().to_string();
    assert_eq!(error, "columns must be at least 1, got 0");
    let many = Dataset::from_bytes(Array4::zeros((100, 1000, 1000, 1)), vec![0; 100]).unwrap();
    let error = pictures::write_contact_sheet(&path, &many, 10).unwrap_err().to_string();
    assert_eq!(error, "a contact sheet may have at most 67108864 pixels, got 10022 x 10022: `take` fewer images");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is changed in a valid file: an error or a picture, never a panic.
    #[test]
    fn changed_files_never_panic(changes in proptest::collection::vec((0_usize..1 << 16, any::<u8>()), 1..8)) {
        let (_folder, path, mut bytes) = valid();
        for (place, value) in changes {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        fs::write(&path, bytes).unwrap();
        let _ = pictures::read_digit(&path);
    }

    /// Whatever picture: an error or 28x28 pixels whose strongest is white.
    #[test]
    fn any_picture_becomes_a_digit_or_an_error(height in 1_usize..40, width in 1_usize..40, pixels in proptest::collection::vec(any::<u8>(), 1..64)) {
        let picture = Array2::from_shape_fn((height, width), |(y, x)| pixels[(y * width + x) % pixels.len()]);
        if let Ok(image) = pictures::to_mnist(&picture) {
            prop_assert_eq!(image.dim(), (28, 28));
            prop_assert!(image.iter().any(|value| *value > 0));
        }
    }
}
