//! A depthwise convolution.

use crate::exec::memory::{Memory, Scratch};
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::kernels::activation::{Elementwise, activate_backward};
use crate::kernels::conv2d::SLACK;
use crate::kernels::depthwise::{Finish, depthwise_forward, depthwise_input_gradients, depthwise_weight_gradients};
use crate::kernels::normalize::Then;
use crate::kernels::sum::add_rows;
use crate::plan::Flow;
use crate::program::WeightPlace;
use crate::program::plain::{Bias, Depthwise};
use crate::simd::Simd;

impl Depthwise {
    /// Where the bias lies.
    fn bias<'a>(&self, places: &'a [WeightPlace]) -> Option<&'a WeightPlace> {
        match self.bias {
            Bias::Nothing => None,
            Bias::Added => Some(&places[1]),
        }
    }

    /// Writes what outputs are multiplied by, and what is added, where a normalization has become part of it.
    fn set_scaling(&self, flat: &[f32], places: &[WeightPlace], room: &mut [f32]) {
        let Some(norm) = &self.norm else { return };
        let (scale, offset) = room.split_at_mut(self.layout.channels + SLACK);
        let bias = self.bias(places).map_or(&[][..], |bias| &flat[bias.range.clone()]);
        let scalings = norm.moving_scalings(flat, &places[1 + self.bias.count()..], bias);
        for ((scale, offset), scaling) in scale.iter_mut().zip(offset).zip(scalings) {
            (*scale, *offset) = (scaling.scale, scaling.offset);
        }
    }
}

impl Run for Depthwise {
    /// It keeps its padded input.
    fn memory(&self, Chunk { images, purpose, .. }: Chunk) -> Memory {
        let layout = &self.layout;
        let padded = images * layout.padded_len() + SLACK;
        let saved_floats = if layout.reads_in_place() { 0 } else { padded };
        let forward = if self.norm.is_some() { 2 * (layout.channels + SLACK) } else { 0 };
        let inference = Memory { saved_floats, forward, ..Memory::default() };
        match purpose {
            Purpose::Inference => inference,
            Purpose::Training => {
                Memory { padded_gradient: padded, bordered_dy: images * layout.bordered_len() + SLACK, ..inference }
            }
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, saved, scratch, weights, places, .. } = io;
        let (layout, flat) = (&*self.layout, &weights.flat);
        let x = if layout.reads_in_place() {
            x
        } else {
            layout.spread(images, x, &mut saved.floats);
            &saved.floats
        };
        self.set_scaling(flat, places, &mut scratch.forward);
        let then = self.then;
        let finish = if self.norm.is_some() {
            let (scale, offset) = scratch.forward.split_at(layout.channels + SLACK);
            Finish { scale, offset, then }
        } else {
            let offset = self.bias(places).map_or(&[][..], |bias| &flat[bias.range.start..bias.range.end + SLACK]);
            Finish { scale: &[], offset, then }
        };
        let kernel = &places[0].range;
        depthwise_forward(simd, layout, x, &flat[kernel.start..kernel.end + SLACK], finish, &mut y[..images * len]);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, ..], y, len, dy, dx: [dx, ..], saved, scratch, weights, places, gradients } = io;
        let layout = &*self.layout;
        let values = images * len;
        match self.then {
            Then::Nothing => {}
            Then::Relu => activate_backward(simd, Elementwise::Relu, &y[..values], &mut dy[..values]),
        }
        let x = if layout.reads_in_place() { x } else { &saved.floats };
        let kernel = &places[0];
        if kernel.is_trained {
            let dw = &mut gradients.summed[kernel.range.clone()];
            depthwise_weight_gradients(simd, layout, images, x, dy, dw);
        }
        if let Some(bias) = self.bias(places).filter(|bias| bias.is_trained) {
            add_rows(simd, &dy[..values], &mut gradients.summed[bias.range.clone()]);
        }
        match dx.flow {
            Flow::Nobody | Flow::InPlace => return,
            Flow::Write | Flow::Add => {}
        }
        let Scratch { padded_gradient, bordered_dy, .. } = scratch;
        layout.set_border(images, dy, bordered_dy);
        let flat = &weights.flat[kernel.range.start..kernel.range.end + SLACK];
        depthwise_input_gradients(simd, layout, images, bordered_dy, flat, padded_gradient);
        layout.gather(images, padded_gradient, |start, values| {
            let to = dx.to[start..].iter_mut().zip(values);
            match dx.flow {
                Flow::Nobody | Flow::InPlace => {}
                Flow::Write => to.for_each(|(to, value)| *to = *value),
                Flow::Add => to.for_each(|(to, value)| *to += value),
            }
        });
    }
}
