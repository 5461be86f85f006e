//! Recurrent layers at work: masks, dropout, first weights, hard inputs, and what is said of settings that cannot be.

use inkstone::layers::Layer;
use inkstone::ndarray::{Array3, ArrayD, Axis};
use inkstone::prelude::*;
use inkstone::{Mode, OutputGradients};

/// A layer of each kind, with or without all states.
fn layers(return_sequences: bool) -> [Layer; 4] {
    [
        SimpleRNN::new(5).return_sequences(return_sequences).into(),
        LSTM::new(5).return_sequences(return_sequences).into(),
        GRU::new(5).return_sequences(return_sequences).into(),
        GRU::new(5).reset_after(false).return_sequences(return_sequences).into(),
    ]
}

fn compiled(input: [usize; 2], layers: impl IntoIterator<Item = Layer>) -> Model {
    let described = layers.into_iter().fold(Sequential::new(input), Sequential::add);
    described.seed(3).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
}

/// Sequences whose values are all different, none of them 0.
fn sequences(count: usize, steps: usize) -> Array3<f32> {
    Array3::from_shape_fn((count, steps, 2), |(n, t, f)| ((n * 31 + t * 7 + f * 3) % 23) as f32 / 23.0 + 0.1)
}

/// What a model with a layer and a mask gives, and what the same layer gives alone, with the same weights.
fn with_and_without_mask(layer: &Layer, masked: &Array3<f32>, alone: &Array3<f32>) -> [ArrayD<f32>; 2] {
    let with = compiled([masked.dim().1, 2], [Masking::new().into(), layer.clone()]);
    let mut without = compiled([alone.dim().1, 2], [layer.clone()]);
    let weights = without.get_weights().into_iter().zip(with.get_weights());
    let weights: Vec<_> = weights.map(|(of, from)| inkstone::Weight { values: from.values, ..of }).collect();
    without.set_weights(&weights).unwrap();
    [with.predict(masked).unwrap(), without.predict(alone).unwrap()]
}

#[test]
fn masked_steps_are_as_if_they_were_not_there() {
    let all = sequences(3, 6);
    for places in [[4, 5], [0, 1], [1, 4]] {
        let mut masked = all.clone();
        places.iter().for_each(|place| masked.index_axis_mut(Axis(1), *place).fill(0.0));
        let kept: Vec<usize> = (0..6).filter(|place| !places.contains(place)).collect();
        let alone = all.select(Axis(1), &kept);
        let both = Bidirectional::new(LSTM::new(3)).into();
        let backwards = GRU::new(5).go_backwards(true).into();
        for layer in layers(false).into_iter().chain([both, backwards]) {
            let [with, without] = with_and_without_mask(&layer, &masked, &alone);
            assert_eq!(with, without, "{layer:?} without steps {places:?}");
        }
    }
}

#[test]
fn a_masked_step_repeats_the_state_before_it() {
    let mut masked = sequences(2, 5);
    masked.index_axis_mut(Axis(1), 2).fill(0.0);
    for layer in layers(true) {
        let states = compiled([5, 2], [Masking::new().into(), layer]).predict(&masked).unwrap();
        assert_eq!(states.index_axis(Axis(1), 2), states.index_axis(Axis(1), 1));
        assert_ne!(states.index_axis(Axis(1), 3), states.index_axis(Axis(1), 2));
    }
}

#[test]
fn a_sequence_that_is_all_masked_gives_the_first_state_and_no_gradients() {
    for layer in layers(false) {
        let model = compiled([4, 2], [Masking::new().into(), layer]);
        let pass = model.forward(&Array3::<f32>::zeros((2, 4, 2)), Mode::Training).unwrap();
        assert!(pass.output().iter().all(|value| *value == 0.0));
        let gradients = model.backward(pass, ArrayD::ones(vec![2, 5])).unwrap();
        assert!(gradients.weights.iter().all(|weight| weight.values.iter().all(|value| *value == 0.0)));
    }
}

/// A cell without functions that hands its state on: what is dropped of the inputs is the same in all steps.
#[test]
fn dropout_takes_the_same_features_and_states_in_all_steps() {
    let identity = Initializer::Identity { gain: 1.0 };
    let sums = |rnn: SimpleRNN| {
        let rnn = rnn.activation(Linear).return_sequences(true).use_bias(false);
        compiled([6, 4], [rnn.into()])
    };
    let x = Array3::<f32>::ones((8, 6, 4));
    let dropped =
        sums(SimpleRNN::new(4).kernel_initializer(identity).recurrent_initializer(Initializer::Zeros).dropout(0.5));
    let pass = dropped.forward(&x, Mode::Training).unwrap();
    let outputs = pass.output();
    assert!(outputs.iter().any(|value| *value == 0.0) && outputs.iter().any(|value| *value == 2.0));
    for step in 1..6 {
        assert_eq!(outputs.index_axis(Axis(1), step), outputs.index_axis(Axis(1), 0));
    }
    // A state that is dropped begins anew in each step; the others double: 1, 3, 7, and so on.
    let states = sums(
        SimpleRNN::new(4)
            .kernel_initializer(Initializer::Constant { value: 0.25 })
            .recurrent_initializer(identity)
            .recurrent_dropout(0.5),
    );
    let pass = states.forward(&x, Mode::Training).unwrap();
    let (mut anew, mut doubled) = (0, 0);
    for sequence in pass.output().index_axis(Axis(1), 5).iter() {
        match sequence {
            value if (value - 1.0).abs() < 1e-5 => anew += 1,
            value if (value - 63.0).abs() < 1e-3 => doubled += 1,
            value => panic!("a state of {value} after six steps"),
        }
    }
    assert!(anew > 4 && doubled > 4, "{anew} of 32 dropped, {doubled} kept");
    let predicted = states.predict(&x).unwrap();
    assert!(predicted.index_axis(Axis(1), 5).iter().all(|value| (value - 6.0).abs() < 1e-5), "nothing is dropped");
}

#[test]
fn an_lstm_starts_with_a_forget_gate_that_is_open_and_orthogonal_kernels() {
    let model = compiled([3, 2], [LSTM::new(4).into()]);
    let bias: Vec<f32> = model.get_weight("lstm/bias").unwrap().values.iter().copied().collect();
    assert_eq!(bias, [[0.0; 4], [1.0; 4], [0.0; 4], [0.0; 4]].concat());
    let kernel = model.get_weight("lstm/recurrent_kernel").unwrap().values;
    for row in kernel.outer_iter() {
        assert!((row.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let closed = compiled([3, 2], [LSTM::new(4).unit_forget_bias(false).bias_initializer(Initializer::Ones).into()]);
    assert!(closed.get_weight("lstm/bias").unwrap().values.iter().all(|value| *value == 1.0));
}

#[test]
fn ten_thousand_steps_and_one_step_are_finite_and_train() {
    for steps in [1, 10_000] {
        for layer in layers(false) {
            let mut model = compiled([steps, 2], [layer, Dense::new(1).into()]);
            let x = sequences(3, steps);
            let y = inkstone::ndarray::array![[0.5_f32], [-0.5], [0.25]];
            let losses: Vec<f32> = (0..3).map(|_| model.train_on_batch(&x, &y).unwrap().loss as f32).collect();
            assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?} after {steps} steps");
        }
    }
}

/// Sequences are cut into blocks of steps, batches into chunks, and neither divides the other.
#[test]
fn batches_of_any_size_have_memory_enough() {
    for layer in layers(false) {
        let mut model = compiled([50, 2], [layer, Dense::new(1).into()]);
        for examples in (1..=40).rev() {
            let y = inkstone::ndarray::Array2::<f32>::ones((examples, 1));
            assert!(model.train_on_batch(&sequences(examples, 50), &y).unwrap().loss.is_finite());
        }
    }
}

/// Arithmetic on subnormal numbers takes 10 to 20 times as long. Here each state is half of the one before it, or less,
/// and so is what comes back.
#[test]
fn states_and_gradients_that_shrink_become_zero_and_are_never_subnormal() {
    let zeros = Initializer::Zeros;
    let shrinking: [Layer; 4] = [
        SimpleRNN::new(2).recurrent_initializer(Initializer::Identity { gain: 0.4 }).return_sequences(true).into(),
        LSTM::new(2).unit_forget_bias(false).recurrent_initializer(zeros).return_sequences(true).into(),
        GRU::new(2).recurrent_initializer(zeros).return_sequences(true).into(),
        GRU::new(2).recurrent_initializer(zeros).reset_after(false).return_sequences(true).into(),
    ];
    let steps = 200;
    let mut x = Array3::<f32>::zeros((2, steps, 2));
    x.index_axis_mut(Axis(1), 0).fill(1.0);
    let mut of_outputs = Array3::<f32>::zeros((2, steps, 2));
    of_outputs.index_axis_mut(Axis(1), steps - 1).fill(1.0);
    for layer in shrinking {
        let model = compiled([steps, 2], [layer.clone()]);
        let pass = model.forward(&x, Mode::Training).unwrap();
        let outputs = pass.output().clone();
        let found = model.backward(pass, OutputGradients::from(vec![of_outputs.clone().into_dyn()])).unwrap();
        for (what, values) in [("outputs", &outputs), ("gradients of inputs", &found.inputs[0])] {
            let subnormal = values.iter().find(|value| value.is_subnormal());
            assert_eq!(subnormal, None, "{what} of {layer:?}");
        }
        let [first, last] = [0, steps - 1].map(|step| outputs.index_axis(Axis(1), step).iter().any(|y| *y != 0.0));
        assert!(first && !last, "{layer:?}: the first step has a state, the last none");
        let [first, last] =
            [0, steps - 1].map(|step| found.inputs[0].index_axis(Axis(1), step).iter().any(|dx| *dx != 0.0));
        assert!(last && !first, "{layer:?}: the last step has a gradient, the first none");
    }
}

#[test]
fn nan_is_refused_and_states_that_explode_reach_the_output() {
    let mut x = sequences(2, 4);
    x[[0, 1, 0]] = f32::NAN;
    for layer in layers(false) {
        let error = compiled([4, 2], [layer]).predict(&x).unwrap_err().to_string();
        assert!(error.contains("must be finite, got NaN at (0, 1, 0)"), "{error}");
    }
    let grows = SimpleRNN::new(1).activation(Linear).recurrent_initializer(Initializer::Constant { value: 1e10 });
    let y = compiled([8, 2], [grows.kernel_initializer(Initializer::Ones).into()]).predict(&sequences(1, 8)).unwrap();
    assert!(y[[0, 0]].is_infinite(), "{y}");
}

#[test]
fn settings_that_cannot_be_are_refused_with_the_layer_and_the_reason() {
    let problem = |input: &[usize], layer: Layer| {
        let described = Sequential::new(inkstone::Shape::new(input).unwrap()).add(layer);
        described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap_err().to_string()
    };
    for (input, layer, expected) in [
        (
            &[7][..],
            LSTM::new(2).into(),
            "layer 0 (LSTM) expects a sequence (steps, features), got (7): use `Reshape` before it",
        ),
        (&[0, 3], GRU::new(2).into(), "every axis must be at least 1"),
        (
            &[4, 3],
            GRU::new(2).dropout(1.0).into(),
            "layer 0 (GRU) expects a dropout of at least 0 and less than 1, got 1",
        ),
        (
            &[4, 3],
            SimpleRNN::new(2).recurrent_dropout(-0.5).into(),
            "layer 0 (SimpleRNN) expects a recurrent_dropout of at least 0 and less than 1, got -0.5",
        ),
        (
            &[4, 3],
            LSTM::new(2).activation(Softmax).into(),
            "layer 0 (LSTM) expects a function of each value as its activation, got Softmax: use Tanh or Sigmoid",
        ),
        (&[4, 3], LSTM::new(0).into(), "layer 0 (LSTM) expects at least 1 unit, got 0"),
        (&[4, 3], LSTM::new(1 << 40).into(), "layer 0 (LSTM) has too many units: 1099511627776"),
        (
            &[4, 3],
            Bidirectional::new(Dense::new(2)).into(),
            "layer 0 (Bidirectional) expects a SimpleRNN, LSTM or GRU, got a Dense: put other layers before or behind it",
        ),
        (
            &[4, 3],
            Bidirectional::new(LSTM::new(2).go_backwards(true)).into(),
            "layer 0 (Bidirectional) expects a layer that starts with the first step, got one with go_backwards: leave that out",
        ),
        (
            &[4, 3],
            TimeDistributed::new(Conv1D::new(2, 2)).into(),
            "layer 0 (TimeDistributed) expects a layer that works along the last axis",
        ),
        (
            &[4],
            TimeDistributed::new(Dense::new(2)).into(),
            "layer 0 (TimeDistributed) expects a sequence (steps, features), got (4)",
        ),
    ] {
        let found = problem(input, layer);
        assert!(found.contains(expected), "{found:?}, expected {expected:?}");
    }
}

#[test]
fn predictions_with_dropout_have_the_mean_of_those_without_and_a_deviation() {
    // Sums of what is kept of 8 ones, scaled up: mean 8, and of each a variance of 1.
    let sum = Dense::new(1).kernel_initializer(Initializer::Ones).use_bias(false);
    let model = Sequential::new([8]).add(Dropout::new(0.5)).add(sum).seed(5);
    let model = model.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let x = inkstone::ndarray::Array2::<f32>::ones((300, 8));
    let found = model.predict_with_dropout(&x, 200).unwrap();
    assert_eq!(found.mean.shape(), [300, 1]);
    let average = |values: &ArrayD<f32>| values.iter().sum::<f32>() / values.len() as f32;
    assert!((average(&found.mean) - 8.0).abs() < 0.05, "{}", average(&found.mean));
    assert!((average(&found.deviation) - 8.0_f32.sqrt()).abs() < 0.05, "{}", average(&found.deviation));
    assert_eq!(model.predict_with_dropout(&x, 200).unwrap(), found, "the masks are those of the seed");
    assert_ne!(found.mean[[0, 0]], found.mean[[299, 0]], "each example has masks of its own");
    let single = model.predict_with_dropout(&x, 1).unwrap();
    assert!(single.deviation.iter().all(|deviation| *deviation == 0.0));
    assert!(model.predict_with_dropout(&x, 0).unwrap_err().to_string().contains("at least 1 sample"));
    let normalized = Sequential::new([8]).add(BatchNormalization::new()).add(Dropout::new(0.5));
    let normalized = normalized.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    assert!(normalized.predict_with_dropout(&x, 2).unwrap_err().to_string().contains("normalizes over a batch"));
}
