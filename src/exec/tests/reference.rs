//! The forward pass of layers in `f64`, as plainly as it can be written. Their gradients are its differences
//! ([`super::differences`]).

use super::oracle::NO_REFERENCE;
use crate::layers::Layer;
use ndarray::{ArrayD, Zip};

/// A layer's output before its own activation.
///
/// - weights: in Keras' layout; reads: (N, axes) each
pub(super) fn reference(layer: &Layer, _weights: &[ArrayD<f64>], reads: &[ArrayD<f64>]) -> ArrayD<f64> {
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
        _ => unreachable!("{} {NO_REFERENCE}", layer.kind()),
    }
}
