//! Models that no loss fits.

use super::*;

#[test]
fn a_model_without_layers_is_refused() {
    refused(image(), "the model has no layers: add at least one `Dense`");
    refused(vector(), "the model has no layers: add at least one `Dense`");
}

#[test]
fn a_model_that_ends_with_an_image_has_no_classes() {
    let ends_with_image = || image().add(Conv2D::new(2, (3, 3)).activation(Sigmoid));
    refused(
        ends_with_image(),
        "the model ends with an output of (6, 6, 2), but SparseCategoricalCrossentropy expects a vector with a value for each \
         class: end it with `Flatten` and `Dense`, or use a loss of numbers, such as MeanSquaredError",
    );
    for mended in [ends_with_image(), ends_with_image().add(Flatten::new())] {
        let compiled = mended.compile(Adam::default(), MeanSquaredError, []);
        assert_eq!(compiled.unwrap().parameter_count(), 3 * 3 * 2 + 2);
    }
}

#[test]
fn a_model_without_softmax_is_refused_unless_the_loss_takes_logits() {
    let message = "the model gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
                   `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`";
    for activation in [Linear, Relu, Tanh] {
        let model = image().add(Flatten::new()).add(Dense::new(10).activation(activation));
        refused(model.clone(), message);
        let logits = SparseCategoricalCrossentropy::default().from_logits(true);
        assert!(model.compile(Adam::default(), logits, [Accuracy]).is_ok());
    }
}

#[test]
fn metrics_that_would_take_too_much_memory_are_refused() {
    let auc: inkstone::Metric = Auc::new().num_thresholds(1 << 16).into();
    let compile = |count| {
        head(image()).compile(Adam::default(), SparseCategoricalCrossentropy::default(), vec![auc.clone(); count])
    };
    assert!(compile(8).is_ok());
    assert_eq!(
        compile(9).unwrap_err().to_string(),
        "metrics must be metrics that keep at most 1048576 sums together, got 1179630"
    );
}

#[test]
fn an_end_for_another_loss_is_refused() {
    let ends_with = |activation| image().add(Flatten::new()).add(Dense::new(10).activation(activation));
    let refusal = |activation, loss: inkstone::Loss| {
        ends_with(activation).compile(Adam::default(), loss, [Accuracy]).unwrap_err().to_string()
    };
    let sparse = SparseCategoricalCrossentropy::default();
    assert_eq!(
        refusal(Sigmoid, sparse.into()),
        "the model ends with Sigmoid, but SparseCategoricalCrossentropy expects Softmax: end it with \
         `.activation(Softmax)`"
    );
    assert_eq!(
        refusal(Sigmoid, sparse.from_logits(true).into()),
        "the model ends with Sigmoid, but the loss expects logits: leave out Sigmoid"
    );
    assert_eq!(
        refusal(Softmax, BinaryCrossentropy::default().into()),
        "the model ends with Softmax, but BinaryCrossentropy expects Sigmoid: end it with `.activation(Sigmoid)`"
    );
    assert_eq!(
        refusal(Linear, KlDivergence.into()),
        "the model gives no probabilities, which KlDivergence expects: end it with `.activation(Softmax)`"
    );
    assert!(ends_with(Linear).compile(Adam::default(), MeanSquaredError, [Accuracy]).is_ok());
}

#[test]
fn a_softmax_that_is_not_the_end_does_not_count() {
    refused(
        head(image()).add(Dropout::new(0.5)),
        "the model gives no probabilities, which SparseCategoricalCrossentropy expects: end it with \
         `.activation(Softmax)`, or use `SparseCategoricalCrossentropy::default().from_logits(true)`",
    );
}

#[test]
fn a_model_with_softmax_is_refused_if_the_loss_takes_logits() {
    let logits = SparseCategoricalCrossentropy::default().from_logits(true);
    let layers = [head(image()), image().add(Flatten::new()).add(Dense::new(10)).add(Activation::new(Softmax))];
    for model in layers {
        assert_eq!(
            model.compile(Adam::default(), logits, [Accuracy]).unwrap_err().to_string(),
            "the model ends with Softmax, but the loss expects logits: leave out Softmax, or leave out \
             `from_logits(true)`"
        );
    }
}

#[test]
fn a_model_without_weights_trains_to_nothing() {
    let mut model = try_compile(image().add(Flatten::new()).add(Activation::new(Softmax))).unwrap();
    let data = dataset((0..20).collect());
    let history = model.fit(&data, quiet().epochs(2)).unwrap();
    assert!(model.get_weights().is_empty());
    assert_eq!(model.parameter_count(), 0);
    assert!((history.losses()[0] - history.losses()[1]).abs() < 1e-6, "{:?}", history.losses());
}
