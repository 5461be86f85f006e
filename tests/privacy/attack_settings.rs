//! What attacks and audits refuse, and with which words.

use inkstone::data::synthetic;
use inkstone::ndarray::{Array2, Array4};
use inkstone::prelude::*;
use inkstone::privacy::{Canaries, likelihood_ratio, membership_inference};
use inkstone::{Loss, Model};

fn digits(seed: u64) -> Dataset {
    synthetic::digits(20, seed).unwrap()
}

fn model(last: Dense, loss: impl Into<Loss>) -> Model {
    let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(last);
    described.seed(1).compile(Sgd::new(0.1), loss, []).unwrap()
}

fn classifier() -> Model {
    model(Dense::new(10).activation(Softmax), SparseCategoricalCrossentropy::default())
}

fn said<T: std::fmt::Debug>(result: inkstone::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn models_that_choose_no_class() {
    let expected = |found: &str| {
        format!(
            "the model {found}, but attacks need the probability of an example's class: attack a model of one output that \
             ends with `Softmax` over classes, or with `Sigmoid` for yes or no"
        )
    };
    let attack = |model: &Model| said(membership_inference(model, &digits(1), &digits(2)));
    assert_eq!(attack(&model(Dense::new(10), MeanSquaredError)), expected("gives numbers"));
    let several = model(Dense::new(10).activation(Sigmoid), BinaryCrossentropy::default());
    assert_eq!(attack(&several), expected("gives probabilities that do not exclude each other"));
    let numbers = model(Dense::new(10), MeanSquaredError);
    assert_eq!(said(Canaries::new(&digits(1), 1, 1).unwrap().audit(&numbers, 1e-5, 0.9)), expected("gives numbers"));
    let train = |_: &Dataset, _: usize| Ok(classifier());
    assert_eq!(said(likelihood_ratio(&numbers, &digits(1), &digits(2), 2, 1, train)), expected("gives numbers"));
}

#[test]
fn examples_that_do_not_fit_the_model() {
    let small = Dataset::from_bytes(Array4::zeros((4, 8, 8, 1)), vec![0; 4]).unwrap();
    let error = said(membership_inference(&classifier(), &small, &digits(2)));
    assert!(error.starts_with("members: ") && error.contains("(8, 8, 1)") && error.contains("(28, 28, 1)"), "{error}");
    let error = said(membership_inference(&classifier(), &digits(1), &small));
    assert!(error.starts_with("others: "), "{error}");
    let error = said(Canaries::new(&small, 1, 1).unwrap().audit(&classifier(), 1e-5, 0.9));
    assert!(error.starts_with("canaries: "), "{error}");
    // No classes.
    let images = Array4::zeros((4, 28, 28, 1));
    let numbers = Dataset::from_floats_and_values(images, Array2::from_elem((4, 2), 0.5)).unwrap();
    let error = said(membership_inference(&classifier(), &numbers, &digits(2)));
    assert!(error.starts_with("members: "), "{error}");
    let train = |_: &Dataset, _: usize| Ok(classifier());
    let error = said(likelihood_ratio(&classifier(), &digits(1), &numbers, 2, 1, train));
    assert!(error.starts_with("others: "), "{error}");
    let error = said(Canaries::new(&digits(1), 1, 1).unwrap().insert(&small));
    assert_eq!(error, "data sets are put together if their examples have one shape, got (8, 8, 1) and (28, 28, 1)");
}

#[test]
fn numbers_out_of_range() {
    for shadow_models in [0, 1, 7] {
        let train = |_: &Dataset, _: usize| -> inkstone::Result<Model> { unreachable!("nothing is trained") };
        assert_eq!(
            said(likelihood_ratio(&classifier(), &digits(1), &digits(2), shadow_models, 1, train)),
            format!(
                "shadow_models must be an even number of at least 2, as half of them have seen an example, got {shadow_models}"
            )
        );
    }
    let expected = "copies must be at least 1, and at most 2^28 of all canaries together, got";
    for copies in [0, (1 << 28) / 20 + 1, usize::MAX] {
        assert_eq!(said(Canaries::new(&digits(1), copies, 1)), format!("{expected} {copies} of 20 canaries"));
    }
    let canaries = Canaries::new(&digits(1), 1, 1).unwrap();
    for confidence in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
        assert_eq!(
            said(canaries.audit(&classifier(), 1e-5, confidence)),
            format!("confidence must be above 0 and below 1, such as 0.95, got {confidence}")
        );
    }
    for delta in [-1e-5, 1.0, f64::NAN] {
        let expected = format!("delta must be at least 0 and below 1, got {delta}");
        assert_eq!(said(canaries.audit(&classifier(), delta, 0.95)), expected);
    }
}

#[test]
fn what_shadow_models_fail_at_is_told() {
    let fails = |_: &Dataset, number: usize| match number {
        0 => Ok(classifier()),
        _ => Err(inkstone::Error::Callback("the disk is full".into())),
    };
    assert_eq!(said(likelihood_ratio(&classifier(), &digits(1), &digits(2), 4, 1, fails)), "the disk is full");
    let other =
        |_: &Dataset, _: usize| Ok(model(Dense::new(5).activation(Softmax), SparseCategoricalCrossentropy::default()));
    let error = said(likelihood_ratio(&classifier(), &digits(1), &digits(2), 4, 1, other));
    assert!(error.starts_with("shadow model 0: "), "{error}");
}

/// Private trainings go on whatever their loss is.
#[test]
fn models_that_have_diverged() {
    let mut diverged = classifier();
    let mut weights = diverged.get_weights();
    weights.iter_mut().for_each(|weight| weight.values.fill(f32::MAX));
    diverged.set_weights(&weights).unwrap();
    assert_eq!(
        said(membership_inference(&diverged, &digits(1), &digits(2))),
        "the model has an output of inf for example 0 of members, expected finite numbers: its training has diverged, so lower \
         the learning rate"
    );
}
