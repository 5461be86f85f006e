//! Sums of very many terms, with values whose exact sums are known: ones times 0.3, whose roundings all go the same
//! way. The bounds are at most the errors that PyTorch 2.15 showed on the same sums.

use inkstone::ndarray::{Array2, Array3, Array4, Axis};
use inkstone::prelude::*;

const VALUE: f32 = 0.3;

/// How far `found` is from the exact sum of `terms` times 0.3, as a part of it.
fn error(found: f32, terms: usize) -> f64 {
    let exact = f64::from(VALUE) * terms as f64;
    (f64::from(found) - exact).abs() / exact
}

/// A model whose weights are all 0.3, and whose biases are 0.
fn constant(model: Sequential) -> Model {
    let mut model = model.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let mut weights = model.get_weights();
    for weight in &mut weights {
        weight.values.fill(if weight.name.ends_with("kernel") { VALUE } else { 0.0 });
    }
    model.set_weights(&weights).unwrap();
    model
}

#[test]
fn dense_layers_of_many_inputs_lose_no_digits() {
    for (inputs, bound) in [(25_600, 2.7e-6), (1 << 16, 3e-6), (1 << 20, 1e-6), ((1 << 21) + 7, 5e-5)] {
        for units in [1, 3] {
            let model = constant(Sequential::new([inputs]).add(Dense::new(units)));
            let outputs = model.predict(&Array4::<f32>::ones((3, 1, 1, inputs))).unwrap();
            for output in outputs {
                assert!(error(output, inputs) <= bound, "{inputs} inputs: {:e}", error(output, inputs));
            }
        }
    }
}

#[test]
fn convolutions_with_large_windows_lose_no_digits() {
    // A window of 33 x 31 x 17 on an image of as many pixels and a few more.
    let model = constant(Sequential::new([35, 32, 17]).add(Conv2D::new(5, (33, 31))).add(Flatten::new()));
    for output in model.predict(&Array4::<f32>::ones((2, 35, 32, 17))).unwrap() {
        assert!(error(output, 33 * 31 * 17) <= 1e-6, "{:e}", error(output, 33 * 31 * 17));
    }
}

#[test]
fn gradients_over_many_pixels_lose_no_digits() {
    for (side, filters, kernel_bound, bias_bound) in [(1024, 1, 3e-4, 1e-6), (1440, 16, 2e-5, 1e-6)] {
        let conv = Conv2D::new(filters, (1, 1));
        let mut model = Sequential::new([side, side, 1]).add(conv).add(Flatten::new());
        model = model.seed(1);
        let mut model = model.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
        let mut weights = model.get_weights();
        weights.iter_mut().for_each(|weight| weight.values.fill(0.0));
        model.set_weights(&weights).unwrap();
        let pixels = side * side;
        // Outputs are 0, so that every derivative is the same number.
        let targets = Array2::from_elem((1, pixels * filters), -1.0);
        let (_, gradients) = model.gradients(&Array4::<f32>::ones((1, side, side, 1)), &targets).unwrap();
        for (gradient, bound) in gradients.iter().zip([kernel_bound, bias_bound]) {
            // 2 / outputs for each pixel, summed over the pixels.
            let exact = 2.0 / filters as f64;
            for value in &gradient.values {
                let error = (f64::from(*value) - exact).abs() / exact;
                assert!(error <= bound, "{} of {side} x {side}: {error:e}, bound {bound:e}", gradient.name);
            }
        }
    }
}

#[test]
fn gradients_of_a_large_batch_lose_no_digits() {
    const EXAMPLES: usize = 1_000_000;
    let mut model = Sequential::new([1]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let mut weights = model.get_weights();
    weights[0].values.fill(0.0);
    model.set_weights(&weights).unwrap();
    let targets = Array2::from_elem((EXAMPLES, 1), -0.5);
    let images = Array4::from_elem((EXAMPLES, 1, 1, 1), VALUE);
    let (scores, gradients) = model.gradients(&images, &targets).unwrap();
    assert!((scores.loss - 0.25).abs() < 1e-9, "{}", scores.loss);
    // 2 (0 + 0.5) / examples, times the input: the mean of 0.3, and of 1 for the bias.
    for (gradient, exact) in gradients.iter().zip([f64::from(VALUE), 1.0]) {
        let error = (f64::from(*gradient.values.first().unwrap()) - exact).abs() / exact;
        assert!(error <= 1e-6, "{}: {error:e}", gradient.name);
    }
}

#[test]
fn means_of_many_pixels_lose_no_digits() {
    let model = Sequential::new([512, 512, 3]).add(GlobalAveragePooling2D::new());
    let model = model.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    for mean in model.predict(&Array4::from_elem((2, 512, 512, 3), VALUE)).unwrap() {
        assert!(error(mean, 1) <= 1e-7, "{:e}", error(mean, 1));
    }
}

/// The token of padding, and words such as "the", occur in every example of a batch.
#[test]
fn gradients_of_a_token_that_occurs_very_often_lose_no_digits() {
    const STEPS: usize = 10_000;
    const LEN: usize = 3;
    for examples in [1, 100] {
        let zeros = Embedding::new(4, LEN).embeddings_initializer(Initializer::Zeros);
        let described = Sequential::new([STEPS]).add(zeros).seed(1);
        let mut model = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
        let tokens = Array2::from_elem((examples, STEPS), 2_u32);
        // Outputs are 0, so that every derivative is the same number.
        let targets = Array3::from_elem((examples, STEPS, LEN), -1.0);
        let (_, gradients) = model.gradients(&tokens, &targets).unwrap();
        let exact = 2.0 / LEN as f64;
        for (place, value) in gradients[0].values.indexed_iter() {
            let expected = if place[0] == 2 { exact } else { 0.0 };
            let error = (f64::from(*value) - expected).abs() / exact;
            assert!(error <= 1e-6, "{examples} examples, {place:?}: {error:e}");
        }
    }
}

#[test]
fn means_of_many_steps_that_count_lose_no_digits() {
    const STEPS: usize = 200_001;
    let model = Sequential::new([STEPS, 35]).add(Masking::new()).add(GlobalAveragePooling1D::new());
    let model = model.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let mut x = Array3::from_elem((1, STEPS, 35), VALUE);
    x.index_axis_mut(Axis(1), 7).fill(0.0);
    for mean in model.predict(&x).unwrap() {
        assert!(error(mean, 1) <= 1e-7, "{:e}", error(mean, 1));
    }
}

/// Of a GRU whose weights are 0 half of a state's gradient goes on to the state before, and a quarter of what has come
/// to a state is the gradient of the candidate's recurrent bias.
#[test]
fn gradients_of_a_recurrent_bias_over_many_steps_lose_no_digits() {
    const STEPS: usize = 20_000;
    let gru = GRU::new(1).return_sequences(true);
    let mut model = Sequential::new([STEPS, 1]).add(gru).seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let mut weights = model.get_weights();
    weights.iter_mut().for_each(|weight| weight.values.fill(0.0));
    model.set_weights(&weights).unwrap();
    // States are 0, so that every derivative is the same number.
    let (x, y) = (Array3::<f32>::ones((1, STEPS, 1)), Array3::<f32>::from_elem((1, STEPS, 1), -VALUE));
    let (_, gradients) = model.gradients(&x, &y).unwrap();
    let bias = gradients.iter().find(|gradient| gradient.name == "gru/bias").unwrap();
    let each = 2.0 * f64::from(VALUE) / STEPS as f64;
    let (mut state, mut exact) = (0.0, 0.0);
    for _ in 0..STEPS {
        state = state / 2.0 + each;
        exact += state / 4.0;
    }
    // The update gate, the reset gate, the candidate; of the inputs, then of the states.
    let found = f64::from(bias.values[[1, 2]]);
    // A block's running sum has 256 terms, each of which may lose half a unit in the last place.
    assert!((found / exact - 1.0).abs() < 8e-6, "{found:e}, expected {exact:e}");
}
