//! A layer of a user's own.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Forward, Purpose, Run};
use crate::plan::{CustomStep, Flow};
use crate::program::{LayerBackward, LayerForward, WeightGradients, WeightValues};
use crate::simd::Simd;

impl Run for CustomStep {
    /// Room for input gradients that are to be added to others.
    fn memory(&self, images: usize, purpose: Purpose) -> Memory {
        match purpose {
            Purpose::Inference => Memory::default(),
            Purpose::Training => Memory { padded_gradient: images * self.input_len, ..Memory::default() },
        }
    }

    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, _], y, len, weights, .. } = io;
        let output = &mut y[..images * len];
        // What the layer leaves out must not depend on what was there before.
        output.fill(0.0);
        self.layer.forward(LayerForward {
            examples: images,
            input_shape: self.input,
            output_shape: self.output,
            input: &x[..images * self.input_len],
            weights: WeightValues { flat: &weights.flat, places: &self.weights },
            output,
        });
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, _], y, len, dy, dx: [mut dx, _], scratch, weights, gradients, .. } = io;
        let inputs = images * self.input_len;
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
            weights: WeightValues { flat: &weights.flat, places: &self.weights },
            d_input,
            d_weights: WeightGradients { flat: &mut gradients.summed, places: &self.weights },
        });
        match dx.flow {
            Flow::Nobody | Flow::InPlace | Flow::Write => {}
            Flow::Add => dx.put(room[..inputs].iter()),
        }
    }
}
