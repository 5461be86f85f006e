//! The forward pass of layers in `f64`, as plainly as it can be written. Their gradients are its differences
//! ([`super::differences`]).

use super::oracle::NO_REFERENCE;
use crate::layers::{Interpolation, Layer};
use ndarray::{ArrayD, ArrayViewD, Axis, Zip, concatenate};

/// A layer's output before its own activation.
///
/// - weights: in Keras' layout; reads: (N, axes) each
pub(super) fn reference(layer: &Layer, weights: &[ArrayD<f64>], reads: &[ArrayD<f64>]) -> ArrayD<f64> {
    let x = &reads[0];
    let fold = |function: fn(f64, f64) -> f64| {
        reads[1..].iter().fold(x.clone(), |merged, x| Zip::from(&merged).and(x).map_collect(|a, b| function(*a, *b)))
    };
    match layer {
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
            let channels = normalization.mean.len();
            let mut y = x.clone();
            for (index, y) in y.iter_mut().enumerate() {
                let mean = f64::from(normalization.mean[index % channels]);
                let deviation = f64::from(normalization.variance[index % channels]).sqrt().max(1e-7);
                *y = if normalization.invert { *y * deviation + mean } else { (*y - mean) / deviation };
            }
            y
        }
        _ => unreachable!("{} {NO_REFERENCE}", layer.kind()),
    }
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
