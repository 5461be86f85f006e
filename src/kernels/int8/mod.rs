//! Inference with bytes: activations are unsigned, weights signed, sums 32 bits wide, so every result is exact and the
//! same on every instruction set. What a step of `quantized` computes is here, and how kernels are packed for it.
//!
//! A convolution runs as the direct one on floats does (`conv2d_forward`), with these changes:
//!
//! 1. A lane holds four inputs instead of one: AVX-512's `vpdpbusd` multiplies four pairs of bytes and adds the
//!    products to a 32-bit sum. So weights are packed (window, filters, 4), and a broadcast takes four bytes.
//! 2. A row of the window is one run of bytes, cut into groups of four. What its last group lacks are weights of zero,
//!    which take the bytes behind the row for nothing: images of 1 or 3 channels need no channels that are not there.
//! 3. Pooling compares sums, which grow with what they stand for. So only one sum of a pooling window is made a byte.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod conv;
mod finish;
mod max_pool;
mod pack;
mod portable;
mod rescale;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vnni;

pub(crate) use conv::{Output, band_len, conv};
pub(crate) use max_pool::max_pool;
pub(crate) use pack::Int8Kernel;
pub(crate) use rescale::{Term, quantize, rescale};

/// What bytes stand for: `scale * (byte - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quantization {
    /// Above zero, and finite.
    pub(crate) scale: f32,
    pub(crate) zero_point: u8,
}

impl Quantization {
    /// The bounds of `byte - zero_point`.
    fn bounds(self) -> (f32, f32) {
        let zero_point = f32::from(self.zero_point);
        (-zero_point, 255.0 - zero_point)
    }
}

/// A number of this size has no digits behind the point, so that adding it rounds, halves to the even neighbour.
const ROUNDS: f32 = 12_582_912.0;

/// The byte nearest to a number of steps, of which `bounds` are the most.
#[inline(always)]
fn to_byte(steps: f32, bounds: (f32, f32), zero_point: u8) -> u8 {
    // In this form a NaN is the lower bound, and both comparisons become instructions for minimum and maximum.
    let steps = if steps > bounds.0 { steps } else { bounds.0 };
    let steps = if steps < bounds.1 { steps } else { bounds.1 };
    // The lowest bits of the sum are the whole number, below zero as two's complement.
    ((steps + ROUNDS).to_bits() as u8).wrapping_add(zero_point)
}
