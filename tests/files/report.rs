//! The page: everything on it, nothing from elsewhere, whatever the model is.
#![cfg(feature = "plot")]

use inkstone::data::synthetic;
use inkstone::ndarray::{Array4, array};
use inkstone::prelude::*;
use inkstone::report::{self, Report};
use inkstone::{BinaryCrossentropy, Dataset, History, Model};

fn classifier() -> Model {
    let layers = Sequential::new([28, 28, 1])
        .add(Conv2D::new(4, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax));
    layers.seed(1).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

fn page(report: Report<'_>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    report.write(&path).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        !page.contains("http") && !page.contains("<script") && !page.contains("@import"),
        "nothing is from elsewhere"
    );
    page
}

/// The page's parts, in order.
fn parts(page: &str) -> Vec<&str> {
    page.split("<section id=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect()
}

#[test]
fn the_page_has_everything_in_one_file() {
    let (train, test) = (synthetic::digits(300, 1).unwrap(), synthetic::digits(200, 2).unwrap());
    let mut model = classifier();
    let history = model.fit(&train, FitConfig::new().epochs(2).validation_data(&test).verbose(0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    report::write(&path, &model, &history, &test).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        parts(&page),
        ["curves", "classes", "confusion", "mistakes", "calibration", "filters", "summary", "settings"]
    );
    let report = model.evaluate_report(&test).unwrap();
    let accuracy = format!("{:.4}", report.accuracy());
    let mistake = report.mistakes(1)[0];
    for expected in [
        "<!DOCTYPE html>",
        "<h1>Training report</h1>",
        &format!("<dt>test accuracy</dt><dd>{accuracy}</dd>"),
        "<td>conv2d (Conv2D)</td><td>(None, 26, 26, 4)</td>",
        &format!("<span>true {}</span><span>predicted {}</span>", mistake.label, mistake.predicted),
        &format!("<span>index {}</span>", mistake.index),
        "SparseCategoricalCrossentropy",
        "learning_rate: Constant(0.001)",
        &format!("{:.4}", history.get("val_accuracy").unwrap()[1]),
    ] {
        assert!(page.contains(expected), "no {expected:?}");
    }
    assert!(!page.contains("http"));
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn without_history_and_examples_the_page_describes_the_model() {
    let page = page(Report::new(&classifier()));
    assert_eq!(parts(&page), ["filters", "summary", "settings"]);
    let page = self::page(Report::new(&classifier()).history(&History::default()));
    assert_eq!(parts(&page), ["filters", "summary", "settings"]);
}

#[test]
fn names_and_titles_are_escaped() {
    let test = synthetic::digits(50, 2).unwrap();
    let names = (0..10).map(|class| format!("<b>&{class}"));
    let model = classifier();
    let page = page(Report::new(&model).title("</title><i>\"").evaluate(&test).class_names(names));
    assert!(
        page.contains("<h1>&lt;/title&gt;&lt;i&gt;\"</h1>") || page.contains("<h1>&lt;/title&gt;&lt;i&gt;&quot;</h1>")
    );
    assert!(page.contains("&lt;b&gt;&amp;3") && !page.contains("<b>") && !page.contains("<i>"));
}

#[test]
fn a_model_without_mistakes_has_none_to_show() {
    let images = Array4::from_shape_fn((20, 2, 2, 3), |(n, ..)| if n % 2 == 0 { 0 } else { 255 });
    let data = Dataset::from_bytes(images, (0..20).map(|n| n % 2).collect()).unwrap();
    let layers = Sequential::new([2, 2, 3]).add(Flatten::new()).add(Dense::new(2).activation(Softmax)).seed(1);
    let mut model = layers.compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let history = model.fit(&data, FitConfig::new().epochs(20).verbose(0)).unwrap();
    let page = page(Report::new(&model).history(&history).evaluate(&data));
    assert!(page.contains("None: all 20 examples were classified right."));
}

#[test]
fn one_output_says_yes_or_no_or_is_a_number_that_has_scores_and_no_classes() {
    let points =
        array![[0.0_f32, 1.0], [1.0, 0.0], [0.0, 0.9], [0.8, 0.0]].into_shape_with_order((4, 1, 1, 2)).unwrap();
    let layers = |activation| Sequential::new([2]).add(Dense::new(1).activation(activation)).seed(1);
    let yes_or_no = layers(Sigmoid).compile(Sgd::new(0.1), BinaryCrossentropy::default(), [Accuracy]).unwrap();
    let number = layers(Linear).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let page_of = |mut model: Model| {
        let history = model.fit((&points, &[0, 1, 0, 1]), FitConfig::new().epochs(1).verbose(0)).unwrap();
        page(Report::new(&model).history(&history).evaluate((&points, &[0, 1, 0, 1])))
    };
    let page = page_of(yes_or_no);
    assert_eq!(parts(&page), ["curves", "classes", "confusion", "mistakes", "calibration", "summary", "settings"]);
    let page = page_of(number);
    assert_eq!(parts(&page), ["curves", "classes", "summary", "settings"]);
    assert!(page.contains("<dt>test loss</dt>") && page.contains("does not choose one of several classes"));
}

#[test]
fn vectors_have_mistakes_in_words_and_no_filters() {
    let points = Array4::from_shape_fn((40, 1, 1, 5), |(n, .., feature)| (n * feature % 7) as f32);
    let labels: Vec<usize> = (0..40).map(|n| n % 3).collect();
    let layers = Sequential::new([5]).add(Dense::new(3).activation(Softmax)).seed(1);
    let model = layers.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let mistake = model.evaluate_report((&points, &labels)).unwrap().mistakes(1)[0].to_string();
    let page = page(Report::new(&model).evaluate((&points, &labels)));
    assert_eq!(parts(&page), ["classes", "confusion", "mistakes", "calibration", "summary", "settings"]);
    assert!(page.contains(&format!("<li>{mistake}</li>")));
}

#[test]
fn what_does_not_fit_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let test = synthetic::digits(20, 2).unwrap();
    let model = classifier();
    let error = Report::new(&model).evaluate(&test).class_names(["a"]).write(&path).unwrap_err();
    assert_eq!(error.to_string(), "there must be one name for each class, got 1 names and 10 classes");
    let small = Array4::<u8>::zeros((2, 8, 8, 1));
    let error = Report::new(&model).evaluate((&small, &[0, 1])).write(&path).unwrap_err();
    assert_eq!(error.to_string(), "the model expects images of (28, 28, 1), got (8, 8, 1)");
    let nowhere = folder.path().join("no such folder").join("report.html");
    let error = Report::new(&model).write(&nowhere).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} was not written: the folder", nowhere.display())), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Others, such as a web server, may read a report, as far as the user's mask lets them.
#[cfg(unix)]
#[test]
fn a_film_has_a_row_of_at_most_ten_pictures_for_each_moment() {
    let digits = synthetic::digits(12, 1).unwrap();
    let model = classifier();
    let frames = [("epoch 1", digits.take(3).unwrap()), ("epoch 2 < 3", digits.clone())];
    let page = page(Report::new(&model).film("Drawn", frames).film("Drawn again", [("once", digits)]));
    assert_eq!(parts(&page), ["film-1", "film-2", "filters", "summary", "settings"]);
    let film = page.split("<section id=\"film-1\">").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(film.starts_with("<h2>Drawn</h2>"));
    let rows: Vec<usize> = film.split("<figure>").skip(1).map(|row| row.matches("<img").count()).collect();
    assert_eq!(rows, [3, 10]);
    assert!(film.contains("<span>epoch 1</span>") && film.contains("<span>epoch 2 &lt; 3</span>"));
}

#[test]
fn the_page_can_be_read_by_whom_other_new_files_can_be() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, plain) = (folder.path().join("report.html"), folder.path().join("plain"));
    Report::new(&classifier()).write(&path).unwrap();
    std::fs::write(&plain, "").unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}
