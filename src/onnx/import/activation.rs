//! Activation functions, those of single values and softmax, and what leaves values as they are.

use super::graph::{Importer, Known, SoFar, Unfinished};
use super::network::Added;
use super::node::Op;
use super::value::{Sign, Value};
use crate::kernels::activation::SELU;
use crate::layers::{Activation, ActivationFunction, ELU, Layer, LeakyReLU, Multiply, PReLU, ReLU, Rescaling, Source};
use ndarray::{ArrayD, IxDyn};

impl<'a> Importer<'a> {
    pub(super) fn import_activation(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let function = |function: ActivationFunction| Layer::from(Activation::new(function));
        let (layer, sign) = match &op.node.op_type[..] {
            "Relu" => (function(ActivationFunction::Relu), Sign::NotNegative),
            "Sigmoid" => (function(ActivationFunction::Sigmoid), Sign::NotNegative),
            "Tanh" => (function(ActivationFunction::Tanh), value.sign),
            "Softplus" => (function(ActivationFunction::Softplus), Sign::NotNegative),
            "Softsign" => (function(ActivationFunction::Softsign), value.sign),
            "Exp" => (function(ActivationFunction::Exponential), Sign::NotNegative),
            "Mish" => (function(ActivationFunction::Mish), value.sign),
            "Neg" => (scaled(-1.0, 0.0), Sign::Any),
            "LeakyRelu" => (LeakyReLU::new().negative_slope(op.float("alpha", 0.01)).into(), value.sign),
            "Elu" => (ELU::new().alpha(op.float("alpha", 1.0)).into(), value.sign),
            "ThresholdedRelu" => (ReLU::new().threshold(op.float("alpha", 1.0)).into(), Sign::NotNegative),
            "Gelu" => match &op.text("approximate", "none")[..] {
                "none" => (function(ActivationFunction::Gelu), value.sign),
                _ => (function(ActivationFunction::GeluTanh), value.sign),
            },
            "Selu" => {
                let (alpha, gamma) = (op.float("alpha", 1.673_263_2), op.float("gamma", 1.050_701));
                let is_near = |given: f32, known: f64| (f64::from(given) - known).abs() < 1e-6;
                if is_near(alpha, SELU.0) && is_near(gamma, SELU.1) {
                    (function(ActivationFunction::Selu), value.sign)
                } else {
                    let y = self.on_values(&value, "", ELU::new().alpha(alpha))?;
                    let y = self.on_values(&value.replaced(y, Sign::Any), &op.node.name, scaled(gamma, 0.0))?;
                    return self.give_value(op, value.replaced(y, Sign::Any));
                }
            }
            "Celu" => {
                let alpha = op.float("alpha", 1.0);
                let y = self.on_values(&value, "", scaled(1.0 / alpha, 0.0))?;
                let y = self.on_values(&value.replaced(y, value.sign), &op.node.name, ELU::new())?;
                let y = self.on_values(&value.replaced(y, value.sign), "", scaled(alpha, 0.0))?;
                return self.give_value(op, value.replaced(y, value.sign));
            }
            "HardSigmoid" => {
                let y = self.hard_sigmoid(&value, op.float("alpha", 0.2), op.float("beta", 0.5))?;
                return self.give_value(op, value.replaced(y, Sign::NotNegative));
            }
            "HardSwish" => {
                let gate = self.hard_sigmoid(&value, 1.0 / 6.0, 0.5)?;
                let y = self
                    .builder
                    .add(Added { name: &op.node.name, ..Added::plain(Multiply::new()) }, &[value.source, gate])?;
                return self.give_value(op, value.replaced(y, Sign::Any));
            }
            _ => {
                if op.float("alpha", 1.0) != 1.0 {
                    return Err("has an alpha other than 1, which is not supported".into());
                }
                (function(ActivationFunction::Silu), value.sign)
            }
        };
        let y = self.on_values(&value, &op.node.name, layer)?;
        self.give_value(op, value.replaced(y, sign))
    }

    /// A layer applied to each value.
    pub(super) fn on_values(&mut self, value: &Value, name: &str, layer: impl Into<Layer>) -> Result<Source, String> {
        self.builder.add(Added { name, ..Added::plain(layer) }, &[value.source])
    }

    fn hard_sigmoid(&mut self, value: &Value, alpha: f32, beta: f32) -> Result<Source, String> {
        if (alpha - 1.0 / 6.0).abs() < 1e-6 && beta == 0.5 {
            return self.on_values(value, "", Activation::new(ActivationFunction::HardSigmoid));
        }
        let y = self.on_values(value, "", scaled(alpha, beta))?;
        self.on_values(&value.replaced(y, Sign::Any), "", ReLU::new().max_value(1.0))
    }

    /// Values between two bounds, either of which may be missing.
    pub(super) fn import_clip(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let mut bound = |place: usize, name: &'static str| -> Result<Option<f32>, String> {
            let given = self.constant(op, place)?.map(|bound| bound.single().ok_or("has a bound that is no number"));
            Ok(given.transpose()?.or(op.optional_float(name)).filter(|bound| bound.is_finite()))
        };
        let (low, high) = (bound(1, "min")?, bound(2, "max")?);
        let y = self.clipped(&value, &op.node.name, low, high)?;
        self.give_value(op, y)
    }

    pub(super) fn clipped(
        &mut self,
        value: &Value,
        name: &str,
        low: Option<f32>,
        high: Option<f32>,
    ) -> Result<Value, String> {
        // Bounds that floats cannot reach are none.
        let (low, high) = (low.filter(|low| *low > f32::MIN), high.filter(|high| *high < f32::MAX));
        let shifted =
            |from: f32, factor: f32, layer: ReLU| (scaled(factor, from), layer, scaled(factor, -from * factor));
        let (first, layer, last) = match (low, high) {
            (None, None) => return Ok(value.clone()),
            (Some(low), Some(high)) if low > high => return Err(format!("has bounds from {low} to {high}")),
            (Some(0.0), None) => return self.rectified(value, name, Activation::new(ActivationFunction::Relu)),
            (Some(0.0), Some(6.0)) => return self.rectified(value, name, Activation::new(ActivationFunction::Relu6)),
            (Some(0.0), Some(high)) => return self.rectified(value, name, ReLU::new().max_value(high)),
            (Some(low), Some(high)) => shifted(-low, 1.0, ReLU::new().max_value(high - low)),
            (Some(low), None) => shifted(-low, 1.0, ReLU::new()),
            (None, Some(high)) => (scaled(-1.0, high), ReLU::new(), scaled(-1.0, high)),
        };
        let y = self.on_values(value, "", first)?;
        let y = self.on_values(&value.replaced(y, Sign::Any), name, layer)?;
        let y = self.on_values(&value.replaced(y, Sign::Any), "", last)?;
        let sign = if low.is_some_and(|low| low >= 0.0) { Sign::NotNegative } else { Sign::Any };
        Ok(value.replaced(y, sign))
    }

    fn rectified(&mut self, value: &Value, name: &str, layer: impl Into<Layer>) -> Result<Value, String> {
        let y = self.on_values(value, name, layer)?;
        Ok(value.replaced(y, Sign::NotNegative))
    }

    /// `PRelu`, whose slopes are repeated along axes of size 1.
    pub(super) fn leak(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let slopes = self.needed(op, 1)?.floats()?;
        let missing = value.rank().checked_sub(slopes.ndim()).ok_or("has slopes of more axes than its input")?;
        let sizes = [vec![1; missing], slopes.shape().to_vec()].concat();
        let slopes = slopes.into_shape_with_order(IxDyn(&sizes)).map_err(|error| error.to_string())?;
        if slopes.shape()[value.batch()] != 1 {
            return Err("has slopes for each example, which is not supported".into());
        }
        let order = value.natural();
        let slopes: ArrayD<f32> = super::convolution::turned(&slopes, &[vec![value.batch()], order.clone()].concat());
        let slopes = slopes.remove_axis_of_one();
        let shared: Vec<usize> =
            (1..).zip(slopes.shape()).filter(|(_, len)| **len == 1).map(|(axis, _)| axis).collect();
        let lens: Vec<usize> = order.iter().map(|axis| value.len(*axis)).collect();
        let layer = PReLU::new().shared_axes(shared);
        let from = super::convolution::names_of_weights(op);
        let added = Added { layer: layer.into(), weights: vec![slopes], name: &op.node.name, from };
        let y = self.same_sizes(&value, &order, &lens, added)?;
        self.give_value(op, y)
    }

    /// `Softmax`; and `LogSoftmax`, which is imported as the probabilities that it gives the logarithms of.
    pub(super) fn import_softmax(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        if op.node.op_type == "LogSoftmax" && !self.is_output_alone(op) {
            return Err(
                "gives logarithms to another node, which no layer expresses: it is supported as the output of a graph"
                    .into(),
            );
        }
        // Up to opset 12 it goes over all axes from the given one on.
        let axis = value.own_axis(op.int("axis", if op.opset < 13 { 1 } else { -1 }))?;
        let over: Vec<usize> = if op.opset < 13 { (axis..value.rank()).collect() } else { vec![axis] };
        if over.iter().any(|axis| value.is_batch(*axis)) {
            return Err("goes over the batch, which is not supported".into());
        }
        let others = value.natural().into_iter().filter(|axis| !over.contains(axis));
        let order: Vec<usize> = others.chain(over.iter().copied()).collect();
        let len = |axes: &[usize]| axes.iter().map(|axis| value.len(*axis)).product::<usize>();
        let (in_front, last) = (len(&order[..order.len() - over.len()]), len(&over));
        let lens: Vec<usize> = match &over[..] {
            [_] if order.len() <= 4 => order.iter().map(|axis| value.len(*axis)).collect(),
            _ if in_front == 1 => vec![last],
            _ => vec![in_front, last],
        };
        let softmax = Added { name: &op.node.name, ..Added::plain(Activation::new(ActivationFunction::Softmax)) };
        let y = self.same_sizes(&value, &order, &lens, softmax)?;
        self.give_value(op, Value { sign: Sign::NotNegative, ..y })
    }

    /// The error function, which starts GELU: its input is the value by the square root of 2.
    pub(super) fn erf(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let of = self.builder.unscaled(value.source, std::f32::consts::FRAC_1_SQRT_2);
        let of = of.ok_or("is supported as a part of GELU alone, x * (1 + erf(x / sqrt(2))) / 2")?;
        let unfinished = Unfinished { of: value.replaced(of, Sign::Any), so_far: SoFar::Erf };
        self.give(op, 0, Known::Unfinished(unfinished))
    }

    /// What leaves values as they are outside training.
    pub(super) fn same(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        match &op.node.op_type[..] {
            "Dropout" => {
                if self.is_read(op, 1) {
                    return Err("gives its mask, which is not supported".into());
                }
                op.float("ratio", 0.5);
                op.int("seed", 0);
                let (_, training) = (self.constant(op, 1)?, op.input(2));
                let is_training = |constant: &super::tensors::Constant| !constant.is_zero();
                if training.is_some() && self.constant(op, 2)?.is_some_and(|training| is_training(&training)) {
                    return Err("is exported for training: export the model for inference".into());
                }
            }
            "Cast" => {
                use super::super::message::{BFLOAT16, DOUBLE, FLOAT, FLOAT16, INT32, INT64};
                op.int("saturate", 1);
                op.int("round_mode", 0);
                let to = op.int("to", 0) as i32;
                let is_token = [INT32, INT64].contains(&to);
                let is_input = matches!(value.source, Source::Input(_));
                if !([FLOAT, DOUBLE, FLOAT16, BFLOAT16].contains(&to) || is_token && is_input) {
                    return Err(format!("makes values elements of type {to}, which is not supported"));
                }
            }
            _ => {}
        }
        self.give_value(op, value)
    }
}

pub(super) fn scaled(scale: f32, offset: f32) -> Layer {
    Rescaling::new(scale).offset(offset).into()
}

/// An array without its first axis, which has the size 1.
trait RemoveAxisOfOne {
    fn remove_axis_of_one(self) -> Self;
}

impl RemoveAxisOfOne for ArrayD<f32> {
    fn remove_axis_of_one(self) -> Self {
        self.index_axis_move(ndarray::Axis(0), 0)
    }
}
