//! Masks: which layers make them, hand them on, use them and end them.

use inkstone::Mode;
use inkstone::ndarray::{Array3, ArrayD, array};
use inkstone::prelude::*;

/// Two sequences of three steps: one with its last step masked, one with its first two.
fn sequences() -> Array3<f32> {
    array![[[1.0, 8.0], [3.0, 4.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [5.0, 0.0]]]
}

fn compiled(layers: impl IntoIterator<Item = inkstone::layers::Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new([3, 2]), Sequential::add);
    described.compile(Adam::default(), MeanSquaredError, []).unwrap()
}

fn means(layers: impl IntoIterator<Item = inkstone::layers::Layer>) -> ArrayD<f32> {
    compiled(layers).predict(&sequences()).unwrap()
}

#[test]
fn a_mean_leaves_masked_steps_out() {
    let expected = array![[2.0, 6.0], [5.0, 0.0]].into_dyn();
    assert_eq!(means([Masking::new().into(), GlobalAveragePooling1D::new().into()]), expected);
    // Through layers that work step by step.
    let through: [inkstone::layers::Layer; 5] = [
        Masking::new().into(),
        Dropout::new(0.5).into(),
        Rescaling::new(1.0).offset(1.0).into(),
        Activation::new(Relu).into(),
        GlobalAveragePooling1D::new().into(),
    ];
    assert_eq!(means(through), expected + 1.0);
}

#[test]
fn a_mean_of_no_steps_is_zero_and_has_no_gradient() {
    let model = compiled([Masking::new().into(), GlobalAveragePooling1D::new().into()]);
    let pass = model.forward(&Array3::<f32>::zeros((1, 3, 2)), Mode::Training).unwrap();
    assert_eq!(pass.output(), array![[0.0, 0.0]].into_dyn());
    let gradients = model.backward(pass, array![[1.0, 1.0]].into_dyn()).unwrap();
    assert_eq!(gradients.inputs[0], ArrayD::<f32>::zeros(vec![1, 3, 2]));
}

#[test]
fn a_masked_step_has_no_gradient() {
    let model = compiled([Masking::new().into(), GlobalAveragePooling1D::new().keepdims(true).into()]);
    let pass = model.forward(&sequences(), Mode::Training).unwrap();
    let gradients = model.backward(pass, array![[[4.0, 6.0]], [[2.0, 1.0]]].into_dyn()).unwrap();
    let expected = array![[[2.0, 3.0], [2.0, 3.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]]];
    assert_eq!(gradients.inputs[0], expected.into_dyn());
}

#[test]
fn the_value_of_masked_steps_becomes_zero() {
    let y = means([Masking::new().mask_value(-1.0).into()]);
    assert_eq!(y, sequences().into_dyn(), "none is masked");
    let padded = sequences().mapv(|value| if value == 0.0 { -1.0 } else { value });
    let y = compiled([Masking::new().mask_value(-1.0).into()]).predict(&padded).unwrap();
    assert_eq!(y[[0, 2, 0]], 0.0);
    assert_eq!(y[[1, 2, 1]], -1.0, "the other feature of the step is none");
}

/// `Flatten` and `Reshape` change no value, but their output has no steps that a mask could be of.
#[test]
fn other_layers_end_a_mask() {
    let mean = array![[4.0 / 3.0, 4.0], [5.0 / 3.0, 0.0]].into_dyn();
    let reshaped: [inkstone::layers::Layer; 4] = [
        Masking::new().into(),
        Flatten::new().into(),
        Reshape::new([3, 2]).into(),
        GlobalAveragePooling1D::new().into(),
    ];
    assert!((means(reshaped) - mean).iter().all(|difference| difference.abs() < 1e-6));
}

#[test]
fn a_step_counts_in_a_merged_sequence_if_it_does_in_any() {
    let (left, right) = (Input::new([3, 1]), Input::new([3, 1]));
    let masked = [left.apply(Masking::new()), right.apply(Masking::new())];
    let merged = [Add::of(&masked), Concatenate::of(&masked), Add::of([&masked[0], &right])];
    let means: Vec<Node> = merged.iter().map(|node| node.apply(GlobalAveragePooling1D::new())).collect();
    let network = Functional::new([&left, &right], &means);
    let objectives = (0..3).map(|_| Objective::new(MeanSquaredError));
    let model = network.compile_with(Adam::default(), objectives).unwrap();
    let (left, right) = (array![[[6.0], [0.0], [0.0]]], array![[[0.0], [12.0], [0.0]]]);
    let found = model.predict_all((&left, &right)).unwrap();
    assert_eq!(found[0], array![[9.0]].into_dyn(), "of two steps");
    assert_eq!(found[1], array![[3.0, 6.0]].into_dyn(), "of two steps");
    assert_eq!(found[2], array![[6.0]].into_dyn(), "an input without a mask counts all");
}

#[test]
fn a_normalization_over_the_batch_refuses_a_mask() {
    let layers = Sequential::new([3, 2]).add(Masking::new()).add(Dropout::new(0.1)).add(BatchNormalization::new());
    let error = layers.compile(Adam::default(), MeanSquaredError, []).unwrap_err();
    let expected = "layer 2 (BatchNormalization) is given a sequence with a mask, whose moments are not supported: use \
                    `LayerNormalization`, or put it before the layer that makes the mask";
    assert_eq!(error.to_string(), expected);
}

/// How many steps count is known before the first chunk goes forward; what a normalization over the batch gives, is
/// not.
#[test]
fn masks_depend_on_no_normalization_over_the_batch() {
    let behind = Sequential::new([3, 2]).add(BatchNormalization::new()).add(Masking::new());
    let error = behind.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string();
    assert!(error.contains("whose mask is made of what a `BatchNormalization` gives: put `Masking` before"), "{error}");
    // Beside it there may be one.
    let (table, sequence) = (Input::new([2]), Input::new([3, 2]));
    let normalized = table.apply(BatchNormalization::new()).apply(Dense::new(1));
    let masked = sequence.apply(Masking::new()).apply(Dense::new(1).kernel_initializer(Initializer::Ones));
    let described = Functional::new([&table, &sequence], [&normalized, &masked]);
    let mut model = described.compile(Sgd::new(0.0), MeanSquaredError, []).unwrap();
    let (x, y) = (array![[1.0, 2.0], [3.0, 4.0]], array![[0.0], [0.0]]);
    let of_steps = array![[[9.0], [7.0], [5.0]], [[5.0], [5.0], [5.0]]];
    let scores = model.train_on_batch((&x, &sequences()), (&y, &of_steps)).unwrap();
    // All steps that count are hit.
    let of_masked = scores.loss
        - model.forward((&x, &sequences()), Mode::Training).unwrap().outputs()[0]
            .mapv(|y| y * y)
            .mean()
            .map_or(0.0, f64::from);
    assert!(of_masked.abs() < 1e-6, "{of_masked}");
}

#[test]
fn masks_want_sequences_and_a_number() {
    let compile = |input: &[usize], layer| {
        let described = Sequential::new(inkstone::Shape::new(input).unwrap()).add(layer);
        described.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string()
    };
    let expected = "layer 0 (Masking) expects a sequence (steps, features), got (3): use `Reshape` before it";
    assert_eq!(compile(&[3], Masking::new()), expected);
    let error = compile(&[3, 2], Masking::new().mask_value(f32::NAN));
    assert_eq!(error, "layer 0 (Masking) expects a finite mask_value, got NaN");
}

/// The same of binary classes: targets are looked at step by step, and only steps that count are right or wrong.
#[test]
fn the_accuracy_of_each_step_is_that_of_the_steps_that_count() {
    let ones = Initializer::Constant { value: 1.0 };
    let mut model = Sequential::new([3, 2])
        .add(Masking::new())
        .add(
            Dense::new(1)
                .activation(Sigmoid)
                .kernel_initializer(ones)
                .bias_initializer(Initializer::Constant { value: -8.0 }),
        )
        .compile(Sgd::new(0.1), BinaryCrossentropy::default(), [Accuracy])
        .unwrap();
    // Of the steps that count, sums of 9, 7 and 5: classes 1, 0 and 0.
    let targets = array![[[1.0], [1.0], [1.0]], [[1.0], [1.0], [0.0]]];
    let scores = model.evaluate((&sequences(), &targets)).unwrap();
    assert!((scores.accuracy().unwrap() - 2.0 / 3.0).abs() < 1e-6, "{scores:?}");
    model.train_on_batch(&sequences(), &targets).unwrap();
    let error = model.train_on_batch(&sequences(), &targets.mapv(|class| class * 0.5)).unwrap_err().to_string();
    assert!(error.contains("targets"), "{error}");
}
