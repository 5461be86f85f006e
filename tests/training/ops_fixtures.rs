//! Every operation and its gradients against PyTorch. `tests/fixtures/make_ops.py` made the numbers.

use crate::common::assert_close;
use inkstone::{Padding, ops};
use ndarray::{Array4, ArrayD, ArrayViewD, Ix1, Ix2, Ix4, IxDyn};
use serde_json::Value;

/// PyTorch sums in f32, in an order of its own.
const RTOL: f32 = 1e-5;
const ATOL: f32 = 2e-6;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/ops.json")).unwrap()
}

fn tensor(case: &Value, name: &str) -> ArrayD<f32> {
    let list = |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let shape: Vec<usize> = list(&case[name]["shape"]).into_iter().map(|axis| axis as usize).collect();
    let values = list(&case[name]["values"]).into_iter().map(|value| value as f32).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap()
}

fn four(case: &Value, name: &str) -> ndarray::Array4<f32> {
    tensor(case, name).into_dimensionality::<Ix4>().unwrap()
}

fn two(case: &Value, name: &str) -> ndarray::Array2<f32> {
    tensor(case, name).into_dimensionality::<Ix2>().unwrap()
}

fn one(case: &Value, name: &str) -> ndarray::Array1<f32> {
    tensor(case, name).into_dimensionality::<Ix1>().unwrap()
}

fn pair(case: &Value, name: &str) -> (usize, usize) {
    (case[name][0].as_u64().unwrap() as usize, case[name][1].as_u64().unwrap() as usize)
}

fn padding(case: &Value) -> Padding {
    match case["padding"].as_str().unwrap() {
        "Valid" => Padding::Valid,
        "Same" => Padding::Same,
        other => panic!("unknown padding {other}"),
    }
}

#[test]
fn conv2d_and_its_gradients_are_pytorch_s() {
    let fixture = fixture();
    let cases = fixture["conv2d"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for (index, case) in cases.iter().enumerate() {
        let (x, w, dy) = (four(case, "x"), four(case, "w"), four(case, "dy"));
        let b = case.get("b").map(|_| one(case, "b"));
        let bias = b.as_ref().map(|b| b.view());
        let y = ops::conv2d(x.view(), w.view(), bias, pair(case, "strides"), padding(case)).unwrap();
        assert_eq!(y.shape(), tensor(case, "y").shape(), "case {index}");
        assert_close(&format!("case {index}, y"), &y, &tensor(case, "y"), RTOL, ATOL);
        let gradients =
            ops::conv2d_backward(x.view(), w.view(), dy.view(), pair(case, "strides"), padding(case)).unwrap();
        assert_close(&format!("case {index}, dx"), &gradients.dx, &tensor(case, "dx"), RTOL, ATOL);
        assert_close(&format!("case {index}, dw"), &gradients.dw, &tensor(case, "dw"), RTOL, ATOL);
        if b.is_some() {
            assert_close(&format!("case {index}, db"), &gradients.db, &tensor(case, "db"), RTOL, ATOL);
        }
    }
}

#[test]
fn max_pool2d_and_its_gradient_are_pytorch_s() {
    let fixture = fixture();
    let cases = fixture["max_pool2d"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for (index, case) in cases.iter().enumerate() {
        let (x, dy) = (four(case, "x"), four(case, "dy"));
        let (size, strides) = (pair(case, "size"), pair(case, "strides"));
        let y = ops::max_pool2d(x.view(), size, strides, padding(case)).unwrap();
        assert_close(&format!("case {index}, y"), &y, &tensor(case, "y"), 0.0, 0.0);
        let dx = ops::max_pool2d_backward(x.view(), dy.view(), size, strides, padding(case)).unwrap();
        assert_close(&format!("case {index}, dx"), &dx, &tensor(case, "dx"), RTOL, ATOL);
    }
}

#[test]
fn dense_and_its_gradients_are_pytorch_s() {
    let fixture = fixture();
    let case = &fixture["dense"];
    let (x, w, b, dy) = (two(case, "x"), two(case, "w"), one(case, "b"), two(case, "dy"));
    let y = ops::dense(x.view(), w.view(), Some(b.view())).unwrap();
    assert_close("y", &y, &tensor(case, "y"), RTOL, ATOL);
    let gradients = ops::dense_backward(x.view(), w.view(), dy.view()).unwrap();
    assert_close("dx", &gradients.dx, &tensor(case, "dx"), RTOL, ATOL);
    assert_close("dw", &gradients.dw, &tensor(case, "dw"), RTOL, ATOL);
    assert_close("db", &gradients.db, &tensor(case, "db"), RTOL, ATOL);
}

#[test]
fn activations_and_their_gradients_are_pytorch_s() {
    type Forward = fn(ArrayViewD<'_, f32>) -> ArrayD<f32>;
    type Backward = fn(ArrayViewD<'_, f32>, ArrayViewD<'_, f32>) -> inkstone::Result<ArrayD<f32>>;
    let all: [(&str, Forward, Backward); 4] = [
        ("relu", ops::relu, ops::relu_backward),
        ("sigmoid", ops::sigmoid, ops::sigmoid_backward),
        ("tanh", ops::tanh, ops::tanh_backward),
        ("softmax", ops::softmax, ops::softmax_backward),
    ];
    let fixture = fixture();
    for (name, forward, backward) in all {
        let case = &fixture["activations"][name];
        let y = forward(tensor(case, "x").view());
        assert_close(name, &y, &tensor(case, "y"), RTOL, ATOL);
        let dx = backward(y.view(), tensor(case, "dy").view()).unwrap();
        assert_close(name, &dx, &tensor(case, "dx"), RTOL, ATOL);
    }
}

#[test]
fn cross_entropy_and_its_gradient_are_pytorch_s() {
    let fixture = fixture();
    let case = &fixture["cross_entropy"];
    let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap();
    let (loss, dlogits) = ops::sparse_categorical_crossentropy(two(case, "logits").view(), &labels).unwrap();
    assert!((f64::from(loss) - case["loss"].as_f64().unwrap()).abs() < 1e-5, "loss {loss}");
    assert_close("dlogits", &dlogits, &tensor(case, "dlogits"), RTOL, ATOL);
}

/// A window may be far larger than the image that padding makes room for.
#[test]
fn huge_windows_take_no_longer_than_their_image() {
    let x = Array4::from_shape_fn((1, 3, 3, 1), |(_, y, x, _)| (y * 3 + x) as f32);
    let huge = (1 << 28, 1 << 28);
    let y = ops::max_pool2d(x.view(), huge, (1, 1), Padding::Same).unwrap();
    assert!(y.iter().all(|value| *value == 8.0));
    let dx = ops::max_pool2d_backward(x.view(), y.view(), huge, (1, 1), Padding::Same).unwrap();
    assert_eq!((dx.sum(), dx[[0, 2, 2, 0]]), (72.0, 72.0));
}
