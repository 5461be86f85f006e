//! The forward pass of recurrent layers in `f64` with the states that they start from and end with, for `states`, one
//! example and one step after the other, as their definitions say.

use crate::layers::{ActivationFunction, Bidirectional, Layer, MergeMode};
use ndarray::{Array2, ArrayD, ArrayView1, ArrayViewD, Axis, Ix1, Ix2, concatenate, stack};

/// The states of one example.
struct States {
    h: Vec<f64>,
    c: Vec<f64>,
}

/// What a recurrent layer reads.
#[derive(Clone, Copy)]
pub(super) struct Sequences<'a> {
    /// (N, steps, features).
    pub(super) x: &'a ArrayD<f64>,
    /// The states before the first step, (N, units) each; none if they are 0.
    pub(super) initial: &'a [ArrayD<f64>],
    /// Which steps count: (N, steps).
    pub(super) mask: Option<&'a Array2<bool>>,
}

/// All outputs of a recurrent layer, its final states behind the others whether or not it is to give them.
pub(super) fn outputs(layer: &Layer, weights: &[ArrayD<f64>], read: Sequences<'_>) -> Vec<ArrayD<f64>> {
    let (units, is_sequence, is_backward) = match layer {
        Layer::SimpleRNN(rnn) => (rnn.units, rnn.return_sequences, rnn.go_backwards),
        Layer::LSTM(rnn) => (rnn.units, rnn.return_sequences, rnn.go_backwards),
        Layer::GRU(rnn) => (rnn.units, rnn.return_sequences, rnn.go_backwards),
        Layer::Bidirectional(both) => return of_both(both, weights, read),
        _ => unreachable!("{} is not recurrent", layer.kind()),
    };
    let of_example = |(example, x): (usize, ArrayViewD<'_, f64>)| {
        let x = x.into_dimensionality::<Ix2>().unwrap();
        let first = |state: usize| match read.initial.get(state) {
            Some(states) => states.index_axis(Axis(0), example).iter().copied().collect(),
            None => vec![0.0; units],
        };
        let mut states = States { h: first(0), c: first(1) };
        let steps = x.dim().0;
        let places: Vec<usize> = if is_backward { (0..steps).rev().collect() } else { (0..steps).collect() };
        let mut all = Array2::zeros((steps, units));
        for (processed, place) in places.into_iter().enumerate() {
            if read.mask.is_none_or(|mask| mask[[example, place]]) {
                states = step(layer, weights, x.row(place), &states);
            }
            all.row_mut(processed).assign(&ArrayView1::from(&states.h));
        }
        let [h, c] = [states.h, states.c].map(|state| ArrayD::from_shape_vec(vec![state.len()], state).unwrap());
        let output = if is_sequence { all.into_dyn() } else { h.clone() };
        if matches!(layer, Layer::LSTM(_)) { vec![output, h, c] } else { vec![output, h] }
    };
    let examples: Vec<Vec<ArrayD<f64>>> = read.x.axis_iter(Axis(0)).enumerate().map(of_example).collect();
    let stacked = |output: usize| {
        let views: Vec<_> = examples.iter().map(|outputs| outputs[output].view()).collect();
        stack(Axis(0), &views).unwrap()
    };
    (0..examples[0].len()).map(stacked).collect()
}

/// The outputs of both directions.
fn of_both(both: &Bidirectional, weights: &[ArrayD<f64>], read: Sequences<'_>) -> Vec<ArrayD<f64>> {
    let (of_forward, of_backward) = weights.split_at(weights.len() / 2);
    let (first, last) = read.initial.split_at(read.initial.len() / 2);
    let mut of_left = outputs(&both.layer, of_forward, Sequences { initial: first, ..read });
    // Backward, on the sequence turned round.
    let reversed = |x: &ArrayD<f64>| {
        let mut x = x.view();
        x.invert_axis(Axis(1));
        x.as_standard_layout().into_owned()
    };
    let mask = read.mask.map(|mask| {
        let mut mask = mask.clone();
        mask.invert_axis(Axis(1));
        mask
    });
    let turned = Sequences { x: &reversed(read.x), initial: last, mask: mask.as_ref() };
    let mut of_right = outputs(&both.layer, of_backward, turned);
    let (left, right) = (of_left.remove(0), of_right.remove(0));
    let right = if right.ndim() == 3 { reversed(&right) } else { right };
    let merged = match both.merge_mode {
        MergeMode::Concat => {
            let both = concatenate(Axis(left.ndim() - 1), &[left.view(), right.view()]).unwrap();
            vec![both.as_standard_layout().into_owned()]
        }
        MergeMode::Sum => vec![left + right],
        MergeMode::Mul => vec![left * right],
        MergeMode::Ave => vec![(left + right) / 2.0],
        MergeMode::None => vec![left, right],
    };
    [merged, of_left, of_right].concat()
}

/// What `values` times a matrix is, plus some of a bias.
fn product(values: &[f64], matrix: &ArrayD<f64>, bias: Option<ArrayView1<'_, f64>>) -> Vec<f64> {
    let matrix = matrix.view().into_dimensionality::<Ix2>().unwrap();
    let mut sums: Vec<f64> = bias.map_or_else(|| vec![0.0; matrix.dim().1], |bias| bias.to_vec());
    for (value, row) in values.iter().zip(matrix.rows()) {
        sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
    }
    sums
}

fn step(layer: &Layer, weights: &[ArrayD<f64>], x: ArrayView1<'_, f64>, before: &States) -> States {
    let (kernel, recurrent) = (&weights[0], &weights[1]);
    let bias = |row: usize| {
        weights.get(2).map(|bias| match bias.ndim() {
            1 => bias.view().into_dimensionality::<Ix1>().unwrap(),
            _ => bias.index_axis(Axis(0), row).into_dimensionality::<Ix1>().unwrap(),
        })
    };
    let inputs = product(&x.to_vec(), kernel, bias(0));
    let h = &before.h;
    let units = h.len();
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f64>>();
    match layer {
        Layer::SimpleRNN(rnn) => {
            let z = sum(&inputs, &product(h, recurrent, None));
            States { h: z.iter().map(|z| function(rnn.activation, *z)).collect(), c: Vec::new() }
        }
        Layer::LSTM(rnn) => {
            let z = sum(&inputs, &product(h, recurrent, None));
            // Input, forget, candidate, output.
            let z_at = |place: usize, j: usize| z[place * units + j];
            let c: Vec<f64> = (0..units)
                .map(|j| {
                    let [input, forget] = [0, 1].map(|place| function(rnn.recurrent_activation, z_at(place, j)));
                    forget * before.c[j] + input * function(rnn.activation, z_at(2, j))
                })
                .collect();
            let output = |j: usize| function(rnn.recurrent_activation, z_at(3, j));
            States { h: (0..units).map(|j| output(j) * function(rnn.activation, c[j])).collect(), c }
        }
        Layer::GRU(rnn) => {
            let gates = sum(&inputs[..2 * units], &product(h, recurrent, if rnn.reset_after { bias(1) } else { None }));
            let gate = |place: usize, j: usize| function(rnn.recurrent_activation, gates[place * units + j]);
            let of_states: Vec<f64> = if rnn.reset_after {
                let products = product(h, recurrent, bias(1));
                (0..units).map(|j| gate(1, j) * products[2 * units + j]).collect()
            } else {
                let reset: Vec<f64> = (0..units).map(|j| gate(1, j) * h[j]).collect();
                product(&reset, recurrent, None)[2 * units..].to_vec()
            };
            let candidate = |j: usize| function(rnn.activation, inputs[2 * units + j] + of_states[j]);
            let h = (0..units).map(|j| gate(0, j) * h[j] + (1.0 - gate(0, j)) * candidate(j)).collect();
            States { h, c: Vec::new() }
        }
        _ => unreachable!("{} is not recurrent", layer.kind()),
    }
}

/// The functions that cases of recurrent layers have.
fn function(function: ActivationFunction, x: f64) -> f64 {
    match function {
        ActivationFunction::Linear => x,
        ActivationFunction::Relu => x.max(0.0),
        ActivationFunction::Tanh => x.tanh(),
        ActivationFunction::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        ActivationFunction::HardSigmoid => (x / 6.0 + 0.5).clamp(0.0, 1.0),
        ActivationFunction::Softsign => x / (1.0 + x.abs()),
        ActivationFunction::Silu => x / (1.0 + (-x).exp()),
        _ => unreachable!("no case has {function:?}"),
    }
}
