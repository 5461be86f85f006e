//! The engine's arithmetic: slices in, slices out. No kernel allocates, spawns a thread, or fails; their callers in
//! `exec` have checked every size.
//!
//! All of them work on a *chunk*: a few images, one after the other, channels last. Everything with weights is a
//! convolution here: a dense layer is one with a 1x1 window on images of one pixel.

#![expect(
    clippy::needless_range_loop,
    reason = "loops with constant bounds over several arrays at once read better, and unroll"
)]

pub(crate) mod activation;
pub(crate) mod adagrad;
pub(crate) mod adam;
pub(crate) mod average;
pub(crate) mod average_pool;
pub(crate) mod clip;
mod columns;
pub(crate) mod constraint;
pub(crate) mod conv2d;
pub(crate) mod conv2d_backward_small;
pub(crate) mod conv2d_forward;
pub(crate) mod conv2d_forward_small;
pub(crate) mod conv2d_input_gradient;
pub(crate) mod conv2d_input_gradient_dense;
pub(crate) mod conv2d_weight_gradient;
pub(crate) mod conv2d_weight_gradient_dense;
pub(crate) mod dense_forward;
pub(crate) mod depthwise;
pub(crate) mod exp;
mod finite;
pub(crate) mod int8;
pub(crate) mod lion;
pub(crate) mod local_norm;
pub(crate) mod max_pool;
pub(crate) mod moments;
pub(crate) mod nadam;
pub(crate) mod nonzeros;
pub(crate) mod normalize;
pub(crate) mod output;
pub(crate) mod over_batch;
mod pack;
pub(crate) mod padding;
pub(crate) mod patches;
pub(crate) mod penalty;
pub(crate) mod pixels;
pub(crate) mod recurrent;
pub(crate) mod rms_prop;
pub(crate) mod sgd;
pub(crate) mod softmax;
pub(crate) mod sum;
#[cfg(test)]
mod tests;
pub(crate) mod tiny;
pub(crate) mod turned;
mod window_block;
pub(crate) mod winograd;
