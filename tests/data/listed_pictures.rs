//! Pictures of a folder whose names and classes are in a CSV file.
#![cfg(all(feature = "image", feature = "csv"))]

use inkstone::Error;
use inkstone::data::csv::{CsvOptions, Header};
use inkstone::data::pictures::{self, Broken, Order, PictureFolder, PictureOptions};
use std::fs;
use std::path::Path;

/// A folder with pictures of one shade each: `0.png` black to `3.png`, and `in/4.png`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    for (shade, name) in ["0.png", "1.png", "2.png", "3.png", "in/4.png"].into_iter().enumerate() {
        pictures::write_png(folder.path().join(name), &ndarray::Array2::from_elem((3, 3), shade as u8)).unwrap();
    }
    folder
}

fn read_with(
    folder: &Path,
    text: &str,
    columns: CsvOptions,
    options: PictureOptions,
) -> inkstone::Result<PictureFolder> {
    let list = folder.join("list.csv");
    fs::write(&list, text).unwrap();
    pictures::read_listed(folder, &list, columns, options.order(Order::ByName))
}

fn read(folder: &Path, text: &str, columns: CsvOptions) -> inkstone::Result<PictureFolder> {
    read_with(folder, text, columns, PictureOptions::new((3, 3)))
}

/// What is said, with `FOLDER` for the folder.
fn said(folder: &Path, text: &str, columns: CsvOptions) -> String {
    let error = read(folder, text, columns).unwrap_err();
    error.to_string().replace(&folder.display().to_string(), "FOLDER")
}

/// The shades of the pictures.
fn shades(read: &PictureFolder) -> Vec<u8> {
    read.dataset.into_iter().map(|example| (example.image()[[0, 0, 0]] * 255.0).round() as u8).collect()
}

#[test]
fn a_list_gives_each_picture_its_class() {
    let folder = folder();
    // Numbers stay what they are; other columns may be anything; a picture may be listed twice.
    let numbers = "who,class,file\nAda,7,3.png\n,2,./in/4.png\nEve,7,0.png\nEve,2,3.png\n";
    let columns = || CsvOptions::new().id("file").target("class");
    let listed = read(folder.path(), numbers, columns()).unwrap();
    assert_eq!((shades(&listed), listed.dataset.labels()), (vec![3, 4, 0, 3], &[7, 2, 7, 2][..]));
    assert!(listed.classes.is_empty() && listed.dataset.ids().len() == 0);
    // Names are sorted as Keras sorts folders: by their letters' codes, not by their numbers.
    let names = "class;file\nb;0.png\nB;1.png\n10;2.png\n9;3.png\nä;in/4.png\n";
    let listed = read(folder.path(), names, columns().delimiter(b';')).unwrap();
    assert_eq!(listed.classes, ["10", "9", "B", "b", "ä"]);
    assert_eq!(listed.dataset.labels(), [3, 2, 0, 1, 4]);
    // The first column and the second, without a header: of a text that is a picture's name no header is made.
    for options in [CsvOptions::new(), CsvOptions::new().header(Header::Absent)] {
        let listed = read(folder.path(), "1.png,cat\n2.png,dog\n", options).unwrap();
        assert_eq!((shades(&listed), &listed.classes[..]), (vec![1, 2], &["cat".to_owned(), "dog".into()][..]));
    }
    // With names, and shuffled as all folders are.
    let options = PictureOptions::new((3, 3)).keep_names();
    let listed = read_with(folder.path(), numbers, columns(), options).unwrap();
    assert_eq!(listed.dataset.ids().collect::<Vec<_>>(), ["3.png", "./in/4.png", "0.png", "3.png"]);
    let many: String = (0..40).map(|n| format!("{}.png,{n}\n", n % 4)).collect();
    fs::write(folder.path().join("many.csv"), many).unwrap();
    let options = PictureOptions::new((3, 3));
    let list = folder.path().join("many.csv");
    let shuffled = pictures::read_listed(folder.path(), list, CsvOptions::new(), options).unwrap().dataset;
    assert!(!shuffled.labels().is_sorted());
}

#[test]
fn pictures_that_a_list_names_and_are_missing_are_told_by_its_lines() {
    let folder = folder();
    let columns = || CsvOptions::new().id("file").target("class");
    let text = "file,class\n0.png,a\nnone.png,b\n\"two\nlines.png\",b\n0.png/x,a\n3.png,a\n";
    assert_eq!(
        said(folder.path(), text, columns()),
        "FOLDER/list.csv: 3 pictures are missing in FOLDER: line 3, `none.png`; line 4, `two\nlines.png`; line 6, `0.png/x`"
    );
    let many: String = (0..9).map(|n| format!("no{n}.png,1\n")).collect();
    let error = said(folder.path(), &many, CsvOptions::new());
    assert!(error.contains(": 9 pictures are missing in FOLDER: line 1, `no0.png`; "), "{error}");
    assert!(error.ends_with("; line 5, `no4.png`; and others"), "{error}");
    // Left out, if asked, as broken ones are; what is left keeps its class.
    fs::write(folder.path().join("broken.png"), "none").unwrap();
    let text = "file,class\nnone.png,b\nbroken.png,a\n3.png,b\n";
    let options = PictureOptions::new((3, 3)).broken(Broken::LeaveOut);
    let listed = read_with(folder.path(), text, columns(), options).unwrap();
    assert_eq!(
        (shades(&listed), listed.dataset.labels(), &listed.classes[..]),
        (vec![3], &[1][..], &["a".to_owned(), "b".into()][..])
    );
    let [(missing, first), (broken, second)] = &listed.left_out[..] else { panic!("{:?}", listed.left_out) };
    assert!(missing.ends_with("none.png") && broken.ends_with("broken.png"));
    assert!(first.to_string().ends_with("list.csv, line 2, `none.png`"), "{first}");
    assert!(matches!(second, Error::Picture { .. }), "{second}");
    // Nothing is left.
    let error = read_with(folder.path(), "none.png,1\n", CsvOptions::new(), options).unwrap_err().to_string();
    assert!(error.contains(": 1 picture is missing in ") && error.ends_with(": line 1, `none.png`"), "{error}");
    let error = said(folder.path(), "file,class\nbroken.png,b\n", columns());
    assert!(error.starts_with("FOLDER/broken.png: expected a whole PNG or JPEG file"), "{error}");
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let outer = folder();
    let inner = outer.path().join("in");
    let absolute = outer.path().join("0.png").display().to_string();
    for name in ["../0.png", "in/../../0.png", "4.png/../../0.png", "..", ".", "", "./", &absolute] {
        let error = said(&inner, &format!("file,class\n4.png,a\n{name},b\n"), CsvOptions::new());
        let shown = name.replace(&inner.display().to_string(), "FOLDER");
        assert_eq!(
            error,
            format!(
                "FOLDER/list.csv: line 3: expected the name of a picture in the folder, found `{shown}`, which leaves it or is none"
            )
        );
    }
}

#[test]
fn lists_that_are_none_are_told() {
    let folder = folder();
    let columns = || CsvOptions::new().id("file").target("class");
    for (text, expected) in [
        ("", "expected at least one row, found an empty file"),
        ("file,class\n", "expected rows below the header, found none"),
        ("file\n0.png\n", "expected a column `class`, found `file`"),
        ("file,class\n0.png\n", "line 2: expected 2 fields, as in the first row, found 1"),
        ("file,class\n0.png,\n", "line 2, column `class`: expected a class, found none"),
        ("0.png,1\n", "expected a column `class`, found no header: name it by its number, from 0"),
    ] {
        assert_eq!(said(folder.path(), text, columns()), format!("FOLDER/list.csv: {expected}"));
    }
    assert_eq!(
        said(folder.path(), "0.png\n1.png\n", CsvOptions::new()),
        "FOLDER/list.csv: expected a column 1, found 1 columns, numbered from 0"
    );
    assert_eq!(
        said(folder.path(), "a,b\n", CsvOptions::new().id(1).target(1)),
        "FOLDER/list.csv: expected each column to be one thing, found column `b` named twice"
    );
    let error =
        pictures::read_listed(folder.path(), folder.path(), columns(), PictureOptions::new((3, 3))).unwrap_err();
    assert!(error.to_string().ends_with("expected a CSV file, found a folder"), "{error}");
    let error =
        pictures::read_listed(folder.path(), folder.path().join("no.csv"), columns(), PictureOptions::new((3, 3)));
    assert!(matches!(error.unwrap_err(), Error::Io { .. }));
    // A picture of a folder is none.
    fs::create_dir(folder.path().join("dir.png")).unwrap();
    let error = said(folder.path(), "dir.png,1\n", CsvOptions::new());
    assert!(error.starts_with("FOLDER/dir.png: "), "{error}");
}
