//! Targets, weights and settings of `fit` that make no sense: each is told before training, with what was expected and
//! found.

use inkstone::layers::ActivationFunction;
use inkstone::prelude::*;
use inkstone::{Error, Loss, Model, Targets};
use ndarray::{Array2, Array4, array};

fn model(outputs: usize, activation: ActivationFunction, loss: impl Into<Loss>) -> Model {
    Sequential::new([2])
        .add(Dense::new(outputs).activation(activation))
        .seed(1)
        .compile(Sgd::new(0.1), loss, [])
        .unwrap()
}

fn classifier() -> Model {
    model(3, Softmax, SparseCategoricalCrossentropy::default())
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 1, 1, 2), |(n, _, _, x)| (n + x) as f32 * 0.25)
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().verbose(0)
}

/// Fails unless these targets of three images are refused, wherever they are given, with this text.
#[track_caller]
fn refused<'t>(mut model: Model, targets: impl Into<Targets<'t>>, expected: &str) {
    // Arrays' views do not shorten their lifetimes, so the images must live as long as the targets.
    let (x, targets): (&Array4<f32>, _) = (Box::leak(Box::new(images(3))), targets.into());
    let before = model.get_weights();
    let good = images(1);
    let good_targets = Array2::zeros((1, model.predict_rows(&good).unwrap().ncols()));
    let is_sparse = matches!(model.loss(), Loss::SparseCategoricalCrossentropy(_));
    let validated = if is_sparse {
        model.fit((&good, &[0]), quiet().validation_data((x, targets.clone())))
    } else {
        model.fit((&good, &good_targets), quiet().validation_data((x, targets.clone())))
    };
    let errors = [
        model.fit((x, targets.clone()), quiet()).map(drop),
        model.evaluate((x, targets.clone())).map(drop),
        model.train_on_batch(x, targets.clone()).map(drop),
        model.gradients(x, targets).map(drop),
    ];
    let of_validation = format!("in the validation data: {expected}");
    let expected = errors.map(|error| (error, expected)).into_iter().chain([(validated.map(drop), &*of_validation)]);
    for (error, expected) in expected {
        let Err(error) = error else { panic!("expected an error") };
        assert!(matches!(error, Error::Data(_)));
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(model.get_weights(), before, "nothing is trained");
}

/// Fails unless a setting is refused with this text.
#[track_caller]
fn setting_refused(config: FitConfig<'_>, expected: &str) {
    let mut model = classifier();
    let before = model.get_weights();
    let error = model.fit((&images(3), &[0, 1, 2]), config).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }), "{error}");
    assert_eq!(error.to_string(), expected);
    assert_eq!(model.get_weights(), before, "nothing is trained");
}

/// Fails unless data are refused with this text.
#[track_caller]
fn data_refused(config: FitConfig<'_>, expected: &str) {
    let error = classifier().fit((&images(3), &[0, 1, 2]), config).unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error}");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn rows_for_other_images_are_refused() {
    let text = |rows| {
        format!(
            "there must be at least one image and one row of targets for each, got 3 images and {rows} rows of targets"
        )
    };
    for rows in [0, 2, 4] {
        refused(model(2, Linear, MeanSquaredError), &Array2::zeros((rows, 2)), &text(rows));
    }
}

#[test]
fn columns_for_other_outputs_are_refused() {
    for columns in [0, 1, 3] {
        let expected = format!("targets must have a value for each output, (N, 2), got (3, {columns})");
        for loss in [Loss::from(MeanSquaredError), MeanAbsoluteError.into(), Huber::default().into()] {
            refused(model(2, Linear, loss), &Array2::zeros((3, columns)), &expected);
        }
        refused(model(2, Softmax, CategoricalCrossentropy::default()), &Array2::zeros((3, columns)), &expected);
        refused(model(2, Sigmoid, BinaryCrossentropy::default()), &Array2::zeros((3, columns)), &expected);
    }
}

#[test]
fn targets_that_are_not_finite_are_refused_with_their_place() {
    for (value, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let expected = format!("targets must be finite, got {written} at (1, 0) (N, outputs)");
        let targets = array![[0.0, 1.0], [value, 0.0], [1.0, 0.0]];
        refused(model(2, Linear, MeanSquaredError), &targets, &expected);
        refused(model(2, Sigmoid, BinaryCrossentropy::default()), &targets, &expected);
    }
}

#[test]
fn probabilities_out_of_range_are_refused_with_their_place() {
    for (value, written) in [(1.5, "1.5"), (-0.25, "-0.25")] {
        let targets = array![[0.0, 1.0], [0.5, 0.5], [1.0, value]];
        let cases = [
            (Softmax, Loss::from(CategoricalCrossentropy::default()), "CategoricalCrossentropy"),
            (Linear, CategoricalCrossentropy::default().from_logits(true).into(), "CategoricalCrossentropy"),
            (Sigmoid, BinaryCrossentropy::default().into(), "BinaryCrossentropy"),
            (Softmax, KlDivergence.into(), "KlDivergence"),
        ];
        for (activation, loss, name) in cases {
            let expected = format!("{name} expects targets from 0 to 1, got {written} at (2, 1) (N, outputs)");
            refused(model(2, activation, loss), &targets, &expected);
        }
        // Other losses take any numbers.
        model(2, Linear, MeanSquaredError).evaluate((&images(3), &targets)).unwrap();
    }
}

#[test]
fn rows_where_a_class_is_wanted_are_refused_with_what_to_use() {
    refused(
        classifier(),
        &Array2::zeros((3, 3)),
        "SparseCategoricalCrossentropy expects a class for each example, got targets of (3, 3): give the classes as `usize`, or use CategoricalCrossentropy",
    );
}

#[test]
fn classes_past_the_outputs_are_refused() {
    let two = "labels must be from 0 to 1, as the model has 2 outputs, got 2 at index 1";
    refused(model(2, Softmax, CategoricalCrossentropy::default()), &[0, 2, 3], two);
    refused(model(2, Sigmoid, BinaryCrossentropy::default()), &[0, 2, 3], two);
    refused(model(2, Linear, MeanSquaredError), &[0, 2, 3], two);
    let one = "labels must be from 0 to 1, as the model has 1 output, got 2 at index 1";
    refused(model(1, Sigmoid, BinaryCrossentropy::default()), &[0, 2, 3], one);
    // For a single number to be met, a class is a number.
    model(1, Linear, MeanSquaredError).evaluate((&images(3), &[0, 2, 3])).unwrap();
}

#[test]
fn a_split_that_is_no_part_is_refused() {
    for (split, written) in [(1.0, "1"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (2.0, "2")] {
        let expected = format!("validation_split must be at least 0 and less than 1, got {written}");
        setting_refused(quiet().validation_split(split), &expected);
    }
}

#[test]
fn a_split_that_leaves_nothing_to_train_on_is_refused() {
    data_refused(quiet().validation_split(0.9), "a validation split of 0.9 leaves none of 3 images to train on");
}

#[test]
fn sample_weights_that_make_no_sense_are_refused() {
    for (weights, count) in [(&[][..], 0), (&[1.0; 2], 2), (&[1.0; 4], 4)] {
        let expected = format!("there must be one sample weight for each example, got 3 examples and {count} weights");
        data_refused(quiet().sample_weight(weights), &expected);
    }
    for (weight, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-0.5, "-0.5")] {
        let weights = [1.0, weight, 1.0];
        let expected = format!("sample weights must be finite and at least 0, got {written} at index 1");
        data_refused(quiet().sample_weight(&weights), &expected);
        let error = classifier().evaluate((&images(3), &[0, 1, 2], &weights)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn weights_that_are_given_twice_are_refused() {
    let weights = [1.0; 3];
    let config = quiet().sample_weight(&weights);
    let error = classifier().fit((&images(3), &[0, 1, 2], &weights), config).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(
        error.to_string(),
        "sample_weight must be given once, got weights with the data and in the configuration"
    );
    setting_refused(
        quiet().sample_weight(&weights).class_weight([(0, 2.0)]),
        "class_weight must be given without weights of examples, got both",
    );
}

#[test]
fn class_weights_that_make_no_sense_are_refused() {
    setting_refused(
        quiet().class_weight([(0, 1.0), (3, 1.0)]),
        "class_weight must be for classes that the model has outputs for, got class 3",
    );
    for (weight, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-0.5, "-0.5")] {
        let expected = format!("class_weight must be finite and at least 0, got {written} for class 2");
        setting_refused(quiet().class_weight([(2, weight)]), &expected);
    }
    setting_refused(
        quiet().class_weight([(1, 2.0), (1, 2.0)]),
        "class_weight must be one weight for a class, got two for class 1",
    );
}

/// Fails unless a loss is refused with this text.
#[track_caller]
fn loss_refused(activation: ActivationFunction, loss: impl Into<Loss>, expected: &str) {
    let model = Sequential::new([2]).add(Dense::new(2).activation(activation));
    let error = model.compile(Sgd::new(0.1), loss, []).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(error.to_string(), expected);
}

#[test]
fn numbers_of_losses_that_make_no_sense_are_refused() {
    for (smoothing, written) in [(1.5, "1.5"), (-0.1, "-0.1"), (f32::NAN, "NaN")] {
        let expected = format!("label_smoothing must be from 0 to 1, got {written}");
        loss_refused(Softmax, SparseCategoricalCrossentropy::default().label_smoothing(smoothing), &expected);
        loss_refused(Softmax, CategoricalCrossentropy::default().label_smoothing(smoothing), &expected);
        loss_refused(Sigmoid, BinaryCrossentropy::default().label_smoothing(smoothing), &expected);
    }
    for (delta, written) in [(0.0, "0"), (-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let expected = format!("delta must be finite and more than 0, got {written}");
        loss_refused(Linear, Huber { delta }, &expected);
    }
}
