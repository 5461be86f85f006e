//! Recurrent layers that start from states and give their final ones: outputs and gradients, those of the states too,
//! against `ops`.

use super::each_layer::assert_close;
use super::oracle::{Back, Mode, Oracle, batch_axes, stored};
use super::recurrent::{self, Reads};
use super::sample::{IMAGES, Outcome, Sample, flat};
use crate::exec::Purpose;
use crate::layers::{Arity, Bidirectional, Call, GRU, LSTM, Layer, Masking, MergeMode, Network, SimpleRNN, Source};
use crate::plan::{Parameter, Plan, Wanted};
use crate::random::{Stream, stream};
use crate::shape::Shape;
use crate::simd::all_levels;
use ndarray::{Array2, ArrayD, Axis};
use rand::RngExt;

const STEPS: usize = 4;
const FEATURES: usize = 2;

/// What a layer starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    Zeros,
    States,
}

/// Which steps count.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Steps {
    All,
    Some,
}

/// A layer with all its outputs as outputs of a network, and initial states as inputs.
struct Case {
    sample: Sample,
    /// (N, steps).
    mask: Option<Array2<bool>>,
}

fn case(layer: &Layer, first: First, steps: Steps, seed: u64) -> Case {
    let describe = layer.describe();
    let Arity::OneAndStates(count) = describe.arity() else { panic!("{layer:?} has no states") };
    let count = if first == First::States { count } else { 0 };
    let further = describe.further_outputs([1].into());
    let units = *further.last().expect("it gives its states");
    let mut inputs = vec![Shape::from([STEPS, FEATURES])];
    inputs.extend(std::iter::repeat_n(units, count));
    let mut layers = vec![layer.clone()];
    let mut calls = vec![Call { layer: 0, reads: (0..=count).map(Source::Input).collect() }];
    if steps == Steps::Some {
        layers.push(Masking::new().into());
        calls[0].reads[0] = Source::Call(0);
        calls.insert(0, Call { layer: 1, reads: vec![Source::Input(0)] });
    }
    let call = calls.len() - 1;
    let others = (1..=further.len()).map(|place| Source::Output { call, place });
    let outputs = [Source::Call(call)].into_iter().chain(others).collect();
    let network = Network { inputs, layers, calls, outputs };
    let plan = Plan::new(&network, Wanted::OfInputs).unwrap();
    let mut random = stream(seed, Stream::Shuffle { epoch: 0 });
    let mut number = || random.random::<f32>() * 2.0 - 1.0;
    let flat = (0..plan.parameters.len).map(|_| number()).collect();
    let mut batch = |shape| ArrayD::from_shape_simple_fn(batch_axes(IMAGES, shape), &mut number);
    let mut inputs: Vec<ArrayD<f32>> = network.inputs.iter().map(|shape| batch(*shape)).collect();
    let dy = plan.heads.iter().map(|head| batch(head.shape)).collect();
    // One example has no step that counts, one all of them; of others the last or the first does not.
    let counts = |example: usize, step: usize| match example {
        0 => false,
        1 => true,
        2 => step + 1 < STEPS,
        3 => step > 0,
        _ => step % 2 == 1,
    };
    let mask =
        (steps == Steps::Some).then(|| Array2::from_shape_fn((IMAGES, STEPS), |(example, step)| counts(example, step)));
    if let Some(mask) = &mask {
        for ((example, step), _) in mask.indexed_iter().filter(|(_, counts)| !**counts) {
            inputs[0].index_axis_mut(Axis(0), example).index_axis_mut(Axis(0), step).fill(0.0);
        }
    }
    Case { sample: Sample { network, plan, flat, inputs, dy }, mask }
}

fn agrees(layer: &Layer, first: First, steps: Steps, seed: u64) {
    let Case { sample, mask } = case(layer, first, steps, seed);
    let Sample { network, plan, flat: weights, inputs, dy } = &sample;
    let place = network.layers.iter().position(|known| known == layer).unwrap();
    let weights = Oracle { network, plan, flat: weights, mode: Mode::Training }.weights(place);
    let reads = Reads { mask: mask.as_ref(), initial: &inputs[1..], ..Reads::new(&inputs[0]) };
    let outputs = recurrent::outputs(layer, &weights, &reads);
    let back = recurrent::backward(layer, &weights, &reads, dy);
    for level in all_levels() {
        for purpose in [Purpose::Training, Purpose::Inference] {
            for chunk in [IMAGES, 2] {
                let what = |of: &str| format!("{level:?} {layer:?}, {first:?}, {steps:?}, chunks of {chunk}: {of}");
                let found = sample.run(level, chunk, purpose);
                assert_eq!(found.outputs.len(), outputs.len(), "{}", what("outputs"));
                for (output, (found, expected)) in found.outputs.iter().zip(&outputs).enumerate() {
                    assert_close(&what(&format!("output {output}")), found, &flat(expected));
                }
                if purpose == Purpose::Training {
                    assert_gradients(&what, &found, &back, &plan.parameters.all);
                }
            }
        }
    }
}

fn assert_gradients(what: &impl Fn(&str) -> String, found: &Outcome, expected: &Back, parameters: &[Parameter]) {
    assert_eq!(found.inputs.len(), expected.inputs.len(), "{}", what("inputs"));
    for (input, (found, expected)) in found.inputs.iter().zip(&expected.inputs).enumerate() {
        assert_close(&what(&format!("gradient of input {input}")), found, &flat(expected));
    }
    for parameter in parameters {
        let expected = stored(parameter, &expected.weights[parameter.place]);
        let found = &found.parameters[parameter.range.clone()];
        assert_close(&what(&format!("gradient of {}", parameter.name)), found, &expected);
    }
}

/// Layers of each kind that give their states.
fn layers(units: usize) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for is_sequence in [false, true] {
        for is_backward in [false, true] {
            let simple = SimpleRNN::new(units).return_state(true).return_sequences(is_sequence);
            let lstm = LSTM::new(units).return_state(true).return_sequences(is_sequence);
            let gru = GRU::new(units).return_state(true).return_sequences(is_sequence);
            layers.push(simple.go_backwards(is_backward).into());
            layers.push(lstm.go_backwards(is_backward).into());
            layers.push(gru.clone().go_backwards(is_backward).into());
            layers.push(gru.reset_after(false).go_backwards(is_backward).into());
        }
    }
    layers
}

fn for_each_start(layers: Vec<Layer>, seed: u64) {
    for layer in layers {
        for first in [First::Zeros, First::States] {
            for steps in [Steps::All, Steps::Some] {
                agrees(&layer, first, steps, seed);
            }
        }
    }
}

#[test]
fn layers_with_states_agree_with_the_oracle() {
    for_each_start(layers(1), 1);
    for_each_start(layers(5), 2);
}

#[test]
fn both_directions_with_states_agree_with_the_oracle() {
    let modes = [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave, MergeMode::None];
    for (mode, is_sequence) in modes.into_iter().zip([true, false, true, false, true]) {
        let lstm = LSTM::new(3).return_state(true).return_sequences(is_sequence);
        let gru = GRU::new(3).return_state(true).return_sequences(!is_sequence);
        let both = [Layer::from(lstm), gru.into()].map(|layer| Bidirectional::new(layer).merge_mode(mode).into());
        for_each_start(both.to_vec(), 3);
    }
}
