//! Each drawing is well-formed XML and shows what it is of: labels, counts, pixels; awkward input neither panics nor is
//! clipped.
#![cfg(feature = "plot")]

use crate::common_drawn::{number, pictures, shapes, words};
use inkstone::ndarray::{Array2, Array4, Axis};
use inkstone::prelude::*;
use inkstone::{Epoch, EvaluationReport, History, Metric, Model, Scores};
use roxmltree::Document;
use std::path::Path;

const BLUE: &str = "#0072B2";
const ORANGE: &str = "#D55E00";

/// What was written to a file by this call.
fn written(write: impl FnOnce(&Path) -> inkstone::Result<()>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("drawing.svg");
    write(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

fn scores(loss: f64, accuracy: f64) -> Scores {
    Scores::new(loss, vec![(Metric::Accuracy, accuracy)])
}

fn history(epochs: &[(f64, f64)], validation: Option<&[(f64, f64)]>) -> History {
    let epoch = |(index, (loss, accuracy)): (usize, &(f64, f64))| Epoch {
        training: scores(*loss, *accuracy),
        validation: validation.map(|values| scores(values[index].0, values[index].1)),
        learning_rate: 0.001,
        seconds: 1.0,
        logged: Vec::new(),
    };
    History { epochs: epochs.iter().enumerate().map(epoch).collect() }
}

/// A report on `classes` classes, each of which is right with 7 of 8 examples.
fn report(classes: usize) -> EvaluationReport {
    let labels: Vec<usize> = (0..8 * classes).map(|example| example % classes).collect();
    let predicted = |example: usize| if example % 8 == 7 { (labels[example] + 1) % classes } else { labels[example] };
    let rest = 0.2 / (classes - 1) as f32;
    let probabilities =
        Array2::from_shape_fn(
            (labels.len(), classes),
            |(example, class)| {
                if class == predicted(example) { 0.8 } else { rest }
            },
        );
    EvaluationReport::new(&labels, probabilities.view()).unwrap()
}

#[test]
fn curves_fall_where_the_loss_falls_and_name_what_they_are() {
    let history = history(&[(0.4, 0.9), (0.2, 0.95), (0.1, 0.97)], Some(&[(0.3, 0.91), (0.15, 0.94), (0.12, 0.96)]));
    let text = written(|path| history.plot(path));
    let svg = Document::parse(&text).unwrap();
    let words = words(&svg);
    for expected in ["Loss", "Accuracy", "training", "validation", "epoch", "1", "2", "3", "0.90", "0.4"] {
        assert!(words.contains(&expected.to_owned()), "no {expected:?} in {words:?}");
    }
    // Each panel has its legend's circle, then three.
    let circles: Vec<f64> = shapes(&svg, "circle", BLUE).iter().map(|circle| number(circle, "cy")).collect();
    assert_eq!(circles.len(), 8);
    assert!(circles[1] < circles[2] && circles[2] < circles[3], "a falling loss goes down: {circles:?}");
    assert!(circles[5] > circles[6] && circles[6] > circles[7], "a rising accuracy goes up: {circles:?}");
    // Twice the loss is twice as high above 0.
    assert!(((circles[3] - circles[2]) * 2.0 - (circles[2] - circles[1])).abs() <= 2.0, "{circles:?}");
    assert_eq!(shapes(&svg, "polygon", ORANGE).len(), 8);
}

#[test]
fn one_epoch_is_a_point_and_without_validation_there_is_no_legend() {
    let text = written(|path| history(&[(0.4, 0.9)], None).plot(path));
    let svg = Document::parse(&text).unwrap();
    assert_eq!(shapes(&svg, "circle", BLUE).len(), 2);
    assert!(!words(&svg).contains(&"validation".to_owned()));
}

#[test]
fn values_that_are_not_finite_interrupt_a_curve() {
    let validation = [(0.3, 0.9), (f64::NAN, 0.9), (f64::INFINITY, f64::NAN)];
    let text = written(|path| history(&[(1e308, 0.9); 3], Some(&validation)).plot(path));
    let svg = Document::parse(&text).unwrap();
    // Two legends' triangles, one loss, two accuracies.
    assert_eq!(shapes(&svg, "polygon", ORANGE).len(), 5);
}

#[test]
fn a_thousand_epochs_are_lines_without_markers() {
    let epochs: Vec<(f64, f64)> = (1..=1000).map(|epoch| (1.0 / f64::from(epoch), 0.5)).collect();
    let text = written(|path| history(&epochs, None).plot(path));
    let svg = Document::parse(&text).unwrap();
    assert_eq!(shapes(&svg, "circle", BLUE).len(), 0);
    assert!(words(&svg).contains(&"1000".to_owned()));
}

#[test]
fn a_learning_rate_that_changed_has_a_panel() {
    let mut history = history(&[(0.4, 0.9), (0.2, 0.95)], None);
    let panels =
        |history: &History| Document::parse(&written(|path| history.plot(path))).map(|svg| words(&svg)).unwrap();
    assert!(!panels(&history).contains(&"Learning rate".to_owned()));
    history.epochs[1].learning_rate = 0.0005;
    assert!(panels(&history).contains(&"Learning rate".to_owned()));
}

#[test]
fn a_history_without_epochs_says_what_to_do() {
    let error = History::default().plot("nowhere.svg").unwrap_err().to_string();
    assert_eq!(error, "a history without epochs has no curves to plot: `fit` first");
}

#[test]
fn a_dense_layer_behind_an_image_of_one_pixel_has_no_pictures() {
    let model = Sequential::new([2, 2, 1])
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(2).activation(Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let error = model.plot_filters("nowhere.svg").unwrap_err().to_string();
    assert!(error.contains("reads vectors with its first layer, dense"), "{error}");
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let path = Path::new("no such folder").join("curves.svg");
    let error = history(&[(0.4, 0.9)], None).plot(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} was not written: the folder", path.display())), "{error}");
}

#[test]
fn the_confusion_matrix_shows_every_count_that_is_not_zero() {
    let labels = [0, 0, 0, 1, 1, 2];
    let probabilities =
        Array2::from_shape_fn((6, 3), |(example, class)| f32::from(class == [0, 0, 1, 1, 1, 0][example]));
    let report = EvaluationReport::new(&labels, probabilities.view()).unwrap();
    let report = report.class_names(["<cat>", "\"dog\" & co\u{1}", "a name that is far too long"]).unwrap();
    let text = written(|path| report.confusion_matrix().plot(path));
    let svg = Document::parse(&text).unwrap();
    let words = words(&svg);
    let counts: Vec<&String> = words.iter().filter(|word| word.parse::<usize>().is_ok()).collect();
    assert_eq!(counts, ["2", "1", "2", "1"]);
    for expected in ["<cat>", "\"dog\" & co", "a name that is fa…", "true class", "predicted class"] {
        assert_eq!(
            words.iter().filter(|word| *word == expected).count(),
            if expected.contains("class") { 1 } else { 2 }
        );
    }
    // The key's square, then the diagonal from the upper left to the lower right.
    let right = shapes(&svg, "rect", BLUE);
    assert!(right.len() == 3 && number(&right[1], "x") < number(&right[2], "x"), "{text}");
    assert!(number(&right[1], "opacity") < number(&right[2], "opacity"), "2 of 3 are paler than 2 of 2");
    assert_eq!(shapes(&svg, "rect", ORANGE).len(), 3);
}

#[test]
fn confusion_matrices_of_2_to_1001_classes_can_be_drawn() {
    for classes in [2, 26, 100, 1001] {
        let named = report(classes).class_names((0..classes).map(|class| format!("class {class}"))).unwrap();
        let text = written(|path| named.confusion_matrix().plot(path));
        let svg = Document::parse(&text).unwrap();
        assert_eq!(shapes(&svg, "rect", BLUE).len(), 1 + classes);
        let counted: usize = words(&svg).iter().filter_map(|word| word.parse::<usize>().ok()).sum();
        assert_eq!(counted, if classes <= 40 { 8 * classes } else { 0 }, "{classes} classes");
    }
}

#[test]
fn calibration_has_a_bar_and_a_circle_for_each_bin() {
    let text = written(|path| report(10).calibration().plot(path));
    let svg = Document::parse(&text).unwrap();
    // The key's, and those of the one bin.
    assert_eq!(shapes(&svg, "circle", ORANGE).len(), 2);
    assert!(words(&svg).contains(&"Expected calibration error 0.0750".to_owned()), "{:?}", words(&svg));
}

/// 16 images whose pixels tell which they are.
fn images(channels: usize) -> Array4<f32> {
    Array4::from_shape_fn((16, 4, 4, channels), |(n, y, x, channel)| (n + y + x + channel) as f32 / 32.0)
}

#[test]
fn mistakes_show_the_very_picture() {
    let report = report(2);
    for channels in [1, 2, 3] {
        let text = written(|path| report.plot_mistakes(path, &images(channels), 5));
        let svg = Document::parse(&text).unwrap();
        let words = words(&svg);
        for expected in [
            "2 of 2 mistakes among 16 examples, the highest probability first.",
            "index 7",
            "index 15",
            "true 1",
            "predicted 0",
            "probability 0.800",
        ] {
            assert!(words.contains(&expected.to_owned()), "no {expected:?} in {words:?}");
        }
        let pictures = pictures(&svg);
        assert_eq!(pictures.len(), 2);
        let (width, pixels) = &pictures[1];
        let shade = |value: usize| (value as f32 / 32.0 * 255.0).round() as u8;
        let expected = |value: usize| {
            if channels == 3 { [shade(value), shade(value + 1), shade(value + 2)] } else { [shade(value); 3] }
        };
        assert_eq!(
            [pixels[0], pixels[width - 1], pixels[pixels.len() - 1]],
            [expected(15), expected(18), expected(21)]
        );
    }
}

#[test]
fn images_of_other_ranges_are_shown_from_their_smallest_to_their_largest() {
    let images = images(1).mapv(|value| (value - 0.5) * 10.0);
    let text = written(|path| report(2).plot_mistakes(path, &images, 2));
    let pictures = pictures(&Document::parse(&text).unwrap());
    // Image 7 has the smallest value, image 15 the largest.
    assert_eq!((pictures[0].1[0], *pictures[1].1.last().unwrap()), ([0; 3], [255; 3]));
}

#[test]
fn what_mistakes_cannot_be_shown_of_is_told() {
    let error = |images: &Array4<f32>, n| report(2).plot_mistakes("nowhere.svg", images, n).unwrap_err().to_string();
    assert_eq!(error(&images(1), 0), "n must be at least 1, got 0");
    assert_eq!(
        error(&images(1).select(Axis(0), &[0, 1, 2]), 1),
        "the images must be those that the report is on, got 3 images and a report on 16"
    );
    assert_eq!(
        error(&Array4::zeros((16, 1, 1, 5)), 1),
        "mistakes can be shown of images, got vectors of shape (1, 1, 5): `mistakes` lists them"
    );
}

#[test]
fn without_mistakes_the_sheet_says_so() {
    let probabilities = Array2::from_shape_fn((2, 2), |(example, class)| f32::from(example == class));
    let report = EvaluationReport::new(&[0, 1], probabilities.view()).unwrap();
    let images = images(1).select(Axis(0), &[0, 1]);
    let text = written(|path| report.plot_mistakes(path, &images, 5));
    assert!(
        words(&Document::parse(&text).unwrap()).contains(&"None: all 2 examples were classified right.".to_owned())
    );
}

fn compiled(layers: Sequential) -> Model {
    layers.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

#[test]
fn filters_have_one_scale_and_a_colour_for_each_sign() {
    let mut model =
        compiled(Sequential::new([8, 8, 3]).add(Conv2D::new(4, (3, 3))).add(Flatten::new()).add(Dense::new(1)));
    let mut weights = model.get_weights();
    weights[0].values.fill(0.0);
    weights[0].values[[0, 0, 0, 1]] = 2.0;
    weights[0].values[[0, 0, 2, 3]] = -1.0;
    model.set_weights(&weights).unwrap();
    let text = written(|path| model.plot_filters(path));
    let svg = Document::parse(&text).unwrap();
    let corners: Vec<[u8; 3]> = pictures(&svg).iter().map(|(_, pixels)| pixels[0]).collect();
    let mut expected = vec![[255; 3]; 12];
    (expected[3], expected[11]) = ([0xD5, 0x5E, 0x00], [0x80, 0xB9, 0xD9]);
    assert_eq!(corners, expected);
    assert!(words(&svg)[1].starts_with("conv2d: 4 filters of 3 x 3 x 3."), "{:?}", words(&svg));
}

#[test]
fn a_dense_layer_on_images_has_a_picture_for_each_unit() {
    let mut model = compiled(Sequential::new([8, 6, 1]).add(Flatten::new()).add(Dense::new(70)));
    let mut weights = model.get_weights();
    weights[0].values.fill(0.0);
    // The pixel in row 7 and column 5, seen by unit 2.
    weights[0].values[[47, 2]] = 1.0;
    model.set_weights(&weights).unwrap();
    let text = written(|path| model.plot_filters(path));
    let svg = Document::parse(&text).unwrap();
    assert!(words(&svg)[1].starts_with("dense: 70 filters of 8 x 6 x 1, the first 64."), "{:?}", words(&svg));
    let pictures = pictures(&svg);
    assert_eq!(pictures.len(), 64);
    assert_eq!([&pictures[1], &pictures[2]].map(|(_, pixels)| *pixels.last().unwrap()), [[255; 3], [0xD5, 0x5E, 0x00]]);
}

#[test]
fn models_without_filters_say_why() {
    let error = |layers| compiled(layers).plot_filters("nowhere.svg").unwrap_err().to_string();
    assert_eq!(
        error(Sequential::new([4]).add(Dense::new(2))),
        "the model reads vectors with its first layer, dense: filters can be shown of a model on images"
    );
    assert_eq!(
        error(Sequential::new([4, 4, 1]).add(Flatten::new())),
        "the model has no layer with weights: there are no filters to show"
    );
}
