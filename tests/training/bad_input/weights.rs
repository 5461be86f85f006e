//! Weights of another model.

use super::*;
use inkstone::Weight;

/// Fails unless these weights are refused with this text, and nothing is changed.
#[track_caller]
fn weights_refused(change: impl Fn(&mut Vec<Weight>), expected: &str) {
    let mut model = small();
    let before = model.get_weights();
    let mut weights = before.clone();
    // What stands before the fault would be taken over first.
    weights[0].values.fill(1.0);
    change(&mut weights);
    assert_eq!(data_error(model.set_weights(&weights)), expected);
    assert_eq!(model.get_weights(), before);
    assert_eq!(model.predict(&images(2)).unwrap(), small().predict(&images(2)).unwrap());
}

#[test]
fn too_few_weights_change_nothing() {
    weights_refused(
        |weights| weights.truncate(1),
        "the model has 2 weights, got 1: `set_weights_by_name` takes some of them",
    );
    weights_refused(Vec::clear, "the model has 2 weights, got 0: `set_weights_by_name` takes some of them");
}

#[test]
fn too_many_weights_change_nothing() {
    weights_refused(|weights| weights.push(weights[0].clone()), "the model has 2 weights, got 3");
}

#[test]
fn weights_of_another_name_change_nothing() {
    weights_refused(
        |weights| weights[1].name = "dense_7/bias".into(),
        "expected the weight dense/bias of shape [10], got dense_7/bias of shape [10]",
    );
}

#[test]
fn weights_in_another_order_change_nothing() {
    weights_refused(
        |weights| weights.reverse(),
        "expected the weight dense/kernel of shape [64, 10], got dense/bias of shape [10]",
    );
}

#[test]
fn weights_of_another_shape_change_nothing() {
    weights_refused(
        |weights| weights[1].values = ArrayD::zeros(vec![11]),
        "expected the weight dense/bias of shape [10], got dense/bias of shape [11]",
    );
    weights_refused(
        |weights| weights[1].values = ArrayD::zeros(vec![10, 1]),
        "expected the weight dense/bias of shape [10], got dense/bias of shape [10, 1]",
    );
}

#[test]
fn a_transposed_kernel_changes_nothing() {
    weights_refused(
        |weights| weights[0].values = weights[0].values.t().to_owned(),
        "expected the weight dense/kernel of shape [64, 10], got dense/kernel of shape [10, 64]",
    );
}
