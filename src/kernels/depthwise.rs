//! Depthwise convolution: each channel with a window of its own.
//!
//! Outputs, and the gradients of inputs, are sums over taps of one image's pixels times one row of weights, both of
//! which lie channel by channel: a few pixels of one vector of channels are in registers while the taps go by. The
//! gradients of inputs read outputs with a border of zeros; of strides, pixels that the same taps reach form classes.

use super::conv2d::SLACK;
use super::normalize::Then;
use super::patches::Dilated;
use crate::simd::{Select, Simd, SimdBase, SimdFloat};

/// The pixels that are worked on at a time.
const PIXELS: usize = 6;
/// The taps whose gradients are worked on at a time.
const TAPS: usize = 9;
/// The most terms of one running sum of gradients.
const TERMS: usize = 1024;

/// Where a tap reads its pixel, from the start of a window, and its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    x: usize,
    weights: usize,
}

/// The pixels of an input that the same taps reach: every `strides`-th, from `first` on.
#[derive(Clone, Debug, PartialEq)]
struct Class {
    first: (usize, usize),
    /// How many of them there are, in rows and columns.
    len: (usize, usize),
    /// Where each tap reads the bordered gradient.
    taps: Vec<Tap>,
}

/// The memory layout of one depthwise convolution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DepthwiseLayout {
    /// Output channels.
    pub(crate) channels: usize,
    /// Outputs for each channel of the input.
    pub(crate) multiplier: usize,
    pub(crate) of: Dilated,
    taps: Vec<Tap>,
    classes: Vec<Class>,
    /// Rows and columns of the border around the gradient of the output, on each side.
    border: (usize, usize),
}

impl DepthwiseLayout {
    /// - inputs: channels of the input
    pub(crate) fn new(of: Dilated, inputs: usize, multiplier: usize) -> Self {
        let channels = inputs * multiplier;
        let Dilated { window, taps: (rows, columns), dilation } = of;
        let row_len = window.padded.1 * channels;
        let places = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let taps = places().map(|(row, column)| Tap {
            x: row * dilation.0 * row_len + column * dilation.1 * channels,
            weights: (row * columns + column) * channels,
        });
        let border =
            ((rows - 1) * dilation.0 / window.strides.0 + 1, (columns - 1) * dilation.1 / window.strides.1 + 1);
        let bordered_width = window.out.1 + 2 * border.1;
        // Each tap with the class of the pixels that it reaches, class after class.
        let class_of = |&(row, column): &(usize, usize)| {
            (row * dilation.0 % window.strides.0, column * dilation.1 % window.strides.1)
        };
        let mut by_class: Vec<(usize, usize)> = places().collect();
        by_class.sort_by_key(class_of);
        let class = |members: &[(usize, usize)]| {
            let first = class_of(&members[0]);
            // The window that starts so many windows before reaches the pixel with this tap.
            let tap = |&(row, column): &(usize, usize)| {
                let y = border.0 - (row * dilation.0 - first.0) / window.strides.0;
                let x = border.1 - (column * dilation.1 - first.1) / window.strides.1;
                Tap { x: (y * bordered_width + x) * channels, weights: (row * columns + column) * channels }
            };
            let count = |padded: usize, first: usize, stride: usize, most: usize| {
                padded.saturating_sub(first).div_ceil(stride).min(most)
            };
            let len = (
                count(window.padded.0, first.0, window.strides.0, window.out.0 + border.0),
                count(window.padded.1, first.1, window.strides.1, window.out.1 + border.1),
            );
            Class { first, len, taps: members.iter().map(tap).collect() }
        };
        let classes = by_class.chunk_by(|one, next| class_of(one) == class_of(next)).map(class).collect();
        Self { channels, multiplier, of, taps: taps.collect(), classes, border }
    }

    /// Floats of one input with its border, each channel as often as it has outputs.
    pub(crate) fn padded_len(&self) -> usize {
        self.of.window.padded.0 * self.of.window.padded.1 * self.channels
    }

    /// Whether inputs are worked on where they lie.
    pub(crate) fn reads_in_place(&self) -> bool {
        self.multiplier == 1 && !self.of.window.pads()
    }

    /// Floats of the gradient of one output with its border.
    pub(crate) fn bordered_len(&self) -> usize {
        let (height, width) = self.of.window.out;
        (height + 2 * self.border.0) * (width + 2 * self.border.1) * self.channels
    }

    /// Copies inputs into the middle of padded ones, whose border is zero.
    ///
    /// - x: (images, H, W, inputs); padded: (images, padded H, padded W, channels)
    pub(crate) fn spread(&self, images: usize, x: &[f32], padded: &mut [f32]) {
        self.rows(images, |row, inner, len| {
            let x = &x[row..][..len];
            let to = &mut padded[inner..][..len * self.multiplier];
            if self.multiplier == 1 {
                to.copy_from_slice(x);
            } else {
                to.chunks_exact_mut(self.multiplier).zip(x).for_each(|(to, x)| to.fill(*x));
            }
        });
    }

    /// Sums up the gradients of padded inputs for those that they were copied from, in their place.
    pub(crate) fn gather(&self, images: usize, padded: &mut [f32], mut put: impl FnMut(usize, &[f32])) {
        self.rows(images, |row, inner, len| {
            let values = &mut padded[inner..][..len * self.multiplier];
            if self.multiplier > 1 {
                for at in 0..len {
                    values[at] = values[at * self.multiplier..][..self.multiplier].iter().sum();
                }
            }
            put(row, &values[..len]);
        });
    }

    /// Each row of the inputs: where it starts, where it starts among the padded ones, and how many values it has.
    fn rows(&self, images: usize, mut with: impl FnMut(usize, usize, usize)) {
        let window = &self.of.window;
        let (height, width) = window.image;
        let len = width * self.channels / self.multiplier;
        for row in 0..images * height {
            let (image, y) = (row / height, row % height);
            let inner = (image * window.padded.0 + window.before.0 + y) * window.padded.1 + window.before.1;
            with(row * len, inner * self.channels, len);
        }
    }

    /// Copies gradients of outputs into the middle of bordered ones, whose border is zero.
    ///
    /// - dy: (images, out H, out W, channels)
    pub(crate) fn set_border(&self, images: usize, dy: &[f32], bordered: &mut [f32]) {
        let (height, width) = self.of.window.out;
        let (rows, columns) = (height + 2 * self.border.0, width + 2 * self.border.1);
        let len = width * self.channels;
        bordered[..images * rows * columns * self.channels].fill(0.0);
        for (row, dy) in dy[..images * height * len].chunks_exact(len).enumerate() {
            let (image, y) = (row / height, row % height);
            let at = ((image * rows + self.border.0 + y) * columns + self.border.1) * self.channels;
            bordered[at..][..len].copy_from_slice(dy);
        }
    }
}

/// What becomes of a sum over taps before it is written: `sum * scale + offset`.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    /// (channels), with slack; all one if it is empty.
    pub(crate) scale: &'a [f32],
    /// (channels), with slack; all zero if it is empty.
    pub(crate) offset: &'a [f32],
    pub(crate) then: Then,
}

/// Computes the outputs.
///
/// - x: (images, padded H, padded W, channels), with slack; weights: (taps, channels), with slack;
///   y: (images, out H, out W, channels)
pub(crate) fn depthwise_forward<S: Simd>(
    simd: S,
    layout: &DepthwiseLayout,
    x: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    y: &mut [f32],
) {
    let DepthwiseLayout { channels, ref of, ref taps, .. } = *layout;
    let window = &of.window;
    let row_len = window.padded.1 * channels;
    let (strides, line) = (window.strides, window.out.1 * channels);
    simd.vectorize(
        #[inline(always)]
        || {
            for (row, y) in y.chunks_exact_mut(line).enumerate() {
                let (image, row) = (row / window.out.0, row % window.out.0);
                let x = &x[image * layout.padded_len() + row * strides.0 * row_len..];
                let steps = Steps { from: strides.1 * channels, to: channels };
                run_line(simd, channels, steps, (x, taps, weights), finish, y);
            }
        },
    );
}

/// Computes the gradients of the padded inputs.
///
/// - dy: as [`DepthwiseLayout::set_border`] makes it, with slack; weights: (taps, channels), with slack;
///   dx: (images, padded H, padded W, channels)
pub(crate) fn depthwise_input_gradients<S: Simd>(
    simd: S,
    layout: &DepthwiseLayout,
    images: usize,
    dy: &[f32],
    weights: &[f32],
    dx: &mut [f32],
) {
    let DepthwiseLayout { channels, ref of, border, .. } = *layout;
    let (padded, strides) = (of.window.padded, of.window.strides);
    let bordered_width = of.window.out.1 + 2 * border.1;
    dx[..images * layout.padded_len()].fill(0.0);
    let finish = Finish { scale: &[], offset: &[], then: Then::Nothing };
    simd.vectorize(
        #[inline(always)]
        || {
            for image in 0..images {
                let dy = &dy[image * layout.bordered_len()..];
                for Class { first, len, taps } in &layout.classes {
                    for row in 0..len.0 {
                        let y = first.0 + row * strides.0;
                        let start = ((image * padded.0 + y) * padded.1 + first.1) * channels;
                        let end = start + len.1.saturating_sub(1) * strides.1 * channels + channels;
                        let dy = &dy[row * bordered_width * channels..];
                        let steps = Steps { from: channels, to: strides.1 * channels };
                        run_line(simd, channels, steps, (dy, taps, weights), finish, &mut dx[start..end]);
                    }
                }
            }
        },
    );
}

/// From one pixel to the next.
#[derive(Clone, Copy)]
struct Steps {
    from: usize,
    to: usize,
}

/// One line of pixels, each the sum over all taps.
#[inline(always)]
fn run_line<S: Simd>(
    simd: S,
    channels: usize,
    steps: Steps,
    (x, taps, weights): (&[f32], &[Tap], &[f32]),
    finish: Finish<'_>,
    y: &mut [f32],
) {
    let lanes = S::f32s::LEN;
    let pixels = y.len().div_ceil(steps.to);
    for channel in (0..channels).step_by(lanes) {
        let count = lanes.min(channels - channel);
        let finish = Finishing::new(simd, finish, channel, count);
        let whole = pixels - pixels % PIXELS;
        for pixel in (0..whole).step_by(PIXELS) {
            let x = &x[pixel * steps.from + channel..];
            let mut sums = [S::f32s::splat(simd, 0.0); PIXELS];
            for tap in taps {
                let weight = S::f32s::from_slice(simd, &weights[tap.weights + channel..][..lanes]);
                let x = &x[tap.x..][..(PIXELS - 1) * steps.from + lanes];
                for at in 0..PIXELS {
                    sums[at] = S::f32s::from_slice(simd, &x[at * steps.from..][..lanes]).mul_add(weight, sums[at]);
                }
            }
            for at in 0..PIXELS {
                finish.write(simd, sums[at], &mut y[(pixel + at) * steps.to + channel..]);
            }
        }
        for pixel in whole..pixels {
            let x = &x[pixel * steps.from + channel..];
            let mut sum = S::f32s::splat(simd, 0.0);
            for tap in taps {
                let weight = S::f32s::from_slice(simd, &weights[tap.weights + channel..][..lanes]);
                sum = S::f32s::from_slice(simd, &x[tap.x..][..lanes]).mul_add(weight, sum);
            }
            finish.write(simd, sum, &mut y[pixel * steps.to + channel..]);
        }
    }
}

/// [`Finish`] for some channels of a vector.
struct Finishing<S: Simd> {
    scale: S::f32s,
    offset: S::f32s,
    then: Then,
    channels: usize,
}

impl<S: Simd> Finishing<S> {
    #[inline(always)]
    fn new(simd: S, finish: Finish<'_>, first: usize, channels: usize) -> Self {
        let (mut scale, mut offset) = (S::f32s::splat(simd, 1.0), S::f32s::splat(simd, 0.0));
        if !finish.scale.is_empty() {
            scale = S::f32s::from_slice(simd, &finish.scale[first..][..S::f32s::LEN]);
        }
        if !finish.offset.is_empty() {
            offset = S::f32s::from_slice(simd, &finish.offset[first..][..S::f32s::LEN]);
        }
        Self { scale, offset, then: finish.then, channels }
    }

    /// Writes one pixel's outputs. A closure would be compiled by itself, without vector instructions.
    #[inline(always)]
    fn write(&self, simd: S, sum: S::f32s, y: &mut [f32]) {
        let (lanes, zero) = (S::f32s::LEN, S::f32s::splat(simd, 0.0));
        let value = sum * self.scale + self.offset;
        // Not the maximum: that would turn NaN, which must reach the loss, into 0.
        let value = if self.then == Then::Relu { value.simd_lt(zero).select(zero, value) } else { value };
        if self.channels == lanes {
            value.store_slice(&mut y[..lanes]);
        } else {
            let mut values = [0.0; 16];
            value.store_slice(&mut values[..lanes]);
            y[..self.channels].copy_from_slice(&values[..self.channels]);
        }
    }
}

/// Adds to the gradients of the weights.
///
/// - x: (images, padded H, padded W, channels), with slack; dy: (images, out H, out W, channels), with slack;
///   dw: (taps, channels)
pub(crate) fn depthwise_weight_gradients<S: Simd>(
    simd: S,
    layout: &DepthwiseLayout,
    images: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let DepthwiseLayout { channels, ref of, ref taps, .. } = *layout;
    let window = &of.window;
    let (out_height, out_width) = window.out;
    let row_len = window.padded.1 * channels;
    let lanes = S::f32s::LEN;
    simd.vectorize(
        #[inline(always)]
        || {
            for channel in (0..channels).step_by(lanes) {
                let count = lanes.min(channels - channel);
                for group in taps.chunks(TAPS) {
                    let mut sums = [S::f32s::splat(simd, 0.0); TAPS];
                    let mut terms = 0;
                    for row in 0..images * out_height {
                        let (image, y) = (row / out_height, row % out_height);
                        let x = &x[image * layout.padded_len() + y * window.strides.0 * row_len + channel..];
                        let dy = &dy[row * out_width * channels + channel..];
                        if group.len() == TAPS {
                            let taps: &[Tap; TAPS] = group.try_into().expect("as many as that");
                            for column in 0..out_width {
                                let dy = S::f32s::from_slice(simd, &dy[column * channels..][..lanes]);
                                let x = &x[column * window.strides.1 * channels..];
                                for at in 0..TAPS {
                                    let x = S::f32s::from_slice(simd, &x[taps[at].x..][..lanes]);
                                    sums[at] = x.mul_add(dy, sums[at]);
                                }
                            }
                        } else {
                            for column in 0..out_width {
                                let dy = S::f32s::from_slice(simd, &dy[column * channels..][..lanes]);
                                let x = &x[column * window.strides.1 * channels..];
                                for (tap, sum) in group.iter().zip(&mut sums) {
                                    let x = S::f32s::from_slice(simd, &x[tap.x..][..lanes]);
                                    *sum = x.mul_add(dy, *sum);
                                }
                            }
                        }
                        terms += out_width;
                        if terms >= TERMS || row + 1 == images * out_height {
                            add_sums(simd, group, &mut sums, &mut dw[channel..], count);
                            terms = 0;
                        }
                    }
                }
            }
        },
    );
}

/// Adds running sums to the gradients of their taps, and starts them anew.
#[inline(always)]
fn add_sums<S: Simd>(simd: S, taps: &[Tap], sums: &mut [S::f32s; TAPS], dw: &mut [f32], count: usize) {
    for (tap, sum) in taps.iter().zip(sums) {
        let mut values = [0.0; SLACK];
        sum.store_slice(&mut values[..S::f32s::LEN]);
        dw[tap.weights..][..count].iter_mut().zip(values).for_each(|(dw, value)| *dw += value);
        *sum = S::f32s::splat(simd, 0.0);
    }
}
