//! The layers against the cases that they can give: sequences that start from zeros, in either direction and in both.

use super::{Case, Cell, Direction, Function, Of, RTOL, Tensor, of_keras, of_pytorch};
use crate::common::assert_close;
use inkstone::layers::{ActivationFunction, Layer};
use inkstone::ndarray::{Array1, ArrayD, Axis, concatenate, stack};
use inkstone::prelude::*;
use inkstone::{Mode, Weight};

/// The layers' sums are in `f32`.
const ATOL: f32 = 1e-5;

impl Case {
    fn layer(&self, direction: Direction) -> Layer {
        let activation = match self.activation {
            Function::Tanh => ActivationFunction::Tanh,
            Function::Relu => ActivationFunction::Relu,
        };
        let is_backward = direction == Direction::Backward;
        let units = self.recurrent_kernel.shape[0];
        match self.cell {
            Cell::SimpleRnn => {
                let rnn = SimpleRNN::new(units).activation(activation);
                rnn.return_sequences(true).go_backwards(is_backward).into()
            }
            Cell::Lstm => LSTM::new(units).return_sequences(true).go_backwards(is_backward).into(),
            Cell::Gru => {
                let gru = GRU::new(units).reset_after(self.reset_after);
                gru.return_sequences(true).go_backwards(is_backward).into()
            }
        }
    }

    /// The bias as the layers have it: PyTorch's two are one, but where a GRU resets the product.
    fn bias_of_layer(&self, bias: &Tensor, recurrent: Option<&Tensor>) -> ArrayD<f32> {
        let recurrent = recurrent.map_or_else(|| Array1::zeros(bias.values.len()), Tensor::one);
        match self.cell {
            Cell::Gru if self.reset_after => stack![Axis(0), bias.one(), recurrent].into_dyn(),
            Cell::SimpleRnn | Cell::Lstm | Cell::Gru => (bias.one() + recurrent).into_dyn(),
        }
    }

    fn weights(&self) -> [ArrayD<f32>; 3] {
        let bias = self.bias_of_layer(&self.bias, self.recurrent_bias.as_ref());
        [self.kernel.array(), self.recurrent_kernel.array(), bias]
    }

    fn d_weights(&self) -> [ArrayD<f32>; 3] {
        // Where the two biases are one, both have its gradient.
        let recurrent = if self.reset_after { self.d_recurrent_bias.as_ref() } else { None };
        let bias = match self.cell {
            Cell::Gru => self.bias_of_layer(&self.d_bias, recurrent),
            Cell::SimpleRnn | Cell::Lstm => self.d_bias.array(),
        };
        [self.d_kernel.array(), self.d_recurrent_kernel.array(), bias]
    }

    /// The gradient of all outputs: the last state is the last of them.
    fn dy_of_layer(&self) -> ArrayD<f32> {
        let mut dy = self.dy.three();
        let last = dy.dim().1 - 1;
        let mut row = dy.index_axis_mut(Axis(1), last);
        row += &self.dh.two();
        dy.into_dyn()
    }
}

/// The cases of layers that start from zeros.
fn cases() -> Vec<Case> {
    let all = of_pytorch().into_iter().chain(of_keras());
    all.filter(|case| case.of == Of::Layer && case.initial_h.is_none()).collect()
}

/// A model of masked sequences with these weights.
fn model(case: &Case, layer: Layer, weights: Vec<ArrayD<f32>>) -> Model {
    let shape = [case.x.shape[1], case.x.shape[2]];
    let described = Sequential::new(shape).add(Masking::new()).add(layer);
    let mut model = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let named = model.get_weights().into_iter().zip(weights);
    let weights: Vec<Weight> = named.map(|(old, values)| Weight { name: old.name, values }).collect();
    model.set_weights(&weights).unwrap();
    model
}

/// What a model must give.
struct Expected {
    y: ArrayD<f32>,
    dx: ArrayD<f32>,
    dw: Vec<ArrayD<f32>>,
}

fn check(what: &str, model: &Model, (x, dy): (&ArrayD<f32>, ArrayD<f32>), expected: &Expected) {
    let pass = model.forward(x, Mode::Training).unwrap();
    assert_close(&format!("output of {what}"), pass.output(), &expected.y, RTOL, ATOL);
    let back = model.backward(pass, dy).unwrap();
    assert_close(&format!("dx of {what}"), &back.inputs[0], &expected.dx, RTOL, ATOL);
    assert_eq!(back.weights.len(), expected.dw.len(), "{what}");
    for (found, expected) in back.weights.iter().zip(&expected.dw) {
        assert_eq!(found.values.shape(), expected.shape(), "{} of {what}", found.name);
        assert_close(&format!("{} of {what}", found.name), &found.values, expected, RTOL, ATOL);
    }
}

#[test]
fn recurrent_layers_are_pytorch_s_and_keras() {
    let cases = cases();
    assert_eq!(cases.len(), 22, "6 of PyTorch, 16 of Keras");
    for (place, case) in cases.iter().enumerate() {
        let model = model(case, case.layer(case.direction), case.weights().to_vec());
        let expected = Expected { y: case.y.array(), dx: case.d_x.array(), dw: case.d_weights().to_vec() };
        check(&case.what(place), &model, (&case.x.array(), case.dy_of_layer()), &expected);
    }
}

/// PyTorch gives both directions of a layer as two cases with one input.
#[test]
fn both_directions_at_once_are_pytorch_s() {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.mask.is_none()).collect();
    let pairs = cases.as_chunks().0;
    assert_eq!(pairs.len(), 3, "a simple layer, an LSTM and a GRU");
    for (place, [forward, backward]) in pairs.iter().enumerate() {
        assert_eq!(forward.x.values, backward.x.values);
        let layer = Bidirectional::new(forward.layer(Direction::Forward));
        let model = model(forward, layer.into(), [forward.weights(), backward.weights()].concat());
        // The backward direction's outputs lie in the places of their steps.
        let side_by_side = |left: ArrayD<f32>, right: ArrayD<f32>| {
            let both = concatenate(Axis(2), &[left.view(), backward.processed(right).view()]).unwrap();
            both.as_standard_layout().into_owned()
        };
        let expected = Expected {
            y: side_by_side(forward.y.array(), backward.y.array()),
            dx: forward.d_x.array() + backward.d_x.array(),
            dw: [forward.d_weights(), backward.d_weights()].concat(),
        };
        let dy = side_by_side(forward.dy_of_layer(), backward.dy_of_layer());
        check(&format!("both, {}", forward.what(place)), &model, (&forward.x.array(), dy), &expected);
    }
}
