//! Reports on models against scikit-learn. `tests/fixtures/make_evaluation.py` made the numbers and the texts.

use inkstone::prelude::*;
use inkstone::{EvaluationReport, evaluation::ClassScores};
use ndarray::{Array2, Array4, ArrayView2, array};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    class_names: Option<Vec<String>>,
    labels: Vec<usize>,
    probabilities: Vec<f32>,
    report: String,
    /// Precision, recall, F1 score, support, each of all classes.
    scores: [Vec<f64>; 4],
    #[serde(rename = "macro")]
    macro_average: [f64; 3],
    micro: [f64; 3],
    weighted: [f64; 3],
    accuracy: f64,
    confusion_matrix: Vec<usize>,
    roc_auc: Vec<Option<f64>>,
    roc_auc_averages: [Option<f64>; 2],
    log_loss: f64,
    calibration: Calibration,
    /// Index, label, predicted.
    mistakes: Vec<[usize; 3]>,
}

#[derive(Deserialize)]
struct Calibration {
    expected_error: f64,
    bins: Vec<(f64, f64, usize, f64, f64)>,
}

impl Case {
    fn probabilities(&self) -> Array2<f32> {
        Array2::from_shape_vec((self.labels.len(), self.classes), self.probabilities.clone()).unwrap()
    }

    fn report(&self) -> EvaluationReport {
        let report = EvaluationReport::new(&self.labels, self.probabilities().view()).unwrap();
        match &self.class_names {
            Some(names) => report.class_names(names).unwrap(),
            None => report,
        }
    }
}

fn cases() -> Vec<Case> {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/evaluation.json")).unwrap();
    assert_eq!(fixture.cases.len(), 9);
    fixture.cases
}

/// The same sums of fewer than 200 numbers in 64 bits, in perhaps another order.
#[track_caller]
fn assert_same(what: &str, actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-13, "{what}: {actual}, expected {expected}");
}

#[test]
fn the_printed_report_is_scikit_learn_s_byte_by_byte() {
    for case in cases() {
        assert_eq!(case.report().to_string(), case.report, "{}", case.name);
    }
}

#[test]
fn scores_and_averages_are_scikit_learn_s() {
    for case in cases() {
        let report = case.report();
        let name = &case.name;
        assert_same(name, report.accuracy(), case.accuracy);
        assert_eq!(report.classes().len(), case.classes, "{name}");
        for (class, scores) in report.classes().iter().enumerate() {
            let ClassScores { precision, recall, f1_score, support } = *scores;
            for (actual, expected) in [precision, recall, f1_score, support as f64].into_iter().zip(&case.scores) {
                assert_same(&format!("{name}, class {class}"), actual, expected[class]);
            }
        }
        let averages = [
            (report.macro_average(), case.macro_average),
            (report.micro_average(), case.micro),
            (report.weighted_average(), case.weighted),
        ];
        for (ClassScores { precision, recall, f1_score, support }, expected) in averages {
            assert_eq!(support, case.labels.len());
            for (actual, expected) in [precision, recall, f1_score].into_iter().zip(expected) {
                assert_same(name, actual, expected);
            }
        }
    }
}

#[test]
fn the_confusion_matrix_is_scikit_learn_s() {
    for case in cases() {
        let expected = ArrayView2::from_shape((case.classes, case.classes), &case.confusion_matrix).unwrap();
        assert_eq!(case.report().confusion_matrix().counts(), expected, "{}", case.name);
    }
}

#[test]
fn areas_under_the_curves_are_scikit_learn_s_and_none_where_it_has_nan() {
    let mut undefined = 0;
    for case in cases() {
        let report = case.report();
        let auc = report.roc_auc();
        let actual = auc.per_class.iter().chain([&auc.macro_average, &auc.weighted_average]);
        let expected = case.roc_auc.iter().chain(&case.roc_auc_averages);
        assert_eq!(auc.per_class.len(), case.roc_auc.len());
        for (actual, expected) in actual.zip(expected) {
            match (actual, expected) {
                (Some(actual), Some(expected)) => assert_same(&case.name, *actual, *expected),
                (actual, expected) => assert_eq!(actual, expected, "{}", case.name),
            }
            undefined += usize::from(actual.is_none());
        }
    }
    assert!(undefined >= 6, "{undefined}");
}

#[test]
fn log_loss_is_scikit_learn_s() {
    for case in cases() {
        // It adds up to 150 numbers up in 32 bits: at most 150 roundings, in pairs far fewer.
        let (actual, expected) = (case.report().log_loss(), case.log_loss);
        assert!((actual - expected).abs() <= 2e-6 * expected.abs(), "{}: {actual}, expected {expected}", case.name);
    }
}

#[test]
fn calibration_is_that_of_the_plain_definition() {
    for case in cases() {
        let report = case.report();
        let calibration = report.calibration();
        // The probabilities in the fixture are decimal, of nine digits, and read back as the same floats.
        assert_same(&case.name, calibration.expected_error, case.calibration.expected_error);
        assert_eq!(calibration.bins.len(), case.calibration.bins.len(), "{}", case.name);
        for (bin, (lower, upper, count, confidence, accuracy)) in calibration.bins.iter().zip(&case.calibration.bins) {
            assert_eq!(bin.count, *count);
            for (actual, expected) in
                [(bin.lower, lower), (bin.upper, upper), (bin.confidence, confidence), (bin.accuracy, accuracy)]
            {
                assert_same(&case.name, actual, *expected);
            }
        }
    }
}

#[test]
fn mistakes_are_all_there_the_most_confident_first() {
    for case in cases() {
        let report = case.report();
        let found: Vec<[usize; 3]> = report
            .mistakes(usize::MAX)
            .iter()
            .map(|mistake| [mistake.index, mistake.label, mistake.predicted])
            .collect();
        assert_eq!(found, case.mistakes, "{}", case.name);
        assert_eq!(report.mistake_count(), found.len());
        let probabilities = case.probabilities();
        for mistake in report.mistakes(usize::MAX) {
            assert_eq!(mistake.probability, probabilities[[mistake.index, mistake.predicted]]);
        }
        assert_eq!(report.mistakes(2), &report.mistakes(usize::MAX)[..found.len().min(2)]);
    }
}

#[test]
fn an_array_in_another_memory_order_gives_the_same_report() {
    let case = &cases()[0];
    let mut columns_first = Array2::zeros((case.classes, case.labels.len()));
    columns_first.assign(&case.probabilities().t());
    assert_eq!(EvaluationReport::new(&case.labels, columns_first.t()).unwrap(), case.report());
}

#[test]
fn the_confusion_matrix_prints_as_a_table_with_names() {
    let case = cases().into_iter().find(|case| case.name == "certain and wrong").unwrap();
    let report = case.report().class_names(["no", "yes, or so"]).unwrap();
    let table = "true \\ predicted no yes, or so\n\
                 \x20             no  1          0\n\
                 \x20     yes, or so 31          1\n";
    assert_eq!(report.confusion_matrix().to_string(), table);
}

#[test]
fn a_report_becomes_json() {
    let report = cases().into_iter().find(|case| case.name == "a class absent").unwrap().report();
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!(json["class_names"][2], "zwölf");
    assert_eq!(json["accuracy"], report.accuracy());
    assert_eq!(json["classes"][1]["support"], report.classes()[1].support);
    assert_eq!(json["confusion_matrix"]["counts"][0][3], report.confusion_matrix().counts()[[0, 3]]);
    assert_eq!(json["roc_auc"]["per_class"][2], serde_json::Value::Null);
    assert_eq!(json["mistakes"][0]["index"], report.mistakes(1)[0].index);
}

fn refused(labels: &[usize], probabilities: &Array2<f32>, text: &str) {
    let error = EvaluationReport::new(labels, probabilities.view()).unwrap_err();
    assert!(matches!(error, inkstone::Error::Data(_)));
    assert_eq!(error.to_string(), text);
}

#[test]
fn bad_input_is_refused_with_its_place() {
    let good = array![[0.5, 0.5], [0.25, 0.75]];
    assert!(EvaluationReport::new(&[0, 1], good.view()).is_ok());
    refused(
        &[0],
        &good,
        "there must be at least one row of probabilities and one label for each, got 2 rows and 1 labels",
    );
    refused(
        &[],
        &Array2::zeros((0, 3)),
        "there must be at least one row of probabilities and one label for each, got 0 rows and 0 labels",
    );
    refused(
        &[0, 0],
        &array![[1.0], [1.0]],
        "a report needs a probability for each of at least 2 classes, got 1 in a row: of one output p, make the two 1 - p and p",
    );
    refused(&[0, 2], &good, "labels must be from 0 to 1, as there are 2 probabilities in a row, got 2 at index 1");
    for (bad, text) in [(f32::NAN, "NaN"), (-0.1, "-0.1"), (1.5, "1.5"), (f32::INFINITY, "inf")] {
        refused(
            &[0, 1],
            &array![[0.5, 0.5], [0.25, bad]],
            &format!(
                "probabilities must be from 0 to 1, got {text} for class 1 at row 1: of logits, take softmax first"
            ),
        );
    }
    refused(
        &[0, 1],
        &array![[0.5, 0.5], [0.25, 0.5]],
        "the probabilities in a row must have the sum 1, got 0.7500 at row 1: a report is on models that choose one of several \
         classes",
    );
    // What rounding leaves is accepted.
    assert!(EvaluationReport::new(&[0], array![[0.5002, 0.5001]].view()).is_ok());
    assert!(EvaluationReport::new(&[0], array![[0.5002, 0.5002]].view()).is_err());
    assert!(EvaluationReport::new(&[0], array![[1.000_000_1, -0.0]].view()).is_ok());
}

#[test]
fn names_must_be_as_many_as_classes() {
    let report = EvaluationReport::new(&[0], array![[0.5, 0.5]].view()).unwrap();
    let error = report.class_names(["only"]).unwrap_err().to_string();
    assert_eq!(error, "there must be one name for each class, got 1 names and 2 classes");
}

fn model(classes: usize, loss: SparseCategoricalCrossentropy) -> inkstone::Model {
    let last = if loss.from_logits { Dense::new(classes) } else { Dense::new(classes).activation(Softmax) };
    Sequential::new([4]).add(last).seed(3).compile(Sgd::default(), loss, [Accuracy]).unwrap()
}

#[test]
fn a_model_s_report_is_that_of_its_probabilities_whether_it_gives_them_or_logits() {
    let images = Array4::from_shape_fn((40, 1, 1, 4), |(n, .., c)| ((n * 7 + c * 3) % 11) as f32 / 3.0 - 1.5);
    let labels: Vec<usize> = (0..40).map(|n| n * n % 3).collect();
    let softmax = model(3, SparseCategoricalCrossentropy::default());
    let mut logits = model(3, SparseCategoricalCrossentropy::default().from_logits(true));
    logits.set_weights(&softmax.get_weights()).unwrap();

    let report = softmax.evaluate_report((&images, &labels)).unwrap();
    let probabilities = softmax.predict_rows(&images).unwrap();
    assert_eq!(report, EvaluationReport::new(&labels, probabilities.view()).unwrap());
    assert_eq!(report, logits.evaluate_report((&images, &labels)).unwrap());
    let scores = softmax.evaluate((&images, &labels)).unwrap();
    assert_eq!(report.accuracy(), scores.accuracy().unwrap());
    assert!((report.log_loss() - scores.loss).abs() < 1e-6);
    assert!(report.mistake_count() > 0);
}

#[test]
fn a_model_refuses_to_report_on_what_it_cannot() {
    let images = Array4::<f32>::zeros((2, 1, 1, 4));
    let error = |classes, labels: &[usize]| {
        let model = model(classes, SparseCategoricalCrossentropy::default());
        model.evaluate_report((&images, labels)).unwrap_err().to_string()
    };
    assert_eq!(error(3, &[0, 3]), "labels must be from 0 to 2, as the model has 3 outputs, got 3 at index 1");
    assert_eq!(error(3, &[0]), "there must be at least one image and one label for each, got 2 images and 1 labels");
}
