//! Sums, products and the like: of several values, and of values and constants.

use super::activation::scaled;
use super::graph::{Importer, Known, SoFar, Unfinished};
use super::network::{Added, Arranged};
use super::node::Op;
use super::tensors::Constant;
use super::value::{Order, Sign, Value};
use crate::layers::{
    Activation, ActivationFunction, Add, Average, BatchNormalization, Concatenate, Layer, Maximum, Minimum, Multiply,
    Source, Subtract,
};
use ndarray::{ArrayD, IxDyn};

impl<'a> Importer<'a> {
    /// `Add`, `Sub`, `Mul` and `Div`.
    pub(super) fn arithmetic(&mut self, op: &Op<'a>) -> Result<(), String> {
        let operator = &op.node.op_type[..];
        match (self.known(op, 0)?.clone(), self.known(op, 1)?.clone()) {
            (Known::Unfinished(unfinished), other) | (other, Known::Unfinished(unfinished)) => {
                let known = self.continued(op, unfinished, &other)?;
                self.give(op, 0, known)
            }
            (Known::Value(left), Known::Value(right)) => {
                let layer: Layer = match operator {
                    "Add" => Add::new().into(),
                    "Sub" => Subtract::new().into(),
                    "Mul" => Multiply::new().into(),
                    _ => return Err("divides a value by another, which no layer expresses".into()),
                };
                let y = self.merged(op, layer, &[left, right])?;
                self.give_value(op, y)
            }
            (Known::Value(value), Known::Constant(constant)) => {
                let is_bias = operator == "Add" && self.is_read_once(op, 0);
                let (factor, summand) = match operator {
                    "Add" => (None, Some(constant.floats_or_single()?)),
                    "Sub" => (None, Some(-constant.floats_or_single()?)),
                    "Mul" => (Some(constant.floats_or_single()?), None),
                    _ => (Some(constant.floats_or_single()?.mapv_into(|value| 1.0 / value)), None),
                };
                self.copies(constant.stored())?;
                self.with_constant(op, &value, factor, summand, is_bias)
            }
            (Known::Constant(constant), Known::Value(value)) => {
                let is_bias = operator == "Add" && self.is_read_once(op, 1);
                self.copies(constant.stored())?;
                let constant = constant.floats_or_single()?;
                match operator {
                    "Add" => self.with_constant(op, &value, None, Some(constant), is_bias),
                    "Mul" => self.with_constant(op, &value, Some(constant), None, is_bias),
                    "Sub" => {
                        let turned = self.on_values(&value, "", scaled(-1.0, 0.0))?;
                        self.with_constant(op, &value.replaced(turned, Sign::Any), None, Some(constant), false)
                    }
                    _ => Err("divides a constant by a value, which no layer expresses".into()),
                }
            }
            (Known::Constant(_), Known::Constant(_)) => Err("computes with constants of several floats".into()),
        }
    }

    /// `x * factor + summand`, either of which may be missing; both repeated along axes that they lack.
    fn with_constant(
        &mut self,
        op: &Op<'a>,
        value: &Value,
        factor: Option<ArrayD<f32>>,
        summand: Option<ArrayD<f32>>,
        is_bias: bool,
    ) -> Result<(), String> {
        let given = factor.as_ref().or(summand.as_ref()).ok_or("lacks a constant")?;
        if let (Some(summand), true) = (&summand, is_bias && given.len() == value.len(value.rank() - 1)) {
            let row =
                summand.clone().into_shape_with_order(IxDyn(&[summand.len()])).map_err(|error| error.to_string())?;
            let is_row = summand.shape().last() == Some(&summand.len());
            if is_row && !value.is_batch(value.rank() - 1) && self.builder.add_bias(value.source, &row) {
                return self.give_value(op, value.clone());
            }
        }
        let missing = value.rank().checked_sub(given.ndim()).ok_or("has a constant of more axes than its value")?;
        let sizes = [vec![1; missing], given.shape().to_vec()].concat();
        let own: Vec<usize> = (0..value.rank()).filter(|axis| sizes[*axis] != 1).collect();
        if let Some(axis) = own.iter().find(|axis| value.is_batch(**axis) || sizes[**axis] != value.len(**axis)) {
            return Err(format!("has a constant of {sizes:?} for ({}): axis {axis} differs", value.shown()));
        }
        let single = |constant: &Option<ArrayD<f32>>| constant.as_ref().and_then(|constant| constant.first().copied());
        if own.is_empty() {
            let (scale, offset) = (single(&factor).unwrap_or(1.0), single(&summand).unwrap_or(0.0));
            let sign = if scale >= 0.0 && offset >= 0.0 { value.sign } else { Sign::Any };
            let y = self.on_values(value, &op.node.name, scaled(scale, offset))?;
            return self.give_value(op, value.replaced(y, sign));
        }
        // A normalization by the moments 0 and 1 is a factor and a summand for each channel.
        let others = value.natural().into_iter().filter(|axis| !own.contains(axis));
        let order: Vec<usize> = others.chain(own.iter().copied()).collect();
        let channels: usize = own.iter().map(|axis| value.len(*axis)).product();
        let in_front: Vec<usize> = order[..order.len() - own.len()].iter().map(|axis| value.len(*axis)).collect();
        let lens = if in_front.len() > 3 {
            vec![in_front.iter().product(), channels]
        } else {
            [in_front, vec![channels]].concat()
        };
        let row = |constant: Option<ArrayD<f32>>, otherwise: f32| {
            let values =
                constant.map_or_else(|| vec![otherwise; channels], |constant| constant.iter().copied().collect());
            ArrayD::from_shape_vec(IxDyn(&[channels]), values).map_err(|error| error.to_string())
        };
        let zeros = || ArrayD::zeros(IxDyn(&[channels]));
        let weights = vec![row(factor, 1.0)?, row(summand, 0.0)?, zeros(), zeros()];
        let layer = BatchNormalization::new().epsilon(1.0).trainable(false);
        let added = Added { layer: layer.into(), weights, name: &op.node.name, from: Vec::new() };
        let y = self.same_sizes(value, &order, &lens, added)?;
        self.give_value(op, y)
    }

    /// GELU, one node further.
    fn continued(&mut self, op: &Op<'a>, unfinished: Unfinished, other: &Known) -> Result<Known, String> {
        let Unfinished { of, so_far } = unfinished;
        let number = match other {
            Known::Constant(constant) => constant.single(),
            Known::Value(_) | Known::Unfinished(_) => None,
        };
        let (is_self, is_half) = match other {
            Known::Value(value) => {
                let alike = |source: Option<Source>| source == Some(of.source) && value.lies_like(&of);
                (alike(Some(value.source)), alike(self.builder.unscaled(value.source, 0.5)))
            }
            Known::Constant(_) | Known::Unfinished(_) => (false, false),
        };
        let further = match (&op.node.op_type[..], so_far, number) {
            ("Add", SoFar::Erf, Some(1.0)) => SoFar::Raised,
            ("Mul", SoFar::Raised, Some(0.5)) | ("Div", SoFar::Raised, Some(2.0)) => SoFar::Halved,
            ("Mul", SoFar::Raised, None) if is_self => SoFar::Doubled,
            ("Mul", SoFar::Raised, None) if is_half => return self.gelu(op, &of),
            ("Mul", SoFar::Halved, None) if is_self => return self.gelu(op, &of),
            ("Mul", SoFar::Doubled, Some(0.5)) | ("Div", SoFar::Doubled, Some(2.0)) => return self.gelu(op, &of),
            _ => return Err("makes something else than GELU of the error function, which is not supported".into()),
        };
        Ok(Known::Unfinished(Unfinished { of, so_far: further }))
    }

    fn gelu(&mut self, op: &Op<'a>, of: &Value) -> Result<Known, String> {
        let y = self.on_values(of, &op.node.name, Activation::new(ActivationFunction::Gelu))?;
        Ok(Known::Value(of.replaced(y, Sign::Any)))
    }

    /// `Sum`, `Mean`, `Max` and `Min`, of any number of values; the last two of one value and a number, too.
    pub(super) fn import_merge(&mut self, op: &Op<'a>) -> Result<(), String> {
        let operator = &op.node.op_type[..];
        let (mut values, mut numbers) = (Vec::new(), Vec::new());
        for place in 0..op.node.input.len() {
            match self.known(op, place)? {
                Known::Value(value) => values.push(value.clone()),
                Known::Constant(constant) => numbers.push(constant.single()),
                Known::Unfinished(_) => return Err("reads a part of GELU".into()),
            }
        }
        let y = match (operator, &values[..], &numbers[..]) {
            (_, [value], []) => value.clone(),
            ("Max", [value], [Some(number)]) => self.clipped(value, &op.node.name, Some(*number), None)?,
            ("Min", [value], [Some(number)]) => self.clipped(value, &op.node.name, None, Some(*number))?,
            (_, _, []) => {
                let layer: Layer = match operator {
                    "Sum" => Add::new().into(),
                    "Mean" => Average::new().into(),
                    "Max" => Maximum::new().into(),
                    _ => Minimum::new().into(),
                };
                self.merged(op, layer, &values)?
            }
            _ => return Err("reads constants beside values, which is not supported".into()),
        };
        self.give_value(op, y)
    }

    /// A layer of several values, with their axes in one order.
    fn merged(&mut self, op: &Op<'a>, layer: Layer, values: &[Value]) -> Result<Value, String> {
        let added = Added { name: &op.node.name, ..Added::plain(layer) };
        let shape = |source: Source| self.builder.shape(source);
        let first = &values[0];
        let is_not_negative = values.iter().all(|value| value.sign == Sign::NotNegative);
        let sign = if is_not_negative && op.node.op_type != "Sub" { Sign::NotNegative } else { Sign::Any };
        if values.iter().all(|value| value.lies_like(first) && shape(value.source) == shape(first.source)) {
            let sources: Vec<Source> = values.iter().map(|value| value.source).collect();
            let order = if values.iter().any(|value| value.order == Order::ChannelsFirst) {
                Order::ChannelsFirst
            } else {
                Order::AsWritten
            };
            let y = self.builder.add(added, &sources)?;
            return Ok(Value { order, ..first.replaced(y, sign) });
        }
        let rank = values.iter().map(Value::rank).max().unwrap_or(0);
        let widened = |value: &Value| (value.rank()..rank).fold(value.clone(), |value, _| value.with_one(0));
        let values: Vec<Value> = values.iter().map(widened).collect();
        let size = |value: &Value| value.dims.iter().product::<usize>();
        let largest = values.iter().max_by_key(|value| size(value)).ok_or("reads nothing")?;
        if values.iter().any(|value| value.batch() != largest.batch()) {
            return Err("reads values whose batch is at different axes".into());
        }
        let order = largest.natural();
        let mut sources = Vec::new();
        for value in &values {
            let arranged = self.builder.arranged(value, &order)?;
            sources.push(self.builder.shaped(arranged.source, &arranged.lens)?);
        }
        let lens: Vec<usize> =
            order.iter().map(|axis| values.iter().map(|value| value.len(*axis)).max().unwrap_or(1)).collect();
        let y = self.builder.add(added, &sources)?;
        Ok(Value { sign, ..Arranged::value(largest, y, &order, &lens) })
    }

    pub(super) fn import_concat(&mut self, op: &Op<'a>) -> Result<(), String> {
        let values = (0..op.node.input.len()).map(|place| self.value(op, place)).collect::<Result<Vec<_>, _>>()?;
        let first = values.first().ok_or("reads nothing")?;
        let axis = first.own_axis(op.optional_int("axis").ok_or("lacks an axis")?)?;
        if values.iter().any(|value| value.rank() != first.rank() || value.batch() != first.batch()) {
            return Err("reads values of different axes".into());
        }
        if let [only] = &values[..] {
            return self.give_value(op, only.clone());
        }
        let order: Vec<usize> = first.natural().into_iter().filter(|other| *other != axis).chain([axis]).collect();
        let mut sources = Vec::new();
        for value in &values {
            let arranged = self.builder.arranged(value, &order)?;
            let lens = match &arranged.lens[..] {
                [others @ .., last] if others.len() > 3 => vec![others.iter().product(), *last],
                lens => lens.to_vec(),
            };
            sources.push(self.builder.shaped(arranged.source, &lens)?);
        }
        let mut lens: Vec<usize> = order.iter().map(|axis| first.len(*axis)).collect();
        let sum = values.iter().map(|value| value.len(axis)).sum();
        if let Some(last) = lens.last_mut() {
            *last = sum;
        }
        let y = self.builder.add(Added { name: &op.node.name, ..Added::plain(Concatenate::new()) }, &sources)?;
        let is_not_negative = values.iter().all(|value| value.sign == Sign::NotNegative);
        let y = Arranged::value(first, y, &order, &lens);
        self.give_value(op, Value { sign: if is_not_negative { Sign::NotNegative } else { Sign::Any }, ..y })
    }
}

impl Constant {
    /// The numbers, of a filled constant only one.
    fn floats_or_single(&self) -> Result<ArrayD<f32>, String> {
        match (self.single(), self.dims.iter().all(|dim| *dim == 1)) {
            (Some(number), false) => Ok(ArrayD::from_elem(IxDyn(&[]), number)),
            _ => self.floats(),
        }
    }
}
