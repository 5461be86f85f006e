//! What users do wrong: each case ends in an error that says where, what was expected and what was found.

use inkstone::prelude::*;
use inkstone::{Loss, Model, Optimizer};
use ndarray::Array4;

fn try_compile(model: Sequential) -> inkstone::Result<Model> {
    model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
}

#[track_caller]
fn refused(model: Sequential, expected: &str) {
    assert_eq!(try_compile(model).unwrap_err().to_string(), expected);
}

fn image() -> Sequential {
    Sequential::new([8, 8, 1])
}

/// The end that every model here has.
fn head(model: Sequential) -> Sequential {
    model.add(Flatten::new()).add(Dense::new(10).activation(Softmax))
}

fn small() -> Model {
    try_compile(head(image())).unwrap()
}

fn dataset(labels: Vec<usize>) -> Dataset {
    Dataset::from_bytes(Array4::zeros((labels.len(), 8, 8, 1)), labels).unwrap()
}

#[test]
fn layers_name_the_shape_they_cannot_take() {
    refused(image().add(Dense::new(3)), "layer 0 (Dense) expects a vector, got (8, 8, 1): add `Flatten` before it");
    let message = "expects an image (height, width, channels), got (64): put it before `Flatten`";
    refused(head(image().add(Flatten::new()).add(Conv2D::new(3, (3, 3)))), &format!("layer 1 (Conv2D) {message}"));
    let pool = MaxPooling2D::new((2, 2));
    refused(head(image().add(Flatten::new()).add(pool)), &format!("layer 1 (MaxPooling2D) {message}"));
}

#[test]
fn windows_larger_than_their_input_are_refused_where_they_stand() {
    let pooled = || image().add(Conv2D::new(4, (3, 3))).add(MaxPooling2D::new((2, 2)));
    refused(
        head(pooled().add(Conv2D::new(4, (5, 2)))),
        "layer 2 (Conv2D) cannot work on (3, 3, 4): the window (5, 2) is larger than its input (3, 3): use a smaller \
         window, less pooling before it, or `padding(Same)`",
    );
    refused(
        head(pooled().add(MaxPooling2D::new((2, 4)))),
        "layer 2 (MaxPooling2D) cannot work on (3, 3, 4): the window (2, 4) is larger than its input (3, 3): use a \
         smaller window, less pooling before it, or `padding(Same)`",
    );
}

#[test]
fn zeros_are_refused() {
    refused(
        head(image().add(Conv2D::new(0, (3, 3)))),
        "layer 0 (Conv2D) has an output of (6, 6, 0): each tensor must have between 1 and 268435456 values",
    );
    refused(
        head(image().add(Conv2D::new(2, (0, 3)))),
        "layer 0 (Conv2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each way, got (0, 3)",
    );
    refused(
        head(image().add(Conv2D::new(2, (3, 3)).strides((1, 0)))),
        "layer 0 (Conv2D) cannot work on (8, 8, 1): the strides must be between 1 and 268435456 each way, got (1, 0)",
    );
    refused(
        head(image().add(MaxPooling2D::new((2, 0)))),
        "layer 0 (MaxPooling2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each way, got (2, 0)",
    );
    refused(
        image().add(Flatten::new()).add(Dense::new(0)),
        "layer 1 (Dense) has an output of (0): each tensor must have between 1 and 268435456 values",
    );
    refused(
        head(Sequential::new([8, 0, 1])),
        "the model has an input of (8, 0, 1): every axis must be at least 1, and all together at most 268435456",
    );
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let huge = usize::MAX;
    for (model, expected) in [
        (head(image().add(Conv2D::new(huge, (3, 3)))), "layer 0 (Conv2D) has an output of"),
        (head(image().add(Conv2D::new(2, (huge, huge)).padding(Same))), "layer 0 (Conv2D) cannot work on"),
        (head(image().add(Conv2D::new(2, (1 << 20, 1 << 20)).padding(Same))), "layer 0 (Conv2D) "),
        (head(image().add(Conv2D::new(2, (3, 3)).strides((huge, 1)))), "layer 0 (Conv2D) cannot work on"),
        (head(image().add(MaxPooling2D::new((huge, 2)).padding(Same))), "layer 0 (MaxPooling2D) cannot work on"),
        (image().add(Flatten::new()).add(Dense::new(huge)), "layer 1 (Dense) has an output of"),
        (
            image().add(Flatten::new()).add(Dense::new(1 << 27)).add(Dense::new(10).activation(Softmax)),
            "layer 1 (Dense) brings the model to more than 268435456 parameters",
        ),
        (head(Sequential::new([huge, huge, huge])), "the model has an input of"),
        (head(Sequential::new([1 << 14, 1 << 14, 2])), "the model has an input of"),
    ] {
        let error = try_compile(model).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    // A pooling window of any size is allowed where padding makes it one window over all.
    assert!(try_compile(head(image().add(MaxPooling2D::new((1 << 20, 1 << 20)).padding(Same)))).is_ok());
}

#[test]
fn a_model_must_have_layers_and_end_with_a_vector_of_probabilities() {
    refused(image(), "the model has no layers: add at least one `Dense`");
    refused(
        image().add(Conv2D::new(2, (3, 3))),
        "the model ends with an output of (6, 6, 2), expected a vector with one value for each class: end it with \
         `Flatten` and `Dense`",
    );
    refused(
        image().add(Flatten::new()).add(Dense::new(10).activation(Sigmoid)),
        "the model gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
         `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`",
    );
    let logits: Loss = SparseCategoricalCrossentropy::default().from_logits(true).into();
    let error = head(image()).compile(Adam::default(), logits, [Accuracy]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the model ends with Softmax, but the loss expects logits: leave out Softmax, or leave out `from_logits(true)`"
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (rate, written) in [(f32::NAN, "NaN"), (1.0, "1"), (-0.1, "-0.1")] {
        refused(
            head(image().add(Dropout::new(rate))),
            &format!("layer 0 (Dropout) expects a rate of at least 0 and less than 1, got {written}"),
        );
    }
    let optimizers: [(Optimizer, &str); 8] = [
        (Adam::new(f32::NAN).into(), "learning_rate must be finite and at least 0, got NaN"),
        (Adam::new(-1.0).into(), "learning_rate must be finite and at least 0, got -1"),
        (Adam::default().beta_1(1.0).into(), "beta_1 must be at least 0 and less than 1, got 1"),
        (Adam::default().beta_2(-0.5).into(), "beta_2 must be at least 0 and less than 1, got -0.5"),
        (Adam::default().epsilon(0.0).into(), "epsilon must be finite and more than 0, got 0"),
        (Sgd::new(f32::INFINITY).into(), "learning_rate must be finite and at least 0, got inf"),
        (Sgd::default().momentum(2.0).into(), "momentum must be from 0 to 1, got 2"),
        (Sgd::default().momentum(f32::NAN).into(), "momentum must be from 0 to 1, got NaN"),
    ];
    for (optimizer, expected) in optimizers {
        let error = head(image()).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let data = dataset(vec![0; 4]);
    let error = |config: FitConfig<'_>| small().fit(&data, config).unwrap_err().to_string();
    assert_eq!(error(FitConfig::new().batch_size(0)), "batch_size must be at least 1, got 0");
    assert_eq!(error(FitConfig::new().verbose(3)), "verbose must be 0, 1 or 2, got 3");
}

#[test]
fn data_sets_are_checked_when_they_are_made() {
    let bytes = |count, labels: Vec<usize>| Dataset::from_bytes(Array4::zeros((count, 8, 8, 1)), labels);
    assert_eq!(
        bytes(3, vec![0, 1]).unwrap_err().to_string(),
        "there must be one label for each image, got 3 images and 2 labels"
    );
    assert_eq!(
        bytes(0, vec![]).unwrap_err().to_string(),
        "images must have at least one value on every axis (N, H, W, C), got (0, 8, 8, 1)"
    );
    for value in [f32::NAN, f32::INFINITY] {
        let mut images = Array4::zeros((2, 3, 3, 1));
        images[[1, 2, 0, 0]] = value;
        assert_eq!(
            Dataset::from_floats(images, vec![0, 0]).unwrap_err().to_string(),
            format!("images must be finite, got {value} at (1, 2, 0, 0) (N, H, W, C)")
        );
    }
}

#[test]
fn data_that_do_not_fit_the_model_are_refused() {
    let mut model = small();
    let shape = "the model expects images of (8, 8, 1), got (8, 8, 3)";
    let colour = Dataset::from_bytes(Array4::zeros((2, 8, 8, 3)), vec![0, 0]).unwrap();
    let fine = dataset(vec![0, 9]);
    let quiet = FitConfig::new().verbose(0);
    assert_eq!(model.fit(&colour, quiet).unwrap_err().to_string(), shape);
    assert_eq!(model.fit(&fine, quiet.validation_data(&colour)).unwrap_err().to_string(), shape);
    assert_eq!(model.evaluate(&colour).unwrap_err().to_string(), shape);
    assert_eq!(model.predict(&Array4::zeros((2, 8, 8, 3))).unwrap_err().to_string(), shape);
    let label = "labels must be from 0 to 9, as the model has 10 outputs, got 10 at index 2";
    let wrong = dataset(vec![0, 1, 10]);
    assert_eq!(model.fit(&wrong, quiet).unwrap_err().to_string(), label);
    assert_eq!(model.evaluate(&wrong).unwrap_err().to_string(), label);
    assert_eq!(model.train_on_batch(&Array4::zeros((3, 8, 8, 1)), &[0, 1, 10]).unwrap_err().to_string(), label);
}

#[test]
fn batches_are_checked() {
    let mut model = small();
    let message = "there must be at least one image and one label for each, got";
    let error = model.train_on_batch(&Array4::zeros((2, 8, 8, 1)), &[0]).unwrap_err();
    assert_eq!(error.to_string(), format!("{message} 2 images and 1 labels"));
    let error = model.train_on_batch(&Array4::zeros((0, 8, 8, 1)), &[]).unwrap_err();
    assert_eq!(error.to_string(), format!("{message} 0 images and 0 labels"));
    let mut images = Array4::zeros((2, 8, 8, 1));
    images[[1, 0, 3, 0]] = f32::NEG_INFINITY;
    let not_finite = "images must be finite, got -inf at (1, 0, 3, 0) (N, H, W, C)";
    assert_eq!(model.train_on_batch(&images, &[0, 0]).unwrap_err().to_string(), not_finite);
    assert_eq!(model.predict(&images).unwrap_err().to_string(), not_finite);
}

#[test]
fn predicting_nothing_gives_nothing() {
    assert_eq!(small().predict(&Array4::zeros((0, 8, 8, 1))).unwrap().dim(), (0, 10));
}

#[test]
fn images_in_any_memory_order_are_predicted_alike() {
    let mut model = small();
    let images = Array4::from_shape_fn((3, 8, 8, 1), |(n, y, x, _)| (n * 5 + y * 3 + x) as f32 / 50.0);
    let mut reversed = Array4::zeros((1, 8, 8, 3)).reversed_axes();
    reversed.assign(&images.view().permuted_axes([0, 1, 2, 3]));
    assert!(!reversed.is_standard_layout());
    assert_eq!(model.predict(&images).unwrap(), model.predict(&reversed).unwrap());
}

#[test]
fn a_training_that_diverges_stops_and_says_where() {
    let images = Array4::from_shape_fn((64, 8, 8, 1), |(n, y, x, _)| (n * 7 + y * 5 + x) as u8);
    let data = Dataset::from_bytes(images, (0..64).map(|n| n % 10).collect()).unwrap();
    let mut model = head(image().add(Conv2D::new(4, (3, 3)).activation(Relu)))
        .seed(3)
        .compile(Sgd::new(1e30), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let error = model.fit(&data, FitConfig::new().epochs(5).batch_size(16).verbose(0)).unwrap_err().to_string();
    assert!(error.starts_with("the loss became "), "{error}");
    assert!(error.contains(" in epoch 1, step "), "{error}");
    assert!(error.ends_with(": lower the learning rate, or look for extreme values in the data"), "{error}");
}

#[test]
fn batches_larger_than_the_data_and_smaller_last_batches_work() {
    let data = dataset((0..7).collect());
    let quiet = FitConfig::new().verbose(0);
    for batch_size in [1, 3, 7, 1000, usize::MAX] {
        let history = small().fit(&data, quiet.batch_size(batch_size)).unwrap();
        assert!(history.losses()[0].is_finite(), "batch size {batch_size}");
    }
    assert!(small().fit(&data, quiet.epochs(0)).unwrap().epochs.is_empty());
}

#[test]
fn weights_that_do_not_fit_change_nothing() {
    let mut model = small();
    let before = model.get_weights();
    let mut renamed = before.clone();
    renamed[0].values.fill(1.0);
    renamed[1].name = "dense_7/bias".into();
    let mut reshaped = before.clone();
    reshaped[1].values = ndarray::ArrayD::zeros(vec![11]);
    for (weights, expected) in [
        (&before[..1], "the model has 2 weights, got 1"),
        (&renamed, "expected the weight dense/bias of shape [10], got dense_7/bias of shape [10]"),
        (&reshaped, "expected the weight dense/bias of shape [10], got dense/bias of shape [11]"),
    ] {
        assert_eq!(model.set_weights(weights).unwrap_err().to_string(), expected);
        assert_eq!(model.get_weights(), before);
    }
}
