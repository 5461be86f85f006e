//! The values that weights start from, against Keras' distributions; `tests/fixtures/make_weights.py` drew from those.

use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Error, Shape};
use ndarray::{Array2, ArrayD};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Fixture {
    initial: HashMap<String, HashMap<String, Drawn>>,
}

#[derive(Deserialize)]
struct Drawn {
    greatest: f64,
    deviation: f64,
}

const KERNELS: [Initializer; 14] = [
    Initializer::Zeros,
    Initializer::Ones,
    Initializer::GlorotUniform,
    Initializer::GlorotNormal,
    Initializer::HeUniform,
    Initializer::HeNormal,
    Initializer::LecunUniform,
    Initializer::LecunNormal,
    Initializer::RandomUniform { minval: -0.05, maxval: 0.05 },
    Initializer::RandomNormal { mean: 0.0, stddev: 0.05 },
    Initializer::TruncatedNormal { mean: 0.0, stddev: 0.05 },
    Initializer::Orthogonal { gain: 1.0 },
    Initializer::Constant { value: 0.5 },
    Initializer::Identity { gain: 2.0 },
];

/// Keras' name, which is how it is written.
fn name(initializer: Initializer) -> String {
    match serde_json::to_value(initializer).unwrap() {
        serde_json::Value::String(name) => name,
        fields => fields.as_object().unwrap().keys().next().unwrap().clone(),
    }
}

fn compiled(input: impl Into<Shape>, layer: impl Into<Layer>) -> inkstone::Result<Model> {
    Sequential::new(input).add(layer).seed(3).compile(Adam::default(), MeanSquaredError, [])
}

/// The weights of each kind of the fixture.
fn drawn(kind: &str, initializer: Initializer) -> ArrayD<f32> {
    let (model, weight) = match kind {
        "dense" => (compiled([300], Dense::new(200).kernel_initializer(initializer)), "dense/kernel"),
        "conv" => (compiled([5, 6, 40], Conv2D::new(60, (3, 5)).kernel_initializer(initializer)), "conv2d/kernel"),
        _ => (compiled([1], Dense::new(20_000).bias_initializer(initializer)), "dense/bias"),
    };
    model.unwrap().get_weight(weight).unwrap().values
}

#[test]
fn values_have_the_distributions_of_keras() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/weights.json")).unwrap();
    assert_eq!(fixture.initial.len(), 12);
    for initializer in KERNELS {
        let Some(expected) = fixture.initial.get(&name(initializer)) else { continue };
        for (kind, expected) in expected {
            let values = drawn(kind, initializer);
            let count = values.len() as f64;
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
            let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
            let greatest = f64::from(values.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs())));
            let what = format!("{initializer:?} of {kind}: mean {mean}, variance {variance}, greatest {greatest}");
            // Of 20,000 numbers and more the deviation is certain to about half a percent.
            assert!((variance.sqrt() - expected.deviation).abs() <= 0.02 * expected.deviation, "{what}");
            let is_constant = expected.deviation == 0.0;
            assert!(is_constant || mean.abs() < 5.0 * expected.deviation / count.sqrt(), "{what}");
            // Those of no bound differ from draw to draw.
            let is_bounded = !matches!(initializer, Initializer::RandomNormal { .. } | Initializer::Orthogonal { .. });
            let tolerance = if is_bounded { 0.003 } else { 0.5 };
            assert!(
                (greatest / expected.greatest.max(1e-9) - 1.0).abs() < tolerance || greatest == expected.greatest,
                "{what}"
            );
        }
    }
}

/// The products of the columns of a matrix with each other, or of the rows if they are fewer.
fn products(kernel: ArrayD<f32>) -> Array2<f32> {
    let outputs = *kernel.shape().last().unwrap();
    let inputs = kernel.len() / outputs;
    let matrix = kernel.into_shape_with_order((inputs, outputs)).unwrap();
    if outputs <= inputs { matrix.t().dot(&matrix) } else { matrix.dot(&matrix.t()) }
}

#[test]
fn orthogonal_kernels_are() {
    let orthogonal = Initializer::Orthogonal { gain: 1.5 };
    let dense = |inputs: usize, outputs: usize| {
        compiled([inputs], Dense::new(outputs).kernel_initializer(orthogonal)).unwrap().get_weights()[0].values.clone()
    };
    let conv = compiled([6, 6, 3], Conv2D::new(11, (2, 3)).kernel_initializer(orthogonal)).unwrap();
    let wide = compiled([6, 6, 2], Conv2D::new(21, (2, 2)).kernel_initializer(orthogonal)).unwrap();
    let kernels = [dense(40, 40), dense(7, 33), dense(33, 7), dense(1, 1)];
    for kernel in kernels.into_iter().chain([&conv, &wide].map(|model| model.get_weights()[0].values.clone())) {
        let shape = kernel.shape().to_vec();
        for ((row, column), product) in products(kernel).indexed_iter() {
            let expected = if row == column { 1.5 * 1.5 } else { 0.0 };
            assert!((product - expected).abs() < 2e-6, "{shape:?} at {row}, {column}: {product}");
        }
    }
}

#[test]
fn an_identity_passes_its_input_on() {
    let identity = Initializer::Identity { gain: 2.0 };
    for units in [2, 3, 5] {
        let model = compiled([3], Dense::new(units).kernel_initializer(identity)).unwrap();
        let kernel = &model.get_weights()[0].values;
        for ((row, column), value) in kernel.clone().into_dimensionality::<ndarray::Ix2>().unwrap().indexed_iter() {
            assert_eq!(*value, if row == column { 2.0 } else { 0.0 });
        }
    }
}

#[test]
fn the_default_is_glorot_uniform_to_the_bit() {
    let plain = compiled([5, 6, 40], Conv2D::new(60, (3, 5))).unwrap();
    let chosen = compiled([5, 6, 40], Conv2D::new(60, (3, 5)).kernel_initializer(Initializer::GlorotUniform)).unwrap();
    assert_eq!(plain.get_weights(), chosen.get_weights());
}

#[test]
fn initializers_that_cannot_be_are_errors() {
    let dense = |initializer| compiled([3], Dense::new(2).kernel_initializer(initializer)).unwrap_err();
    let bias = |initializer| compiled([3], Dense::new(2).bias_initializer(initializer)).unwrap_err();
    let conv = compiled([5, 5, 1], Conv2D::new(2, (2, 2)).kernel_initializer(Initializer::Identity { gain: 1.0 }));
    for (error, expected) in [
        (
            conv.unwrap_err(),
            "layer 0 (Conv2D) expects a kernel_initializer for a weight of 4 axes, got Identity { gain: 1.0 }, which is for two",
        ),
        (
            bias(Initializer::Orthogonal { gain: 1.0 }),
            "layer 0 (Dense) expects a bias_initializer for a weight of one axis, got Orthogonal { gain: 1.0 }, which is for two or more",
        ),
        (
            bias(Initializer::Constant { value: f32::NAN }),
            "layer 0 (Dense) expects a bias_initializer of a finite number, got Constant { value: NaN }",
        ),
        (
            dense(Initializer::Orthogonal { gain: f32::INFINITY }),
            "layer 0 (Dense) expects a kernel_initializer of a finite number, got Orthogonal { gain: inf }",
        ),
        (
            dense(Initializer::RandomUniform { minval: 1.0, maxval: 0.5 }),
            "layer 0 (Dense) expects a kernel_initializer whose `minval` is at most its `maxval`, both finite and less than 3e38 \
             apart, got RandomUniform { minval: 1.0, maxval: 0.5 }",
        ),
        (
            dense(Initializer::TruncatedNormal { mean: 0.0, stddev: -1.0 }),
            "layer 0 (Dense) expects a kernel_initializer with a finite mean and a finite `stddev` of at least 0, got TruncatedNormal \
             { mean: 0.0, stddev: -1.0 }",
        ),
    ] {
        assert!(matches!(&error, Error::Layer { index: 0, .. }));
        assert_eq!(error.to_string(), expected);
    }
    let far = Initializer::RandomUniform { minval: -f32::MAX, maxval: f32::MAX };
    assert!(dense(far).to_string().contains("less than 3e38 apart"));
}

#[test]
fn files_and_descriptions_keep_them() {
    for initializer in KERNELS {
        let described = Sequential::new([4]).add(Dense::new(3).kernel_initializer(initializer)).seed(5);
        assert_eq!(Sequential::from_json(&described.to_json()).unwrap(), described);
        let bytes = postcard::to_stdvec(&described).unwrap();
        assert_eq!(postcard::from_bytes::<Sequential>(&bytes).unwrap(), described);
        let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
        let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!((loaded.layers(), loaded.get_weights()), (model.layers(), model.get_weights()));
    }
    let layer = |kernel: &str| {
        let json =
            format!(r#"{{"input": [4], "layers": [{{"Dense": {{"units": 3, "kernel_initializer": {kernel}}}}}]}}"#);
        Sequential::from_json(&json).map(|described| described.layers()[0].clone())
    };
    let with = |initializer| Layer::from(Dense::new(3).kernel_initializer(initializer));
    for (written, expected) in [
        (r#""he_normal""#, Initializer::HeNormal),
        (r#""orthogonal""#, Initializer::Orthogonal { gain: 1.0 }),
        (r#"{"orthogonal": {}}"#, Initializer::Orthogonal { gain: 1.0 }),
        (r#""identity""#, Initializer::Identity { gain: 1.0 }),
        (r#""constant""#, Initializer::Constant { value: 0.0 }),
        (r#""random_uniform""#, Initializer::RandomUniform { minval: -0.05, maxval: 0.05 }),
        (r#"{"random_normal": {"mean": 2}}"#, Initializer::RandomNormal { mean: 2.0, stddev: 0.05 }),
        (r#""truncated_normal""#, Initializer::TruncatedNormal { mean: 0.0, stddev: 0.05 }),
    ] {
        assert_eq!(layer(written).unwrap(), with(expected), "{written}");
    }
    for (written, expected) in [
        (r#""he_gaussian""#, "unknown variant `he_gaussian`, expected one of `zeros`, `ones`"),
        (r#"{"orthogonal": {"factor": 2}}"#, "unknown field `factor`, expected `gain`"),
        (
            "3",
            r#"invalid type: integer `3`, expected an initializer, as "he_normal" or {"random_normal": {"stddev": 0.1}}"#,
        ),
    ] {
        let error = layer(written).unwrap_err().to_string();
        assert!(error.starts_with("the description of the model, at layers[0].Dense.kernel_initializer"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}
