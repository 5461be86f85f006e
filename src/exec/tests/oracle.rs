//! What `ops` makes of a network: the value of each call, and the gradients of everything. Each layer has its lines in
//! [`linear_part`] and [`backward`], and in [`super::kinds`].

use super::convolutions;
use super::differences;
use super::functions::{activate, activate_backward};
use super::kinds::{NO_CUSTOM, function_of};
use super::merging;
use super::recurrent::{self, Reads};
use super::reference::{batch_norm_backward, reference};
use super::sequences;
use crate::layers::{Conv2D, Layer, Network, ReLU, Source};
use crate::ops;
use crate::plan::{Parameter, Plan};
use crate::program::StoredOrder;
use crate::shape::{Padding, Shape};
use ndarray::{
    Array4, ArrayD, ArrayView1, ArrayView2, ArrayView4, ArrayViewD, Axis, Dimension, Ix1, Ix4, ShapeError, Slice,
    concatenate,
};

/// Which layers that is, [`linear_part`] says.
pub(super) const NO_REFERENCE: &str = "has its reference in `ops`";

/// Those with several are compared in `states`.
pub(super) const ONE_OUTPUT: &str = "layers of the table of cases have one output";

/// A network whose weights are known.
#[derive(Clone, Copy)]
pub(crate) struct Oracle<'a> {
    pub(crate) network: &'a Network,
    pub(crate) plan: &'a Plan,
    /// All weights, laid out as the plan says.
    pub(crate) flat: &'a [f32],
    pub(crate) mode: Mode,
}

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Training,
    Inference,
}

/// The gradients of a network.
pub(crate) struct Gradients {
    /// Of each input: (N, its axes).
    pub(crate) inputs: Vec<ArrayD<f32>>,
    /// Of each parameter, in the order of the engine's memory.
    pub(crate) parameters: Vec<Vec<f32>>,
}

impl Oracle<'_> {
    /// The output of each call.
    ///
    /// - inputs: (N, its axes) each
    pub(crate) fn values(&self, inputs: &[ArrayD<f32>]) -> Vec<ArrayD<f32>> {
        let mut values: Vec<ArrayD<f32>> = Vec::new();
        for (call, shapes) in self.network.calls.iter().zip(&self.plan.shapes) {
            let layer = &self.network.layers[call.layer];
            let reads: Vec<&ArrayD<f32>> = call.reads.iter().map(|source| value(source, inputs, &values)).collect();
            let linear = shaped(linear_part(layer, &self.weights(call.layer), &reads, self.mode), shapes[0]);
            values.push(activate(function_of(layer), linear));
        }
        values
    }

    /// All gradients.
    ///
    /// - values: what [`Self::values`] made of the inputs; dy: the gradient of each output of the network
    pub(crate) fn gradients(&self, inputs: &[ArrayD<f32>], values: &[ArrayD<f32>], dy: &[ArrayD<f32>]) -> Gradients {
        let zeros = |values: &[ArrayD<f32>]| values.iter().map(|value| ArrayD::zeros(value.shape())).collect();
        let (mut of_inputs, mut of_calls): (Vec<ArrayD<f32>>, Vec<ArrayD<f32>>) = (zeros(inputs), zeros(values));
        let parameters = &self.plan.parameters.all;
        let mut of_parameters: Vec<Vec<f32>> = parameters.iter().map(|each| vec![0.0; each.range.len()]).collect();
        for (source, dy) in self.network.outputs.iter().zip(dy) {
            *gradient_mut(source, &mut of_inputs, &mut of_calls) += dy;
        }
        for (index, call) in self.network.calls.iter().enumerate().rev() {
            let layer = &self.network.layers[call.layer];
            let reads: Vec<&ArrayD<f32>> = call.reads.iter().map(|source| value(source, inputs, values)).collect();
            let weights = self.weights(call.layer);
            let linear = shaped(linear_part(layer, &weights, &reads, Mode::Training), self.plan.shapes[index][0]);
            let dy = activate_backward(function_of(layer), &linear, &values[index], of_calls[index].clone());
            let back = backward(layer, &weights, &reads, dy);
            for ((source, dx), x) in call.reads.iter().zip(back.inputs).zip(reads) {
                *gradient_mut(source, &mut of_inputs, &mut of_calls) += &dx.into_shape_with_order(x.shape()).unwrap();
            }
            for (place, parameter) in parameters.iter().enumerate().filter(|(_, each)| each.layer == call.layer) {
                let dw = stored(parameter, &back.weights[parameter.place]);
                of_parameters[place].iter_mut().zip(dw).for_each(|(sum, dw)| *sum += dw);
            }
        }
        Gradients { inputs: of_inputs, parameters: of_parameters }
    }

    /// A layer's weights in Keras' layout.
    pub(super) fn weights(&self, layer: usize) -> Vec<ArrayD<f32>> {
        let of_layer = self.plan.parameters.all.iter().filter(|parameter| parameter.layer == layer);
        let read = |parameter: &Parameter| {
            let stored = ArrayViewD::from_shape(parameter.stored_shape(), &self.flat[parameter.range.clone()]).unwrap();
            match parameter.stored {
                StoredOrder::AsShaped => stored.to_owned(),
                StoredOrder::LastAxisFirst => {
                    let order: Vec<usize> = (1..stored.ndim()).chain([0]).collect();
                    stored.permuted_axes(order).as_standard_layout().into_owned()
                }
            }
        };
        of_layer.map(read).collect()
    }
}

/// Keras' layout back to the engine's.
pub(super) fn stored(parameter: &Parameter, values: &ArrayD<f32>) -> Vec<f32> {
    match parameter.stored {
        StoredOrder::AsShaped => values.iter().copied().collect(),
        StoredOrder::LastAxisFirst => {
            let last = values.ndim() - 1;
            let order: Vec<usize> = [last].into_iter().chain(0..last).collect();
            values.view().permuted_axes(order).iter().copied().collect()
        }
    }
}

fn value<'a>(source: &Source, inputs: &'a [ArrayD<f32>], calls: &'a [ArrayD<f32>]) -> &'a ArrayD<f32> {
    match *source {
        Source::Input(index) => &inputs[index],
        Source::Call(index) => &calls[index],
        Source::Output { .. } => unreachable!("{ONE_OUTPUT}"),
    }
}

fn gradient_mut<'a>(
    source: &Source,
    inputs: &'a mut [ArrayD<f32>],
    calls: &'a mut [ArrayD<f32>],
) -> &'a mut ArrayD<f32> {
    match *source {
        Source::Input(index) => &mut inputs[index],
        Source::Call(index) => &mut calls[index],
        Source::Output { .. } => unreachable!("{ONE_OUTPUT}"),
    }
}

/// The axes of a batch.
pub(crate) fn batch_axes(count: usize, shape: Shape) -> Vec<usize> {
    [count].into_iter().chain(shape.axes().iter().copied()).collect()
}

/// The values of a call in its output's shape: layers that only change the shape do it here.
fn shaped(values: ArrayD<f32>, shape: Shape) -> ArrayD<f32> {
    let len: usize = shape.axes().iter().product();
    let count = values.len() / len;
    values.into_shape_with_order(batch_axes(count, shape)).unwrap()
}

fn of_axes<D: Dimension>(x: &ArrayD<f32>) -> Result<ndarray::ArrayView<'_, f32, D>, ShapeError> {
    x.view().into_dimensionality()
}

/// Whether it is a convolution that `ops` knows.
fn is_plain(conv: &Conv2D) -> bool {
    conv.dilation_rate == (1, 1) && conv.groups == 1
}

fn images(x: &ArrayD<f32>) -> ArrayView4<'_, f32> {
    of_axes::<Ix4>(x).unwrap()
}

/// The vectors along the last axis: a sequence has one for each step.
fn vectors(x: &ArrayD<f32>) -> ArrayView2<'_, f32> {
    let features = x.shape().last().copied().unwrap_or_default();
    x.view().into_shape_with_order((x.len() / features, features)).unwrap()
}

fn bias(weights: &[ArrayD<f32>]) -> Option<ArrayView1<'_, f32>> {
    weights.get(1).map(|bias| of_axes::<Ix1>(bias).unwrap())
}

/// A layer's output before its own activation; layers that only change the shape leave that to the caller.
fn linear_part(layer: &Layer, weights: &[ArrayD<f32>], reads: &[&ArrayD<f32>], mode: Mode) -> ArrayD<f32> {
    let x = reads[0];
    match layer {
        Layer::Conv2D(conv) if is_plain(conv) => {
            ops::conv2d(images(x), images(&weights[0]), bias(weights), conv.strides, conv.padding).unwrap().into_dyn()
        }
        Layer::Conv1D(_)
        | Layer::MaxPooling1D(_)
        | Layer::AveragePooling1D(_)
        | Layer::GlobalAveragePooling1D(_)
        | Layer::GlobalMaxPooling1D(_) => {
            let weights = sequences::weights_of_images(weights);
            linear_part(&sequences::of_images(layer), &weights, &[&sequences::padded_row(layer, x)], mode)
        }
        Layer::Embedding(_) => {
            let rows: Vec<usize> = x.iter().map(|token| *token as usize).collect();
            weights[0].select(Axis(0), &rows)
        }
        Layer::Dense(_) => ops::dense(vectors(x), vectors(&weights[0]), bias(weights)).unwrap().into_dyn(),
        Layer::MaxPooling2D(pool) => {
            let strides = pool.strides.unwrap_or(pool.pool_size);
            ops::max_pool2d(images(x), pool.pool_size, strides, pool.padding).unwrap().into_dyn()
        }
        Layer::AveragePooling2D(pool) => {
            let strides = pool.strides.unwrap_or(pool.pool_size);
            ops::average_pool2d(images(x), pool.pool_size, strides, pool.padding).unwrap().into_dyn()
        }
        Layer::GlobalAveragePooling2D(_) => {
            let (_, height, width, _) = images(x).dim();
            let window = (height, width);
            ops::average_pool2d(images(x), window, window, Padding::Valid).unwrap().into_dyn()
        }
        Layer::GlobalMaxPooling2D(_) => {
            let (_, height, width, _) = images(x).dim();
            let window = (height, width);
            ops::max_pool2d(images(x), window, window, Padding::Valid).unwrap().into_dyn()
        }
        Layer::ZeroPadding2D(padding) => {
            let ((top, bottom), (left, right)) = padding.padding;
            let (count, height, width, channels) = images(x).dim();
            let x = images(x);
            let inside = |place: usize, before: usize, len: usize| place.checked_sub(before).filter(|at| *at < len);
            Array4::from_shape_fn(
                (count, top + height + bottom, left + width + right, channels),
                |(n, row, column, c)| match (inside(row, top, height), inside(column, left, width)) {
                    (Some(row), Some(column)) => x[[n, row, column, c]],
                    _ => 0.0,
                },
            )
            .into_dyn()
        }
        // No drawn step has the value of masked ones.
        Layer::Flatten(_) | Layer::Reshape(_) | Layer::Masking(_) => x.clone(),
        Layer::Activation(_)
        | Layer::Dropout(_)
        | Layer::SpatialDropout2D(_)
        | Layer::GaussianNoise(_)
        | Layer::GaussianDropout(_)
        | Layer::AlphaDropout(_) => x.clone(),
        Layer::ReLU(relu) => ops::rectified(x.view(), relu.negative_slope, relu.max_value, relu.threshold),
        Layer::LeakyReLU(relu) => ops::rectified(x.view(), relu.negative_slope, None, 0.0),
        Layer::ELU(elu) => ops::elu(x.view(), elu.alpha),
        Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) | Layer::Bidirectional(_) => {
            recurrent::outputs(layer, weights, &Reads::new(x)).swap_remove(0)
        }
        Layer::TimeDistributed(steps) => linear_part(&steps.layer, weights, reads, mode),
        Layer::Custom(_) => unreachable!("{NO_CUSTOM}"),
        Layer::Add(_) => {
            let reads = merging::of_one_shape(reads);
            reads[1..].iter().fold(reads[0].clone(), |sum, x| sum + x)
        }
        Layer::Concatenate(_) => {
            let views: Vec<ArrayViewD<'_, f32>> = reads.iter().map(|x| x.view()).collect();
            concatenate(Axis(x.ndim() - 1), &views).unwrap().as_standard_layout().into_owned()
        }
        _ => {
            let reads: Vec<ArrayD<f64>> = reads.iter().map(|x| to_f64(x)).collect();
            let weights: Vec<ArrayD<f64>> = weights.iter().map(to_f64).collect();
            let y = convolutions::forward(layer, &weights, &reads[0]);
            let y = y.unwrap_or_else(|| reference(layer, &weights, &reads, mode));
            y.mapv(|y| y as f32).as_standard_layout().into_owned()
        }
    }
}

fn to_f64(x: &ArrayD<f32>) -> ArrayD<f64> {
    x.mapv(f64::from)
}

/// The gradients of one call.
pub(super) struct Back {
    /// Of each read, in any shape of as many values.
    pub(super) inputs: Vec<ArrayD<f32>>,
    /// Of each weight, in Keras' layout.
    pub(super) weights: Vec<ArrayD<f32>>,
}

impl Back {
    fn of_input(dx: ArrayD<f32>) -> Self {
        Self { inputs: vec![dx], weights: Vec::new() }
    }
}

/// The gradients of a layer's reads and weights, its own activation left out.
fn backward(layer: &Layer, weights: &[ArrayD<f32>], reads: &[&ArrayD<f32>], dy: ArrayD<f32>) -> Back {
    let x = reads[0];
    match layer {
        Layer::Conv2D(conv) if is_plain(conv) => {
            let back = ops::conv2d_backward(images(x), images(&weights[0]), images(&dy), conv.strides, conv.padding);
            let back = back.unwrap();
            Back { inputs: vec![back.dx.into_dyn()], weights: vec![back.dw.into_dyn(), back.db.into_dyn()] }
        }
        Layer::Conv1D(_)
        | Layer::MaxPooling1D(_)
        | Layer::AveragePooling1D(_)
        | Layer::GlobalAveragePooling1D(_)
        | Layer::GlobalMaxPooling1D(_) => {
            let (of_images, weights) = (sequences::of_images(layer), sequences::weights_of_images(weights));
            let back = backward(&of_images, &weights, &[&sequences::padded_row(layer, x)], sequences::row(&dy));
            Back { inputs: vec![sequences::cropped(layer, &back.inputs[0])], weights: back.weights }
        }
        Layer::Embedding(embedding) => {
            let mut table = ArrayD::zeros(weights[0].shape());
            for (token, dy) in x.iter().zip(dy.into_shape_with_order((x.len(), embedding.output_dim)).unwrap().rows()) {
                let mut row = table.index_axis_mut(Axis(0), *token as usize);
                row += &dy;
            }
            Back { inputs: vec![ArrayD::zeros(x.shape())], weights: vec![table] }
        }
        Layer::Dense(_) => {
            let back = ops::dense_backward(vectors(x), vectors(&weights[0]), vectors(&dy)).unwrap();
            Back { inputs: vec![back.dx.into_dyn()], weights: vec![back.dw.into_dyn(), back.db.into_dyn()] }
        }
        Layer::MaxPooling2D(pool) => {
            let strides = pool.strides.unwrap_or(pool.pool_size);
            let dx = ops::max_pool2d_backward(images(x), images(&dy), pool.pool_size, strides, pool.padding);
            Back::of_input(dx.unwrap().into_dyn())
        }
        Layer::AveragePooling2D(pool) => {
            let strides = pool.strides.unwrap_or(pool.pool_size);
            let dx = ops::average_pool2d_backward(images(x), images(&dy), pool.pool_size, strides, pool.padding);
            Back::of_input(dx.unwrap().into_dyn())
        }
        Layer::GlobalAveragePooling2D(_) => {
            let (count, height, width, channels) = images(x).dim();
            let dy = dy.into_shape_with_order((count, 1, 1, channels)).unwrap();
            let window = (height, width);
            let dx = ops::average_pool2d_backward(images(x), dy.view(), window, window, Padding::Valid);
            Back::of_input(dx.unwrap().into_dyn())
        }
        Layer::GlobalMaxPooling2D(_) => {
            let (count, height, width, channels) = images(x).dim();
            let dy = dy.into_shape_with_order((count, 1, 1, channels)).unwrap();
            let window = (height, width);
            let dx = ops::max_pool2d_backward(images(x), dy.view(), window, window, Padding::Valid);
            Back::of_input(dx.unwrap().into_dyn())
        }
        Layer::ZeroPadding2D(padding) => {
            let ((top, _), (left, _)) = padding.padding;
            let dy = images(&dy);
            let inside = |(n, row, column, c)| dy[[n, top + row, left + column, c]];
            Back::of_input(Array4::from_shape_fn(images(x).dim(), inside).into_dyn())
        }
        Layer::Flatten(_) | Layer::Reshape(_) | Layer::Masking(_) => Back::of_input(dy),
        Layer::Activation(_)
        | Layer::Dropout(_)
        | Layer::SpatialDropout2D(_)
        | Layer::GaussianNoise(_)
        | Layer::GaussianDropout(_)
        | Layer::AlphaDropout(_) => Back::of_input(dy),
        Layer::ReLU(ReLU { negative_slope, max_value, threshold, .. }) => {
            let dx = ops::rectified_backward(x.view(), *negative_slope, *max_value, *threshold, dy.view());
            Back::of_input(dx.unwrap())
        }
        Layer::LeakyReLU(relu) => {
            Back::of_input(ops::rectified_backward(x.view(), relu.negative_slope, None, 0.0, dy.view()).unwrap())
        }
        Layer::ELU(elu) => Back::of_input(ops::elu_backward(x.view(), elu.alpha, dy.view()).unwrap()),
        Layer::SimpleRNN(_) | Layer::LSTM(_) | Layer::GRU(_) | Layer::Bidirectional(_) => {
            recurrent::backward(layer, weights, &Reads::new(x), &[dy])
        }
        Layer::TimeDistributed(steps) => backward(&steps.layer, weights, reads, dy),
        Layer::Custom(_) => unreachable!("{NO_CUSTOM}"),
        Layer::Add(_) => {
            let inputs = reads.iter().map(|x| merging::gradient_of_repeated(&dy, x.shape()));
            Back { inputs: inputs.collect(), weights: Vec::new() }
        }
        Layer::Concatenate(_) => {
            let channels = Axis(dy.ndim() - 1);
            let mut before = 0;
            let part = |x: &&ArrayD<f32>| {
                let len = x.shape()[channels.0];
                before += len;
                dy.slice_axis(channels, Slice::from(before - len..before)).as_standard_layout().into_owned()
            };
            Back { inputs: reads.iter().map(part).collect(), weights: Vec::new() }
        }
        _ => {
            let reads: Vec<ArrayD<f64>> = reads.iter().map(|x| to_f64(x)).collect();
            let weights: Vec<ArrayD<f64>> = weights.iter().map(to_f64).collect();
            let reference =
                |weights: &[ArrayD<f64>], reads: &[ArrayD<f64>]| reference(layer, weights, reads, Mode::Training);
            let dy = to_f64(&dy);
            let round = |gradients: Vec<ArrayD<f64>>| gradients.iter().map(|dx| dx.mapv(|dx| dx as f32)).collect();
            if let Some((dx, dw)) = convolutions::backward(layer, &weights, &reads[0], &dy) {
                return Back { inputs: round(vec![dx]), weights: round(dw) };
            }
            let inputs = match layer {
                Layer::BatchNormalization(norm) => vec![batch_norm_backward(norm, &weights, &reads[0], &dy)],
                _ => differences::of_inputs(&reference, &weights, &reads, &dy),
            };
            Back { inputs: round(inputs), weights: round(differences::of_weights(&reference, &weights, &reads, &dy)) }
        }
    }
}
