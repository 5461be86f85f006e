//! Poolings: over windows, over all pixels, and over given axes.

use super::graph::{Importer, Known};
use super::network::Added;
use super::node::Op;
use super::value::{Axis, Sign, Value};
use super::windows::{Axes, Bordered, Image, Rounding, Sliding, Zeros};
use crate::layers::{
    AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D,
    GlobalMaxPooling2D, Layer, MaxPooling1D, MaxPooling2D,
};

/// What is made of the values of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pooled {
    Mean,
    Maximum,
}

impl<'a> Importer<'a> {
    pub(super) fn max_pool(&mut self, op: &Op<'a>) -> Result<(), String> {
        if self.is_read(op, 1) {
            return Err("gives the places of its maxima, which is not supported".into());
        }
        op.int("storage_order", 0);
        let value = self.value(op, 0)?;
        // Zeros around values that are not negative never win against them.
        let zeros = if value.sign == Sign::NotNegative { Zeros::Either } else { Zeros::Never };
        self.import_pool(op, &value, Pooled::Maximum, zeros)
    }

    pub(super) fn average_pool(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let counts_padding = op.int("count_include_pad", 0) == 1;
        if counts_padding && op.int("ceil_mode", 0) == 1 {
            return Err("has ceil_mode and count_include_pad, which are not supported together".into());
        }
        self.import_pool(op, &value, Pooled::Mean, if counts_padding { Zeros::Only } else { Zeros::Never })
    }

    fn import_pool(&mut self, op: &Op<'a>, value: &Value, pooled: Pooled, zeros: Zeros) -> Result<(), String> {
        let image = self.image(value)?;
        let (axes, count) = (image.axes, image.axes.count());
        op.ints("kernel_shape").ok_or("lacks a kernel_shape")?;
        let sizes = op.sizes("kernel_shape", 1, count, 1)?;
        let rounding = if op.int("ceil_mode", 0) == 1 { Rounding::Up } else { Rounding::Down };
        let sliding = Sliding::read(op, &image, &sizes, rounding)?;
        if sliding.dilation != (1, 1) {
            return Err("has dilations, which the layer for it does not have".into());
        }
        let Bordered { image, padding } = self.bordered(image, &sliding, zeros)?;
        let layer: Layer = match (axes, pooled) {
            (Axes::One, Pooled::Mean) => {
                AveragePooling1D::new(sliding.size.1).strides(sliding.strides.1).padding(padding).into()
            }
            (Axes::One, Pooled::Maximum) => {
                MaxPooling1D::new(sliding.size.1).strides(sliding.strides.1).padding(padding).into()
            }
            (Axes::Two, Pooled::Mean) => {
                AveragePooling2D::new(sliding.size).strides(sliding.strides).padding(padding).into()
            }
            (Axes::Two, Pooled::Maximum) => {
                MaxPooling2D::new(sliding.size).strides(sliding.strides).padding(padding).into()
            }
        };
        let x = self.shaped_image(&image)?;
        let y = self.builder.add(Added { name: &op.node.name, ..Added::plain(layer) }, &[x])?;
        let y: Image = self.image_from(y, axes);
        let y = Value { sign: value.sign, ..self.value_of_image(&y) };
        self.give_value(op, y)
    }

    /// The mean or the maximum over all pixels, or over the axes that a node names.
    pub(super) fn pool_all(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let is_global = op.node.op_type.starts_with("Global");
        let pooled = if op.node.op_type.ends_with("Max") || op.node.op_type == "GlobalMaxPool" {
            Pooled::Maximum
        } else {
            Pooled::Mean
        };
        let axes: Vec<i64> = match self.constant(op, 1)? {
            _ if is_global => (2..value.rank() as i64).collect(),
            Some(axes) => axes.whole()?.to_vec(),
            None => op.ints("axes").map(<[i64]>::to_vec).ok_or("reduces all axes, that of the batch too")?,
        };
        let keeps = is_global || op.int("keepdims", 1) == 1;
        op.int("noop_with_empty_axes", 0);
        let mut axes: Vec<usize> = axes.iter().map(|axis| value.own_axis(*axis)).collect::<Result<_, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            return Err("reduces no axes".into());
        }
        let natural = value.natural();
        let (over, kept): (Vec<usize>, Vec<usize>) = natural.iter().partition(|axis| axes.contains(axis));
        let order = [over.clone(), kept.clone()].concat();
        let arranged = self.builder.arranged(&value, &order)?;
        let len = |axes: &[usize]| axes.iter().map(|axis| value.len(*axis)).product::<usize>();
        let (lens, layer): (Vec<usize>, Layer) = match (&over[..], pooled) {
            ([rows, columns], Pooled::Mean) => {
                (vec![value.len(*rows), value.len(*columns), len(&kept)], GlobalAveragePooling2D::new().into())
            }
            ([rows, columns], Pooled::Maximum) => {
                (vec![value.len(*rows), value.len(*columns), len(&kept)], GlobalMaxPooling2D::new().into())
            }
            (_, Pooled::Mean) => (vec![len(&over), len(&kept)], GlobalAveragePooling1D::new().into()),
            (_, Pooled::Maximum) => (vec![len(&over), len(&kept)], GlobalMaxPooling1D::new().into()),
        };
        let x = self.builder.shaped(arranged.source, &lens)?;
        let y = self.builder.add(Added { name: &op.node.name, ..Added::plain(layer) }, &[x])?;
        let places = (0..value.rank()).filter(|axis| keeps || !axes.contains(axis));
        let places: Vec<(usize, Option<usize>)> =
            places.map(|axis| (axis, kept.iter().position(|other| *other == axis))).collect();
        let lens: Vec<usize> = kept.iter().map(|axis| value.len(*axis)).collect();
        let mut y = Value::new(y, &lens, &places.iter().map(|(_, place)| *place).collect::<Vec<_>>(), value.order);
        for (place, (axis, of)) in places.iter().enumerate() {
            if of.is_none() && !value.is_batch(*axis) {
                y.axes[place] = Axis::Of(Vec::new());
            }
        }
        y.order = if keeps { value.order } else { super::value::Order::AsWritten };
        self.give(op, 0, Known::Value(Value { sign: value.sign, ..y }))
    }
}
