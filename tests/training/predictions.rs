//! What outputs mean: which class they stand for, and which metrics say something of them.

use inkstone::metrics::{Auc, Metric};
use inkstone::prelude::*;
use inkstone::{Loss, Weight};
use ndarray::{Array2, Array4, ArrayD, array};

/// A model of one input that gives `weights * x`.
fn lines(weights: &[f32], activation: inkstone::layers::ActivationFunction, loss: impl Into<Loss>) -> Model {
    let metrics: [Metric; 0] = [];
    let mut model = Sequential::new([1])
        .add(Dense::new(weights.len()).activation(activation))
        .compile(Sgd::default(), loss, metrics)
        .unwrap();
    let set = |(mut weight, values): (Weight, &[f32])| {
        weight.values = ArrayD::from_shape_vec(weight.values.raw_dim(), values.to_vec()).unwrap();
        weight
    };
    let biases = vec![0.0; weights.len()];
    let weights: Vec<Weight> = model.get_weights().into_iter().zip([weights, &biases]).map(set).collect();
    model.set_weights(&weights).unwrap();
    model
}

fn column(values: &[f32]) -> Array4<f32> {
    Array4::from_shape_vec((values.len(), 1, 1, 1), values.to_vec()).unwrap()
}

fn refused(metric: impl Into<Metric>, outputs: usize, loss: impl Into<Loss>) -> String {
    let model = Sequential::new([1]).add(Dense::new(outputs)).compile(Sgd::default(), loss, [metric.into()]);
    model.unwrap_err().to_string()
}

#[test]
fn a_logit_above_zero_is_class_1_in_the_model_the_predictor_and_a_loaded_model() {
    let model = lines(&[1.0], Linear, BinaryCrossentropy::default().from_logits(true));
    let x = column(&[-8.0, -0.25, 0.0, 0.25, 8.0]);
    let expected = [0, 0, 0, 1, 1];
    assert_eq!(
        model.predict_rows(&x).unwrap().column(0).to_vec(),
        [-8.0, -0.25, 0.0, 0.25, 8.0],
        "`predict` gives logits"
    );
    assert_eq!(model.predict_classes(&x).unwrap(), expected);
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.predict_classes(&x).unwrap(), expected);
    for predictor in [model.into_predictor(), loaded.into_predictor()] {
        let mut classes = [7; 5];
        predictor.predict_classes_into(&x, &mut predictor.scratch(), &mut classes).unwrap();
        assert_eq!(classes, expected);
        assert_eq!(predictor.predict_classes(&x).unwrap(), expected);
    }
}

#[test]
fn accuracy_counts_the_classes_that_predict_classes_gives() {
    let logits = BinaryCrossentropy::default().from_logits(true);
    for (activation, loss) in [(Linear, logits), (Sigmoid, BinaryCrossentropy::default())] {
        let layers = Sequential::new([1]).add(Dense::new(1).activation(activation)).seed(3);
        let model = layers.compile(Sgd::default(), loss, [Accuracy]).unwrap();
        // Some are so close to the boundary that their probability rounds to one half.
        let x = column(&[-1.0, -1e-9, 0.0, 1e-9, 1e-7, 0.5, 2.0]);
        let labels = [0, 1, 1, 1, 1, 1, 0];
        let classes = model.predict_classes(&x).unwrap();
        let right = classes.iter().zip(&labels).filter(|(class, label)| class == label).count();
        let accuracy = model.evaluate((&x, &labels)).unwrap().metrics[0].1;
        assert_eq!(accuracy, right as f64 / 7.0, "{classes:?}");
    }
}

#[test]
fn outputs_that_stand_for_no_class_are_refused_with_what_to_call_instead() {
    let numbers = "the model gives numbers, not probabilities of classes: call `predict`, which returns the numbers";
    let several = "the model gives several probabilities that do not exclude each other, so an example may have any number of \
                   labels: call `predict`, and compare each output with a threshold, such as 0.5 (0 for logits)";
    let cases: [(Model, &str); 4] = [
        (lines(&[1.0], Linear, MeanSquaredError), numbers),
        (lines(&[1.0, 2.0], Tanh, MeanAbsoluteError), numbers),
        (lines(&[1.0, 2.0], Sigmoid, BinaryCrossentropy::default()), several),
        (lines(&[1.0, 2.0], Linear, BinaryCrossentropy::default().from_logits(true)), several),
    ];
    let x = column(&[1.0]);
    for (model, expected) in cases {
        assert_eq!(model.predict_classes(&x).unwrap_err().to_string(), expected);
        assert_eq!(model.evaluate_report((&x, &[0])).unwrap_err().to_string(), expected);
        let predictor = model.into_predictor();
        assert_eq!(predictor.predict_classes(&x).unwrap_err().to_string(), expected);
        let mut classes = [7];
        let error = predictor.predict_classes_into(&x, &mut predictor.scratch(), &mut classes).unwrap_err();
        assert_eq!((error.to_string().as_str(), classes), (expected, [7]));
    }
    // A sigmoid trained on squares says yes or no, as does a softmax.
    assert_eq!(lines(&[1.0], Sigmoid, MeanSquaredError).predict_classes(&x).unwrap(), [1]);
    assert_eq!(lines(&[1.0, 2.0], Softmax, MeanSquaredError).predict_classes(&x).unwrap(), [1]);
    let logits = SparseCategoricalCrossentropy::default().from_logits(true);
    assert_eq!(lines(&[1.0, 2.0], Linear, logits).predict_classes(&x).unwrap(), [1]);
}

#[test]
fn a_softmax_of_one_output_is_refused() {
    let model = Sequential::new([1]).add(Dense::new(1).activation(Softmax));
    let error = model.compile(Sgd::default(), SparseCategoricalCrossentropy::default(), []).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model ends with the softmax of a single output, which is always 1: end it with \
         `Dense::new(1).activation(Sigmoid)` and BinaryCrossentropy, or with an output for each class"
    );
}

#[test]
fn metrics_of_classes_are_refused_for_numbers() {
    let advice = "expects probabilities: measure MeanAbsoluteError or MeanSquaredError, or end the model with \
                  `.activation(Sigmoid)` or `.activation(Softmax)`";
    let expected = |kind, hint| format!("the model gives numbers, but the metric {kind} {advice}{hint}");
    let hint = ", or set a threshold for the numbers: `BinaryAccuracy::new().threshold(0.5)`";
    assert_eq!(refused(Accuracy, 1, MeanSquaredError), expected("Accuracy", hint));
    assert_eq!(
        refused(Precision::new(), 2, MeanSquaredError),
        expected("Precision", ", or set `thresholds` for the numbers")
    );
    assert_eq!(
        refused(Recall::new(), 1, Huber::default()),
        expected("Recall", ", or set `thresholds` for the numbers")
    );
    assert_eq!(
        refused(F1Score::new(), 1, MeanSquaredError),
        expected("F1Score", ", or set `threshold` for the numbers")
    );
    assert_eq!(refused(Auc::new(), 1, MeanAbsoluteError), expected("Auc", ""));
    assert_eq!(refused(Metric::BinaryCrossentropy, 1, MeanSquaredError), expected("BinaryCrossentropy", ""));
    assert_eq!(refused(Metric::CategoricalCrossentropy, 2, MeanSquaredError), expected("CategoricalCrossentropy", ""));
    assert_eq!(
        refused(TopKCategoricalAccuracy::new(1), 1, MeanSquaredError),
        "the model has one output, which is always the highest: measure Accuracy instead of TopKCategoricalAccuracy"
    );
    // The loss says that these are logits of probabilities.
    let logits = BinaryCrossentropy::default().from_logits(true);
    let metrics = [Accuracy, F1Score::new().into(), Auc::new().into(), Precision::new().into()];
    assert!(Sequential::new([1]).add(Dense::new(1)).compile(Sgd::default(), logits, metrics).is_ok());
}

#[test]
fn f1_of_outputs_that_do_not_exclude_each_other_has_the_threshold_of_precision_and_recall() {
    let layers = || Sequential::new([1]).add(Dense::new(3).activation(Sigmoid)).seed(1);
    let metrics = [F1Score::new().into(), F1Score::new().threshold(0.5).into(), Precision::new().into()];
    let mut model = layers().compile(Sgd::default(), BinaryCrossentropy::default(), metrics).unwrap();
    let mut weights = model.get_weights();
    weights[0].values.fill(1.0);
    model.set_weights(&weights).unwrap();
    // All three labels are found in the first example, none in the second: two are right, one is wrong.
    let x = column(&[1.0, -1.0]);
    let labels = array![[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]];
    let scores = model.evaluate((&x, &labels)).unwrap();
    let [default, half, precision] = [0, 1, 2].map(|place| scores.metrics[place].1);
    assert_eq!(default, half);
    assert!((default - 2.0 / 3.0).abs() < 1e-6 && (precision - 2.0 / 3.0).abs() < 1e-12, "{scores}");
    assert_eq!(model.metrics()[0], F1Score::new().into(), "the metric stays what it was");
}

#[test]
fn targets_that_a_metric_cannot_count_are_refused() {
    let check = |activation, loss: Loss, metric: Metric, targets: Array2<f32>| {
        let layers = Sequential::new([1]).add(Dense::new(targets.ncols()).activation(activation));
        let model = layers.compile(Sgd::default(), loss, [metric]).unwrap();
        model.evaluate((&column(&vec![0.0; targets.nrows()]), &targets)).map_err(|error| error.to_string())
    };
    let advice = "for several labels an example measure BinaryAccuracy, Precision, Recall or F1Score, for numbers \
                  MeanAbsoluteError or MeanSquaredError";
    let rows = array![[1.0, 0.0], [1.0, 1.0]];
    for metric in [Accuracy, TopKCategoricalAccuracy::new(1).into()] {
        let error = check(Sigmoid, BinaryCrossentropy::default().into(), metric.clone(), rows.clone()).unwrap_err();
        assert!(
            error.ends_with(&format!(
                "expects targets of one class, such as one-hot rows, got [1, 1] at index 1: {advice}"
            )),
            "{error}"
        );
        assert!(check(Sigmoid, BinaryCrossentropy::default().into(), metric, array![[0.0, 1.0]]).is_ok());
    }
    let numbers = array![[0.0], [3.5]];
    let metrics: [Metric; 4] = [
        BinaryAccuracy::new().into(),
        Precision::new().thresholds(0.5).into(),
        Recall::new().thresholds(0.5).into(),
        F1Score::new().threshold(0.5).into(),
    ];
    for metric in metrics {
        let error = check(Linear, MeanSquaredError.into(), metric, numbers.clone()).unwrap_err();
        assert!(error.ends_with(&format!("expects targets of 0 or 1, got [3.5] at index 1: {advice}")), "{error}");
    }
    // Probabilities of classes that exclude each other: the highest is meant.
    let soft = array![[0.9, 0.1], [0.5, 0.5]];
    assert!(check(Softmax, CategoricalCrossentropy::default().into(), Accuracy, soft).is_ok());
}

#[test]
fn a_label_of_several_stays_a_class_for_accuracy_on_sigmoids() {
    // One against the rest, as in many textbooks.
    let model = Sequential::new([1])
        .add(Dense::new(3).activation(Sigmoid))
        .compile(Sgd::default(), MeanSquaredError, [Accuracy])
        .unwrap();
    let scores = model.evaluate((&column(&[0.0, 0.0]), &[0, 2])).unwrap();
    assert_eq!(scores.metrics[0].1, 0.5, "of equal outputs the first is the class");
}

#[test]
fn a_loss_is_the_metric_of_its_name_and_sees_probabilities_where_the_model_gives_logits() {
    let loss = BinaryCrossentropy::default().from_logits(true);
    let metrics = metrics![loss, BinaryCrossentropy::default().label_smoothing(0.5), MeanAbsoluteError];
    assert_eq!(metrics, [Metric::BinaryCrossentropy, Metric::BinaryCrossentropy, Metric::MeanAbsoluteError]);
    let model = Sequential::new([1]).add(Dense::new(1)).seed(1).compile(Sgd::default(), loss, metrics).unwrap();
    let scores = model.evaluate((&column(&[-2.0, 0.5, 3.0]), &[0, 1, 1])).unwrap();
    assert!((scores.metrics[0].1 - scores.loss).abs() < 1e-6, "{scores}");
    let sparse = SparseCategoricalCrossentropy::default();
    assert_eq!(Metric::from(sparse), Metric::from(CategoricalCrossentropy::default()));
}

#[test]
fn scores_without_accuracy_say_so() {
    let model = lines(&[1.0], Linear, MeanSquaredError);
    let error = model.evaluate((&column(&[1.0]), &[1])).unwrap().accuracy().unwrap_err();
    assert_eq!(error.to_string(), "the scores have no accuracy, they have loss: give the metric to `compile`");
}

/// A pooling follows what `Reshape` makes of the outputs before it, not the outputs as they lie.
#[test]
fn a_pooling_takes_the_images_that_reshape_makes() {
    let pooled = |model: Sequential| {
        let model = model.add(Reshape::new([4, 4, 4])).add(MaxPooling2D::new((2, 2))).add(Flatten::new());
        model.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
    };
    let plain = |model: Sequential| {
        let model = model.add(Flatten::new());
        model.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
    };
    let wide = Conv2D::new(16, (3, 3)).padding(Same).activation(Relu);
    let cases = [
        (Sequential::new([8]).add(Dense::new(64)), vec![6, 1, 1, 8]),
        (Sequential::new([2, 2, 1]).add(wide), vec![6, 2, 2, 1]),
    ];
    for (layers, shape) in cases {
        let (model, before) = (pooled(layers.clone()), plain(layers));
        let images = inkstone::ndarray::Array4::from_shape_fn((shape[0], shape[1], shape[2], shape[3]), |place| {
            ((place.0 * 7 + place.1 * 5 + place.2 * 3 + place.3) as f32).sin()
        });
        let (found, values) = (model.predict_rows(&images).unwrap(), before.predict_rows(&images).unwrap());
        for ((image, output), found) in found.indexed_iter() {
            let (row, column, channel) = (output / 8, output / 4 % 2, output % 4);
            let of = |r: usize, c: usize| values[[image, ((2 * row + r) * 4 + 2 * column + c) * 4 + channel]];
            let expected = of(0, 0).max(of(0, 1)).max(of(1, 0)).max(of(1, 1));
            assert_eq!(*found, expected);
        }
    }
}
