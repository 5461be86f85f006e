//! Products with a kernel: `Gemm` and `MatMul`.

use super::graph::Importer;
use super::network::{Added, Arranged};
use super::node::Op;
use super::value::{Axis, Value};
use crate::layers::Dense;
use ndarray::{ArrayD, Axis as ArrayAxis, IxDyn};

impl<'a> Importer<'a> {
    pub(super) fn import_gemm(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        if op.int("transA", 0) != 0 {
            return Err("turns its first input (transA), which is not supported".into());
        }
        if value.rank() != 2 || !value.is_batch(0) {
            return Err(format!("reads ({}), expected (N, features)", value.shown()));
        }
        let kernel = self.needed(op, 1)?.floats()?;
        let kernel = if op.int("transB", 0) != 0 { kernel.reversed_axes() } else { kernel };
        let (alpha, beta) = (op.float("alpha", 1.0), op.float("beta", 1.0));
        let kernel = if alpha == 1.0 { kernel } else { kernel * alpha };
        let units = *kernel.shape().last().ok_or("has a kernel without axes")?;
        let bias = self.constant(op, 2)?.map(|bias| bias.floats()).transpose()?;
        let bias = bias.map(|bias| {
            let is_row = bias.shape().iter().rev().skip(1).all(|len| *len == 1);
            let row: Vec<f32> = bias.iter().map(|value| value * beta).collect();
            match row.len() {
                1 => Ok(ArrayD::from_elem(IxDyn(&[units]), row[0])),
                len if is_row && len == units => {
                    ArrayD::from_shape_vec(IxDyn(&[units]), row).map_err(|e| e.to_string())
                }
                _ => Err(format!("has a bias of {:?}, expected ({units})", bias.shape())),
            }
        });
        let from = [super::convolution::names_of_weights(op), vec![format!("{alpha} {beta}")]].concat();
        let y = self.dense(op, &value, &kernel, bias.transpose()?, from)?;
        self.give_value(op, y)
    }

    pub(super) fn import_product(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let kernel = self.needed(op, 1)?.floats()?;
        // A bias may be added to it, so it is not the same layer as another one of this kernel.
        let y = self.dense(op, &value, &kernel, None, Vec::new())?;
        self.give_value(op, y)
    }

    /// A dense layer along the last axis. Rows of the kernel are brought into the order in which the features lie.
    ///
    /// - kernel: (features, units)
    fn dense(
        &mut self,
        op: &Op<'a>,
        value: &Value,
        kernel: &ArrayD<f32>,
        bias: Option<ArrayD<f32>>,
        from: Vec<String>,
    ) -> Result<Value, String> {
        let last = value.own_axis(-1)?;
        let features = value.len(last);
        let units = match *kernel.shape() {
            [rows, units] if rows == features && units > 0 => units,
            _ => return Err(format!("has a kernel of {:?} for {features} features", kernel.shape())),
        };
        let others: Vec<usize> = (0..value.rank()).filter(|axis| *axis != last && !value.is_batch(*axis)).collect();
        let Axis::Of(places) = &value.axes[last] else { return Err("works along the batch".into()) };
        let in_front = value.places(&others);
        let is_innermost = in_front.iter().copied().eq(0..in_front.len());
        let mut sorted = places.clone();
        sorted.sort_unstable();
        let order = [others.clone(), vec![last]].concat();
        let (source, rows) = if is_innermost && value.steps == super::value::Steps::InPlace {
            (value.source, Some(rows_in_memory(value, places, &sorted)))
        } else {
            (self.builder.arranged(value, &order)?.source, None)
        };
        let kernel = match &rows {
            Some(rows) if !rows.is_sorted() => kernel.select(ArrayAxis(0), rows),
            _ => kernel.as_standard_layout().into_owned(),
        };
        let steps: usize = others.iter().map(|axis| value.len(*axis)).product();
        let lens = if others.is_empty() { vec![features] } else { vec![steps, features] };
        let x = self.builder.shaped(source, &lens)?;
        let layer = Dense::new(units).use_bias(bias.is_some());
        let weights = [Some(kernel), bias].into_iter().flatten().collect();
        let from = if from.is_empty() { from } else { [from, vec![format!("{places:?}")]].concat() };
        let y = self.builder.add(Added { layer: layer.into(), weights, name: &op.node.name, from }, &[x])?;
        let lens: Vec<usize> = others.iter().map(|axis| value.len(*axis)).chain([units]).collect();
        Ok(Value { order: super::value::Order::AsWritten, ..Arranged::value(value, y, &order, &lens) })
    }
}

/// For each feature as it lies in memory its index along an axis of ONNX'.
///
/// - places: the axes in memory that it is the product of; sorted: the same, in their order
fn rows_in_memory(value: &Value, places: &[usize], sorted: &[usize]) -> Vec<usize> {
    let mut weights = vec![1; places.len()];
    for index in (1..places.len()).rev() {
        weights[index - 1] = weights[index] * value.dims[places[index]];
    }
    let mut rows = vec![0];
    for place in sorted {
        let weight = places.iter().position(|other| other == place).map_or(0, |index| weights[index]);
        rows = rows.iter().flat_map(|row| (0..value.dims[*place]).map(move |index| row + index * weight)).collect();
    }
    rows
}
