//! A recurrent cell along a sequence: what it keeps. All of it lies step by step, with the examples of the chunk side
//! by side.

mod backward;
mod forward;

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::kernels::conv2d::SLACK;
use crate::kernels::recurrent::Cell;
use crate::program::plain::Recurrence;
use crate::simd::Simd;

/// How many steps there is memory for. A forward pass alone keeps a state while it finds the next.
#[derive(Clone, Copy)]
struct Slots {
    states: usize,
    steps: usize,
}

impl Slots {
    fn new(purpose: Purpose, steps: usize) -> Self {
        match purpose {
            Purpose::Inference => Self { states: 2, steps: 1 },
            Purpose::Training => Self { states: steps + 1, steps },
        }
    }

    /// The slot of the state before a step.
    fn state(self, step: usize) -> usize {
        step % self.states
    }

    /// The slot of a step.
    fn step(self, step: usize) -> usize {
        step % self.steps
    }
}

/// What the forward pass leaves, each (slots, examples, ...); empty where the cell has no such thing.
struct Kept<'a> {
    /// The states, (units).
    h: &'a mut [f32],
    /// The states as the products read them, where some of them are dropped.
    dropped: &'a mut [f32],
    /// What states are multiplied by for that: (examples, units), the same in all steps.
    factors: &'a mut [f32],
    /// The values of the gates, (gates).
    gates: &'a mut [f32],
    /// What their functions were applied to.
    inputs: &'a mut [f32],
    /// The carry states of an LSTM, (units), and the function of each.
    c: &'a mut [f32],
    squashed: &'a mut [f32],
    /// Of a GRU what the reset gate is multiplied with, or the product of both: what lies behind the other.
    inner: &'a mut [f32],
}

/// How many floats of each there are.
#[derive(Default)]
struct Lens {
    h: usize,
    dropped: usize,
    factors: usize,
    gates: usize,
    inputs: usize,
    c: usize,
    squashed: usize,
    inner: usize,
}

impl Recurrence {
    fn lens(&self, images: usize, slots: Slots) -> Lens {
        let (of_units, of_gates) = (images * self.units, images * self.width());
        let h = slots.states * of_units + SLACK;
        let steps = slots.steps * of_units + SLACK;
        let gates = slots.steps * of_gates;
        let inputs = if self.functions.read_inputs() { gates } else { 0 };
        let (dropped, factors) = if self.drops() { (steps, of_units) } else { (0, 0) };
        let lens = Lens { h, dropped, factors, gates, inputs, ..Lens::default() };
        match self.cell {
            Cell::Simple => lens,
            Cell::Lstm => Lens { c: h, squashed: steps, ..lens },
            Cell::Gru(_) => Lens { inner: steps, ..lens },
        }
    }

    fn kept<'a>(&self, images: usize, slots: Slots, floats: &'a mut [f32]) -> Kept<'a> {
        let lens = self.lens(images, slots);
        let mut rest = floats;
        let mut take = |len: usize| rest.split_off_mut(..len).expect("as much memory as was asked for");
        Kept {
            h: take(lens.h),
            dropped: take(lens.dropped),
            factors: take(lens.factors),
            gates: take(lens.gates),
            inputs: take(lens.inputs),
            c: take(lens.c),
            squashed: take(lens.squashed),
            inner: take(lens.inner),
        }
    }

    /// Floats of the packed kernels.
    fn packed_len(&self) -> usize {
        self.products.iter().map(|product| product.packed_len()).sum()
    }

    /// The packed kernel of each product.
    fn packed<'a>(&self, packed: &'a mut [f32]) -> [&'a mut [f32]; 2] {
        packed.split_at_mut(self.products[0].packed_len()).into()
    }
}

impl Run for Recurrence {
    fn memory(&self, Chunk { images, purpose, .. }: Chunk) -> Memory {
        let Lens { h, dropped, factors, gates, inputs, c, squashed, inner } =
            self.lens(images, Slots::new(purpose, self.steps));
        let saved_floats = h + dropped + factors + gates + inputs + c + squashed + inner;
        let of_gates = images * self.width();
        let inference = Memory { saved_floats, forward: self.packed_len() + of_gates, ..Memory::default() };
        match purpose {
            Purpose::Inference => inference,
            Purpose::Training => {
                let forward = self.packed_len() + self.gradient_floats(images);
                Memory { forward, lost: self.lost_floats(images), ..inference }
            }
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        self.run_forward(simd, io);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        self.run_backward(simd, io);
    }
}

/// One of so many equal parts of a buffer; empty where the buffer is.
fn part(buffer: &[f32], index: usize, len: usize) -> &[f32] {
    buffer.get(index * len..(index + 1) * len).unwrap_or_default()
}

/// The same, mutable.
fn part_mut(buffer: &mut [f32], index: usize, len: usize) -> &mut [f32] {
    buffer.get_mut(index * len..(index + 1) * len).unwrap_or_default()
}

/// One part to read, and another to write.
fn two(buffer: &mut [f32], read: usize, write: usize, len: usize) -> (&[f32], &mut [f32]) {
    if read < write {
        let (before, after) = buffer.split_at_mut(write * len);
        (part(before, read, len), &mut after[..len])
    } else {
        let (before, after) = buffer.split_at_mut(read * len);
        (&after[..len], part_mut(before, write, len))
    }
}
