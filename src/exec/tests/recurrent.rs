//! Recurrent layers as `ops` has them, for the oracle; and what the table of cases leaves out of them.

use super::cases::{Case, Kind};
use super::each_layer::agrees_with_the_oracle;
use super::oracle::Back;
use crate::layers::{ActivationFunction, Bidirectional, GRU, LSTM, Layer, MergeMode, SimpleRNN};
use crate::ops::{
    self, RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights, ResetGate,
    ScalarFunction,
};
use crate::shape::Shape;
use ndarray::{Array2, Array3, ArrayD, ArrayView, ArrayView2, Axis, Dimension, Ix1, Ix3, Slice, concatenate, stack};

/// What a recurrent layer reads.
pub(super) struct Reads<'a> {
    /// (N, steps, features).
    pub(super) x: &'a ArrayD<f32>,
    /// (N, steps).
    pub(super) mask: Option<&'a Array2<bool>>,
    /// The states before the first step, (N, units) each, those of each direction one after the other; none if they are
    /// zeros.
    pub(super) initial: &'a [ArrayD<f32>],
    /// What dropout multiplies by, of each direction: of a layer with one direction the first.
    pub(super) dropped: [Dropped; 2],
}

/// What dropout multiplies by.
#[derive(Clone, Default)]
pub(super) struct Dropped {
    /// (N, features).
    pub(super) inputs: Option<Array2<f32>>,
    /// (N, units).
    pub(super) states: Option<Array2<f32>>,
}

impl<'a> Reads<'a> {
    pub(super) fn new(x: &'a ArrayD<f32>) -> Self {
        Self { x, mask: None, initial: &[], dropped: Default::default() }
    }
}

/// All outputs of a recurrent layer, its final states behind the others whether or not it is to give them.
///
/// - weights: in Keras' layout
pub(super) fn outputs(layer: &Layer, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> Vec<ArrayD<f32>> {
    let Layer::Bidirectional(both) = layer else {
        return Direction::new(layer, 0).outputs(weights, reads);
    };
    let [mut of_left, mut of_right] = of_both(both, weights, reads);
    let (left, right) = (of_left.remove(0), of_right.remove(0));
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

/// The gradients of what a recurrent layer reads and of all weights.
///
/// - dy: the gradient of each output; of final states only where they are given
pub(super) fn backward(layer: &Layer, weights: &[ArrayD<f32>], reads: &Reads<'_>, dy: &[ArrayD<f32>]) -> Back {
    let Layer::Bidirectional(both) = layer else {
        return Direction::new(layer, 0).gradients(weights, reads, dy);
    };
    let [of_left, of_right] = of_both(both, weights, reads);
    let (left, right) = (&of_left[0], &of_right[0]);
    let units = left.shape()[left.ndim() - 1];
    let (merged, d_states) = dy.split_at(if both.merge_mode == MergeMode::None { 2 } else { 1 });
    let dy = &merged[0];
    let part = |columns| dy.slice_axis(Axis(dy.ndim() - 1), columns).to_owned();
    let [d_left, d_right] = match both.merge_mode {
        MergeMode::Concat => [part(Slice::from(..units)), part(Slice::from(units..))],
        MergeMode::Sum => [dy.clone(), dy.clone()],
        MergeMode::Mul => [dy * right, dy * left],
        MergeMode::Ave => [dy / 2.0, dy / 2.0],
        MergeMode::None => [dy.clone(), merged[1].clone()],
    };
    let (d_states_left, d_states_right) = d_states.split_at(d_states.len() / 2);
    let (of_left, of_right) = weights.split_at(weights.len() / 2);
    let d_left = [&[d_left], d_states_left].concat();
    let mut back = Direction::new(&both.layer, 0).gradients(of_left, reads, &d_left);
    let d_right = [&[d_right], d_states_right].concat();
    let mut right = Direction::backward_of(&both.layer).gradients(of_right, reads, &d_right);
    back.inputs[0] += &right.inputs.remove(0);
    back.inputs.append(&mut right.inputs);
    back.weights.append(&mut right.weights);
    back
}

/// The outputs of each direction.
fn of_both(both: &Bidirectional, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> [Vec<ArrayD<f32>>; 2] {
    let (of_left, of_right) = weights.split_at(weights.len() / 2);
    let left = Direction::new(&both.layer, 0).outputs(of_left, reads);
    [left, Direction::backward_of(&both.layer).outputs(of_right, reads)]
}

/// In which order steps are processed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Along {
    Forward,
    Backward,
}

/// Where the states behind the steps go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    Last,
    EachAsProcessed,
    EachInPlace,
}

/// A layer of one direction.
struct Direction<'a> {
    layer: &'a Layer,
    /// Which of [`Reads::dropped`] and of the initial states are its.
    place: usize,
    along: Along,
    gives: Gives,
}

impl<'a> Direction<'a> {
    fn new(layer: &'a Layer, place: usize) -> Self {
        let (is_sequence, is_backward) = match layer {
            Layer::SimpleRNN(rnn) => (rnn.return_sequences, rnn.go_backwards),
            Layer::LSTM(rnn) => (rnn.return_sequences, rnn.go_backwards),
            Layer::GRU(rnn) => (rnn.return_sequences, rnn.go_backwards),
            _ => unreachable!("{} is not recurrent", layer.kind()),
        };
        let gives = if is_sequence { Gives::EachAsProcessed } else { Gives::Last };
        Self { layer, place, along: if is_backward { Along::Backward } else { Along::Forward }, gives }
    }

    /// The backward direction of a `Bidirectional`.
    fn backward_of(layer: &'a Layer) -> Self {
        let of_layer = Self::new(layer, 1);
        let gives = if of_layer.gives == Gives::Last { Gives::Last } else { Gives::EachInPlace };
        Self { along: Along::Backward, gives, ..of_layer }
    }

    /// An array of steps in the order of processing, or back.
    fn processed<T: Clone, D: Dimension>(&self, steps: ArrayView<'_, T, D>) -> ndarray::Array<T, D> {
        let mut steps = steps;
        if self.along == Along::Backward {
            steps.invert_axis(Axis(1));
        }
        steps.as_standard_layout().into_owned()
    }

    /// Calls a function with what `ops` reads.
    fn with<T>(
        &self,
        weights: &[ArrayD<f32>],
        reads: &Reads<'_>,
        run: impl FnOnce(&RecurrentInput<'_>, &RecurrentWeights<'_>) -> T,
    ) -> T {
        let x: Array3<f32> = self.processed(reads.x.view().into_dimensionality::<Ix3>().unwrap());
        let mask = reads.mask.map(|mask| self.processed(mask.view()));
        let dropped = &reads.dropped[self.place];
        let initial = self.initial(reads);
        let state = |state: usize| initial.get(state).map(two);
        let input = RecurrentInput {
            mask: mask.as_ref().map(|mask| mask.view()),
            initial_h: state(0),
            initial_c: state(1),
            input_factors: dropped.inputs.as_ref().map(|factors| factors.view()),
            state_factors: dropped.states.as_ref().map(|factors| factors.view()),
            ..RecurrentInput::new(x.view())
        };
        run(&input, &weights_of(weights))
    }

    /// The states that it starts from: none if they are zeros.
    fn initial<'b>(&self, reads: &Reads<'b>) -> &'b [ArrayD<f32>] {
        let states = if matches!(self.layer, Layer::LSTM(_)) { 2 } else { 1 };
        if reads.initial.is_empty() { &[] } else { &reads.initial[self.place * states..][..states] }
    }

    /// Its output and its final states.
    fn outputs(&self, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> Vec<ArrayD<f32>> {
        let RecurrentOutput { y, h, c } = self.with(weights, reads, |input, weights| run(self.layer, input, weights));
        let output = match self.gives {
            Gives::Last => h.clone().into_dyn(),
            Gives::EachAsProcessed => y.into_dyn(),
            Gives::EachInPlace => self.processed(y.view()).into_dyn(),
        };
        [output, h.into_dyn()].into_iter().chain(c.map(Array2::into_dyn)).collect()
    }

    /// - dy: the gradient of the output, and of final states that are given
    fn gradients(&self, weights: &[ArrayD<f32>], reads: &Reads<'_>, dy: &[ArrayD<f32>]) -> Back {
        let (count, steps, units) = (reads.x.shape()[0], reads.x.shape()[1], weights[1].shape()[0]);
        let each = || dy[0].view().into_shape_with_order((count, steps, units)).unwrap();
        let of_state =
            |state: usize| dy.get(1 + state).map_or_else(|| Array2::zeros((count, units)), |dy| two(dy).to_owned());
        let (y, h) = match self.gives {
            Gives::Last => (Array3::zeros((count, steps, units)), of_state(0) + two(&dy[0])),
            Gives::EachAsProcessed => (each().to_owned(), of_state(0)),
            Gives::EachInPlace => (self.processed(each()), of_state(0)),
        };
        let c = matches!(self.layer, Layer::LSTM(_)).then(|| of_state(1));
        let dy = RecurrentOutput { y, h, c };
        let back = self.with(weights, reads, |input, weights| run_backward(self.layer, input, weights, &dy));
        let mut dw = vec![back.d_kernel.into_dyn(), back.d_recurrent_kernel.into_dyn()];
        dw.extend(weights.get(2).map(|bias| match bias.ndim() {
            1 => back.d_bias.into_dyn(),
            _ => stack(Axis(0), &[back.d_bias.view(), back.d_recurrent_bias.view()]).unwrap().into_dyn(),
        }));
        let d_states = [Some(back.d_initial_h), back.d_initial_c].into_iter().flatten().map(Array2::into_dyn);
        let dx = self.processed(back.dx.view()).into_dyn();
        let inputs = [dx].into_iter().chain(d_states.take(self.initial(reads).len())).collect();
        Back { inputs, weights: dw }
    }
}

fn two(array: &ArrayD<f32>) -> ArrayView2<'_, f32> {
    array.view().into_dimensionality().unwrap()
}

/// The weights as `ops` takes them: the second row of a bias is the recurrent one.
fn weights_of(weights: &[ArrayD<f32>]) -> RecurrentWeights<'_> {
    let (bias, recurrent_bias) = match weights.get(2) {
        None => (None, None),
        Some(bias) if bias.ndim() == 1 => (Some(bias.view().into_dimensionality::<Ix1>().unwrap()), None),
        Some(bias) => {
            let row = |row| bias.index_axis(Axis(0), row).into_dimensionality::<Ix1>().unwrap();
            (Some(row(0)), Some(row(1)))
        }
    };
    let [kernel, recurrent_kernel] = [0, 1].map(|place: usize| two(&weights[place]));
    RecurrentWeights { kernel, recurrent_kernel, bias, recurrent_bias }
}

fn run(layer: &Layer, input: &RecurrentInput<'_>, weights: &RecurrentWeights<'_>) -> RecurrentOutput {
    match layer {
        Layer::SimpleRNN(rnn) => ops::simple_rnn(input, weights, function(rnn.activation)),
        Layer::LSTM(rnn) => ops::lstm(input, weights, functions(rnn.activation, rnn.recurrent_activation)),
        Layer::GRU(rnn) => {
            ops::gru(input, weights, functions(rnn.activation, rnn.recurrent_activation), reset_gate(rnn))
        }
        _ => unreachable!("{} is not recurrent", layer.kind()),
    }
    .unwrap()
}

fn run_backward(
    layer: &Layer,
    input: &RecurrentInput<'_>,
    weights: &RecurrentWeights<'_>,
    dy: &RecurrentOutput,
) -> RecurrentGradients {
    match layer {
        Layer::SimpleRNN(rnn) => ops::simple_rnn_backward(input, weights, function(rnn.activation), dy),
        Layer::LSTM(rnn) => ops::lstm_backward(input, weights, functions(rnn.activation, rnn.recurrent_activation), dy),
        Layer::GRU(rnn) => {
            let functions = functions(rnn.activation, rnn.recurrent_activation);
            ops::gru_backward(input, weights, functions, reset_gate(rnn), dy)
        }
        _ => unreachable!("{} is not recurrent", layer.kind()),
    }
    .unwrap()
}

fn reset_gate(gru: &GRU) -> ResetGate {
    if gru.reset_after { ResetGate::AfterProduct } else { ResetGate::BeforeProduct }
}

fn functions(activation: ActivationFunction, recurrent: ActivationFunction) -> RecurrentFunctions {
    RecurrentFunctions { activation: function(activation), recurrent_activation: function(recurrent) }
}

/// The functions that cases of recurrent layers have.
fn function(function: ActivationFunction) -> ScalarFunction {
    match function {
        ActivationFunction::Linear => ScalarFunction::LINEAR,
        ActivationFunction::Relu => ScalarFunction::RELU,
        ActivationFunction::Tanh => ScalarFunction::TANH,
        ActivationFunction::Sigmoid => ScalarFunction::SIGMOID,
        ActivationFunction::HardSigmoid => {
            ScalarFunction::new(|x| (x / 6.0 + 0.5).clamp(0.0, 1.0), |x| if x.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 })
        }
        ActivationFunction::Softsign => ScalarFunction::new(|x| x / (1.0 + x.abs()), |x| (1.0 + x.abs()).powi(-2)),
        ActivationFunction::Silu => ScalarFunction::new(
            |x| x * ScalarFunction::SIGMOID.value(x),
            |x| ScalarFunction::SIGMOID.value(x) + x * ScalarFunction::SIGMOID.derivative(x),
        ),
        _ => unreachable!("no case has {function:?}"),
    }
}

/// Functions whose derivative is found from their input, which the table leaves out: ONNX' cells have none.
#[test]
fn functions_whose_derivative_needs_the_input_agree_with_the_oracle() {
    use ActivationFunction::Silu;
    let input = Shape::from([4, 3]);
    let layers = |units: usize| -> [(Kind, Layer); 4] {
        [
            (Kind::SimpleRNN, SimpleRNN::new(units).activation(Silu).into()),
            (Kind::LSTM, LSTM::new(units).activation(Silu).return_sequences(true).into()),
            (Kind::LSTM, LSTM::new(units).recurrent_activation(Silu).into()),
            (Kind::GRU, GRU::new(units).activation(Silu).recurrent_activation(Silu).return_sequences(true).into()),
        ]
    };
    for (seed, units) in [1, 5, 17].into_iter().enumerate() {
        for (kind, layer) in layers(units) {
            agrees_with_the_oracle(&Case { kind, inputs: vec![input], layer }, seed as u64);
        }
        let before = GRU::new(units).activation(Silu).recurrent_activation(Silu).reset_after(false);
        agrees_with_the_oracle(&Case { kind: Kind::GRU, inputs: vec![input], layer: before.into() }, seed as u64);
    }
}

/// Sums over more rows than a running sum takes are cut into blocks: those of the gradients over 300 steps of 5
/// examples.
#[test]
fn many_steps_agree_with_the_oracle() {
    let case = |kind, shape: [usize; 2], layer: Layer| Case { kind, inputs: vec![shape.into()], layer };
    let sums = SimpleRNN::new(3).return_sequences(true).go_backwards(true);
    agrees_with_the_oracle(&case(Kind::SimpleRNN, [300, 2], sums.into()), 0);
    agrees_with_the_oracle(&case(Kind::LSTM, [230, 2], LSTM::new(3).return_sequences(true).into()), 1);
    for reset_after in [true, false] {
        let sums = GRU::new(3).reset_after(reset_after).return_sequences(true);
        agrees_with_the_oracle(&case(Kind::GRU, [230, 2], sums.into()), 2);
    }
}
