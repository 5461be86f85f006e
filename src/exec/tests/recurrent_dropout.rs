//! Recurrent layers behind a mask, with dropout: with the same mask and what their streams draw, `ops` finds the same.

use super::each_layer::assert_close;
use super::oracle::{Back, Mode, Oracle, stored};
use super::recurrent::{self, Dropped, Reads};
use super::sample::{IMAGES, Sample, flat};
use crate::exec::Purpose;
use crate::layers::{Bidirectional, GRU, LSTM, Layer, Masking, MergeMode, Network, SimpleRNN};
use crate::random::{Stream, stream};
use crate::simd::all_levels;
use ndarray::Array2;
use rand::RngExt;

const RATES: [f32; 2] = [0.4, 0.3];
const UNITS: usize = 5;
const FEATURES: usize = 3;
/// The place of the layer among the calls, and what a `Bidirectional` adds for its backward direction.
const CALLS: [usize; 2] = [1, 1 + (1 << 31)];

fn layers() -> Vec<Layer> {
    let simple = SimpleRNN::new(UNITS).dropout(RATES[0]).recurrent_dropout(RATES[1]);
    let lstm = LSTM::new(UNITS).dropout(RATES[0]).recurrent_dropout(RATES[1]);
    let gru = GRU::new(UNITS).dropout(RATES[0]).recurrent_dropout(RATES[1]);
    vec![
        simple.clone().into(),
        simple.clone().return_sequences(true).go_backwards(true).into(),
        lstm.clone().into(),
        lstm.clone().return_sequences(true).into(),
        gru.clone().return_sequences(true).go_backwards(true).into(),
        gru.clone().reset_after(false).return_sequences(true).into(),
        Bidirectional::new(lstm.return_sequences(true)).into(),
        Bidirectional::new(gru.reset_after(false)).merge_mode(MergeMode::Mul).into(),
        Bidirectional::new(simple).merge_mode(MergeMode::Ave).into(),
    ]
}

/// What a stream drops of so many values of each example.
fn drawn(values: usize, rate: f32, of: impl Fn(usize) -> Stream) -> Array2<f32> {
    let mut factors = Array2::zeros((IMAGES, values));
    for (example, mut factors) in factors.outer_iter_mut().enumerate() {
        // The seed of `Sample::run`.
        let mut random = stream(3, of(example));
        factors.map_inplace(|to| *to = if random.random::<f32>() < rate { 0.0 } else { 1.0 / (1.0 - rate) });
    }
    factors
}

fn dropped(call: usize) -> Dropped {
    let step = 5;
    Dropped {
        inputs: Some(drawn(FEATURES, RATES[0], |example| Stream::Dropout { call, step, example })),
        states: Some(drawn(UNITS, RATES[1], |example| Stream::RecurrentDropout { call, step, example })),
    }
}

#[test]
fn with_the_same_mask_and_dropout_every_recurrent_layer_is_that_of_ops() {
    // A sequence that counts, one padded behind, one in front, one in the middle, and one that is all padding.
    let counts =
        [[true; 4], [true, true, false, false], [false, false, true, true], [true, false, true, true], [false; 4]];
    let mask = Array2::from_shape_fn((IMAGES, 4), |(example, step)| counts[example][step]);
    for (seed, layer) in layers().into_iter().enumerate() {
        let network = Network::chain([4, FEATURES].into(), vec![Masking::new().into(), layer.clone()]);
        let mut sample = Sample::drawn(network, seed as u64);
        let masked = mask.indexed_iter().filter(|(_, counts)| !**counts);
        for ((example, step), _) in masked {
            (0..FEATURES).for_each(|feature| sample.inputs[0][[example, step, feature]] = 0.0);
        }
        let Sample { network, plan, flat: weights, inputs, dy } = &sample;
        let oracle = Oracle { network, plan, flat: weights, mode: Mode::Training };
        let reads = Reads { mask: Some(&mask), dropped: CALLS.map(dropped), ..Reads::new(&inputs[0]) };
        let of_layer = oracle.weights(1);
        let y = recurrent::outputs(&layer, &of_layer, &reads).swap_remove(0);
        let Back { inputs: of_reads, weights: dw } = recurrent::backward(&layer, &of_layer, &reads, dy);
        for level in all_levels() {
            for chunk in [IMAGES, 2] {
                let what = |of: &str| format!("{level:?} {layer:?}, chunks of {chunk}: {of}");
                let found = sample.run(level, chunk, Purpose::Training);
                assert_close(&what("outputs"), &found.outputs[0], &flat(&y));
                assert_close(&what("gradients of inputs"), &found.inputs[0], &flat(&of_reads[0]));
                for parameter in &plan.parameters.all {
                    let expected = stored(parameter, &dw[parameter.place]);
                    let what = what(&format!("gradient of {}", parameter.name));
                    assert_close(&what, &found.parameters[parameter.range.clone()], &expected);
                }
            }
        }
        assert_eq!(y.shape()[0], IMAGES);
        assert!(y.iter().filter(|value| **value != 0.0).count() * 2 > y.len() / 5, "{layer:?} gives something");
    }
}
