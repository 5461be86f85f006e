//! Decides which ONNX operators each activation function becomes. Those that old opsets lack are composed.

use super::graph::{Builder, Layout, Operator, Value};
use super::message::{Attribute, Tensor};
use crate::kernels::activation::SELU;
use crate::layers::{ActivationFunction, LEAKY_RELU_SLOPE, ReLU};

/// The nodes of an activation function, named after their layer.
pub(super) struct Activations<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) layer: &'a str,
}

impl Activations<'_> {
    pub(super) fn function(&mut self, x: &Value, function: ActivationFunction) -> Value {
        match function {
            ActivationFunction::Linear => x.clone(),
            ActivationFunction::Relu => self.of("Relu", x),
            ActivationFunction::Sigmoid => self.of("Sigmoid", x),
            ActivationFunction::Tanh => self.of("Tanh", x),
            ActivationFunction::Softmax => {
                // The last axis by its place from the end, as old opsets mean the same by that.
                let axis = match x.layout {
                    Layout::ChannelsFirst => 1,
                    Layout::ChannelsLast | Layout::Plain { .. } => -1,
                };
                let operator = Operator::new("Softmax").with_attributes([Attribute::int("axis", axis)]);
                self.node("softmax", operator, &[x])
            }
            ActivationFunction::Relu6 => self.clipped(x, 6.0),
            ActivationFunction::LeakyRelu => self.leaky_relu(x, LEAKY_RELU_SLOPE),
            ActivationFunction::Elu => self.elu(x, 1.0),
            ActivationFunction::Selu => {
                let attributes = [Attribute::float("alpha", SELU.0 as f32), Attribute::float("gamma", SELU.1 as f32)];
                self.node("selu", Operator::new("Selu").with_attributes(attributes), &[x])
            }
            ActivationFunction::Gelu => self.gelu(x),
            ActivationFunction::GeluTanh => self.gelu_tanh(x),
            ActivationFunction::Silu => {
                let gate = self.of("Sigmoid", x);
                self.node("gated", Operator::new("Mul"), &[x, &gate])
            }
            ActivationFunction::Mish => {
                let softplus = self.of("Softplus", x);
                let gate = self.of("Tanh", &softplus);
                self.node("gated", Operator::new("Mul"), &[x, &gate])
            }
            ActivationFunction::Softplus => self.of("Softplus", x),
            ActivationFunction::Softsign => self.of("Softsign", x),
            ActivationFunction::HardSigmoid => {
                let attributes = [Attribute::float("alpha", 1.0 / 6.0), Attribute::float("beta", 0.5)];
                self.node("hardsigmoid", Operator::new("HardSigmoid").with_attributes(attributes), &[x])
            }
            ActivationFunction::Exponential => self.of("Exp", x),
        }
    }

    pub(super) fn leaky_relu(&mut self, x: &Value, slope: f32) -> Value {
        let slope = Attribute::float("alpha", slope);
        self.node("leakyrelu", Operator::new("LeakyRelu").with_attributes([slope]), &[x])
    }

    pub(super) fn elu(&mut self, x: &Value, alpha: f32) -> Value {
        self.node("elu", Operator::new("Elu").with_attributes([Attribute::float("alpha", alpha)]), &[x])
    }

    pub(super) fn relu(&mut self, x: &Value, relu: &ReLU) -> Value {
        match (relu.max_value, relu.negative_slope, relu.threshold) {
            (None, 0.0, 0.0) => self.of("Relu", x),
            (None, slope, 0.0) => self.leaky_relu(x, slope),
            (Some(max_value), 0.0, 0.0) => self.clipped(x, max_value),
            (max_value, slope, threshold) => {
                let is_above = self.with_number("is_above", "Greater", x, threshold);
                let below = self.with_number("from_threshold", "Sub", x, threshold);
                let below = self.with_number("sloped", "Mul", &below, slope);
                let above = max_value.map_or_else(|| x.clone(), |max_value| self.clipped(x, max_value));
                self.node("where", Operator::new("Where"), &[&is_above, &above, &below])
            }
        }
    }

    /// At least 0 and at most so much.
    pub(super) fn clipped(&mut self, x: &Value, max_value: f32) -> Value {
        let bound = |name: &str, value: f32| Tensor::new(&format!("{}/{name}", self.layer), &[], &[value]);
        let bounds = [bound("lowest", 0.0), bound("highest", max_value)];
        self.node("clip", Operator::new("Clip").with_weights(bounds), &[x])
    }

    /// `x * (1 + erf(x / sqrt(2))) / 2`.
    fn gelu(&mut self, x: &Value) -> Value {
        let scaled = self.with_number("scaled", "Mul", x, std::f32::consts::FRAC_1_SQRT_2);
        let erf = self.of("Erf", &scaled);
        let raised = self.with_number("raised", "Add", &erf, 1.0);
        let gated = self.node("gated", Operator::new("Mul"), &[x, &raised]);
        self.with_number("halved", "Mul", &gated, 0.5)
    }

    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.
    fn gelu_tanh(&mut self, x: &Value) -> Value {
        let square = self.node("square", Operator::new("Mul"), &[x, x]);
        let cube = self.node("cube", Operator::new("Mul"), &[&square, x]);
        let cube = self.with_number("little_cube", "Mul", &cube, 0.044_715);
        let sum = self.node("sum", Operator::new("Add"), &[x, &cube]);
        let scaled = self.with_number("scaled", "Mul", &sum, (2.0 / std::f32::consts::PI).sqrt());
        let tanh = self.of("Tanh", &scaled);
        let raised = self.with_number("raised", "Add", &tanh, 1.0);
        let gated = self.node("gated", Operator::new("Mul"), &[x, &raised]);
        self.with_number("halved", "Mul", &gated, 0.5)
    }

    /// An operator of one input and no arguments, named after itself.
    fn of(&mut self, operator: &'static str, x: &Value) -> Value {
        self.node(&operator.to_lowercase(), Operator::new(operator), &[x])
    }

    /// An operator of a value and a number.
    fn with_number(&mut self, suffix: &str, operator: &'static str, x: &Value, number: f32) -> Value {
        let number = Tensor::new(&format!("{}/{suffix}/number", self.layer), &[], &[number]);
        self.node(suffix, Operator::new(operator).with_weights([number]), &[x])
    }

    fn node(&mut self, suffix: &str, operator: Operator, reads: &[&Value]) -> Value {
        self.builder.push(format!("{}/{suffix}", self.layer), operator, reads, reads[0].layout)
    }
}
