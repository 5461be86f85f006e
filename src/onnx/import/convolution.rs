//! Convolutions: `Conv` and `ConvTranspose`.

use super::graph::Importer;
use super::network::Added;
use super::node::Op;
use super::windows::{Axes, Bordered, Image, Rounding, Sliding, Zeros};
use crate::layers::{Conv1D, Conv2D, Conv2DTranspose, Cropping2D, DepthwiseConv2D, Layer};
use crate::shape::Padding;
use ndarray::{ArrayD, IxDyn};

impl<'a> Importer<'a> {
    pub(super) fn convolution(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let image = self.image(&value)?;
        let (kernel, bias) = self.kernel_and_bias(op, image.axes)?;
        let sizes = &kernel.shape()[2..];
        check_kernel_shape(op, sizes)?;
        let sliding = Sliding::read(op, &image, sizes, Rounding::Down)?;
        let groups = usize::try_from(op.int("group", 1)).ok().filter(|groups| *groups > 0).ok_or("has no groups")?;
        let (filters, axes, channels) = (kernel.shape()[0], image.axes, image.channels);
        let Bordered { image, padding } = self.bordered(image, &sliding, Zeros::Either)?;
        let use_bias = bias.is_some();
        let is_depthwise = groups > 1 && groups == channels && filters.is_multiple_of(channels);
        let (layer, kernel): (Layer, ArrayD<f32>) = match axes {
            Axes::One if !is_depthwise => {
                let layer = Conv1D::new(filters, sliding.size.1).strides(sliding.strides.1).padding(padding);
                let layer = layer.dilation_rate(sliding.dilation.1).groups(groups).use_bias(use_bias);
                (layer.into(), turned(&kernel, &[2, 1, 0]))
            }
            Axes::Two if !is_depthwise => {
                let layer = Conv2D::new(filters, sliding.size).strides(sliding.strides).padding(padding);
                let layer = layer.dilation_rate(sliding.dilation).groups(groups).use_bias(use_bias);
                (layer.into(), turned(&kernel, &[2, 3, 1, 0]))
            }
            Axes::One | Axes::Two => {
                let layer = DepthwiseConv2D::new(sliding.size).strides(sliding.strides).padding(padding);
                let multiplier = filters / channels;
                let layer = layer.dilation_rate(sliding.dilation).depth_multiplier(multiplier).use_bias(use_bias);
                let (rows, columns) = sliding.size;
                let kernel = kernel.into_shape_with_order(IxDyn(&[channels, multiplier, rows, columns]));
                (layer.into(), turned(&kernel.map_err(|error| error.to_string())?, &[2, 3, 0, 1]))
            }
        };
        let x = match (axes, is_depthwise) {
            (Axes::One, true) => self.builder.shaped(image.source, &[image.rows, image.columns, image.channels])?,
            _ => self.shaped_image(&image)?,
        };
        let weights = [Some(kernel), bias].into_iter().flatten().collect();
        let added = Added { layer, weights, name: &op.node.name, from: names_of_weights(op) };
        let y = self.builder.add(added, &[x])?;
        let y = self.value_of_image(&self.image_from(y, axes));
        self.give_value(op, y)
    }

    pub(super) fn transposed_convolution(&mut self, op: &Op<'a>) -> Result<(), String> {
        let value = self.value(op, 0)?;
        let image = self.image(&value)?;
        let (kernel, bias) = self.kernel_and_bias(op, image.axes)?;
        if op.int("group", 1) != 1 {
            return Err("has several groups, which the layer for it does not have".into());
        }
        let sizes = &kernel.shape()[2..];
        check_kernel_shape(op, sizes)?;
        let (axes, count, filters) = (image.axes, image.axes.count(), kernel.shape()[1]);
        let size = axes.pair(sizes, 1);
        let strides = axes.pair(&op.sizes("strides", 1, count, 1)?, 1);
        let dilation = axes.pair(&op.sizes("dilations", 1, count, 1)?, 1);
        let further = axes.pair(&op.sizes("output_padding", 0, count, 0)?, 0);
        let pads = op.sizes("pads", 0, 2 * count, 0)?;
        let wanted = op.ints("output_shape").map(|_| op.sizes("output_shape", 1, count, 1)).transpose()?;
        let wanted = wanted.map(|wanted| axes.pair(&wanted, 1));
        let way = op.text("auto_pad", "NOTSET");
        let along =
            |axis: (usize, usize, usize, usize), given: (usize, usize), further: usize, wanted: Option<usize>| {
                let (len, size, stride, dilation) = axis;
                let reach = (size.checked_sub(1)?).checked_mul(dilation)?.checked_add(1)?;
                let whole = (len - 1).checked_mul(stride)?.checked_add(reach)?;
                let wanted = match &way[..] {
                    "SAME_UPPER" | "SAME_LOWER" => wanted.or(Some(len.checked_mul(stride)?)),
                    _ => wanted,
                };
                let (before, after) = match wanted {
                    None => given,
                    // A larger output than the windows reach has zeros at its end.
                    Some(wanted) if wanted > whole + further => return Some((0, 0, wanted - whole)),
                    Some(wanted) => {
                        let total = whole + further - wanted;
                        let half = total / 2;
                        if way == "SAME_UPPER" { (half, total - half) } else { (total - half, half) }
                    }
                };
                // What is added behind takes the place of what would be cut off there.
                Some((before, after.saturating_sub(further), further.saturating_sub(after)))
            };
        let rows = (image.rows, size.0, strides.0, dilation.0);
        let columns = (image.columns, size.1, strides.1, dilation.1);
        let (given_before, given_after) = (axes.pair(&pads[..count], 0), axes.pair(&pads[count..], 0));
        let rows = along(rows, (given_before.0, given_after.0), further.0, wanted.map(|wanted| wanted.0));
        let columns = along(columns, (given_before.1, given_after.1), further.1, wanted.map(|wanted| wanted.1));
        let (Some(rows), Some(columns)) = (rows, columns) else {
            return Err("has an output_shape that its window does not reach, or is too large".into());
        };
        let layer = Conv2DTranspose::new(filters, size).strides(strides).padding(Padding::Valid);
        let layer = layer.dilation_rate(dilation).output_padding((rows.2, columns.2)).use_bias(bias.is_some());
        let (height, width) = size;
        let kernel = kernel.into_shape_with_order(IxDyn(&[image.channels, filters, height, width]));
        let kernel =
            kernel.map_err(|_| format!("has a kernel for another number of channels than {}", image.channels))?;
        let x = self.builder.shaped(image.source, &[image.rows, image.columns, image.channels])?;
        let weights = [Some(turned(&kernel, &[2, 3, 1, 0])), bias].into_iter().flatten().collect();
        let added = Added { layer: layer.into(), weights, name: &op.node.name, from: names_of_weights(op) };
        let mut y = self.builder.add(added, &[x])?;
        let (rows, columns) = ((rows.0, rows.1), (columns.0, columns.1));
        if (rows, columns) != ((0, 0), (0, 0)) {
            y = self.builder.add(Added::plain(Cropping2D::asymmetric(rows, columns)), &[y])?;
        }
        let y: Image = self.image_from(y, axes);
        let y = self.value_of_image(&y);
        self.give_value(op, y)
    }

    fn kernel_and_bias(&mut self, op: &Op<'a>, axes: Axes) -> Result<(ArrayD<f32>, Option<ArrayD<f32>>), String> {
        let kernel = self.needed(op, 1)?.floats()?;
        if kernel.ndim() != 2 + axes.count() || kernel.is_empty() {
            return Err(format!("has a kernel of {:?}, expected {} axes", kernel.shape(), 2 + axes.count()));
        }
        let bias = self.constant(op, 2)?.map(|bias| bias.floats()).transpose()?;
        Ok((kernel, bias))
    }
}

fn check_kernel_shape(op: &Op<'_>, sizes: &[usize]) -> Result<(), String> {
    match op.ints("kernel_shape") {
        Some(given) if !given.iter().copied().eq(sizes.iter().map(|size| *size as i64)) => {
            Err(format!("has the kernel_shape {given:?} and a kernel of {sizes:?}"))
        }
        _ => Ok(()),
    }
}

/// The names of all inputs but the first.
pub(super) fn names_of_weights(op: &Op<'_>) -> Vec<String> {
    op.node.input.iter().skip(1).cloned().collect()
}

/// An array with its axes in this order.
pub(super) fn turned(values: &ArrayD<f32>, order: &[usize]) -> ArrayD<f32> {
    values.view().permuted_axes(order).as_standard_layout().into_owned()
}
