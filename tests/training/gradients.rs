//! Every gradient against central differences: of each operation, and of each layer in a model.

use crate::common::assert_close;
use inkstone::prelude::*;
use inkstone::testing::GradientCheck;
use inkstone::{Padding, ops};
use ndarray::{Array, Array1, Array2, Array4, ArrayD, Dimension, ShapeBuilder};

/// Half the distance of the two points. The error of the difference is about its square; that of rounding in f32, about
/// 1e-7 divided by it.
const STEP: f32 = 1e-2;

/// Numbers that look random and are never close to each other's value or to zero: no kink is within a step.
fn spread<D: Dimension, Sh: ShapeBuilder<Dim = D>>(shape: Sh, salt: usize) -> Array<f32, D> {
    let mut array = Array::<f32, D>::zeros(shape);
    let len = array.len();
    for (i, value) in array.iter_mut().enumerate() {
        // A permutation of 0..len, as `step` and `len` have no common divisor.
        let step = (31 + salt..).find(|step| gcd(*step, len) == 1).unwrap();
        let rank = (i * step + salt) % len;
        let unit = (rank as f32 + 0.5) / len as f32 * 2.0 - 1.0;
        *value = unit * 0.05 * len as f32 + 0.03 * unit.signum();
    }
    array
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Small numbers, for weights.
fn weights<D: Dimension, Sh: ShapeBuilder<Dim = D>>(shape: Sh, salt: usize) -> Array<f32, D> {
    let array = spread(shape, salt);
    let largest = array.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    array / (largest * 2.0)
}

/// The central difference of `loss` for each value of `x`.
fn differences<D: Dimension>(x: &Array<f32, D>, loss: impl Fn(&Array<f32, D>) -> f64) -> Vec<f32> {
    (0..x.len())
        .map(|index| {
            let at = |change: f32| {
                let mut moved = x.clone();
                *moved.iter_mut().nth(index).unwrap() += change;
                loss(&moved)
            };
            ((at(STEP) - at(-STEP)) / f64::from(2.0 * STEP)) as f32
        })
        .collect()
}

/// sum(y * dy), in f64.
fn project<D: Dimension>(y: &Array<f32, D>, dy: &Array<f32, D>) -> f64 {
    assert_eq!(y.shape(), dy.shape());
    y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
}

#[test]
fn conv2d_s_gradients_are_its_differences() {
    for (strides, padding) in [((1, 1), Padding::Valid), ((2, 1), Padding::Same), ((2, 3), Padding::Valid)] {
        let x: Array4<f32> = weights((2, 5, 6, 2), 1);
        let w: Array4<f32> = weights((3, 2, 2, 3), 2);
        let b: Array1<f32> = weights(3, 3);
        let run = |x: &Array4<f32>, w: &Array4<f32>, b: &Array1<f32>| {
            ops::conv2d(x.view(), w.view(), Some(b.view()), strides, padding).unwrap()
        };
        let dy: Array4<f32> = weights(run(&x, &w, &b).dim(), 4);
        let gradients = ops::conv2d_backward(x.view(), w.view(), dy.view(), strides, padding).unwrap();
        let what = format!("strides {strides:?}, {padding:?}");
        let dx = differences(&x, |x| project(&run(x, &w, &b), &dy));
        assert_close(&format!("dx, {what}"), &gradients.dx, &dx, 1e-3, 1e-4);
        let dw = differences(&w, |w| project(&run(&x, w, &b), &dy));
        assert_close(&format!("dw, {what}"), &gradients.dw, &dw, 1e-3, 1e-4);
        let db = differences(&b, |b| project(&run(&x, &w, b), &dy));
        assert_close(&format!("db, {what}"), &gradients.db, &db, 1e-3, 1e-4);
    }
}

#[test]
fn max_pool2d_s_gradient_is_its_difference() {
    for (size, strides, padding) in
        [((2, 2), (2, 2), Padding::Valid), ((3, 2), (1, 1), Padding::Valid), ((3, 3), (2, 2), Padding::Same)]
    {
        let x: Array4<f32> = spread((2, 6, 5, 2), 5);
        let run = |x: &Array4<f32>| ops::max_pool2d(x.view(), size, strides, padding).unwrap();
        let dy: Array4<f32> = weights(run(&x).dim(), 6);
        let dx = ops::max_pool2d_backward(x.view(), dy.view(), size, strides, padding).unwrap();
        let expected = differences(&x, |x| project(&run(x), &dy));
        assert_close(&format!("{size:?}, {strides:?}, {padding:?}"), &dx, &expected, 1e-3, 1e-3);
    }
}

#[test]
fn dense_s_gradients_are_its_differences() {
    let (x, w, b): (Array2<f32>, Array2<f32>, Array1<f32>) = (weights((3, 4), 1), weights((4, 5), 2), weights(5, 3));
    let run =
        |x: &Array2<f32>, w: &Array2<f32>, b: &Array1<f32>| ops::dense(x.view(), w.view(), Some(b.view())).unwrap();
    let dy: Array2<f32> = weights((3, 5), 4);
    let gradients = ops::dense_backward(x.view(), w.view(), dy.view()).unwrap();
    assert_close("dx", &gradients.dx, &differences(&x, |x| project(&run(x, &w, &b), &dy)), 1e-3, 1e-4);
    assert_close("dw", &gradients.dw, &differences(&w, |w| project(&run(&x, w, &b), &dy)), 1e-3, 1e-4);
    assert_close("db", &gradients.db, &differences(&b, |b| project(&run(&x, &w, b), &dy)), 1e-3, 1e-4);
}

#[test]
fn activations_gradients_are_their_differences() {
    let x: ArrayD<f32> = spread(vec![3, 7], 3);
    let dy: ArrayD<f32> = weights(vec![3, 7], 4);
    let all = [
        (ops::relu(x.view()), ops::relu_backward(ops::relu(x.view()).view(), dy.view())),
        (ops::sigmoid(x.view()), ops::sigmoid_backward(ops::sigmoid(x.view()).view(), dy.view())),
        (ops::tanh(x.view()), ops::tanh_backward(ops::tanh(x.view()).view(), dy.view())),
        (ops::softmax(x.view()), ops::softmax_backward(ops::softmax(x.view()).view(), dy.view())),
    ];
    let functions = [ops::relu, ops::sigmoid, ops::tanh, ops::softmax];
    for ((_, dx), function) in all.into_iter().zip(functions) {
        let expected = differences(&x, |x| project(&function(x.view()), &dy));
        assert_close("dx", &dx.unwrap(), &expected, 1e-3, 1e-4);
    }
}

#[test]
fn cross_entropy_s_gradient_is_its_difference() {
    let logits: Array2<f32> = spread((4, 5), 2);
    let labels = [0, 3, 4, 3];
    let loss = |logits: &Array2<f32>| ops::sparse_categorical_crossentropy(logits.view(), &labels).unwrap();
    let expected = differences(&logits, |logits| f64::from(loss(logits).0));
    assert_close("dlogits", &loss(&logits).1, &expected, 1e-3, 1e-4);
}

/// A model with a pooling has a kink wherever two values of a window are equal; few are as close as this.
const MODEL_STEP: f32 = 2e-3;

/// The gradient of every weight of a model against the difference of its loss, by the checker that users have.
fn check_model(model: Sequential) {
    let mut model =
        model.seed(5).compile(Sgd::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let images: Array4<f32> = weights((5, 6, 6, 2), 9);
    let labels = [0, 1, 2, 1, 0];
    let check = GradientCheck::new().step(MODEL_STEP).relative(2e-2).values(25);
    check.model(&model, (&images, &labels)).unwrap();
    let (_, gradients) = model.gradients(&images, &labels).unwrap();
    assert!(gradients.iter().any(|gradient| gradient.values.iter().any(|value| value.abs() > 1e-2)));
}

#[test]
fn every_layer_s_gradients_are_the_model_s_differences() {
    let head = |model: Sequential| model.add(Flatten::new()).add(Dense::new(3).activation(Softmax));
    // Smooth activations, so that no kink lies within a step of any weight.
    let conv = |filters: usize, padding| Conv2D::new(filters, (3, 3)).padding(padding).activation(Tanh);
    check_model(head(Sequential::new([6, 6, 2]).add(conv(4, Valid)).add(conv(3, Same))));
    check_model(head(Sequential::new([6, 6, 2]).add(conv(4, Same).strides((2, 1)))));
    check_model(head(Sequential::new([6, 6, 2]).add(conv(4, Valid)).add(MaxPooling2D::new((2, 2)))));
    check_model(head(
        Sequential::new([6, 6, 2]).add(conv(4, Same)).add(MaxPooling2D::new((3, 3)).strides((1, 1)).padding(Same)),
    ));
    check_model(head(Sequential::new([6, 6, 2]).add(conv(4, Valid)).add(Dropout::new(0.4))));
    check_model(head(Sequential::new([6, 6, 2]).add(Conv2D::new(4, (2, 2))).add(Activation::new(Sigmoid))));
    check_model(head(Sequential::new([6, 6, 2]).add(Conv2D::new(4, (2, 2)).activation(Softmax))));
    check_model(head(
        Sequential::new([6, 6, 2]).add(Flatten::new()).add(Dense::new(7).activation(Sigmoid).use_bias(false)),
    ));
}
