//! What the table of cases draws: sizes, shapes, windows, functions.

use super::Random;
use inkstone::layers::ActivationFunction;
use inkstone::prelude::*;
use inkstone::{Padding, Shape};
use rand::RngExt;
use rand::seq::IndexedRandom;

/// A number of channels or units: around the lane counts 4, 8 and 16, and around the blocks of them.
pub(super) fn width(random: &mut Random) -> usize {
    let ranges = [1..=5, 7..=9, 15..=18, 31..=34, 48..=49, 63..=81];
    let range = ranges.choose(random).expect("there are some");
    random.random_range(range.clone())
}

pub(super) fn function(random: &mut Random) -> ActivationFunction {
    let functions = [
        Linear,
        Relu,
        Relu,
        Sigmoid,
        Tanh,
        Softmax,
        Relu6,
        LeakyRelu,
        Elu,
        Selu,
        Gelu,
        GeluTanh,
        Silu,
        Mish,
        Softplus,
        Softsign,
        HardSigmoid,
        Exponential,
    ];
    *functions.choose(random).expect("there are some")
}

pub(super) fn image(random: &mut Random) -> Shape {
    let channels = *[1, 2, 3, 4, 8, 15, 16, 17].choose(random).expect("there are some");
    [random.random_range(1..=11), random.random_range(1..=11), channels].into()
}

pub(super) fn vector(random: &mut Random) -> Shape {
    [width(random)].into()
}

pub(super) fn sequence(random: &mut Random) -> Shape {
    [random.random_range(1..=9), width(random)].into()
}

/// A sequence for a recurrent layer, whose oracle takes time for each step and feature.
pub(super) fn short(random: &mut Random) -> Shape {
    [random.random_range(1..=6), *[1, 2, 3, 5, 16, 17].choose(random).expect("there are some")].into()
}

pub(super) fn any(random: &mut Random) -> Shape {
    match random.random_range(0..3) {
        0 => vector(random),
        1 => sequence(random),
        _ => image(random),
    }
}

/// The steps of a window of at most so many, and from one to the next; none for what is no sequence.
pub(super) fn stretch(random: &mut Random, axes: &[usize], most: usize) -> Option<(usize, usize)> {
    let &[steps, _] = axes else { return None };
    Some((random.random_range(1..=most.min(steps)), random.random_range(1..=3)))
}

/// A shape of which a merging layer makes this one: some axes are 1, or left out in front.
pub(super) fn repeated(random: &mut Random, shape: Shape) -> Shape {
    let axes: Vec<usize> = shape.axes().iter().map(|axis| if random.random_bool(0.4) { 1 } else { *axis }).collect();
    let in_front = if random.random_bool(0.3) { random.random_range(0..axes.len()) } else { 0 };
    Shape::new(&axes[in_front..]).expect("few axes")
}

/// A window that works on an image.
pub(super) struct Window {
    pub(super) size: (usize, usize),
    pub(super) strides: (usize, usize),
    pub(super) padding: Padding,
}

/// A window of at most so many rows and columns; none for what is no image.
pub(super) fn window(random: &mut Random, axes: &[usize], most: usize) -> Option<Window> {
    let &[height, width, _] = axes else { return None };
    let padding = *[Valid, Same].choose(random)?;
    let mut size = |axis: usize| match padding {
        Valid => random.random_range(1..=most.min(axis)),
        Same => random.random_range(1..=most),
    };
    let size = (size(height), size(width));
    Some(Window { size, strides: (random.random_range(1..=3), random.random_range(1..=3)), padding })
}

/// A shape of so many values, with few channels if it is an image's.
pub(super) fn same_len(random: &mut Random, len: usize) -> Shape {
    if random.random() {
        return [len].into();
    }
    let mut divisor = |len: usize, most: usize| {
        let divisors: Vec<usize> = (1..=len.min(most)).filter(|divisor| len.is_multiple_of(*divisor)).collect();
        *divisors.choose(random).expect("1 divides all")
    };
    let channels = divisor(len, 20);
    let height = divisor(len / channels, len);
    [height, len / channels / height, channels].into()
}

/// A normalization of some axes, with its numbers or without.
pub(super) fn normalization(random: &mut Random, axes: &[usize]) -> Option<inkstone::layers::Layer> {
    let axis = match random.random_range(0..3) {
        0 => (1..=axes.len() as i64).filter(|_| random.random()).collect(),
        _ => vec![-1],
    };
    let lens = axis.iter().map(|axis| axes[if *axis < 0 { axes.len() } else { *axis as usize } - 1]);
    let len = if random.random_bool(0.2) { 1 } else { lens.product() };
    let mut numbers = |low: f32, high: f32| -> Vec<f32> { (0..len).map(|_| random.random_range(low..high)).collect() };
    let given = Normalization::new(numbers(-1.0, 1.0), numbers(0.25, 4.0));
    let layer = if random.random_bool(0.7) { given } else { Normalization::unadapted() };
    Some(layer.axis(axis).invert(random.random()).into())
}
