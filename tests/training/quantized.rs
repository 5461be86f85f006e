//! A quantized model predicts nearly what its model does, whatever layers it has, and as well on real digits.

use crate::cases::{KINDS, inputs, model as model_of};
use crate::common_keras_example::keras_example;
use inkstone::Error;
use inkstone::prelude::*;
use ndarray::{Array2, Array4, Axis, Slice};

/// The largest difference between two arrays, in parts of how far the first one's values lie apart.
fn difference(expected: &Array2<f32>, found: &Array2<f32>) -> f32 {
    let (low, high) = expected.iter().fold((0.0_f32, 0.0_f32), |(low, high), x| (low.min(*x), high.max(*x)));
    let furthest = expected.iter().zip(found).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    furthest / (high - low).max(1e-6)
}

#[test]
fn every_layer_is_quantized_and_comes_near_what_it_was() {
    for case in KINDS.iter().flat_map(|kind| (0..6).map(|seed| kind.case(seed))) {
        let described = model_of(&case);
        let model = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
        let x = inputs(&case, 9);
        let quantized = model.quantize(&x).unwrap();
        let (expected, found) = (model.predict_rows(&x).unwrap(), quantized.predict_rows(&x).unwrap());
        assert!(difference(&expected, &found) < 0.1, "{case:?}: {expected} {found}");
        // Each alone, in memory that was kept.
        let (mut scratch, mut out) = (quantized.scratch(), vec![f32::NAN; quantized.classes()]);
        for n in 0..9 {
            let one = x.slice_axis(Axis(0), Slice::from(n..n + 1));
            quantized.predict_into(&one, &mut scratch, &mut out).unwrap();
            assert!(found.row(n).iter().eq(&out), "{case:?}");
        }
        let loaded = QuantizedPredictor::from_bytes(&quantized.to_bytes().unwrap()).unwrap();
        assert!(loaded.predict_rows(&x).unwrap() == found, "{case:?}: after loading");
    }
}

/// As filters that decayed, were pruned, or have a normalization behind them that hardly scales.
#[test]
fn a_bias_that_is_large_beside_its_weights_is_kept() {
    for (weight, bias, highest) in [(1e-6, 1.0, 1.0), (0.0, 0.3, 1000.0), (1e-9, -5.0, 1e-3)] {
        let layer = Dense::new(1)
            .kernel_initializer(Initializer::Constant { value: weight })
            .bias_initializer(Initializer::Constant { value: bias });
        let model = Sequential::new([2]).add(layer).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
        let x = Array2::from_shape_fn((9, 2), |(n, _)| n as f32 / 8.0 * highest);
        let (expected, found) =
            (model.predict_rows(&x).unwrap(), model.quantize(&x).unwrap().predict_rows(&x).unwrap());
        expected.iter().zip(&found).for_each(|(x, y)| assert!((x - y).abs() < 1e-4 * bias.abs(), "{x} {y}"));
    }
}

/// Residual sums, normalizations that become part of kernels, poolings that are not fused, functions on floats between
/// layers on bytes, several inputs and outputs.
fn branches() -> Model {
    let (image, more) = (Input::new([12, 11, 3]), Input::new([5]));
    let conv = |x: &Node, function| {
        let x = x.apply(Conv2D::new(20, (3, 3)).padding(Same).use_bias(false));
        x.apply(BatchNormalization::new()).apply(Activation::new(function))
    };
    let x = conv(&image, Relu);
    let sum = Add::of([&x, &conv(&conv(&x, Relu), Linear)]).apply(Activation::new(Relu));
    let pooled = sum.apply(MaxPooling2D::new((3, 3)).strides((2, 2))).apply(Dropout::new(0.5));
    let x = pooled.apply(Conv2D::new(17, (2, 3)).strides((2, 1)).activation(Gelu));
    let x = x.apply(Conv2D::new(70, (1, 1)).activation(Relu6)).apply(GlobalAveragePooling2D::new());
    let x = Concatenate::of([&x, &more]);
    let outputs = [x.apply(Dense::new(4).activation(Softmax)), x.apply(Dense::new(2)), sum];
    Functional::new([&image, &more], &outputs).seed(3).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

#[test]
fn networks_with_branches_come_near_too_and_chunks_change_no_bit() {
    let model = branches();
    let random = |n: usize| ((n * 2_654_435_761) >> 9) as u16 as f32 / 65536.0 - 0.3;
    let image = Array4::from_shape_fn((30, 12, 11, 3), |(n, y, x, c)| random(n * 400 + y * 33 + x * 3 + c));
    let more = Array2::from_shape_fn((30, 5), |(n, f)| random(n * 5 + f + 70_000));
    let quantized = model.quantize((&image, &more)).unwrap();
    let (expected, found) =
        (model.predict_all((&image, &more)).unwrap(), quantized.predict_all((&image, &more)).unwrap());
    for (expected, found) in expected.iter().zip(&found) {
        let row =
            |array: &ndarray::ArrayD<f32>| Array2::from_shape_vec((1, array.len()), array.iter().copied().collect());
        let furthest = difference(&row(expected).unwrap(), &row(found).unwrap());
        assert!(furthest < 0.03, "{:?}: {furthest}", expected.shape());
    }
    for count in [1, 7, 8, 9] {
        let some = (image.slice_axis(Axis(0), Slice::from(..count)), more.slice_axis(Axis(0), Slice::from(..count)));
        let found_of_some = quantized.predict_all((&some.0, &some.1)).unwrap();
        for (all, some) in found.iter().zip(found_of_some) {
            assert_eq!(all.slice_axis(Axis(0), Slice::from(..count)), some, "{count}");
        }
    }
    let error = quantized.predict((&image, &more)).unwrap_err();
    assert_eq!(error.to_string(), "the model has 3 outputs: call `predict_all`, which returns those of each");
}

#[test]
fn what_cannot_be_calibrated_or_predicted_is_refused() {
    let mut model = Sequential::new([3])
        .add(Dense::new(2).activation(Relu))
        .add(Dense::new(1))
        .compile(Sgd::new(0.1), MeanSquaredError, [])
        .unwrap();
    let says = |result: Result<QuantizedPredictor, Error>, expected: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    says(model.quantize(&[[0.0; 2]; 4]), "expects rows of 3 features");
    says(model.quantize(&[[0.0, f32::NAN, 0.0]]), "NaN");
    says(model.quantize(&[[0.0; 3]; 0]), "expected at least one example to calibrate with, got none");
    let quantized = model.quantize(&[[1.0, 2.0, 3.0]]).unwrap();
    let other = model.quantize(&[[1.0, 2.0, 3.0]]).unwrap();
    let error = quantized.predict_into(&[[0.0; 3]], &mut other.scratch(), &mut [0.0]).unwrap_err();
    assert!(error.to_string().contains("the scratch was made by another predictor"), "{error}");
    let error = quantized.predict_into(&[[0.0; 3]], &mut quantized.scratch(), &mut [0.0; 2]).unwrap_err();
    assert!(error.to_string().contains("an output for 1 examples has 1 values, got room for 2"), "{error}");
    let error = quantized.predict_classes(&[[0.0; 3]]).unwrap_err();
    assert!(error.to_string().contains("gives numbers, not probabilities of classes"), "{error}");
    let mut huge = model.get_weights();
    huge.iter_mut().for_each(|weight| weight.values.fill(1e30));
    model.set_weights(&huge).unwrap();
    says(model.quantize(&[[1e10; 3]]), "gives NaN or infinity between its layers");
}

#[test]
fn values_outside_of_what_was_seen_are_cut_off() {
    let model = Sequential::new([1]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let quantized = model.quantize(&[[0.0], [1.0]]).unwrap();
    let at = |x: f32| quantized.predict(&[[x]]).unwrap()[[0, 0]];
    assert_eq!((at(100.0), at(-5.0)), (at(1.0), at(0.0)));
    assert!((at(1.0) - model.predict(&[[1.0]]).unwrap()[[0, 0]]).abs() < 0.01);
}

#[test]
fn the_keras_example_loses_at_most_a_tenth_of_a_point_on_mnist() {
    let Some(folder) = std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()) else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_MNIST").is_none(), "INKSTONE_REQUIRE_MNIST is set");
        eprintln!("skipped: set INKSTONE_DATA to the folder of the MNIST files");
        return;
    };
    let (train, test) = mnist::load_from(folder).unwrap();
    let mut model =
        keras_example().seed(1).compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    model.fit(&train, FitConfig::new().epochs(2).batch_size(128).verbose(0)).unwrap();
    let quantized = model.quantize(&train.take(500).unwrap()).unwrap();
    let labels = test.labels().to_vec();
    let right = |classes: Vec<usize>| classes.iter().zip(&labels).filter(|(class, label)| class == label).count();
    let by_floats = right(model.predict_classes(&test).unwrap());
    let by_bytes = right(quantized.predict_classes(&test).unwrap());
    let (large, small) = (model.to_bytes().unwrap().len(), quantized.to_bytes().unwrap().len());
    eprintln!("{by_floats} of 10,000 right with floats, {by_bytes} with bytes; files of {large} and {small} bytes");
    assert!(by_floats > 9800 && by_bytes + 10 >= by_floats, "{by_floats} {by_bytes}");
    assert!(small * 100 < large * 28, "{large} {small}");
}
