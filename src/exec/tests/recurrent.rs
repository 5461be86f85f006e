//! Recurrent layers as `ops` has them, for the oracle; and what the table of cases leaves out of them.

use super::cases::{Case, Kind};
use super::each_layer::agrees_with_the_oracle;
use super::oracle::ONE_OUTPUT;
use crate::layers::{ActivationFunction, Bidirectional, GRU, LSTM, Layer, MergeMode, SimpleRNN};
use crate::ops::{
    self, RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights, ResetGate,
    ScalarFunction,
};
use crate::shape::Shape;
use ndarray::{
    Array2, Array3, ArrayD, ArrayView, ArrayViewD, Axis, Dimension, Ix1, Ix2, Ix3, Slice, concatenate, stack,
};

/// What a recurrent layer reads.
pub(super) struct Reads<'a> {
    /// (N, steps, features).
    pub(super) x: &'a ArrayD<f32>,
    /// (N, steps).
    pub(super) mask: Option<&'a Array2<bool>>,
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
        Self { x, mask: None, dropped: Default::default() }
    }
}

/// A recurrent layer's output.
///
/// - weights: in Keras' layout
pub(super) fn forward(layer: &Layer, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> ArrayD<f32> {
    let Layer::Bidirectional(both) = layer else {
        return Direction::new(layer, 0).output(weights, reads);
    };
    let [left, right] = of_both(both, weights, reads);
    match both.merge_mode {
        MergeMode::Concat => {
            let both = concatenate(Axis(left.ndim() - 1), &[left.view(), right.view()]).unwrap();
            both.as_standard_layout().into_owned()
        }
        MergeMode::Sum => left + right,
        MergeMode::Mul => left * right,
        MergeMode::Ave => (left + right) / 2.0,
        MergeMode::None => unreachable!("{ONE_OUTPUT}"),
    }
}

/// The gradients of the input and of all weights.
pub(super) fn backward(
    layer: &Layer,
    weights: &[ArrayD<f32>],
    reads: &Reads<'_>,
    dy: &ArrayD<f32>,
) -> (ArrayD<f32>, Vec<ArrayD<f32>>) {
    let Layer::Bidirectional(both) = layer else {
        return Direction::new(layer, 0).gradients(weights, reads, dy.view());
    };
    let [left, right] = of_both(both, weights, reads);
    let units = left.shape()[left.ndim() - 1];
    let part = |columns| dy.slice_axis(Axis(dy.ndim() - 1), columns).to_owned();
    let [d_left, d_right] = match both.merge_mode {
        MergeMode::Concat => [part(Slice::from(..units)), part(Slice::from(units..))],
        MergeMode::Sum => [dy.clone(), dy.clone()],
        MergeMode::Mul => [dy * &right, dy * &left],
        MergeMode::Ave => [dy / 2.0, dy / 2.0],
        MergeMode::None => unreachable!("{ONE_OUTPUT}"),
    };
    let (of_left, of_right) = weights.split_at(weights.len() / 2);
    let (dx, mut dw) = Direction::new(&both.layer, 0).gradients(of_left, reads, d_left.view());
    let (dx_right, dw_right) = Direction::backward_of(&both.layer).gradients(of_right, reads, d_right.view());
    dw.extend(dw_right);
    (dx + dx_right, dw)
}

/// The output of each direction.
fn of_both(both: &Bidirectional, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> [ArrayD<f32>; 2] {
    let (of_left, of_right) = weights.split_at(weights.len() / 2);
    let left = Direction::new(&both.layer, 0).output(of_left, reads);
    [left, Direction::backward_of(&both.layer).output(of_right, reads)]
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
    /// Which of [`Reads::dropped`] is its.
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
        let input = RecurrentInput {
            mask: mask.as_ref().map(|mask| mask.view()),
            input_factors: dropped.inputs.as_ref().map(|factors| factors.view()),
            state_factors: dropped.states.as_ref().map(|factors| factors.view()),
            ..RecurrentInput::new(x.view())
        };
        run(&input, &weights_of(weights))
    }

    fn output(&self, weights: &[ArrayD<f32>], reads: &Reads<'_>) -> ArrayD<f32> {
        let RecurrentOutput { y, h, .. } = self.with(weights, reads, |input, weights| run(self.layer, input, weights));
        match self.gives {
            Gives::Last => h.into_dyn(),
            Gives::EachAsProcessed => y.into_dyn(),
            Gives::EachInPlace => self.processed(y.view()).into_dyn(),
        }
    }

    fn gradients(
        &self,
        weights: &[ArrayD<f32>],
        reads: &Reads<'_>,
        dy: ArrayViewD<'_, f32>,
    ) -> (ArrayD<f32>, Vec<ArrayD<f32>>) {
        let (count, steps, units) = (reads.x.shape()[0], reads.x.shape()[1], weights[1].shape()[0]);
        let each = || dy.view().into_shape_with_order((count, steps, units)).unwrap();
        let of_last = || dy.view().into_dimensionality::<Ix2>().unwrap().to_owned();
        let none = (Array3::zeros((count, steps, units)), Array2::zeros((count, units)));
        let (y, h) = match self.gives {
            Gives::Last => (none.0, of_last()),
            Gives::EachAsProcessed => (each().to_owned(), none.1),
            Gives::EachInPlace => (self.processed(each()), none.1),
        };
        let c = matches!(self.layer, Layer::LSTM(_)).then(|| Array2::zeros((count, units)));
        let dy = RecurrentOutput { y, h, c };
        let back = self.with(weights, reads, |input, weights| run_backward(self.layer, input, weights, &dy));
        let mut dw = vec![back.d_kernel.into_dyn(), back.d_recurrent_kernel.into_dyn()];
        dw.extend(weights.get(2).map(|bias| match bias.ndim() {
            1 => back.d_bias.into_dyn(),
            _ => stack(Axis(0), &[back.d_bias.view(), back.d_recurrent_bias.view()]).unwrap().into_dyn(),
        }));
        (self.processed(back.dx.view()).into_dyn(), dw)
    }
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
    let [kernel, recurrent_kernel] =
        [0, 1].map(|place: usize| weights[place].view().into_dimensionality::<Ix2>().unwrap());
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
