//! Stateful layers against layers that get the same states from outside: in both directions, with final states as
//! outputs, on padded pieces; and streams of one predictor side by side.

use crate::stateful::{UNITS, compiled, layers, series, steps};
use inkstone::layers::Layer;
use inkstone::ndarray::{Array2, Array3, ArrayD, Axis, Slice};
use inkstone::prelude::*;
use inkstone::{Inputs, Model};
use std::sync::Barrier;
use std::{slice, thread};

/// A layer in three forms.
struct Forms {
    stateful: Layer,
    from_outside: Layer,
    /// With its final states behind its output.
    giving: Layer,
}

fn reads<'a>(x: &'a Array3<f32>, states: &'a [ArrayD<f32>]) -> Inputs<'a> {
    let states = states.iter().map(Inputs::from);
    [Inputs::from(x)].into_iter().chain(states).collect::<Vec<_>>().into()
}

/// Trains on pieces of four steps: with the states behind the piece before from outside it is the same to the bit.
///
/// - units: of each of the states; head: what lies behind the layer
fn goes_on(forms: Forms, x: &Array3<f32>, units: &[usize], head: impl Fn(&Node) -> Node) {
    let compile = |inputs: &[Node], output: Node| {
        Functional::new(inputs, [&output]).seed(3).compile(Adam::new(0.05), MeanSquaredError, []).unwrap()
    };
    let input = Input::new([4, 2]);
    let masked = input.apply(Masking::new());
    let mut model = compile(slice::from_ref(&input), head(&masked.apply(forms.stateful)));
    let states: Vec<Node> = units.iter().map(|units| Input::new([*units])).collect();
    let inputs = [vec![input], states.clone()].concat();
    let mut other = compile(&inputs, head(&masked.apply_with_initial_state(forms.from_outside, &states)));
    let found = masked.apply_with_initial_state(forms.giving, &states).states();
    let mut giving = Functional::new(&inputs, &found).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    other.set_weights(&model.get_weights()).unwrap();
    let count = x.dim().0;
    let mut states: Vec<ArrayD<f32>> = units.iter().map(|units| ArrayD::zeros(vec![count, *units])).collect();
    let y = Array2::from_shape_fn((count, 1), |(n, _)| (n % 7) as f32 / 7.0);
    for start in (0..x.dim().1).step_by(4) {
        let piece = steps(x, start, start + 4);
        let of_layer = model.get_weights();
        giving.set_weights(&of_layer[..giving.get_weights().len()]).unwrap();
        let behind = giving.predict_all(reads(&piece, &states)).unwrap();
        let expected = other.train_on_batch(reads(&piece, &states), &y).unwrap();
        assert_eq!(model.train_on_batch(&piece, &y).unwrap(), expected, "the piece from step {start} on");
        states = behind;
    }
    let values = |model: &Model| model.get_weights().into_iter().map(|weight| weight.values).collect::<Vec<_>>();
    assert_eq!(values(&model), values(&other));
    assert!(states.iter().all(|states| states.iter().any(|state| *state != 0.0)));
}

fn dense(x: &Node) -> Node {
    x.apply(Dense::new(1))
}

/// More examples than go through the plan at a time.
const EXAMPLES: usize = 21;

#[test]
fn both_directions_of_a_stateful_layer_go_on() {
    for mode in [MergeMode::Concat, MergeMode::Mul] {
        let lstm = || LSTM::new(UNITS);
        let both = |lstm| Layer::from(Bidirectional::new(lstm).merge_mode(mode));
        let forms = Forms {
            stateful: both(lstm().stateful(true)),
            from_outside: both(lstm()),
            giving: both(lstm().return_state(true)),
        };
        goes_on(forms, &series(EXAMPLES, 12), &[UNITS; 4], dense);
    }
}

#[test]
fn a_stateful_layer_that_gives_its_states_goes_on() {
    let with_states = |x: &Node| {
        let all = [vec![x.clone()], x.states()].concat();
        dense(&Concatenate::of(&all))
    };
    let lstm = || LSTM::new(UNITS).return_state(true);
    let forms = Forms { stateful: lstm().stateful(true).into(), from_outside: lstm().into(), giving: lstm().into() };
    goes_on(forms, &series(EXAMPLES, 12), &[UNITS; 2], with_states);
}

/// Of some examples a whole piece is padding, of others what comes before steps that count.
#[test]
fn training_on_padded_pieces_goes_on() {
    let mut x = series(EXAMPLES, 12);
    for (example, mut sequence) in x.outer_iter_mut().enumerate() {
        sequence.slice_axis_mut(Axis(0), Slice::from(4..4 + example % 5)).fill(0.0);
    }
    let gru = || GRU::new(UNITS);
    let forms = Forms {
        stateful: gru().stateful(true).into(),
        from_outside: gru().into(),
        giving: gru().return_state(true).into(),
    };
    goes_on(forms, &x, &[UNITS], dense);
}

/// Behind padding the outputs are the states so far, and the steps behind it go on from them.
#[test]
fn a_stream_keeps_its_states_in_padding() {
    let x = series(EXAMPLES, 6);
    for layer in layers() {
        let whole = compiled(6, [Masking::new().into(), layer.clone()]);
        let expected = whole.predict(&x).unwrap();
        let mut model = compiled(4, [Masking::new().into(), layer.clone()]);
        model.set_weights(&whole.get_weights()).unwrap();
        let mut stream = model.into_predictor().stream().unwrap();
        let first = stream.predict(&steps(&x, 0, 4)).unwrap();
        assert_eq!(first, expected.slice_axis(Axis(1), Slice::from(..4)), "{layer:?}");
        let last = first.index_axis(Axis(1), 3);
        let padding = Array3::zeros((EXAMPLES, 4, 2));
        for output in stream.predict(&padding).unwrap().axis_iter(Axis(1)) {
            assert_eq!(output, last, "{layer:?}: a piece that is all padding");
        }
        let mut padded = padding;
        padded.slice_axis_mut(Axis(1), Slice::from(2..)).assign(&steps(&x, 4, 6));
        let found = stream.predict(&padded).unwrap();
        for output in found.axis_iter(Axis(1)).take(2) {
            assert_eq!(output, last, "{layer:?}: padding in front");
        }
        let parts = [(&found, 2), (&expected, 4)].map(|(of, from)| of.slice_axis(Axis(1), Slice::from(from..)));
        assert_eq!(parts[0], parts[1], "{layer:?}: behind the padding");
    }
}

#[test]
fn a_stream_gives_the_final_states_of_the_series_so_far() {
    let x = series(EXAMPLES, 12);
    let with_states = |steps: usize, layer: Layer| {
        let input = Input::new([steps, 2]);
        let output = input.apply(layer);
        let all = [vec![output.clone()], output.states()].concat();
        Functional::new([&input], &all).seed(3).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
    };
    let layers: [(Layer, usize); 3] = [
        (SimpleRNN::new(UNITS).stateful(true).return_state(true).into(), 2),
        (LSTM::new(UNITS).stateful(true).return_state(true).into(), 3),
        (GRU::new(UNITS).stateful(true).return_state(true).into(), 2),
    ];
    for (layer, outputs) in layers {
        let pieces = with_states(4, layer.clone());
        let mut stream = pieces.clone().into_predictor().stream().unwrap();
        for end in [4, 8, 12] {
            let mut so_far = with_states(end, layer.clone());
            so_far.set_weights(&pieces.get_weights()).unwrap();
            let found = stream.predict_all(&steps(&x, end - 4, end)).unwrap();
            assert_eq!(found.len(), outputs);
            assert_eq!(found, so_far.predict_all(&steps(&x, 0, end)).unwrap(), "{layer:?}, up to {end}");
        }
        let error = stream.predict(&steps(&x, 0, 4)).unwrap_err().to_string();
        assert!(error.contains(&format!("has {outputs} outputs: call `predict_all`")), "{error}");
    }
}

#[test]
fn streams_of_one_predictor_have_states_of_their_own() {
    let (layer, x) = (LSTM::new(UNITS).stateful(true), series(2 * EXAMPLES, 12));
    let predictor = compiled(4, [layer.into()]).into_predictor();
    let [first, second] = x.view().split_at(Axis(0), EXAMPLES).into();
    let [first, second] = [first.to_owned(), second.to_owned()];
    let piece = |x: &Array3<f32>, index: usize| steps(x, index * 4, index * 4 + 4);
    let alone = |x: &Array3<f32>| {
        let mut stream = predictor.stream().unwrap();
        [0, 1, 2].map(|index| stream.predict(&piece(x, index)).unwrap())
    };
    let expected = [alone(&first), alone(&second)];
    assert_ne!(expected[0], expected[1]);
    let mut streams = [predictor.stream().unwrap(), predictor.stream().unwrap()];
    for index in 0..3 {
        for (stream, (x, expected)) in streams.iter_mut().zip([&first, &second].into_iter().zip(&expected)) {
            assert_eq!(stream.predict(&piece(x, index)).unwrap(), expected[index], "in turns, piece {index}");
        }
    }
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for (x, expected) in [&first, &second].into_iter().zip(&expected) {
            let (both, piece, predictor) = (&both, &piece, &predictor);
            scope.spawn(move || {
                for round in 0..20 {
                    let mut stream = predictor.stream().unwrap();
                    for (index, expected) in expected.iter().enumerate() {
                        both.wait();
                        // A failure here would leave the other thread waiting.
                        let found = stream.predict(&piece(x, index));
                        both.wait();
                        assert_eq!(&found.unwrap(), expected, "at once, round {round}, piece {index}");
                    }
                }
            });
        }
    });
}
