//! Activation functions as `ops` has them.

use crate::layers::ActivationFunction;
use crate::ops;
use ndarray::ArrayD;

pub(super) fn activate(function: ActivationFunction, x: ArrayD<f32>) -> ArrayD<f32> {
    match function {
        ActivationFunction::Linear => x,
        ActivationFunction::Relu => ops::relu(x.view()),
        ActivationFunction::Sigmoid => ops::sigmoid(x.view()),
        ActivationFunction::Tanh => ops::tanh(x.view()),
        ActivationFunction::Softmax => ops::softmax(x.view()),
        ActivationFunction::Relu6 => ops::rectified(x.view(), 0.0, Some(6.0), 0.0),
        ActivationFunction::LeakyRelu => ops::rectified(x.view(), 0.2, None, 0.0),
        ActivationFunction::Elu => ops::elu(x.view(), 1.0),
        ActivationFunction::Selu => ops::selu(x.view()),
        ActivationFunction::Gelu => ops::gelu(x.view()),
        ActivationFunction::GeluTanh => ops::gelu_tanh(x.view()),
        ActivationFunction::Silu => ops::silu(x.view()),
        ActivationFunction::Mish => ops::mish(x.view()),
        ActivationFunction::Softplus => ops::softplus(x.view()),
        ActivationFunction::Softsign => ops::softsign(x.view()),
        ActivationFunction::HardSigmoid => ops::hard_sigmoid(x.view()),
        ActivationFunction::Exponential => ops::exponential(x.view()),
    }
}

/// - x: before the function; y: behind it
pub(super) fn activate_backward(
    function: ActivationFunction,
    x: &ArrayD<f32>,
    y: &ArrayD<f32>,
    dy: ArrayD<f32>,
) -> ArrayD<f32> {
    let gradient = match function {
        ActivationFunction::Linear => Ok(dy),
        ActivationFunction::Relu => ops::relu_backward(y.view(), dy.view()),
        ActivationFunction::Sigmoid => ops::sigmoid_backward(y.view(), dy.view()),
        ActivationFunction::Tanh => ops::tanh_backward(y.view(), dy.view()),
        ActivationFunction::Softmax => ops::softmax_backward(y.view(), dy.view()),
        ActivationFunction::Relu6 => ops::rectified_backward(x.view(), 0.0, Some(6.0), 0.0, dy.view()),
        ActivationFunction::LeakyRelu => ops::rectified_backward(x.view(), 0.2, None, 0.0, dy.view()),
        ActivationFunction::Elu => ops::elu_backward(x.view(), 1.0, dy.view()),
        ActivationFunction::Selu => ops::selu_backward(x.view(), dy.view()),
        ActivationFunction::Gelu => ops::gelu_backward(x.view(), dy.view()),
        ActivationFunction::GeluTanh => ops::gelu_tanh_backward(x.view(), dy.view()),
        ActivationFunction::Silu => ops::silu_backward(x.view(), dy.view()),
        ActivationFunction::Mish => ops::mish_backward(x.view(), dy.view()),
        ActivationFunction::Softplus => ops::softplus_backward(x.view(), dy.view()),
        ActivationFunction::Softsign => ops::softsign_backward(x.view(), dy.view()),
        ActivationFunction::HardSigmoid => ops::hard_sigmoid_backward(x.view(), dy.view()),
        ActivationFunction::Exponential => ops::exponential_backward(x.view(), dy.view()),
    };
    gradient.unwrap()
}
