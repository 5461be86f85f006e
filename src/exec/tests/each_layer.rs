//! Every kind of layer in the table of cases, on its own: against the oracle, against central differences, in chunks of
//! any size.

use super::cases::{Case, KINDS, Kind, tokens};
use super::kinds::{kind_of, without_chance};
use super::oracle::{Mode, Oracle};
use super::sample::{IMAGES, Outcome, Sample, flat};
use crate::exec::Purpose;
use crate::layers::Layer;
use crate::simd::{Level, all_levels};
use ndarray::ArrayD;

/// How many layers of each kind are drawn.
const CASES: u64 = 40;

/// The cases of every kind.
fn cases() -> impl Iterator<Item = (Case, u64)> {
    KINDS.iter().flat_map(|kind| (0..CASES).map(|seed| (kind.case(seed), seed)))
}

/// Fails unless `|a - b| <= 1e-4 * (the largest |b|) + 1e-4 * |b|`: both sides sum in f32, in another order.
#[track_caller]
pub(super) fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(1e-6_f32, |largest, value| largest.max(value.abs()));
    for (index, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-4 * (largest + b.abs()), "{what}[{index}]: {a}, expected {b}");
    }
}

#[track_caller]
fn assert_all_close(what: &str, actual: &[Vec<f32>], expected: &[ArrayD<f32>]) {
    assert_eq!(actual.len(), expected.len(), "{what}: number");
    actual.iter().zip(expected).for_each(|(actual, expected)| assert_close(what, actual, &flat(expected)));
}

#[test]
fn every_kind_of_layer_is_in_the_table_under_its_name() {
    for (case, _) in cases() {
        assert_eq!(kind_of(&case.layer), case.kind);
        assert_eq!(case.layer.kind(), format!("{:?}", case.kind));
    }
}

#[test]
fn every_layer_agrees_with_the_oracle_on_every_level() {
    cases().for_each(|(case, seed)| agrees_with_the_oracle(&case, seed));
}

/// Fails unless outputs and gradients are the oracle's.
pub(super) fn agrees_with_the_oracle(case: &Case, seed: u64) {
    let sample = Sample::new(case, without_chance(&case.layer), seed);
    let mode = Mode::Training;
    let oracle = Oracle { network: &sample.network, plan: &sample.plan, flat: &sample.flat, mode };
    let values = oracle.values(&sample.inputs);
    let predictions = Oracle { mode: Mode::Inference, ..oracle }.values(&sample.inputs);
    let expected = oracle.gradients(&sample.inputs, &values, &sample.dy);
    for level in all_levels() {
        let what = |of: &str| format!("{level:?} {case:?} {seed}: {of}");
        let found = sample.run(level, IMAGES, Purpose::Training);
        assert_all_close(&what("outputs"), &found.outputs, &values[1..]);
        assert_all_close(&what("gradients of inputs"), &found.inputs, &expected.inputs);
        let trained = sample.plan.parameters.all.iter().zip(&expected.parameters);
        for (parameter, expected) in trained.filter(|(parameter, _)| parameter.is_trained()) {
            let what = what(&format!("gradient of {}", parameter.name));
            assert_close(&what, &found.parameters[parameter.range.clone()], expected);
        }
        // What a layer does by chance, it does in training alone.
        let inference = Sample::new(case, case.layer.clone(), seed).run(level, IMAGES, Purpose::Inference);
        assert_all_close(&what("predictions"), &inference.outputs, &predictions[1..]);
    }
}

/// Half the distances of the two points of a difference: rounding in f32 shows little in the first, few kinks are
/// within the last.
const STEPS: [f32; 3] = [2e-3, 5e-4, 1.25e-4];

/// How many values of each tensor are moved.
const MOVED: usize = 12;

/// Fails unless a gradient lies between the differences of the loss to either side, which a kink sets apart.
#[track_caller]
fn assert_between(what: &str, gradient: f32, largest: f32, at: impl Fn(f32) -> f64) {
    let here = at(0.0);
    let tolerance = f64::from(largest) * 1e-2 + 2e-3;
    let mut all = Vec::new();
    for step in STEPS {
        let sides = [(at(step) - here) / f64::from(step), (here - at(-step)) / f64::from(step)];
        let [low, high] = [sides[0].min(sides[1]) - tolerance, sides[0].max(sides[1]) + tolerance];
        if (low..=high).contains(&f64::from(gradient)) {
            return;
        }
        all.push(sides);
    }
    panic!("{what}: {gradient}, expected one of {all:?}");
}

/// The sum of all outputs times their gradients.
fn loss(sample: &Sample) -> f64 {
    let Outcome { outputs, .. } = sample.run(Level::new(), IMAGES, Purpose::Training);
    let products = |(y, dy): (&Vec<f32>, &ArrayD<f32>)| -> f64 {
        y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
    };
    outputs.iter().zip(&sample.dy).map(products).sum()
}

/// Which of so many values are moved.
fn moved(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(len.div_ceil(MOVED))
}

#[test]
fn every_gradient_of_every_layer_is_a_central_difference() {
    for (case, seed) in cases() {
        let sample = Sample::new(&case, case.layer.clone(), seed);
        let found = sample.run(Level::new(), IMAGES, Purpose::Training);
        let largest = |gradients: &[f32]| gradients.iter().fold(0.0_f32, |largest, each| largest.max(each.abs()));
        // Between two tokens there is nothing.
        let inputs = found.inputs.iter().enumerate().filter(|_| tokens(&case).is_none());
        for (input, gradients) in inputs {
            for index in moved(gradients.len()) {
                let at = |change: f32| {
                    let mut sample = sample.clone();
                    sample.inputs[input].as_slice_mut().unwrap()[index] += change;
                    loss(&sample)
                };
                let what = format!("{case:?} {seed}: input {input} at {index}");
                assert_between(&what, gradients[index], largest(gradients), at);
            }
        }
        for parameter in sample.plan.parameters.trained() {
            let gradients = &found.parameters[parameter.range.clone()];
            for index in moved(gradients.len()) {
                let at = |change: f32| {
                    let mut sample = sample.clone();
                    sample.flat[parameter.range.start + index] += change;
                    loss(&sample)
                };
                let what = format!("{case:?} {seed}: {} at {index}", parameter.name);
                assert_between(&what, gradients[index], largest(gradients), at);
            }
        }
    }
}

#[test]
fn every_layer_gives_the_same_outputs_to_the_bit_in_chunks_of_any_size() {
    let bits = |values: &[Vec<f32>]| values.iter().flatten().map(|value| value.to_bits()).collect::<Vec<_>>();
    for (case, seed) in cases() {
        let sample = Sample::new(&case, case.layer.clone(), seed);
        for level in all_levels() {
            let whole = sample.run(level, IMAGES, Purpose::Training);
            let predicted = sample.run(level, IMAGES, Purpose::Inference);
            for chunk in 1..IMAGES {
                let what = |of: &str| format!("{level:?} {case:?} {seed}, chunks of {chunk}: {of}");
                let found = sample.run(level, chunk, Purpose::Training);
                if sample.plan.meetings().next().is_none() {
                    assert!(bits(&found.outputs) == bits(&whole.outputs), "{}", what("outputs"));
                }
                for (found, whole) in found.outputs.iter().zip(&whole.outputs) {
                    assert_close(&what("outputs"), found, whole);
                }
                // Some kernels take these sums in another order for the last images of a chunk.
                for (found, whole) in found.inputs.iter().zip(&whole.inputs) {
                    assert_close(&what("gradients of inputs"), found, whole);
                }
                assert_close(&what("gradients of weights"), &found.parameters, &whole.parameters);
                let found = sample.run(level, chunk, Purpose::Inference);
                assert!(bits(&found.outputs) == bits(&predicted.outputs), "{}", what("predictions"));
            }
        }
    }
}

/// The comparisons above see each gradient: none is zero for every layer.
#[test]
fn the_drawn_layers_have_gradients_to_compare() {
    for kind in KINDS.iter().filter(|kind| **kind != Kind::Embedding) {
        let samples = (0..CASES).map(|seed| {
            let case = kind.case(seed);
            Sample::new(&case, Layer::clone(&case.layer), seed).run(Level::new(), IMAGES, Purpose::Training)
        });
        let counts = |values: &[Vec<f32>]| {
            let values = || values.iter().flatten();
            (values().filter(|value| **value != 0.0).count(), values().count())
        };
        let (nonzero, all) = samples.map(|found| counts(&found.inputs)).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        // A global maximum is one value of up to 121.
        assert!(nonzero * 50 > all, "{kind:?}: {nonzero} of {all} gradients of inputs are not zero");
    }
}
