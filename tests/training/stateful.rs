//! Stateful layers: training on consecutive pieces of series and predicting on them, against Keras and against whole
//! series; what `fit`, checkpoints and threads make of them, and what is said of uses that cannot be.

use crate::tensor::Tensor;
use inkstone::callbacks::LambdaCallback;
use inkstone::layers::Layer;
use inkstone::ndarray::{Array2, Array3, ArrayD, Axis, Ix3, Slice};
use inkstone::prelude::*;
use inkstone::{Error, Model, Weight};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Fixture {
    reset_before: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    layers: serde_json::Value,
    pieces: Vec<Tensor>,
    targets: Vec<Tensor>,
    weights: Vec<Tensor>,
    losses: Vec<f64>,
    after: Vec<Vec<f32>>,
    predicted: Vec<Vec<f32>>,
}

fn sequences(tensor: &Tensor) -> Array3<f32> {
    tensor.array().into_dimensionality::<Ix3>().unwrap()
}

/// `tests/fixtures/make_stateful.py` made the numbers.
#[test]
fn pieces_train_and_predict_as_in_keras() {
    let Fixture { reset_before, cases } = serde_json::from_str(include_str!("../fixtures/stateful.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let described = json!({ "input": [4, 2], "layers": case.layers }).to_string();
        let described = Sequential::from_json(&described).unwrap();
        let mut model = described.compile(Sgd::new(0.2), MeanSquaredError, []).unwrap();
        let weights: Vec<Weight> = model
            .get_weights()
            .into_iter()
            .zip(&case.weights)
            .map(|(old, new)| Weight { name: old.name, values: new.array() })
            .collect();
        model.set_weights(&weights).unwrap();
        for (index, (x, y)) in case.pieces.iter().zip(&case.targets).enumerate() {
            if index == reset_before {
                model.reset_states();
            }
            let loss = model.train_on_batch(&sequences(x), &y.array()).unwrap().loss;
            let expected = case.losses[index];
            assert!(
                (loss - expected).abs() <= 2e-5 * (0.1 + expected),
                "{}, piece {index}: {loss}, {expected}",
                case.name
            );
        }
        for (weight, expected) in model.get_weights().iter().zip(&case.after) {
            let what = format!("{} of {}", weight.name, case.name);
            crate::common::assert_close(&what, &weight.values, expected, 1e-4, 2e-5);
        }
        let mut stream = model.into_predictor().stream().unwrap();
        for (x, expected) in case.pieces.iter().zip(&case.predicted) {
            let found = stream.predict(&sequences(x)).unwrap();
            crate::common::assert_close(&case.name, &found, expected, 1e-4, 2e-5);
        }
    }
}

pub(crate) const UNITS: usize = 5;

/// A layer of each kind.
pub(crate) fn layers() -> [Layer; 4] {
    [
        SimpleRNN::new(UNITS).stateful(true).return_sequences(true).into(),
        LSTM::new(UNITS).stateful(true).return_sequences(true).into(),
        GRU::new(UNITS).stateful(true).return_sequences(true).into(),
        GRU::new(UNITS).reset_after(false).stateful(true).return_sequences(true).into(),
    ]
}

pub(crate) fn compiled(steps: usize, layers: impl IntoIterator<Item = Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new([steps, 2]), Sequential::add);
    described.seed(3).compile(Adam::new(0.01), MeanSquaredError, []).unwrap()
}

/// Series whose values are all different, none of them 0.
pub(crate) fn series(count: usize, steps: usize) -> Array3<f32> {
    Array3::from_shape_fn((count, steps, 2), |(n, t, f)| ((n * 31 + t * 7 + f * 3) % 23) as f32 / 23.0 + 0.1)
}

pub(crate) fn steps(x: &Array3<f32>, from: usize, to: usize) -> Array3<f32> {
    x.slice_axis(Axis(1), Slice::from(from..to)).to_owned()
}

#[test]
fn a_stream_gives_the_bits_of_the_whole_series_piece_by_piece_and_step_by_step() {
    // More examples than go through the plan at a time.
    let x = series(41, 12);
    for layer in layers() {
        let whole = compiled(12, [layer.clone()]);
        let expected = whole.predict(&x).unwrap();
        for len in [1, 3, 4] {
            let mut pieces = compiled(len, [layer.clone()]);
            pieces.set_weights(&whole.get_weights()).unwrap();
            let mut stream = pieces.into_predictor().stream().unwrap();
            for from in (0..12).step_by(len) {
                let found = stream.predict(&steps(&x, from, from + len)).unwrap();
                let part = expected.slice_axis(Axis(1), Slice::from(from..from + len));
                assert_eq!(found, part, "{layer:?} from {from}");
            }
        }
    }
}

/// A model, and one that gets the same states from outside: on a batch of several chunks and shards, and with a
/// normalization, before which the chunks meet.
#[test]
fn a_batch_goes_on_from_the_states_behind_the_one_before() {
    let normalization = || Layer::from(BatchNormalization::new());
    for middle in [None, Some(normalization())] {
        let x = series(70, 8);
        let y = Array2::from_shape_fn((70, 1), |(n, _)| (n % 7) as f32 / 7.0);
        let [first, second] = [steps(&x, 0, 4), steps(&x, 4, 8)];
        let lstm = |stateful| LSTM::new(UNITS).stateful(stateful);
        let behind = || middle.clone().into_iter().chain([Dense::new(1).into()]);
        let mut model = compiled(4, [lstm(true).into()].into_iter().chain(behind()));
        let (input, h, c) = (Input::new([4, 2]), Input::new([UNITS]), Input::new([UNITS]));
        let from_outside = input.apply_with_initial_state(lstm(false), [&h, &c]);
        let output = behind().fold(from_outside, |x, layer| x.apply(layer));
        let mut other =
            Functional::new([&input, &h, &c], [&output]).compile(Adam::new(0.01), MeanSquaredError, []).unwrap();
        other.set_weights(&model.get_weights()).unwrap();
        let states = {
            let input = Input::new([4, 2]);
            let states = input.apply(lstm(false).return_state(true)).states();
            let mut states = Functional::new([&input], &states).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
            states.set_weights(&model.get_weights()[..3]).unwrap();
            states.predict_all(&first).unwrap()
        };
        let zeros = ArrayD::<f32>::zeros(vec![70, UNITS]);
        // Gradients alone change nothing.
        let (expected, of_first) = other.gradients((&first, &zeros, &zeros), &y).unwrap();
        assert_eq!(model.gradients(&first, &y).unwrap(), (expected.clone(), of_first.clone()));
        assert_eq!(model.gradients(&first, &y).unwrap(), (expected.clone(), of_first));
        assert_eq!(model.train_on_batch(&first, &y).unwrap(), expected);
        other.train_on_batch((&first, &zeros, &zeros), &y).unwrap();
        let expected = other.train_on_batch((&second, &states[0], &states[1]), &y).unwrap();
        assert_eq!(model.train_on_batch(&second, &y).unwrap(), expected);
        assert_eq!(
            model.get_weights().iter().map(|weight| &weight.values).collect::<Vec<_>>(),
            other.get_weights().iter().map(|weight| &weight.values).collect::<Vec<_>>()
        );
        // Predictions and scores start from zeros, whatever has been trained.
        let fresh = model.clone().into_predictor().stream().unwrap().predict(&first).unwrap();
        assert_eq!(model.predict(&first).unwrap(), fresh);
    }
}

/// Consecutive pieces of eight series, in batches of eight, and the mean of the next step.
fn pieces() -> (Array3<f32>, Array2<f32>) {
    let x = series(8, 40);
    let pieces: Vec<Array3<f32>> = (0..10).map(|piece| steps(&x, piece * 4, piece * 4 + 4)).collect();
    let views: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
    let x = inkstone::ndarray::concatenate(Axis(0), &views).unwrap();
    let y = Array2::from_shape_fn((80, 1), |(n, _)| (n * 7 % 23) as f32 / 23.0);
    (x, y)
}

fn stacked() -> Model {
    compiled(
        4,
        [
            GRU::new(6).stateful(true).return_sequences(true).into(),
            LSTM::new(UNITS).stateful(true).into(),
            Dense::new(1).into(),
        ],
    )
}

fn config<'a>() -> FitConfig<'a> {
    FitConfig::new().epochs(3).batch_size(8).shuffle(false).verbose(0)
}

#[test]
fn an_epoch_starts_with_fresh_states_on_any_number_of_threads() {
    let (x, y) = pieces();
    let mut by_hand = stacked();
    for _ in 0..3 {
        by_hand.reset_states();
        for batch in 0..10 {
            let at = Slice::from(batch * 8..batch * 8 + 8);
            by_hand.train_on_batch(x.slice_axis(Axis(0), at), y.slice_axis(Axis(0), at)).unwrap();
        }
    }
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut model = stacked();
        pool.install(|| model.fit((&x, &y), config()).unwrap());
        assert_eq!(model.get_weights(), by_hand.get_weights(), "{threads} threads");
    }
    let mut without =
        compiled(4, [GRU::new(6).return_sequences(true).into(), LSTM::new(UNITS).into(), Dense::new(1).into()]);
    without.fit((&x, &y), config()).unwrap();
    assert_ne!(without.get_weights(), by_hand.get_weights());
}

/// Both directions go on.
fn in_both_directions() -> Model {
    let both = Bidirectional::new(LSTM::new(UNITS).stateful(true));
    compiled(4, [both.into(), Dense::new(2).into(), Dense::new(1).into()])
}

#[test]
fn a_checkpoint_within_an_epoch_has_the_states() {
    let (x, y) = pieces();
    for make in [stacked, in_both_directions] {
        let mut bytes = Vec::new();
        let save = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
            if (training.model().epochs(), batch) == (1, 4) {
                bytes = training.model().checkpoint_to_bytes()?;
            }
            Ok(())
        });
        let mut whole = make();
        whole.fit((&x, &y), config().callback(save)).unwrap();
        let mut resumed = Model::resume_from_bytes(&bytes).unwrap();
        assert_eq!(resumed.checkpoint_to_bytes().unwrap(), bytes);
        resumed.fit((&x, &y), config()).unwrap();
        assert_eq!(resumed.get_weights(), whole.get_weights());
        let mut without_states = Model::resume_from_bytes(&bytes).unwrap();
        without_states.reset_states();
        without_states.fit((&x, &y), config()).unwrap();
        assert_ne!(without_states.get_weights(), whole.get_weights());
        let loaded = Model::from_bytes(&whole.to_bytes().unwrap()).unwrap();
        assert_eq!(loaded.predict(&x).unwrap(), whole.predict(&x).unwrap());
    }
}

/// As the step of the optimizer is not taken: the next batch goes on from the one before it.
#[test]
fn a_batch_whose_loss_is_no_number_leaves_the_states_as_they_were() {
    let (x, y) = pieces();
    let train = |model: &mut Model, batch: usize| {
        let at = Slice::from(batch * 8..batch * 8 + 8);
        model.train_on_batch(x.slice_axis(Axis(0), at), y.slice_axis(Axis(0), at))
    };
    let [mut model, mut other] = [in_both_directions(), in_both_directions()];
    let before = [&mut model, &mut other].map(|model| train(model, 0).unwrap());
    assert_eq!(before[0], before[1]);
    let weights = model.get_weights();
    let mut huge = weights.clone();
    huge.iter_mut().filter(|weight| weight.name.starts_with("dense")).for_each(|weight| weight.values.fill(f32::MAX));
    let error = model.set_weights(&huge).and_then(|()| train(&mut model, 1)).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    model.set_weights(&weights).unwrap();
    assert_eq!(train(&mut model, 2).unwrap(), train(&mut other, 2).unwrap());
    assert_eq!(model.get_weights(), other.get_weights());
}

#[test]
fn uses_that_cannot_be_are_refused_with_a_reason() {
    let (x, y) = pieces();
    let batch = |count: usize| {
        let at = Slice::from(..count);
        (x.slice_axis(Axis(0), at).to_owned(), y.slice_axis(Axis(0), at).to_owned())
    };
    let mut model = stacked();
    let [(eight, of_eight), (five, of_five)] = [batch(8), batch(5)];
    model.train_on_batch(&eight, &of_eight).unwrap();
    let error = model.train_on_batch(&five, &of_five).unwrap_err().to_string();
    assert!(
        error.contains("have states of 8 examples, got 5: give batches of one size, or call `reset_states`"),
        "{error}"
    );
    model.reset_states();
    model.train_on_batch(&five, &of_five).unwrap();
    for (config, expected) in [
        (config().shuffle(true), "shuffle must be false, as stateful layers go on from the batch before"),
        (config().batch_size(9), "got 80 examples in batches of 9: give a multiple of that"),
        (config().validation_split(0.25).batch_size(32), "got 60 examples in batches of 32"),
    ] {
        let error = model.fit((&x, &y), config).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?}, expected {expected:?}");
    }
    let mut stream = model.clone().into_predictor().stream().unwrap();
    let first = stream.predict(&eight).unwrap();
    let error = stream.predict(&five).unwrap_err().to_string();
    assert!(error.contains("have states of 8 examples, got 5"), "{error}");
    stream.reset_states();
    stream.predict(&five).unwrap();
    assert_eq!(first.shape(), [8, 1]);
    let plain = compiled(4, [GRU::new(2).into()]).into_predictor();
    let error = plain.stream().unwrap_err().to_string();
    assert!(error.contains("has no stateful layer that goes on from call to call: add one"), "{error}");
    let (input, state) = (Input::new([4, 2]), Input::new([3]));
    let both = input.apply_with_initial_state(GRU::new(3).stateful(true), [&state]);
    let described = Functional::new([&input, &state], [&both]);
    let error = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap_err().to_string();
    assert!(
        error.contains("layer 0 (GRU) is stateful, so that it starts from the states behind the batch before"),
        "{error}"
    );
}
