//! Layers that give their final states and start from those of others: sequences cut in two, masks, files, threads, and
//! what is said of uses that cannot be.

use inkstone::layers::Layer;
use inkstone::ndarray::{Array3, ArrayD, Axis, Slice, concatenate};
use inkstone::prelude::*;
use inkstone::{Inputs, Model, Shape, Weight};
use serde_json::json;

const UNITS: usize = 5;

/// A layer of each kind that gives all outputs and its states.
fn layers() -> [Layer; 4] {
    [
        SimpleRNN::new(UNITS).return_sequences(true).return_state(true).into(),
        LSTM::new(UNITS).return_sequences(true).return_state(true).into(),
        GRU::new(UNITS).return_sequences(true).return_state(true).into(),
        GRU::new(UNITS).reset_after(false).return_sequences(true).return_state(true).into(),
    ]
}

/// Sequences whose values are all different, none of them 0.
fn sequences(count: usize, steps: usize) -> Array3<f32> {
    Array3::from_shape_fn((count, steps, 2), |(n, t, f)| ((n * 31 + t * 7 + f * 3) % 23) as f32 / 23.0 + 0.1)
}

/// Some steps of sequences.
fn steps(x: &Array3<f32>, of: Slice) -> Array3<f32> {
    x.slice_axis(Axis(1), of).to_owned()
}

fn compiled(inputs: &[Node], outputs: &[Node]) -> Model {
    Functional::new(inputs, outputs).seed(3).compile(Adam::new(0.01), MeanSquaredError, []).unwrap()
}

/// A model of the layer alone, with all its outputs.
fn from_zeros(steps: usize, layer: &Layer) -> Model {
    let input = Input::new([steps, 2]);
    compiled(std::slice::from_ref(&input), &input.apply(layer.clone()).outputs())
}

/// The same with initial states as inputs, and the weights of another.
fn from_states(steps: usize, layer: &Layer, weights: &[Weight]) -> Model {
    let states = if matches!(layer, Layer::LSTM(_)) { 2 } else { 1 };
    let inputs: Vec<Node> =
        [Input::new([steps, 2])].into_iter().chain((0..states).map(|_| Input::new([UNITS]))).collect();
    let mut model = compiled(&inputs, &inputs[0].apply_with_initial_state(layer.clone(), &inputs[1..]).outputs());
    model.set_weights(weights).unwrap();
    model
}

fn all(inputs: &[ArrayD<f32>]) -> Inputs<'_> {
    inputs.iter().map(Inputs::from).collect::<Vec<_>>().into()
}

#[test]
fn a_sequence_cut_in_two_gives_the_bits_of_the_whole() {
    let x = sequences(7, 9);
    for layer in layers() {
        let whole = from_zeros(9, &layer);
        let expected = whole.predict_all(&x).unwrap();
        let [first, second] = [steps(&x, Slice::from(..4)), steps(&x, Slice::from(4..))];
        let left = from_states(4, &layer, &whole.get_weights());
        let zeros = vec![ArrayD::zeros(vec![7, UNITS]); left.input_shapes().len() - 1];
        let of_left = left.predict_all(all(&[vec![first.into_dyn()], zeros].concat())).unwrap();
        let right = from_states(5, &layer, &whole.get_weights());
        let of_right = right.predict_all(all(&[vec![second.into_dyn()], of_left[1..].to_vec()].concat())).unwrap();
        let sequence = concatenate(Axis(1), &[of_left[0].view(), of_right[0].view()]).unwrap();
        assert_eq!(sequence, expected[0], "{layer:?}");
        assert_eq!(of_right[1..], expected[1..], "{layer:?}");
        assert_eq!(expected[1], expected[0].index_axis(Axis(1), 8).into_owned(), "{layer:?}");
    }
}

#[test]
fn final_states_are_those_of_the_last_step_that_counts() {
    let mut x = sequences(3, 6);
    x.slice_axis_mut(Axis(1), Slice::from(4..)).fill(0.0);
    for layer in layers() {
        let input = Input::new([6, 2]);
        let masked = input.apply(Masking::new()).apply(layer.clone());
        let masked = compiled(std::slice::from_ref(&input), &masked.outputs());
        let mut short = from_zeros(4, &layer);
        short.set_weights(&masked.get_weights()).unwrap();
        let expected = short.predict_all(&steps(&x, Slice::from(..4))).unwrap();
        assert_eq!(masked.predict_all(&x).unwrap()[1..], expected[1..], "{layer:?}");
    }
}

/// An encoder and a decoder, a `Bidirectional` in between whose outputs stay apart.
fn encoder_decoder() -> Model {
    let (source, target) = (Input::new([6, 2]), Input::new([4, 2]));
    let both = Bidirectional::new(LSTM::new(3).return_sequences(true).return_state(true)).merge_mode(MergeMode::None);
    let both = source.apply(Masking::new()).apply(both);
    let [forward, backward] = &both.outputs()[..2] else { panic!("two") };
    let joined = Concatenate::of([forward, backward]).apply(GRU::new(UNITS).return_state(true).recurrent_dropout(0.2));
    let decoder = GRU::new(UNITS).return_sequences(true);
    let decoded = target.apply_with_initial_state(decoder, &joined.states());
    let again = Bidirectional::new(LSTM::new(3).return_sequences(true));
    let output = decoded.apply_with_initial_state(again, &both.states()).apply(Dense::new(2));
    compiled(&[source, target], &[output])
}

fn data() -> (Array3<f32>, Array3<f32>, Array3<f32>) {
    let mut source = sequences(37, 6);
    let mut padded = source.slice_axis_mut(Axis(0), Slice::from(..20));
    padded.slice_axis_mut(Axis(1), Slice::from(4..)).fill(0.0);
    let target = sequences(37, 4);
    let expected = Array3::from_shape_fn((37, 4, 2), |(n, t, f)| source[[n, 3 - t, 1 - f]]);
    (source, target, expected)
}

#[test]
fn an_encoder_s_states_reach_the_decoder_and_train() {
    let (source, target, expected) = data();
    let mut model = encoder_decoder();
    let before: Vec<_> = model.get_weights().into_iter().map(|weight| weight.values).collect();
    let first = model.evaluate(((&source, &target), &expected)).unwrap().loss;
    model.fit(((&source, &target), &expected), FitConfig::new().epochs(40).batch_size(8).verbose(0)).unwrap();
    let last = model.evaluate(((&source, &target), &expected)).unwrap().loss;
    assert!(last < first / 2.0, "{first}, then {last}");
    for (weight, before) in model.get_weights().iter().zip(before) {
        assert_ne!(weight.values, before, "{} is trained", weight.name);
    }
}

#[test]
fn files_give_back_the_same_model_to_the_bit() {
    let (source, target, expected) = data();
    let mut model = encoder_decoder();
    model.train_on_batch((&source, &target), &expected).unwrap();
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.predict((&source, &target)).unwrap(), model.predict((&source, &target)).unwrap());
    let mut loaded = Model::resume_from_bytes(&model.checkpoint_to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.summary(), model.summary());
    for _ in 0..2 {
        let scores = model.train_on_batch((&source, &target), &expected).unwrap();
        assert_eq!(loaded.train_on_batch((&source, &target), &expected).unwrap(), scores);
        assert_eq!(loaded.get_weights(), model.get_weights());
    }
    let predictor = model.clone().into_predictor();
    assert_eq!(predictor.predict((&source, &target)).unwrap(), model.predict((&source, &target)).unwrap());
    // A part that ends before the decoder.
    let part = model.layers_up_to("gru").unwrap().compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    assert_eq!(part.layer_names(), ["masking", "bidirectional", "concatenate", "gru"]);
    assert_eq!(part.predict(&source).unwrap().shape(), [37, UNITS]);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (source, target, expected) = data();
    let train = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = encoder_decoder();
            let config = FitConfig::new().epochs(2).batch_size(32).verbose(0);
            model.fit(((&source, &target), &expected), config).unwrap();
            let weights = model.get_weights();
            weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect::<Vec<u32>>()
        })
    };
    let one = train(1);
    for threads in [2, 3, 8] {
        assert_eq!(train(threads), one, "{threads} threads");
    }
}

#[test]
fn a_pretrained_encoder_has_states_too() {
    let (source, target, _) = data();
    let input = Input::new([6, 2]);
    let encoder = input.apply(LSTM::new(UNITS).return_state(true));
    let encoder = compiled(&[input], &encoder.outputs()[..1]);
    let (source_input, target_input) = (Input::new([6, 2]), Input::new([4, 2]));
    let encoded = source_input.apply(encoder.pretrained().freeze());
    let decoder = LSTM::new(UNITS).return_sequences(true);
    let output = target_input.apply_with_initial_state(decoder, &encoded.states());
    let model = compiled(&[source_input, target_input], &[output]);
    assert_eq!(model.get_weight("lstm/kernel").unwrap(), encoder.get_weight("lstm/kernel").unwrap());
    assert_eq!(model.predict((&source, &target)).unwrap().shape(), [37, 4, UNITS]);
}

/// Keras 3.15 prints these rows.
#[test]
fn a_summary_has_all_outputs_and_which_of_them_is_read() {
    let (source, target) = (Input::new([5, 2]), Input::new([3, 2]));
    let encoded = source.apply(LSTM::new(4).return_state(true));
    let decoder = LSTM::new(4).return_sequences(true);
    let output = target.apply_with_initial_state(decoder, &encoded.states()).apply(Dense::new(2));
    let summary = compiled(&[source, target], &[output]).summary().to_string();
    let expected = "\
│ lstm (LSTM)         │ [(None, 4),       │        112 │ input_layer[0][0] │
│                     │ (None, 4), (None, │            │                   │
│                     │ 4)]               │            │                   │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤
│ lstm_1 (LSTM)       │ (None, 3, 4)      │        112 │ input_layer_1[0]… │
│                     │                   │            │ lstm[0][1],       │
│                     │                   │            │ lstm[0][2]        │
├─────────────────────┼───────────────────┼────────────┼───────────────────┤";
    assert!(summary.contains(expected), "{summary}");
}

#[test]
fn states_that_are_outputs_of_a_model_have_names() {
    let input = Input::new([5, 2]);
    let mut model = compiled(std::slice::from_ref(&input), &input.apply(LSTM::new(2).return_state(true)).outputs());
    let (x, zeros) = (sequences(3, 5), ArrayD::<f32>::zeros(vec![3, 2]));
    let scores = model.train_on_batch(&x, (&zeros, &zeros, &zeros)).unwrap();
    assert_eq!(scores.names(), ["lstm_loss", "lstm_1_loss", "lstm_2_loss"]);
}

#[test]
fn uses_that_cannot_be_are_refused_with_a_reason() {
    let x = Input::new([4, 2]);
    let problem = |inputs: &[&Node], output: &Node| {
        let described = Functional::new(inputs.iter().copied(), [output]);
        described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap_err().to_string()
    };
    let states = |count: usize, units: usize| (0..count).map(|_| Input::new([units])).collect::<Vec<Node>>();
    let with = |layer: Layer, states: &[Node]| {
        let inputs: Vec<&Node> = [&x].into_iter().chain(states).collect();
        problem(&inputs, &x.apply_with_initial_state(layer, states))
    };
    let chain = Sequential::new([4, 2]).add(LSTM::new(3));
    // It has no states to ask for, and is refused when it is compiled.
    let unfit = x.apply(Bidirectional::new(Dense::new(3)).merge_mode(MergeMode::None));
    assert!(unfit.states().is_empty());
    for (found, expected) in [
        (
            with(LSTM::new(3).into(), &states(1, 3)),
            "layer 0 (LSTM) takes one input and 2 initial states or none, got 2 inputs",
        ),
        (
            with(GRU::new(3).into(), &states(2, 3)),
            "layer 0 (GRU) takes one input and 1 initial states or none, got 3 inputs",
        ),
        (with(GRU::new(3).into(), &states(1, 4)), "layer 0 (GRU) expects initial states of (3), its units, got (4)"),
        (
            with(Bidirectional::new(LSTM::new(3)).into(), &states(2, 3)),
            "takes one input and 4 initial states or none, got 3",
        ),
        (
            with(Bidirectional::new(GRU::new(3)).into(), &states(2, 1)),
            "expects initial states of (3), its units, got (1)",
        ),
        (with(Dense::new(3).into(), &states(1, 3)), "layer 0 (Dense) takes one input, got 2"),
        (
            problem(&[&x], &x.apply_with_initial_state(LSTM::new(3), &x.apply(LSTM::new(3)).states())),
            "has a `LSTM` that is applied with an initial state, and given none: `states` gives those of a layer with \
             `return_state(true)`",
        ),
        (
            problem(&[&x], &x.apply_with_initial_state(chain, &states(2, 3))),
            "has a `Sequential` that is applied with an initial state",
        ),
        (
            problem(&[&x], &x.apply(Sequential::new([4, 2]).add(GRU::new(3).return_state(true)))),
            "has a `Sequential` that expects layers with one output, and layer 0 (GRU) has 2: leave `return_state`",
        ),
        (
            problem(&[&x.apply(LSTM::new(2).return_state(true)).states()[0]], &x),
            "has the output of a layer with states among",
        ),
    ] {
        assert!(found.contains(expected), "{found:?}, expected {expected:?}");
    }
    for layer in [
        Layer::from(LSTM::new(3).return_state(true)),
        Bidirectional::new(GRU::new(3)).merge_mode(MergeMode::None).into(),
    ] {
        let described = Sequential::new([4, 2]).add(Dense::new(2)).add(layer);
        let found = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap_err().to_string();
        assert!(found.contains("has a `Sequential` that expects layers with one output, and layer 1 ("), "{found}");
    }
    assert!(x.states().is_empty() && x.apply(Dense::new(2)).outputs().len() == 1);
}

/// Descriptions may say anything.
#[test]
fn outputs_that_there_are_not_are_refused() {
    let compile = |call: usize, place: usize| {
        let read = json!({ "Output": { "call": call, "place": place } });
        let network = json!({
            "inputs": [[4, 2]],
            "layers": [{ "LSTM": { "units": 3, "return_state": true } }, { "Dense": { "units": 1 } }],
            "calls": [{ "layer": 0, "reads": [{ "Input": 0 }] }, { "layer": 1, "reads": [read] }],
            "outputs": [{ "Call": 1 }]
        });
        let described: Functional = serde_json::from_value(json!({ "network": network })).unwrap();
        described.compile(Sgd::new(0.1), MeanSquaredError, [])
    };
    assert_eq!(compile(0, 2).unwrap().output_shape(), Shape::from([1]));
    for place in [0, 3, usize::MAX] {
        let error = compile(0, place).unwrap_err().to_string();
        assert!(error.contains("which there is not: only a layer with `return_state`"), "{error}");
    }
    assert!(compile(1, 1).unwrap_err().to_string().contains("reads call 1, expected one of the 1 before it"));
}
