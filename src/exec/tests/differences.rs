//! Gradients of a layer from its forward pass alone, in `f64`: for layers whose reference has no backward pass of its
//! own.

use ndarray::{ArrayD, Axis};

/// How far a value is moved to either side: hardly a kink is as near, and what rounding in `f64` takes off is less than
/// `f32` can show.
const STEP: f64 = 1e-7;

/// A layer's forward pass, without its activation: its output for these weights and inputs.
pub(super) type Reference<'a> = &'a dyn Fn(&[ArrayD<f64>], &[ArrayD<f64>]) -> ArrayD<f64>;

/// The gradients of all inputs of a layer whose outputs of one example depend on that example alone.
///
/// - reads: (N, axes) each; dy: the gradient of the output, (N, axes)
pub(super) fn of_inputs(
    reference: Reference<'_>,
    weights: &[ArrayD<f64>],
    reads: &[ArrayD<f64>],
    dy: &ArrayD<f64>,
) -> Vec<ArrayD<f64>> {
    let count = dy.shape()[0];
    let gradient = |input: usize| {
        let mut reads = reads.to_vec();
        let mut gradient = ArrayD::zeros(reads[input].shape());
        let len = reads[input].len() / count;
        // One move of the same value in all examples tells the gradients of all.
        for at in 0..len {
            let places: Vec<usize> = (0..count).map(|example| example * len + at).collect();
            let here: Vec<f64> = places.iter().map(|place| slice(&reads[input])[*place]).collect();
            let mut moved = |step: f64| {
                let values = slice_mut(&mut reads[input]);
                places.iter().zip(&here).for_each(|(place, here)| values[*place] = here + step);
                reference(weights, &reads)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP) * dy;
            moved(0.0);
            for (example, place) in difference.axis_iter(Axis(0)).zip(places) {
                slice_mut(&mut gradient)[place] = example.sum();
            }
        }
        gradient
    };
    (0..reads.len()).map(gradient).collect()
}

/// The gradients of all weights.
pub(super) fn of_weights(
    reference: Reference<'_>,
    weights: &[ArrayD<f64>],
    reads: &[ArrayD<f64>],
    dy: &ArrayD<f64>,
) -> Vec<ArrayD<f64>> {
    let gradient = |weight: usize| {
        let mut weights = weights.to_vec();
        let mut gradient = ArrayD::zeros(weights[weight].shape());
        for place in 0..gradient.len() {
            let here = slice(&weights[weight])[place];
            let mut at = |step: f64| {
                slice_mut(&mut weights[weight])[place] = here + step;
                (reference(&weights, reads) * dy).sum()
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            at(0.0);
            slice_mut(&mut gradient)[place] = difference;
        }
        gradient
    };
    (0..weights.len()).map(gradient).collect()
}

fn slice(array: &ArrayD<f64>) -> &[f64] {
    array.as_slice().expect("made in standard order")
}

fn slice_mut(array: &mut ArrayD<f64>) -> &mut [f64] {
    array.as_slice_mut().expect("made in standard order")
}
