//! A convolution or dense layer, with the pooling and activation that are fused behind it.

use crate::exec::forward::Pass;
use crate::exec::memory::{Memory, Scratch};
use crate::exec::run::{Backward, Chunk, Forward, InputGradient, Purpose, Run};
use crate::kernels::activation::activate_backward;
use crate::kernels::conv2d::{Inputs, OutputGradient, Outputs, SLACK};
use crate::kernels::conv2d_backward_small::{scratch_len, weight_gradients_small};
use crate::kernels::conv2d_forward::conv2d_forward;
use crate::kernels::conv2d_forward_small::conv2d_forward_small;
use crate::kernels::conv2d_input_gradient::{CACHED_WEIGHTS, Room, input_gradients, sets_len};
use crate::kernels::conv2d_input_gradient_dense::{COPIED_WEIGHTS, Factors, input_gradients_dense};
use crate::kernels::conv2d_weight_gradient::weight_gradients;
use crate::kernels::conv2d_weight_gradient_dense::{lost_len, weight_gradients_dense};
use crate::kernels::dense_forward::{Dense, dense_forward};
use crate::kernels::nonzeros::{images_at_once, room};
use crate::kernels::padding::{add_cropped, crop, pad};
use crate::kernels::sum::{add, add_rows};
use crate::kernels::turned::Turned;
use crate::kernels::winograd::{weight_gradients_winograd, winograd_forward};
use crate::plan::{self, ConvStep, Flow, ForwardAlgorithm, WeightGradient};
use crate::simd::Simd;
use std::ops::Range;

impl Run for ConvStep {
    /// It keeps which of the pooled outputs won.
    fn memory(&self, Chunk { images, purpose, .. }: Chunk) -> Memory {
        let padded = if self.border.is_some() { images * self.layout.image_len + SLACK } else { 0 };
        let inference = Memory { padded, forward: self.layout.scratch_len(images), ..Memory::default() };
        match purpose {
            Purpose::Inference => return inference,
            Purpose::Training => {}
        }
        let layout = &self.layout;
        let outputs = images * layout.outputs() * layout.filters;
        let kept = Memory { saved_indices: if layout.pool > 1 { outputs + SLACK } else { 0 }, ..inference };
        let weights = match self.weight_gradient {
            WeightGradient::Nobody | WeightGradient::OverBatch { .. } => Memory::default(),
            WeightGradient::Dense => {
                Memory { lost: lost_len(layout, images_at_once(layout, images)), ..Memory::default() }
            }
            WeightGradient::Winograd => {
                let forward = layout.winograd.as_ref().map_or(0, |winograd| winograd.gradient_scratch_len());
                Memory { forward, ..Memory::default() }
            }
            WeightGradient::SmallWindows => Memory { small_windows: scratch_len(layout), ..Memory::default() },
            WeightGradient::Lists => {
                let (nonzeros, nonzero_lists) = room(layout, images);
                Memory { nonzeros, nonzero_lists, ..Memory::default() }
            }
        };
        let inputs = match &self.input_gradient {
            plan::InputGradient::Nobody => Memory::default(),
            plan::InputGradient::Sets => Memory {
                padded_gradient: padded,
                filter_sets: sets_len(layout, images),
                cached_weights: CACHED_WEIGHTS,
                ..Memory::default()
            },
            plan::InputGradient::Dense => {
                Memory { padded_gradient: padded, cached_weights: COPIED_WEIGHTS, ..Memory::default() }
            }
            plan::InputGradient::Turned(turned) => Memory {
                padded_gradient: turned.gradients_len(images),
                bordered_dy: turned.bordered_len(images),
                forward: turned.layout.scratch_len(images),
                ..Memory::default()
            },
        };
        kept.max(weights).max(inputs)
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, saved, scratch, weights, pass, .. } = io;
        let x = match &self.border {
            Some((window, channels)) => {
                pad(window, *channels, images, x, &mut scratch.padded);
                &scratch.padded
            }
            None => x,
        };
        let winners = match pass {
            Pass::Inference => &mut [],
            Pass::Training { .. } => &mut saved.indices[..],
        };
        let (layout, activation, scratch) = (&self.layout, self.activation, &mut scratch.forward);
        let inputs = Inputs { images, x, packed: &weights.packed[self.packed.clone()] };
        let outputs = Outputs { y, winners };
        match (self.forward, &layout.winograd) {
            (ForwardAlgorithm::Stored, _) => {
                let inputs = layout.window_len();
                let (kernel, biases) = (&weights.flat[self.weights.clone()], &weights.flat[self.biases.clone()]);
                let layer = Dense { x: &x[..images * inputs], weights: kernel, biases, inputs };
                dense_forward(simd, activation, layer, &mut outputs.y[..images * len]);
            }
            (ForwardAlgorithm::Winograd, Some(winograd)) => {
                winograd_forward(simd, layout, winograd, activation, inputs, scratch, outputs);
            }
            (ForwardAlgorithm::Tiny, _) => {
                conv2d_forward_small(simd, layout, activation, inputs, outputs);
            }
            (ForwardAlgorithm::Direct | ForwardAlgorithm::Winograd, _) => {
                conv2d_forward(simd, layout, activation, inputs, scratch, outputs);
            }
        }
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, ..], y, len, dy, dx: [mut dx, ..], saved, scratch, weights, gradients, .. } = io;
        let outputs = images * len;
        activate_backward(simd, self.activation, &y[..outputs], &mut dy[..outputs]);
        let x = match (&self.border, self.weight_gradient) {
            (None, _) | (_, WeightGradient::Nobody) => x,
            (Some((window, channels)), _) => {
                pad(window, *channels, images, x, &mut scratch.padded);
                &scratch.padded
            }
        };
        let winners = &saved.indices;
        match self.weight_gradient {
            WeightGradient::Nobody => {}
            WeightGradient::OverBatch { place } => {
                gradients.keep(place, &x[..images * self.layout.window_len()], &dy[..outputs]);
            }
            WeightGradient::SmallWindows => {
                let of = OutputGradient { images, dy: &dy[..outputs + SLACK], winners };
                let dw = &mut gradients.summed[with_slack(&self.weights)];
                weight_gradients_small(simd, &self.layout, x, of, &mut scratch.small_windows, dw);
            }
            WeightGradient::Dense => {
                let dw = &mut gradients.summed[with_slack(&self.weights)];
                let at_once = images_at_once(&self.layout, images);
                for start in (0..images).step_by(at_once) {
                    let some = start..(start + at_once).min(images);
                    weight_gradients_dense(simd, &self.layout, some, x, &dy[..outputs], &mut scratch.lost, dw);
                }
            }
            WeightGradient::Winograd => {
                if let Some(winograd) = &self.layout.winograd {
                    let dw = &mut gradients.summed[self.weights.clone()];
                    let (dy, scratch) = (&dy[..outputs], &mut scratch.forward);
                    weight_gradients_winograd(simd, &self.layout, winograd, x, dy, scratch, dw);
                }
            }
            WeightGradient::Lists => {
                let dw = &mut gradients.summed[with_slack(&self.weights)];
                let at_once = images_at_once(&self.layout, images);
                for start in (0..images).step_by(at_once) {
                    let some = start..(start + at_once).min(images);
                    scratch.nonzeros.collect(&self.layout, some, &dy[..outputs], winners);
                    weight_gradients(simd, &self.layout, &scratch.nonzeros, x, dw);
                }
            }
        }
        match self.weight_gradient {
            WeightGradient::OverBatch { .. } => {}
            WeightGradient::Nobody
            | WeightGradient::SmallWindows
            | WeightGradient::Dense
            | WeightGradient::Winograd
            | WeightGradient::Lists => {
                if self.trains_biases {
                    add_rows(simd, &dy[..outputs], &mut gradients.summed[self.biases.clone()]);
                }
            }
        }
        let wanted = match dx.flow {
            Flow::Nobody | Flow::InPlace => return,
            Flow::Write | Flow::Add => OutputGradient { images, dy: &dy[..outputs], winners },
        };
        match &self.input_gradient {
            plan::InputGradient::Nobody => {}
            plan::InputGradient::Sets | plan::InputGradient::Dense => {
                self.add_input_gradients(simd, wanted, &weights.flat[with_slack(&self.weights)], scratch, &mut dx);
            }
            plan::InputGradient::Turned(turned) => {
                let packed = &weights.packed[self.packed.clone()][self.layout.packed_len()..];
                convolve_turned(simd, turned, wanted, packed, scratch, &mut dx);
            }
        }
    }
}

impl ConvStep {
    /// Writes or adds the gradients of the inputs, by adding to overlapping windows.
    fn add_input_gradients<S: Simd>(
        &self,
        simd: S,
        of: OutputGradient<'_>,
        weights: &[f32],
        scratch: &mut Scratch,
        dx: &mut InputGradient<'_>,
    ) {
        let images = of.images;
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
        match self.input_gradient {
            plan::InputGradient::Sets => {
                let room = Room { sets: filter_sets, cached: cached_weights };
                input_gradients(simd, &self.layout, of, weights, room, to);
            }
            plan::InputGradient::Dense => {
                input_gradients_dense(simd, &self.layout, Factors { dy: of.dy, weights }, cached_weights, to);
            }
            plan::InputGradient::Nobody | plan::InputGradient::Turned(_) => {}
        }
        match (dx.flow, &self.border) {
            (Flow::Write, Some((window, channels))) => crop(window, *channels, images, padded_gradient, dx.to),
            (Flow::Add, Some((window, channels))) => add_cropped(window, *channels, images, padded_gradient, dx.to),
            (Flow::Nobody | Flow::InPlace, _) | (Flow::Write | Flow::Add, None) => {}
        }
    }
}

/// Writes or adds the gradients of the inputs, by a convolution with the turned kernel.
fn convolve_turned<S: Simd>(
    simd: S,
    turned: &Turned,
    of: OutputGradient<'_>,
    packed: &[f32],
    scratch: &mut Scratch,
    dx: &mut InputGradient<'_>,
) {
    let Scratch { padded_gradient, bordered_dy, forward, .. } = scratch;
    let len = turned.gradients_len(of.images);
    let adds = match dx.flow {
        Flow::Nobody | Flow::InPlace => return,
        Flow::Write if turned.is_in_place() => {
            return turned.convolve(simd, of.dy, packed, bordered_dy, forward, &mut dx.to[..len]);
        }
        Flow::Write => false,
        Flow::Add => true,
    };
    let found = &mut padded_gradient[..len];
    turned.convolve(simd, of.dy, packed, bordered_dy, forward, found);
    turned.for_each_part(found, |at, part| {
        let to = &mut dx.to[at..][..part.len()];
        if adds { add(simd, part, to) } else { to.copy_from_slice(part) }
    });
}

/// A kernel's place, and what vectors at its end may touch behind it.
fn with_slack(weights: &Range<usize>) -> Range<usize> {
    weights.start..weights.end + SLACK
}
