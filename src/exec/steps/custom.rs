//! A layer of a user's own.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::plan::Flow;
use crate::program::plain::Custom;
use crate::program::{LayerBackward, LayerForward, WeightGradients, WeightValues};
use crate::simd::Simd;

impl Run for Custom {
    /// Room for input gradients that are to be added to others.
    fn memory(&self, of: Chunk) -> Memory {
        match of.purpose {
            Purpose::Inference => Memory::default(),
            Purpose::Training => Memory { padded_gradient: of.images * of.lengths.x[0], ..Memory::default() },
        }
    }

    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, weights, places, .. } = io;
        let input_len: usize = self.input.axes().iter().product();
        let output = &mut y[..images * len];
        // What the layer leaves out must not depend on what was there before.
        output.fill(0.0);
        self.layer.forward(LayerForward {
            examples: images,
            input_shape: self.input,
            output_shape: self.output,
            input: &x[..images * input_len],
            weights: WeightValues { flat: &weights.flat, places },
            output,
        });
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, ..], y, len, dy, dx: [mut dx, ..], scratch, weights, places, gradients, .. } = io;
        let inputs = images * self.input.axes().iter().product::<usize>();
        let room = &mut scratch.padded_gradient;
        let mut d_input = match dx.flow {
            Flow::Nobody | Flow::InPlace => None,
            Flow::Write => Some(&mut dx.to[..inputs]),
            Flow::Add => Some(&mut room[..inputs]),
        };
        if let Some(d_input) = &mut d_input {
            d_input.fill(0.0);
        }
        self.layer.backward(LayerBackward {
            examples: images,
            input_shape: self.input,
            output_shape: self.output,
            input: &x[..inputs],
            output: &y[..images * len],
            d_output: &dy[..images * len],
            weights: WeightValues { flat: &weights.flat, places },
            d_input,
            d_weights: WeightGradients { flat: &mut gradients.summed, places },
        });
        match dx.flow {
            Flow::Nobody | Flow::InPlace | Flow::Write => {}
            Flow::Add => dx.put(room[..inputs].iter()),
        }
    }
}
