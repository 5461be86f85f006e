//! The forward pass of layers in `f64`, as plainly as it can be written. Their gradients are its differences
//! ([`super::differences`]).

use super::merging::of_one_shape;
use super::oracle::{Mode, NO_REFERENCE};
use crate::layers::{BatchNormalization, Interpolation, Layer};
use crate::shape::Shape;
use ndarray::{ArrayD, ArrayViewD, Axis, Ix1, IxDyn, Zip, concatenate};

/// A layer's output before its own activation.
///
/// - weights: in Keras' layout; reads: (N, axes) each
pub(super) fn reference(layer: &Layer, weights: &[ArrayD<f64>], reads: &[ArrayD<f64>], mode: Mode) -> ArrayD<f64> {
    let x = &reads[0];
    let fold = |function: fn(f64, f64) -> f64| {
        let reads = of_one_shape(&reads.iter().collect::<Vec<_>>());
        let merge =
            |merged: ArrayD<f64>, x: &ArrayD<f64>| Zip::from(&merged).and(x).map_collect(|a, b| function(*a, *b));
        reads[1..].iter().fold(reads[0].clone(), merge)
    };
    match layer {
        Layer::BatchNormalization(norm) => with_last(x, &[norm.channel_axis(shape_of(x)).unwrap()], |x| {
            let channels = Axis(x.ndim() - 1);
            let given = |index: usize, is_there: bool, otherwise: f64| {
                let shape = IxDyn(&[x.shape()[channels.0]]);
                if is_there { weights[index].clone() } else { ArrayD::from_elem(shape, otherwise) }
            };
            let gamma = given(0, norm.scale, 1.0);
            let beta = given(usize::from(norm.scale), norm.center, 0.0);
            let columns = x.view().into_shape_with_order((x.len() / gamma.len(), gamma.len())).unwrap();
            let [.., moving_mean, moving_variance] = weights else { unreachable!("it has moving statistics") };
            let (mean, variance) = match mode {
                Mode::Training if norm.trainable => {
                    (columns.mean_axis(Axis(0)).unwrap().into_dyn(), columns.var_axis(Axis(0), 0.0).into_dyn())
                }
                Mode::Training | Mode::Inference => (moving_mean.clone(), moving_variance.clone()),
            };
            let deviation = variance.mapv(|variance| (variance + f64::from(norm.epsilon)).sqrt());
            (x - &mean) / &deviation * &gamma + &beta
        }),
        Layer::LayerNormalization(norm) => with_last(x, &norm.normalized_axes(shape_of(x)).unwrap(), |x| {
            let [scale, offset] = learned(weights, norm.scale, norm.center);
            let places = norm.normalized_axes(shape_of(&reads[0])).unwrap();
            let len = places.iter().map(|place| reads[0].shape()[place + 1]).product();
            normalized_groups(x, (len, len, len), f64::from(norm.epsilon), [scale, offset])
        }),
        Layer::GroupNormalization(norm) => {
            let channels = x.shape()[x.ndim() - 1];
            let group = if norm.groups == -1 { 1 } else { channels / norm.groups as usize };
            let block = x.len() / x.shape()[0];
            normalized_groups(
                x,
                (block, channels, group),
                f64::from(norm.epsilon),
                learned(weights, norm.scale, norm.center),
            )
        }
        Layer::Rescaling(rescaling) => x.mapv(|x| x * f64::from(rescaling.scale) + f64::from(rescaling.offset)),
        Layer::Subtract(_) => fold(|a, b| a - b),
        Layer::Multiply(_) => fold(|a, b| a * b),
        Layer::Average(_) => fold(|a, b| a + b) / reads.len() as f64,
        Layer::Maximum(_) => fold(f64::max),
        Layer::Minimum(_) => fold(f64::min),
        Layer::Cropping2D(cropping) => {
            let ((top, bottom), (left, right)) = cropping.cropping;
            let (height, width) = (x.shape()[1], x.shape()[2]);
            let rows: Vec<usize> = (top..height - bottom).collect();
            let columns: Vec<usize> = (left..width - right).collect();
            x.select(Axis(1), &rows).select(Axis(2), &columns)
        }
        Layer::UpSampling2D(sampling) => {
            let along = |x: &ArrayD<f64>, axis: usize, size: usize| match sampling.interpolation {
                Interpolation::Nearest => repeated(x, axis, size),
                Interpolation::Bilinear => interpolated(x, axis, size),
            };
            along(&along(x, 1, sampling.size.0), 2, sampling.size.1)
        }
        Layer::Permute(permutation) => {
            let order: Vec<usize> = [0].into_iter().chain(permutation.dims.iter().copied()).collect();
            standard(x.view().permuted_axes(order))
        }
        Layer::RepeatVector(repeat) => repeated(&x.clone().insert_axis(Axis(1)), 1, repeat.n),
        Layer::PReLU(_) => {
            let slopes = weights[0].view().insert_axis(Axis(0));
            Zip::from(x).and_broadcast(&slopes).map_collect(|x, slope| if *x > 0.0 { *x } else { x * slope })
        }
        Layer::Normalization(normalization) => {
            let shape = [vec![1], normalization.axes_of_numbers(shape_of(x)).unwrap()].concat();
            let numbers = |given: &Option<Vec<f32>>, weight: usize| {
                let values = given.as_ref().map(|given| given.iter().map(|number| f64::from(*number)).collect());
                let values = values.unwrap_or_else(|| weights[weight].iter().copied().collect::<Vec<f64>>());
                let values = if values.len() == 1 { vec![values[0]; shape.iter().product()] } else { values };
                ArrayD::from_shape_vec(shape.clone(), values).unwrap()
            };
            let mean = numbers(&normalization.mean, 0);
            let deviation = numbers(&normalization.variance, 1).mapv(|variance| variance.sqrt().max(1e-7));
            if normalization.invert { x * &deviation + &mean } else { (x - &mean) / &deviation }
        }
        _ => unreachable!("{} {NO_REFERENCE}", layer.kind()),
    }
}

/// The gradient of a normalization's input in training.
pub(super) fn batch_norm_backward(
    norm: &BatchNormalization,
    weights: &[ArrayD<f64>],
    x: &ArrayD<f64>,
    dy: &ArrayD<f64>,
) -> ArrayD<f64> {
    let places = [norm.channel_axis(shape_of(x)).unwrap()];
    let dy = standard(dy.view().permuted_axes(order_with_last(dy, &places)));
    with_last(x, &places, |x| of_last_axis(norm, weights, x, &dy))
}

/// The same of a normalization along the last axis.
fn of_last_axis(norm: &BatchNormalization, weights: &[ArrayD<f64>], x: &ArrayD<f64>, dy: &ArrayD<f64>) -> ArrayD<f64> {
    let channels = x.shape()[x.ndim() - 1];
    let columns = |x: &ArrayD<f64>| x.clone().into_shape_with_order((x.len() / channels, channels)).unwrap();
    let shape = x.shape().to_vec();
    let (x, mut dy) = (columns(x), columns(dy));
    if norm.scale {
        let gamma = weights[0].view().into_dimensionality::<Ix1>().unwrap();
        dy *= &gamma;
    }
    let epsilon = f64::from(norm.epsilon);
    let dx = if norm.trainable {
        let centred = &x - &x.mean_axis(Axis(0)).unwrap();
        let deviation = x.var_axis(Axis(0), 0.0).mapv(|variance| (variance + epsilon).sqrt());
        let normalized = &centred / &deviation;
        let slope = (&dy * &normalized).mean_axis(Axis(0)).unwrap();
        (&dy - &dy.mean_axis(Axis(0)).unwrap() - &normalized * &slope) / &deviation
    } else {
        let variance = weights.last().unwrap().view().into_dimensionality::<Ix1>().unwrap();
        dy / variance.mapv(|variance| (variance + epsilon).sqrt())
    };
    dx.into_dyn().into_shape_with_order(shape).unwrap()
}

/// The axes of a batch with those of these places, counted from 0 behind the batch, at the end.
fn order_with_last(x: &ArrayD<f64>, places: &[usize]) -> Vec<usize> {
    let is_last = |axis: &usize| axis.checked_sub(1).is_some_and(|place| places.contains(&place));
    (0..x.ndim()).filter(|axis| !is_last(axis)).chain(places.iter().map(|place| place + 1)).collect()
}

/// What a function that leaves the shape as it is makes of values whose axes have been put in that order, put back.
fn with_last(x: &ArrayD<f64>, places: &[usize], make: impl Fn(&ArrayD<f64>) -> ArrayD<f64>) -> ArrayD<f64> {
    let order = order_with_last(x, places);
    let back: Vec<usize> = (0..x.ndim()).map(|axis| order.iter().position(|from| *from == axis).unwrap()).collect();
    let y = make(&standard(x.view().permuted_axes(order)));
    standard(y.view().permuted_axes(back))
}

/// The shape of one example.
fn shape_of(x: &ArrayD<f64>) -> Shape {
    Shape::new(&x.shape()[1..]).unwrap()
}

/// The scale and the offset, if there are any.
fn learned(weights: &[ArrayD<f64>], scale: bool, center: bool) -> [Option<&ArrayD<f64>>; 2] {
    let mut weights = weights.iter();
    [scale, center].map(|is_there| if is_there { weights.next() } else { None })
}

/// Normalizes each run of `group` channels over all pixels of `channels` channels in a block.
fn normalized_groups(
    x: &ArrayD<f64>,
    (block, channels, group): (usize, usize, usize),
    epsilon: f64,
    [scale, offset]: [Option<&ArrayD<f64>>; 2],
) -> ArrayD<f64> {
    let mut y = x.clone();
    for block in y.as_slice_mut().unwrap().chunks_exact_mut(block) {
        for first in (0..channels).step_by(group) {
            let pixels = (0..block.len()).step_by(channels);
            let places: Vec<usize> = pixels.flat_map(|pixel| pixel + first..pixel + first + group).collect();
            let count = places.len() as f64;
            let mean = places.iter().map(|at| block[*at]).sum::<f64>() / count;
            let variance = places.iter().map(|at| (block[*at] - mean).powi(2)).sum::<f64>() / count;
            for at in places {
                let value = |array: Option<&ArrayD<f64>>, otherwise: f64| {
                    array.map_or(otherwise, |array| array.as_slice().unwrap()[at % channels])
                };
                block[at] = (block[at] - mean) / (variance + epsilon).sqrt() * value(scale, 1.0) + value(offset, 0.0);
            }
        }
    }
    y
}

fn standard(x: ArrayViewD<'_, f64>) -> ArrayD<f64> {
    x.as_standard_layout().into_owned()
}

/// Each place along an axis so many times.
fn repeated(x: &ArrayD<f64>, axis: usize, times: usize) -> ArrayD<f64> {
    let places: Vec<usize> = (0..x.shape()[axis] * times).map(|place| place / times).collect();
    x.select(Axis(axis), &places)
}

/// So many times as many places along an axis, with what lies between the middles of the old ones.
fn interpolated(x: &ArrayD<f64>, axis: usize, times: usize) -> ArrayD<f64> {
    let axis = Axis(axis);
    let last = x.len_of(axis) as f64 - 1.0;
    let parts: Vec<ArrayD<f64>> = (0..x.len_of(axis) * times)
        .map(|place| {
            let at = ((place as f64 + 0.5) / times as f64 - 0.5).clamp(0.0, last);
            let [before, after] = [at.floor(), at.ceil()].map(|at| x.index_axis(axis, at as usize));
            (&before * (1.0 - at.fract()) + &after * at.fract()).insert_axis(axis)
        })
        .collect();
    let views: Vec<ArrayViewD<'_, f64>> = parts.iter().map(|part| part.view()).collect();
    standard(concatenate(axis, &views).unwrap().view())
}
