//! Recurrent layers, and the operations that they are tested against, as PyTorch and Keras compute them.
//! `tests/fixtures/make_recurrent.py` and `make_recurrent_keras.py` made the numbers.

mod layers;

use crate::common::assert_close;
use crate::tensor::Tensor;
use inkstone::ndarray::{Array1, Array2, Array3, ArrayD, Axis};
use inkstone::ops::{
    self, RecurrentFunctions, RecurrentGradients, RecurrentInput, RecurrentOutput, RecurrentWeights, ResetGate,
    ScalarFunction,
};
use serde::Deserialize;

/// The numbers have six digits.
const RTOL: f32 = 1e-5;
const ATOL: f32 = 3e-6;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

/// Where a case comes from: a layer of the framework, or a loop over the steps of its own.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Of {
    Layer,
    Loop,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cell {
    SimpleRnn,
    Lstm,
    Gru,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Forward,
    Backward,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Function {
    Tanh,
    Relu,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    of: Of,
    cell: Cell,
    direction: Direction,
    activation: Function,
    reset_after: bool,
    x: Tensor,
    mask: Option<Tensor>,
    initial_h: Option<Tensor>,
    initial_c: Option<Tensor>,
    input_factors: Option<Tensor>,
    state_factors: Option<Tensor>,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
    recurrent_bias: Option<Tensor>,
    y: Tensor,
    h: Tensor,
    c: Option<Tensor>,
    dy: Tensor,
    dh: Tensor,
    dc: Option<Tensor>,
    d_x: Tensor,
    d_initial_h: Option<Tensor>,
    d_initial_c: Option<Tensor>,
    d_kernel: Tensor,
    d_recurrent_kernel: Tensor,
    d_bias: Tensor,
    d_recurrent_bias: Option<Tensor>,
}

impl Tensor {
    fn one(&self) -> Array1<f32> {
        self.array().into_dimensionality().unwrap()
    }

    fn two(&self) -> Array2<f32> {
        self.array().into_dimensionality().unwrap()
    }

    fn three(&self) -> Array3<f32> {
        self.array().into_dimensionality().unwrap()
    }
}

fn two(tensor: &Option<Tensor>) -> Option<Array2<f32>> {
    tensor.as_ref().map(Tensor::two)
}

fn cases(text: &str) -> Vec<Case> {
    let Fixture { cases } = serde_json::from_str(text).unwrap();
    assert!(cases.len() > 20, "only {} cases", cases.len());
    cases
}

fn of_pytorch() -> Vec<Case> {
    cases(include_str!("../../fixtures/recurrent.json"))
}

fn of_keras() -> Vec<Case> {
    cases(include_str!("../../fixtures/recurrent_keras.json"))
}

impl Case {
    fn what(&self, place: usize) -> String {
        let Self { of, cell, direction, activation, reset_after, .. } = self;
        format!("case {place}, {cell:?} of {of:?}, {direction:?}, {activation:?}, reset_after {reset_after}")
    }

    /// A sequence in the order of processing, or back.
    fn processed<T: Clone>(&self, mut steps: ndarray::ArrayD<T>) -> ndarray::ArrayD<T> {
        if self.direction == Direction::Backward {
            steps.invert_axis(Axis(1));
        }
        steps.as_standard_layout().into_owned()
    }

    /// What `ops` makes of the case: the output, and all gradients.
    fn by_ops(&self) -> (RecurrentOutput, RecurrentGradients) {
        let x: Array3<f32> = self.processed(self.x.array()).into_dimensionality().unwrap();
        let mask = self.mask.as_ref().map(|mask| self.processed(mask.array()).mapv(|counts| counts != 0.0));
        let mask: Option<Array2<bool>> = mask.map(|mask| mask.into_dimensionality().unwrap());
        let [initial_h, initial_c] = [two(&self.initial_h), two(&self.initial_c)];
        let [input_factors, state_factors] = [two(&self.input_factors), two(&self.state_factors)];
        let (kernel, recurrent_kernel, bias) = (self.kernel.two(), self.recurrent_kernel.two(), self.bias.one());
        let recurrent_bias = self.recurrent_bias.as_ref().map(Tensor::one);
        let input = RecurrentInput {
            x: x.view(),
            mask: mask.as_ref().map(|mask| mask.view()),
            initial_h: initial_h.as_ref().map(|states| states.view()),
            initial_c: initial_c.as_ref().map(|states| states.view()),
            input_factors: input_factors.as_ref().map(|factors| factors.view()),
            state_factors: state_factors.as_ref().map(|factors| factors.view()),
        };
        let weights = RecurrentWeights {
            kernel: kernel.view(),
            recurrent_kernel: recurrent_kernel.view(),
            bias: Some(bias.view()),
            recurrent_bias: recurrent_bias.as_ref().map(|bias| bias.view()),
        };
        let activation = match self.activation {
            Function::Tanh => ScalarFunction::TANH,
            Function::Relu => ScalarFunction::RELU,
        };
        let functions = RecurrentFunctions::default();
        let dy = RecurrentOutput { y: self.dy.three(), h: self.dh.two(), c: two(&self.dc) };
        let reset = if self.reset_after { ResetGate::AfterProduct } else { ResetGate::BeforeProduct };
        let both = match self.cell {
            Cell::SimpleRnn => (
                ops::simple_rnn(&input, &weights, activation),
                ops::simple_rnn_backward(&input, &weights, activation, &dy),
            ),
            Cell::Lstm => {
                (ops::lstm(&input, &weights, functions), ops::lstm_backward(&input, &weights, functions, &dy))
            }
            Cell::Gru => (
                ops::gru(&input, &weights, functions, reset),
                ops::gru_backward(&input, &weights, functions, reset, &dy),
            ),
        };
        (both.0.unwrap(), both.1.unwrap())
    }
}

#[test]
fn recurrent_operations_and_all_gradients_are_pytorch_s_and_keras() {
    for (place, case) in of_pytorch().into_iter().chain(of_keras()).enumerate() {
        let (output, back) = case.by_ops();
        let close = |part: &str, found: Option<ArrayD<f32>>, expected: &Option<Tensor>| {
            assert_eq!(found.is_some(), expected.is_some(), "{part} of {}", case.what(place));
            if let (Some(found), Some(expected)) = (found, expected) {
                assert_close(&format!("{part} of {}", case.what(place)), &found, &expected.values, RTOL, ATOL);
            }
        };
        let given = |found: ArrayD<f32>, expected: &Option<Tensor>| expected.as_ref().map(|_| found);
        let of = |part: &str, found: ArrayD<f32>, expected: &Tensor| {
            assert_close(&format!("{part} of {}", case.what(place)), &found, &expected.values, RTOL, ATOL);
        };
        of("y", output.y.into_dyn(), &case.y);
        of("h", output.h.into_dyn(), &case.h);
        close("c", output.c.map(Array2::into_dyn), &case.c);
        of("d_x", case.processed(back.dx.into_dyn()), &case.d_x);
        of("d_kernel", back.d_kernel.into_dyn(), &case.d_kernel);
        of("d_recurrent_kernel", back.d_recurrent_kernel.into_dyn(), &case.d_recurrent_kernel);
        of("d_bias", back.d_bias.into_dyn(), &case.d_bias);
        close(
            "d_recurrent_bias",
            given(back.d_recurrent_bias.into_dyn(), &case.d_recurrent_bias),
            &case.d_recurrent_bias,
        );
        close("d_initial_h", given(back.d_initial_h.into_dyn(), &case.d_initial_h), &case.d_initial_h);
        let d_initial_c = back.d_initial_c.map(Array2::into_dyn);
        close("d_initial_c", d_initial_c.filter(|_| case.d_initial_c.is_some()), &case.d_initial_c);
    }
}
