//! A predictor gives what its model gave, on any number of threads at once, and soon after the program starts.

use crate::cases::{KINDS, inputs, model as model_of};
use inkstone::Error;
use inkstone::prelude::*;
use ndarray::{Array2, Array4, ArrayViewD, Axis};
use std::time::{Duration, Instant};

/// The Keras example's network.
fn example() -> Model {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Dropout::new(0.5))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(9)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Every kind of step: padding, poolings that are not fused, activations alone, a softmax within.
fn odd() -> Model {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(5, (4, 3)).padding(Same).strides((2, 1)))
        .add(MaxPooling2D::new((3, 3)).strides((2, 2)).padding(Same))
        .add(Activation::new(Tanh))
        .add(Dropout::new(0.1))
        .add(Conv2D::new(3, (2, 2)).activation(Softmax))
        .add(Flatten::new())
        .add(Dense::new(7))
        .seed(9)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default().from_logits(true), [])
        .unwrap()
}

fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 28, 28, 1), |(n, y, x, _)| ((n * 7919 + y * 131 + x * 17) % 101) as f32 / 100.0)
}

fn predict_with(predictor: &Predictor, images: ArrayViewD<'_, f32>) -> Array2<f32> {
    let mut out = Array2::from_elem((images.shape()[0], predictor.classes()), f32::NAN);
    predictor.predict_into(&images, &mut predictor.scratch(), out.as_slice_mut().unwrap()).unwrap();
    out
}

#[test]
fn a_predictor_gives_the_model_s_bits() {
    for model in [example(), odd()] {
        let digits = inkstone::data::synthetic::digits(20, 3).unwrap();
        for count in [0, 1, 7, 8, 9, 30] {
            let images = images(count);
            let (expected, classes) = (model.predict_rows(&images).unwrap(), model.predict_classes(&images).unwrap());
            let predictor = Model::from_bytes(&model.to_bytes().unwrap()).unwrap().into_predictor();
            assert_eq!(predictor.predict_rows(&images).unwrap(), expected);
            assert_eq!(predict_with(&predictor, images.view().into_dyn()), expected);
            let mut found = vec![usize::MAX; count];
            predictor.predict_classes_into(&images, &mut predictor.scratch(), &mut found).unwrap();
            assert_eq!(found, classes);
        }
        let expected = model.predict_rows(&digits).unwrap();
        assert_eq!(model.into_predictor().predict_rows(&digits).unwrap(), expected);
    }
}

#[test]
fn a_predictor_gives_the_model_s_bits_for_every_layer_and_for_each_image_alone() {
    for case in KINDS.iter().flat_map(|kind| (0..12).map(|seed| kind.case(seed))) {
        let model = model_of(&case).compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
        let images = inputs(&case, 11);
        let expected = model.predict_rows(&images).unwrap();
        let predictor = model.into_predictor();
        assert_eq!(predict_with(&predictor, images.view()), expected, "{case:?}");
        for (place, image) in images.axis_chunks_iter(Axis(0), 1).enumerate() {
            assert_eq!(predict_with(&predictor, image).row(0), expected.row(place), "{case:?}: {place}");
        }
    }
}

#[test]
fn many_threads_share_one_predictor() {
    let model = example();
    let images = images(48);
    let expected = model.predict_rows(&images).unwrap();
    let predictor = model.into_predictor();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (predictor, images, expected) = (&predictor, &images, &expected);
            scope.spawn(move || {
                let mut scratch = predictor.scratch();
                let mut out = vec![0.0; 30];
                for round in 0..40 {
                    let start = (thread * 5 + round * 3) % 45;
                    let some = images.slice_axis(Axis(0), (start..start + 3).into());
                    predictor.predict_into(some, &mut scratch, &mut out).unwrap();
                    assert_eq!(
                        out,
                        expected.slice_axis(Axis(0), (start..start + 3).into()).iter().copied().collect::<Vec<_>>()
                    );
                }
            });
        }
    });
}

#[test]
fn what_does_not_fit_is_told_and_nothing_is_written() {
    let (predictor, other) = (example().into_predictor(), example().into_predictor());
    let refused = |images: &Array4<f32>, mut scratch, len: usize, text: &str| {
        let mut out = vec![0.5; len];
        let error = predictor.predict_into(images, &mut scratch, &mut out).unwrap_err();
        assert!(matches!(error, Error::Data(_)));
        assert_eq!(error.to_string(), text);
        assert!(out.iter().all(|value| *value == 0.5));
    };
    let scratch = || predictor.scratch();
    let small = Array4::zeros((2, 5, 5, 1));
    refused(&small, scratch(), 20, "the model expects images of (28, 28, 1), got (5, 5, 1)");
    refused(&images(2), scratch(), 10, "an output for 2 examples has 20 values, got room for 10");
    let made_elsewhere = "the scratch was made by another predictor: use this one's `scratch()`";
    refused(&images(2), other.scratch(), 20, made_elsewhere);
    let mut odd = images(2);
    odd[[1, 3, 4, 0]] = f32::NAN;
    let mut out = [0.5; 20];
    let error = predictor.predict_into(&odd, &mut scratch(), &mut out).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    assert_eq!(out, [0.5; 20]);
    let error = predictor.predict_classes_into(&images(2), &mut scratch(), &mut [0; 3]).unwrap_err().to_string();
    assert_eq!(error, "an output for 2 examples has 2 values, got room for 3");
}

#[test]
fn loading_and_predicting_one_image_takes_less_than_five_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    example().save(&path).unwrap();
    let image = images(1);
    let times = (0..20).map(|_| {
        let start = Instant::now();
        let predictor = Model::load(&path).unwrap().into_predictor();
        let probabilities = predictor.predict_rows(&image).unwrap();
        assert!((probabilities.sum() - 1.0).abs() < 1e-5);
        start.elapsed()
    });
    let times: Vec<Duration> = times.collect();
    let fastest = times.iter().min().unwrap();
    eprintln!("loading and predicting one image: {:?} at first, {fastest:?} at best", times[0]);
    assert!(*fastest < Duration::from_millis(5), "{times:?}");
}

#[test]
fn one_sigmoid_output_says_yes_above_one_half() {
    let mut model = Sequential::new([1])
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Sgd::default(), BinaryCrossentropy::default(), [Accuracy])
        .unwrap();
    let mut weights = model.get_weights();
    weights[0].values.fill(1.0);
    model.set_weights(&weights).unwrap();
    let points = Array4::from_shape_vec((3, 1, 1, 1), vec![-1.0_f32, 0.5, 2.0]).unwrap();
    assert_eq!(model.predict_classes(&points).unwrap(), [0, 1, 1]);
    let predictor = model.into_predictor();
    let mut classes = [9; 3];
    predictor.predict_classes_into(&points, &mut predictor.scratch(), &mut classes).unwrap();
    assert_eq!(classes, [0, 1, 1]);
}

#[test]
fn a_clone_of_a_model_is_trained_by_itself_and_as_the_model_would_be() {
    let digits = inkstone::data::synthetic::digits(64, 3).unwrap();
    let quiet = || FitConfig::new().verbose(0);
    let mut model = odd();
    model.fit(&digits.take(7).unwrap().filter(|digit| digit.label() < Some(7)).unwrap(), quiet()).unwrap();
    let digits = digits.filter(|digit| digit.label() < Some(7)).unwrap();
    let (before, mut clone) = (model.get_weights(), model.clone());
    clone.fit(&digits, quiet().epochs(2)).unwrap();
    assert_eq!(model.get_weights(), before, "the model stays as it is");
    assert_eq!((clone.epochs(), clone.steps() > model.steps()), (3, true));
    model.fit(&digits, quiet().epochs(2)).unwrap();
    assert_eq!(model.get_weights(), clone.get_weights(), "optimizer, seed and epochs were copied");
}

#[test]
fn threads_predict_and_evaluate_with_one_model_at_the_same_time() {
    fn shareable<T: Send + Sync>(_: &T) {}
    let model = example();
    shareable(&model);
    let digits = inkstone::data::synthetic::digits(100, 3).unwrap();
    let (probabilities, scores) = (model.predict_rows(&digits).unwrap(), model.evaluate(&digits).unwrap());
    std::thread::scope(|scope| {
        for count in [1, 9, 100, 100] {
            let (model, digits, probabilities, scores) = (&model, &digits, &probabilities, &scores);
            scope.spawn(move || {
                let part = digits.take(count).unwrap();
                for _ in 0..5 {
                    assert_eq!(model.predict_rows(&part).unwrap(), probabilities.slice_axis(Axis(0), (..count).into()));
                    assert_eq!(model.evaluate(digits).unwrap(), *scores);
                }
            });
        }
    });
}

#[test]
fn a_predictor_is_loaded_from_a_file_and_its_clones_share_their_scratches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = example();
    model.save(&path).unwrap();
    let predictor = Predictor::load(&path).unwrap();
    let clone = predictor.clone();
    let images = images(3);
    let expected = model.predict_rows(&images).unwrap();
    for predictor in [&predictor, &clone, &Predictor::from_bytes(&model.to_bytes().unwrap()).unwrap()] {
        assert_eq!(predictor.predict_rows(&images).unwrap(), expected);
        assert_eq!((predictor.input_shape(), predictor.output_shape()), (model.input_shape(), model.output_shape()));
    }
    let mut out = [0.0; 30];
    clone.predict_into(&images, &mut predictor.scratch(), &mut out).unwrap();
    assert_eq!(out[..], expected.iter().copied().collect::<Vec<f32>>());
    let error = Predictor::load(folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("none"), "{error}");
}

#[test]
fn layers_have_the_names_of_the_summary_and_of_their_weights() {
    let model = example();
    let names = model.layer_names();
    assert_eq!(names.len(), model.layers().len());
    assert_eq!(names[..3], ["conv2d", "max_pooling2d", "conv2d_1"]);
    let summary = model.summary().to_string();
    assert!(names.iter().all(|name| summary.contains(&format!(" {name} ("))), "{summary}");
    for weight in model.get_weights() {
        let layer = weight.name.split('/').next().unwrap();
        assert!(names.iter().any(|name| name == layer), "{}", weight.name);
    }
}

/// Memory to work in is kept between calls: what one call needs of it must not be too little for the next.
#[test]
fn calls_of_all_sizes_follow_each_other() {
    let mut model = Sequential::new([3])
        .add(Dense::new(2).activation(Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let rows = |count: usize| (vec![[0.5_f32, 1.0, 2.0]; count], vec![1; count]);
    for count in [8, 4, 100, 1, 3, 64, 2, 200] {
        let (x, y) = rows(count);
        let x = inkstone::ndarray::Array2::from_shape_fn((count, 3), |(row, column)| x[row][column]);
        model.evaluate((&x, &y)).unwrap();
        model.train_on_batch(&x, &y).unwrap();
        let expected = model.predict_rows(&x).unwrap();
        assert_eq!(model.clone().into_predictor().predict_rows(&x).unwrap(), expected);
    }
    let predictor = model.clone().into_predictor();
    for count in [8, 4, 100, 1, 3, 64, 2, 200, 5] {
        let x = inkstone::ndarray::Array2::from_shape_fn((count, 3), |(row, column)| (row % 7 + column) as f32);
        assert_eq!(predictor.predict_rows(&x).unwrap(), model.predict_rows(&x).unwrap(), "{count}");
        assert_eq!(predictor.predict_classes(&x).unwrap(), model.predict_classes(&x).unwrap(), "{count}");
    }
}

/// Padded inputs are copied to memory that steps share: what a larger batch, or a layer with another border, has left
/// there must not be seen.
#[test]
fn gradients_do_not_depend_on_the_batches_before() {
    let model = || {
        Sequential::new([9, 9, 1])
            .add(Conv2D::new(32, (5, 5)).padding(Same).activation(Tanh))
            .add(Conv2D::new(32, (3, 3)).padding(Same).activation(Tanh))
            .add(Conv2D::new(32, (3, 3)).padding(Same).strides((2, 2)).activation(Tanh))
            .add(Flatten::new())
            .add(Dense::new(2).activation(Softmax))
            .seed(3)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
            .unwrap()
    };
    let images = |count: usize| {
        inkstone::ndarray::Array4::from_shape_fn((count, 9, 9, 1), |(n, y, x, _)| {
            ((n * 31 + y * 7 + x) % 11) as f32 - 5.0
        })
    };
    let mut used = model();
    for count in [40, 3, 17, 1] {
        let labels = vec![1; count];
        let gradients = used.gradients(&images(count), &labels).unwrap();
        assert_eq!(gradients, model().gradients(&images(count), &labels).unwrap(), "{count}");
    }
}

/// The output function is applied where the border of zeros lies, so that it must be written again for the next images.
#[test]
fn a_border_of_zeros_before_the_output_is_the_same_for_all_images() {
    let model = Sequential::new([2, 2, 1])
        .add(ZeroPadding2D::new((1, 1)))
        .add(Flatten::new())
        .add(Activation::new(Sigmoid))
        .compile(Adam::default(), BinaryCrossentropy::default(), [])
        .unwrap();
    let images = inkstone::ndarray::Array4::from_shape_fn((40, 2, 2, 1), |(image, row, ..)| (image + row) as f32);
    let expected = model.predict_rows(&images).unwrap();
    assert_eq!((expected[[39, 0]], expected[[39, 5]] > 0.9), (0.5, true));
    let predictor = model.into_predictor();
    for _ in 0..2 {
        assert_eq!(predictor.predict_rows(&images).unwrap(), expected);
    }
}
