//! Layers of sequences as those of images of one row, for the oracle, whose operations are of images.

use crate::layers::{
    AveragePooling2D, Conv2D, GlobalAveragePooling2D, GlobalMaxPooling2D, Layer, MaxPooling2D, SequencePadding,
};
use crate::shape::Padding;
use ndarray::{ArrayD, Axis, Slice};

/// The layer of images that computes the same; steps in front that are zero have been added.
pub(super) fn of_images(layer: &Layer) -> Layer {
    match layer {
        Layer::Conv1D(conv) => {
            let padding = match conv.padding {
                SequencePadding::Valid | SequencePadding::Causal => Padding::Valid,
                SequencePadding::Same => Padding::Same,
            };
            let of_images =
                Conv2D::new(conv.filters, (1, conv.kernel_size)).strides((1, conv.strides)).padding(padding);
            of_images.dilation_rate((1, conv.dilation_rate)).groups(conv.groups).into()
        }
        Layer::MaxPooling1D(pool) => {
            let (size, strides) = (pool.pool_size, pool.strides.unwrap_or(pool.pool_size));
            MaxPooling2D::new((1, size)).strides((1, strides)).padding(pool.padding).into()
        }
        Layer::AveragePooling1D(pool) => {
            let (size, strides) = (pool.pool_size, pool.strides.unwrap_or(pool.pool_size));
            AveragePooling2D::new((1, size)).strides((1, strides)).padding(pool.padding).into()
        }
        Layer::GlobalAveragePooling1D(_) => GlobalAveragePooling2D::new().keepdims(true).into(),
        Layer::GlobalMaxPooling1D(_) => GlobalMaxPooling2D::new().keepdims(true).into(),
        _ => unreachable!("{} is no layer of sequences", layer.kind()),
    }
}

/// How many steps of zeros a causal convolution puts in front.
fn steps_before(layer: &Layer) -> usize {
    match layer {
        Layer::Conv1D(conv) if conv.padding == SequencePadding::Causal => (conv.kernel_size - 1) * conv.dilation_rate,
        _ => 0,
    }
}

/// Sequences, (N, steps, features) or (N, features), as images of one row.
pub(super) fn row(x: &ArrayD<f32>) -> ArrayD<f32> {
    let (count, features) = (x.shape()[0], x.shape()[x.ndim() - 1]);
    x.clone().into_shape_with_order(vec![count, 1, x.len() / count / features, features]).unwrap()
}

/// The same with the steps in front that the layer adds.
pub(super) fn padded_row(layer: &Layer, x: &ArrayD<f32>) -> ArrayD<f32> {
    let x = row(x);
    let mut axes = x.shape().to_vec();
    axes[2] += steps_before(layer);
    let mut padded = ArrayD::zeros(axes);
    padded.slice_axis_mut(Axis(2), Slice::from(steps_before(layer)..)).assign(&x);
    padded
}

/// The gradient of a sequence, of that of its padded row.
pub(super) fn cropped(layer: &Layer, dx: &ArrayD<f32>) -> ArrayD<f32> {
    dx.slice_axis(Axis(2), Slice::from(steps_before(layer)..)).as_standard_layout().into_owned()
}

/// The kernel and bias of a convolution of sequences, for images: a kernel of one row.
pub(super) fn weights_of_images(weights: &[ArrayD<f32>]) -> Vec<ArrayD<f32>> {
    weights.iter().map(|each| if each.ndim() == 3 { each.clone().insert_axis(Axis(0)) } else { each.clone() }).collect()
}
