//! Activation functions, and the layers that are one, against Keras' numbers, which
//! `tests/fixtures/make_activations.py` has written down; and how they are named.

use inkstone::ndarray::Array2;
use inkstone::prelude::*;
use inkstone::{Mode, OutputGradients};
use serde_json::{Value, json};

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn compiled(inputs: usize, layer: &Value) -> Model {
    let described = json!({"input": [inputs], "layers": [layer]}).to_string();
    Sequential::from_json(&described).unwrap().compile(Adam::default(), MeanSquaredError, []).unwrap()
}

/// The layer behind another, with which it may be fused: one that changes nothing.
fn behind_dense(inputs: usize, layer: &Value) -> Model {
    let described = json!({"input": [inputs], "layers": [{"Dense": {"units": inputs}}, layer]}).to_string();
    let mut model = Sequential::from_json(&described).unwrap().compile(Adam::default(), MeanSquaredError, []).unwrap();
    let mut weights = model.get_weights();
    weights[0].values = Array2::eye(inputs).into_dyn();
    model.set_weights(&weights).unwrap();
    model
}

#[track_caller]
fn assert_close(what: &str, found: f32, expected: f32) {
    // Near 0 a derivative is the sum of numbers of about 1.
    assert!((found - expected).abs() <= 2e-6 * expected.abs() + 3e-7, "{what}: {found:e}, expected {expected:e}");
}

#[test]
fn outputs_and_derivatives_are_those_of_keras() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/activations.json")).unwrap();
    let xs = numbers(&fixture["x"]);
    let inputs = Array2::from_shape_vec((1, xs.len()), xs.clone()).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 30);
    for case in cases {
        let (layer, ys) = (&case["layer"], numbers(&case["y"]));
        for (place, model) in [("alone", compiled(xs.len(), layer)), ("behind a layer", behind_dense(xs.len(), layer))]
        {
            let pass = model.forward(&inputs, Mode::Training).unwrap();
            let predicted = model.predict(&inputs).unwrap();
            assert_eq!(*pass.output(), predicted, "{layer} {place}");
            let ones = predicted.mapv(|_| 1.0);
            let found = model.backward(pass, OutputGradients::from(vec![ones])).unwrap();
            for (index, x) in xs.iter().enumerate() {
                let what = format!("{layer} {place} of {x}");
                assert_close(&what, predicted[[0, index]], ys[index]);
                if let Some(expected) = case["derivative"][index].as_f64() {
                    assert_close(&format!("the derivative of {what}"), found.inputs[0][[0, index]], expected as f32);
                }
            }
        }
    }
}

#[test]
fn functions_are_read_by_keras_names_and_written_by_ours() {
    for (keras, ours, function) in [
        ("relu6", "Relu6", Relu6),
        ("leaky_relu", "LeakyRelu", LeakyRelu),
        ("elu", "Elu", Elu),
        ("selu", "Selu", Selu),
        ("gelu", "Gelu", Gelu),
        ("gelu_tanh", "GeluTanh", GeluTanh),
        ("silu", "Silu", Silu),
        ("swish", "Silu", Silu),
        ("mish", "Mish", Mish),
        ("softplus", "Softplus", Softplus),
        ("softsign", "Softsign", Softsign),
        ("hard_sigmoid", "HardSigmoid", HardSigmoid),
        ("exponential", "Exponential", Exponential),
    ] {
        assert_eq!(serde_json::from_value::<ActivationFunction>(json!(keras)).unwrap(), function);
        assert_eq!(serde_json::to_value(function).unwrap(), json!(ours));
        assert_eq!(serde_json::from_value::<ActivationFunction>(json!(ours)).unwrap(), function);
    }
}

#[test]
fn layers_have_keras_names_and_defaults() {
    let described = r#"{"input": [4], "layers": ["ReLU", "LeakyReLU", "ELU", {"LeakyReLU": {"negative_slope": 0.1}}]}"#;
    let described = Sequential::from_json(described).unwrap();
    let expected = Sequential::new([4]).add(ReLU::new()).add(LeakyReLU::new().negative_slope(0.3));
    assert_eq!(described, expected.add(ELU::new().alpha(1.0)).add(LeakyReLU::new().negative_slope(0.1)));
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(model.layer_names(), ["re_lu", "leaky_re_lu", "elu", "leaky_re_lu_1"]);
}
