//! CSV files: as Kaggle and others have them, and with everything that is wrong with some.
#![cfg(feature = "csv")]

use inkstone::Dataset;
use inkstone::data::csv::{self, CsvOptions, CsvTable, Header};
use inkstone::data::synthetic;
use inkstone::prelude::*;
use ndarray::array;
use std::fmt::Write;
use std::io::Write as _;
use std::path::Path;

fn read(text: &str, options: CsvOptions) -> inkstone::Result<CsvTable> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    csv::read(file.path(), options)
}

/// What is said, without the path.
fn said(text: &str, options: CsvOptions) -> String {
    let error = read(text, options).unwrap_err().to_string();
    error.split_once(": ").unwrap().1.to_owned()
}

/// The lines of Kaggle's digit recogniser.
fn write_digits(path: &Path, digits: &Dataset, with_labels: bool) {
    let mut text = String::from(if with_labels { "label," } else { "" });
    text += &(0..784).map(|pixel| format!("pixel{pixel}")).collect::<Vec<_>>().join(",");
    for example in digits {
        text.push('\n');
        if with_labels {
            write!(text, "{},", example.label().unwrap()).unwrap();
        }
        let pixels =
            example.features().iter().map(|value| ((value * 255.0).round() as u8).to_string()).collect::<Vec<_>>();
        text += &pixels.join(",");
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn kaggle_s_digits_are_read_trained_on_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let digits = synthetic::digits(400, 1).unwrap();
    let bytes =
        Dataset::from_bytes(digits.images().mapv(|value| (value * 255.0).round() as u8), digits.labels().to_vec())
            .unwrap();
    write_digits(&path("train.csv"), &bytes, true);
    write_digits(&path("test.csv"), &bytes.take(50).unwrap(), false);
    let train = Dataset::from_csv(path("train.csv"), CsvOptions::new().target("label").images([28, 28, 1])).unwrap();
    assert_eq!((train.images(), train.labels()), (bytes.images(), bytes.labels()));
    let test = Dataset::from_csv(path("test.csv"), CsvOptions::new().images([28, 28, 1])).unwrap();
    assert!(test.labels().is_empty());
    let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax)).seed(1);
    let mut model = described.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    model.fit(&train, FitConfig::new().epochs(5).verbose(0)).unwrap();
    let classes = model.predict_classes(&test).unwrap();
    csv::write_classes(path("out.csv"), ["ImageId", "Label"], 1, &classes).unwrap();
    let out = csv::read(path("out.csv"), CsvOptions::new().target("Label").id("ImageId"));
    assert!(out.unwrap_err().to_string().ends_with("expected at least one column that is a feature, found none"));
    let text = std::fs::read_to_string(path("out.csv")).unwrap();
    let right =
        text.lines().skip(1).zip(bytes.labels()).filter(|(line, label)| line.ends_with(&format!(",{label}"))).count();
    assert!(text.starts_with("ImageId,Label\n1,") && right > 45, "{right}");
}

#[test]
fn tables_have_names_classes_values_and_ids() {
    let text = "\u{feff}who, age,smokes,\"risk, %\",kind\nAda,61,1,0.5,b\nBob,47,0,0.25,a\r\n\"C, D\",58,1,1e-1,b\n";
    let options = CsvOptions::new().id("who").values(["risk, %"]).target("kind");
    let CsvTable { dataset, features, classes, .. } = read(text, options).unwrap();
    assert_eq!(dataset.table(), array![[61.0, 1.0], [47.0, 0.0], [58.0, 1.0]]);
    assert_eq!(dataset.values().unwrap(), array![[0.5], [0.25], [0.1]]);
    assert_eq!(
        (&features[..], &classes[..]),
        (&["age".to_owned(), "smokes".into()][..], &["a".to_owned(), "b".into()][..])
    );
    assert_eq!((dataset.labels(), dataset.ids().collect::<Vec<_>>()), (&[1, 0, 1][..], vec!["Ada", "Bob", "C, D"]));
    // Without a header, by numbers; what is ignored may be anything.
    let table = read("1;x;5\n2;;7\n", CsvOptions::new().delimiter(b';').target(2).ignore([1])).unwrap();
    assert_eq!((table.dataset.labels(), &table.features[..]), (&[5, 7][..], &["column 0".to_owned()][..]));
    // A header of numbers, and rows of texts that look like one.
    let table = read("0,1\n5,6\n", CsvOptions::new().header(Header::Present)).unwrap();
    assert_eq!((table.dataset.table(), &table.features[0][..]), (array![[5.0, 6.0]], "0"));
    let packed = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"a,b\n1,2\n").unwrap();
        encoder.finish().unwrap()
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &packed).unwrap();
    assert_eq!(csv::read(file.path(), CsvOptions::new()).unwrap().dataset.table(), array![[1.0, 2.0]]);
    std::fs::write(file.path(), &packed[..packed.len() - 4]).unwrap();
    let error = csv::read(file.path(), CsvOptions::new()).unwrap_err().to_string();
    assert!(error.contains("expected a whole gzip stream"), "{error}");
}

#[test]
fn missing_values_are_told_by_line_and_column() {
    let options = || CsvOptions::new().target("kind");
    let text = "a,b,kind\n1,NA,x\n,2,y\n3,4,?\n";
    assert_eq!(
        said(text, options()),
        "3 values are missing: line 2, column `b`; line 3, column `a`; line 4, column `kind`. Fill them in, or leave out their rows or columns"
    );
    let many = format!("a,b,kind\n{}", ",,\n".repeat(10));
    assert!(
        said(&many, options()).starts_with("30 values are missing: line 2, column `a`; ")
            && said(&many, options()).contains("; and others. Fill")
    );
}

#[test]
fn what_is_wrong_with_a_table_is_told() {
    let plain = CsvOptions::new;
    for (text, options, expected) in [
        ("", plain(), "expected at least one row, found an empty file"),
        ("a,b\n", plain(), "expected rows below the header, found none"),
        ("a,b\n1,2\n3\n", plain(), "line 3: expected 2 fields, as in the first row, found 1"),
        ("a,b\n1,2,3\n", plain(), "line 2: expected 2 fields, as in the first row, found 3"),
        ("a,b\n1,two\n", plain(), "line 2, column `b`: expected a number, found `two`"),
        ("a,b\n1,inf\n", plain(), "line 2, column `b`: expected a number, found `inf`"),
        ("a,b\n1,2\n", plain().target("c"), "expected a column `c`, found `a`, `b`"),
        ("a,a\n1,2\n", plain().target("a"), "expected one column `a`, found 2: name it by its number"),
        ("1,2\n", plain().target("a"), "expected a column `a`, found no header: name it by its number, from 0"),
        ("1,2\n", plain().target(2), "expected a column 2, found 2 columns, numbered from 0"),
        (
            "a,b\n1,2\n",
            plain().target("a").ignore(["a"]),
            "expected each column to be one thing, found column `a` named twice",
        ),
        (
            "a,b\n1,2\n",
            plain().images([28, 28, 1]),
            "expected the pixels of images of (28, 28, 1), found 2 columns of features",
        ),
        (
            "a,b\n1,256\n",
            plain().images([1, 2, 1]),
            "line 2, column `b`: expected a pixel, a whole number from 0 to 255, found 256",
        ),
        (
            "a,b\n1,0.5\n",
            plain().images([1, 2, 1]),
            "line 2, column `b`: expected a pixel, a whole number from 0 to 255, found 0.5",
        ),
    ] {
        assert_eq!(said(text, options), expected);
    }
    let binary = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(binary.path(), [0xff, 0xfe, b',', 0, b'\n', 0x80, b',', b'1', b'\n']).unwrap();
    assert!(
        csv::read(binary.path(), plain().header(Header::Absent)).unwrap_err().to_string().contains("expected a number")
    );
    assert!(
        csv::read(std::env::temp_dir(), plain())
            .unwrap_err()
            .to_string()
            .ends_with("expected a CSV file, found a folder")
    );
    let texts: String = (0..70_000).map(|n| format!("1,t{n}\n")).collect();
    assert!(said(&texts, plain().target(1)).contains("expected classes, found more than 65536 different texts"));
}

#[test]
fn rows_without_an_end_and_of_very_many_columns_are_refused() {
    // In a field that no quotation mark ends, line breaks end no row.
    for (start, filler) in [("a\n1\n", b"1"), ("a\n1\n\"", b"\n")] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file.as_file(), flate2::Compression::fast());
        encoder.write_all(start.as_bytes()).unwrap();
        (0..80).for_each(|_| encoder.write_all(&filler.repeat(1 << 20)).unwrap());
        encoder.finish().unwrap();
        let error = csv::read(file.path(), CsvOptions::new()).unwrap_err().to_string();
        let expected = "line 3: expected rows of at most 64 MiB, found a longer one: is a quotation mark not closed?";
        assert!(error.ends_with(expected), "{error}");
    }
    let row = format!("{}\n", ",".repeat(1 << 24));
    assert_eq!(said(&row, CsvOptions::new()), "expected at most 16777216 columns, found 16777217");
}
