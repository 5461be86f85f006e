//! A convolution or dense layer, with the pooling and activation that are fused behind it.

use crate::exec::forward::Pass;
use crate::exec::memory::{Memory, Scratch};
use crate::exec::run::{Backward, Forward, InputGradient, Purpose, Run};
use crate::kernels::activation::activate_backward;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward_small::{scratch_len, weight_gradients_small};
use crate::kernels::conv2d_forward::conv2d_forward;
use crate::kernels::conv2d_forward_small::conv2d_forward_small;
use crate::kernels::conv2d_input_gradient::{CACHED_WEIGHTS, input_gradients, sets_len};
use crate::kernels::conv2d_weight_gradient::weight_gradients;
use crate::kernels::nonzeros::{images_at_once, room};
use crate::kernels::padding::{add_cropped, crop, pad};
use crate::kernels::sum::add_rows;
use crate::kernels::winograd::winograd_forward;
use crate::plan::{ConvStep, Flow, ForwardAlgorithm, WeightGradient};
use crate::simd::Simd;
use std::ops::Range;

impl Run for ConvStep {
    /// It keeps its padded input, and which of the pooled outputs won.
    fn memory(&self, images: usize, purpose: Purpose) -> Memory {
        let padded = if self.border.is_some() { images * self.layout.image_len + SLACK } else { 0 };
        let inference = Memory { saved_floats: padded, forward: self.layout.scratch_len(images), ..Memory::default() };
        match purpose {
            Purpose::Inference => return inference,
            Purpose::Training => {}
        }
        let outputs = images * self.layout.outputs() * self.layout.filters;
        let (nonzeros, nonzero_lists) = room(&self.layout, images);
        Memory {
            saved_indices: if self.layout.pool > 1 { outputs + SLACK } else { 0 },
            padded_gradient: padded,
            small_windows: match self.weight_gradient {
                WeightGradient::SmallWindows => scratch_len(&self.layout),
                WeightGradient::Nobody | WeightGradient::Lists => 0,
            },
            nonzeros,
            nonzero_lists,
            filter_sets: sets_len(&self.layout, images),
            cached_weights: CACHED_WEIGHTS,
            ..inference
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, _], y, saved, scratch, weights, pass, .. } = io;
        let x = match &self.border {
            Some((window, channels)) => {
                pad(window, *channels, images, x, &mut saved.floats);
                &saved.floats
            }
            None => x,
        };
        let winners = match pass {
            Pass::Inference => &mut [],
            Pass::Training { .. } => &mut saved.indices[..],
        };
        let (layout, activation, packed) = (&self.layout, self.activation, &weights.packed[self.packed.clone()]);
        let room = &mut scratch.forward;
        match (self.forward, &layout.winograd) {
            (ForwardAlgorithm::Winograd, Some(winograd)) => {
                winograd_forward(simd, layout, winograd, activation, x, packed, images, room, y, winners);
            }
            (ForwardAlgorithm::Tiny, _) => {
                conv2d_forward_small(simd, layout, activation, x, packed, images, y, winners);
            }
            (ForwardAlgorithm::Direct | ForwardAlgorithm::Winograd, _) => {
                conv2d_forward(simd, layout, activation, x, packed, images, room, y, winners);
            }
        }
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, _], y, len, dy, dx: [mut dx, _], saved, scratch, weights, gradients } = io;
        let outputs = images * len;
        activate_backward(simd, self.activation, &y[..outputs], &mut dy[..outputs]);
        let x = if self.border.is_some() { &saved.floats } else { x };
        let winners = &saved.indices;
        match self.weight_gradient {
            WeightGradient::Nobody => {}
            WeightGradient::SmallWindows => {
                let (dy, sums) = (&dy[..outputs + SLACK], &mut scratch.small_windows);
                let dw = &mut gradients[with_slack(&self.weights)];
                weight_gradients_small(simd, &self.layout, images, x, dy, winners, sums, dw);
            }
            WeightGradient::Lists => {
                let dw = &mut gradients[with_slack(&self.weights)];
                let at_once = images_at_once(&self.layout, images);
                for start in (0..images).step_by(at_once) {
                    let some = start..(start + at_once).min(images);
                    scratch.nonzeros.collect(&self.layout, some, &dy[..outputs], winners);
                    weight_gradients(simd, &self.layout, &scratch.nonzeros, x, dw);
                }
            }
        }
        if self.trains_biases {
            add_rows(simd, &dy[..outputs], &mut gradients[self.biases.clone()]);
        }
        let kernel = &weights.flat[with_slack(&self.weights)];
        self.input_gradients(simd, images, &dy[..outputs], winners, kernel, scratch, &mut dx);
    }
}

impl ConvStep {
    /// Writes or adds the gradients of the inputs.
    #[expect(clippy::too_many_arguments, reason = "each is one tensor of the operation")]
    fn input_gradients<S: Simd>(
        &self,
        simd: S,
        images: usize,
        dy: &[f32],
        winners: &[u32],
        kernel: &[f32],
        scratch: &mut Scratch,
        dx: &mut InputGradient<'_>,
    ) {
        let Scratch { padded_gradient, filter_sets, cached_weights, .. } = scratch;
        let padded_len = images * self.layout.image_len + SLACK;
        let to = match (dx.flow, &self.border) {
            (Flow::Nobody | Flow::InPlace, _) => return,
            (Flow::Write, None) => {
                dx.to[..padded_len].fill(0.0);
                &mut dx.to[..padded_len]
            }
            (Flow::Add, None) => &mut dx.to[..padded_len],
            (Flow::Write | Flow::Add, Some(_)) => {
                padded_gradient[..padded_len].fill(0.0);
                &mut padded_gradient[..padded_len]
            }
        };
        input_gradients(simd, &self.layout, images, dy, winners, kernel, filter_sets, cached_weights, to);
        match (dx.flow, &self.border) {
            (Flow::Write, Some((window, channels))) => crop(window, *channels, images, padded_gradient, dx.to),
            (Flow::Add, Some((window, channels))) => add_cropped(window, *channels, images, padded_gradient, dx.to),
            (Flow::Nobody | Flow::InPlace, _) | (Flow::Write | Flow::Add, None) => {}
        }
    }
}

/// A kernel's place, and what vectors at its end may touch behind it.
fn with_slack(weights: &Range<usize>) -> Range<usize> {
    weights.start..weights.end + SLACK
}
