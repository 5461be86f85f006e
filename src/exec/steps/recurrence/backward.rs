//! The backward pass of a recurrent cell: over the steps in reverse. The gradients of the recurrent kernel are found a
//! block of steps at a time, while the block's gradients are near the core; so nothing but the gradients of the inputs
//! goes through all of memory.

use super::{Kept, Slots, part, part_mut};
use crate::exec::run::{Backward, InputGradient, Purpose};
use crate::kernels::conv2d::SLACK;
use crate::kernels::recurrent::{
    Cell, GruKept, LstmKept, Reset, add_back, gru_backward, gru_finish_backward, lstm_backward, simple_backward,
};
use crate::kernels::sum::{BLOCK, SHORT, add, add_all_compensated, add_rows};
use crate::plan::Flow;
use crate::program::WeightPlace;
use crate::program::plain::{Bias, Carry, Mask, Recurrence};
use crate::simd::Simd;
use std::ops::Range;

/// Gradients on the way.
struct Gradients<'a> {
    /// Of the state behind a step, then of that before it: (examples, units).
    dh: &'a mut [f32],
    /// Of the states by way of a product.
    back: &'a mut [f32],
    /// Of the carry states.
    dc: &'a mut [f32],
    /// Of the projected inputs: (steps of a block, examples, gates).
    dz: &'a mut [f32],
    /// Of each product, where it is not that of the projected inputs: (steps of a block, examples, columns).
    of_products: [&'a mut [f32]; 2],
    /// Of the recurrent bias, from a block of steps: (gates), or empty without one.
    of_bias: &'a mut [f32],
}

/// Where the gradients of weights go.
struct Target<'a> {
    places: &'a [WeightPlace],
    sums: &'a mut crate::exec::Gradients,
    /// What the additions of long sums have lost so far.
    lost: &'a mut [f32],
}

/// The gradients of the states before a step, and what comes to them through a product.
struct Back<'a> {
    dh: &'a mut [f32],
    back: &'a mut [f32],
}

/// One step, and its slot in its block.
#[derive(Clone, Copy)]
struct Step {
    step: usize,
    slot: usize,
}

/// What every step reads.
struct Given<'a> {
    images: usize,
    kept: Kept<'a>,
    /// The packed kernel of each product, turned.
    packed: [&'a [f32]; 2],
    /// (examples, steps); empty without a mask.
    mask: &'a [f32],
}

impl Recurrence {
    /// The most rows of a block, one for each step of each example: as many as make a running sum, and more where a
    /// larger kernel's gradients would be read and written too often.
    fn block_rows(&self, images: usize) -> usize {
        let rows = (self.units * self.width() / BLOCK).clamp(BLOCK, SHORT);
        rows.max(images).min(self.steps * images)
    }

    /// The steps of a block.
    fn block(&self, images: usize) -> usize {
        self.block_rows(images) / images.max(1)
    }

    /// Floats of the gradients on the way; fewer examples need no more.
    pub(super) fn gradient_floats(&self, images: usize) -> usize {
        let of_steps = self.block_rows(images) * self.width();
        let of_products = match self.cell {
            Cell::Simple | Cell::Lstm => 0,
            Cell::Gru(_) => of_steps,
        };
        self.bias_floats() + 3 * images * self.units + of_steps + of_products
    }

    fn bias_floats(&self) -> usize {
        match self.bias {
            Bias::Nothing => 0,
            Bias::Added => self.width(),
        }
    }

    fn gradients<'a>(&self, images: usize, floats: &'a mut [f32]) -> Gradients<'a> {
        let block = self.block(images);
        let (states, of_steps) = (images * self.units, block * images * self.width());
        let (of_bias, rest) = floats.split_at_mut(self.bias_floats());
        let (dh, rest) = rest.split_at_mut(states);
        let (back, rest) = rest.split_at_mut(states);
        let (dc, rest) = rest.split_at_mut(states);
        let (dz, rest) = rest.split_at_mut(of_steps);
        let of_first = match self.cell {
            Cell::Simple | Cell::Lstm => 0,
            Cell::Gru(_) => block * images * self.products[0].gate_values(),
        };
        let (first, second) = rest.split_at_mut(of_first);
        Gradients { dh, back, dc, dz, of_products: [first, second], of_bias }
    }

    pub(super) fn run_backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [_, second, third], len, dy, dx, saved, scratch, .. } = io;
        let [mask, _] = self.mask_and_initial([second, third]);
        let [mut dx, second, third] = dx;
        let [mut d_mask, mut d_initial] = self.mask_and_initial([second, third]);
        let slots = Slots::new(Purpose::Training, self.steps);
        let kept = self.kept(images, slots, &mut saved.floats);
        let (packed, floats) = scratch.forward.split_at_mut(self.packed_len());
        let mut packed = self.packed(packed);
        let kernel = &io.weights.flat[io.places[0].range.clone()];
        let mut first = 0;
        for (product, packed) in self.products.iter().zip(&mut packed) {
            let end = first + product.gate_values();
            product.pack_turned(simd, &kernel[first * self.units..end * self.units], packed);
            first = end;
        }
        let mask = match self.mask {
            Mask::All => &[][..],
            Mask::Read => mask,
        };
        let given = Given { images, kept, packed: packed.map(|packed| &*packed), mask };
        let mut gradients = self.gradients(images, floats);
        gradients.dh.fill(0.0);
        match self.carry {
            Carry::Kept => gradients.dc.fill(0.0),
            Carry::Given => {
                for (dc, dy) in gradients.dc.chunks_exact_mut(self.units).zip(dy.chunks(len)) {
                    dc.copy_from_slice(&dy[len - self.units..]);
                }
            }
        }
        // Which steps count has no gradient.
        d_mask.open(images * self.steps);
        let lost = &mut scratch.lost[..self.lost_floats(images)];
        lost.fill(0.0);
        let block = self.block(images);
        for step in (0..self.steps).rev() {
            let at = Step { step, slot: step % block };
            if let Some(place) = self.output_place(step) {
                for (dh, dy) in gradients.dh.chunks_exact_mut(self.units).zip(dy.chunks(len)) {
                    dh.iter_mut().zip(part(dy, place, self.units)).for_each(|(dh, dy)| *dh += dy);
                }
            }
            match self.cell {
                Cell::Simple => self.simple_step_back(simd, &given, at, &mut gradients),
                Cell::Lstm => self.lstm_step_back(simd, &given, at, &mut gradients),
                Cell::Gru(reset) => self.gru_step_back(simd, &given, at, reset, &mut gradients),
            }
            self.hand_on(at, images, &gradients, &mut dx);
            if at.slot == 0 {
                let steps = step..(step + block).min(self.steps);
                let to = Target { places: io.places, sums: &mut *io.gradients, lost: &mut *lost };
                self.add_weight_gradients(simd, &given, steps, &mut gradients, to);
            }
        }
        self.hand_on_initial(&gradients, &mut d_initial);
    }

    /// Whether a step counts for an example.
    fn counts(&self, given: &Given<'_>, step: usize, image: usize) -> bool {
        given.mask.get(image * self.steps + self.place(step)).is_none_or(|mask| *mask != 0.0)
    }

    /// Writes the gradients of the projected inputs of a step.
    fn hand_on(&self, Step { step, slot }: Step, images: usize, gradients: &Gradients<'_>, dx: &mut InputGradient<'_>) {
        let width = self.width();
        let dz = part(gradients.dz, slot, images * width);
        for (image, dz) in dz.chunks_exact(width).enumerate() {
            let place = image * self.steps + self.place(step);
            match dx.flow {
                Flow::Nobody | Flow::InPlace => {}
                Flow::Write => part_mut(dx.to, place, width).copy_from_slice(dz),
                Flow::Add => part_mut(dx.to, place, width).iter_mut().zip(dz).for_each(|(dx, dz)| *dx += dz),
            }
        }
    }

    /// Writes the gradients of the states before the first step.
    fn hand_on_initial(&self, gradients: &Gradients<'_>, d_initial: &mut InputGradient<'_>) {
        let [dh, dc] = [&gradients.dh, &gradients.dc].map(|states| states.chunks_exact(self.units));
        match self.cell {
            Cell::Simple | Cell::Gru(_) => d_initial.put(gradients.dh.iter()),
            Cell::Lstm => d_initial.put(dh.zip(dc).flat_map(|(dh, dc)| dh.iter().chain(dc))),
        }
    }

    /// Adds what comes back through the first product to the gradients of the states before a step, if there are any.
    fn back_to_states<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        step: usize,
        dz: &[f32],
        Back { dh, back }: Back<'_>,
    ) {
        if !self.starts_from_zeros(step) {
            self.products[0].of_gradients(simd, dz, given.packed[0], back);
            self.add_back(simd, given, dh, back);
        }
    }

    /// Adds what comes back through the products to the gradients of the states before a step.
    fn add_back<S: Simd>(&self, simd: S, given: &Given<'_>, dh: &mut [f32], back: &[f32]) {
        add_back(simd, back, if self.drops() { &*given.kept.factors } else { &[] }, dh);
    }

    fn simple_step_back<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        Step { step, slot }: Step,
        gradients: &mut Gradients<'_>,
    ) {
        let (units, states) = (self.units, given.images * self.units);
        let Gradients { dh, back, dz, .. } = gradients;
        let dz = part_mut(dz, slot, states);
        let [gates, inputs] = [&given.kept.gates, &given.kept.inputs].map(|kept| part(kept, step, states));
        for (image, dz) in dz.chunks_exact_mut(units).enumerate() {
            let dh = part_mut(dh, image, units);
            if self.counts(given, step, image) {
                let kept = (part(gates, image, units), part(inputs, image, units));
                simple_backward(simd, self.functions, kept, dh, dz);
                dh.fill(0.0);
            } else {
                dz.fill(0.0);
            }
        }
        self.back_to_states(simd, given, step, dz, Back { dh, back });
    }

    fn lstm_step_back<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        Step { step, slot }: Step,
        gradients: &mut Gradients<'_>,
    ) {
        let (units, width, images) = (self.units, self.width(), given.images);
        let Gradients { dh, back, dc, dz, .. } = gradients;
        let dz = part_mut(dz, slot, images * width);
        for (image, dz) in dz.chunks_exact_mut(width).enumerate() {
            let dh = part_mut(dh, image, units);
            if self.counts(given, step, image) {
                let at = step * images + image;
                let kept = LstmKept {
                    gates: part(given.kept.gates, at, width),
                    inputs: part(given.kept.inputs, at, width),
                    c_before: part(given.kept.c, at, units),
                    c: part(given.kept.c, at + images, units),
                    squashed: part(given.kept.squashed, at, units),
                };
                lstm_backward(simd, self.functions, kept, dh, part_mut(dc, image, units), dz);
                dh.fill(0.0);
            } else {
                dz.fill(0.0);
            }
        }
        self.back_to_states(simd, given, step, dz, Back { dh, back });
    }

    fn gru_step_back<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        Step { step, slot }: Step,
        reset: Reset,
        gradients: &mut Gradients<'_>,
    ) {
        let (units, width, images) = (self.units, self.width(), given.images);
        let Gradients { dh, back, dz, of_products: [first, second], .. } = gradients;
        let kept = |image: usize| {
            let at = step * images + image;
            GruKept {
                gates: part(given.kept.gates, at, width),
                inputs: part(given.kept.inputs, at, width),
                h_before: part(given.kept.h, at, units),
            }
        };
        let dz = part_mut(dz, slot, images * width);
        let first = part_mut(first, slot, images * self.products[0].gate_values());
        let second = part_mut(second, slot, images * units);
        for (image, dz) in dz.chunks_exact_mut(width).enumerate() {
            if self.counts(given, step, image) {
                gru_backward(simd, self.functions, kept(image), part_mut(dh, image, units), dz);
            } else {
                dz.fill(0.0);
            }
            let d_candidate = &dz[2 * units..];
            match reset {
                Reset::After => part_mut(first, image, width)[2 * units..].copy_from_slice(d_candidate),
                Reset::Before => part_mut(second, image, units).copy_from_slice(d_candidate),
            }
        }
        match reset {
            Reset::After => {}
            Reset::Before => self.products[1].of_gradients(simd, second, given.packed[1], back),
        }
        for (image, dz) in dz.chunks_exact_mut(width).enumerate() {
            let (gates, at) = (2 * units, step * images + image);
            let (of_gates, d_product, factor) = match reset {
                Reset::After => {
                    let (of_gates, d_product) = part_mut(first, image, width).split_at_mut(gates);
                    (of_gates, d_product, part(given.kept.inner, at, units))
                }
                Reset::Before => {
                    let read = if self.drops() { &given.kept.dropped } else { &given.kept.h };
                    (part_mut(first, image, gates), part_mut(back, image, units), part(read, at, units))
                }
            };
            if self.counts(given, step, image) {
                gru_finish_backward(simd, self.functions, kept(image), factor, d_product, &mut dz[units..gates]);
            } else {
                d_product.fill(0.0);
            }
            of_gates.copy_from_slice(&dz[..gates]);
        }
        match reset {
            Reset::After => {}
            Reset::Before => self.add_back(simd, given, dh, back),
        }
        self.back_to_states(simd, given, step, first, Back { dh, back });
    }

    /// Floats of what the additions of long sums lose: one for each weight, if there are long sums.
    pub(super) fn lost_floats(&self, images: usize) -> usize {
        let of_kernel = self.lost_of_kernel(images);
        of_kernel + if of_kernel > 0 { self.bias_floats() } else { 0 }
    }

    fn lost_of_kernel(&self, images: usize) -> usize {
        self.products.iter().map(|product| product.lost_len(self.steps * images)).sum()
    }

    /// Adds what a block of steps gives to the gradients of the recurrent kernel and of its bias.
    fn add_weight_gradients<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        steps: Range<usize>,
        gradients: &mut Gradients<'_>,
        Target { places, sums, lost }: Target<'_>,
    ) {
        let images = given.images;
        let states: &[f32] = if self.drops() { given.kept.dropped } else { given.kept.h };
        let of_first = match self.cell {
            Cell::Simple | Cell::Lstm => &*gradients.dz,
            Cell::Gru(_) => &*gradients.of_products[0],
        };
        let (of_kernel, lost_of_bias) = lost.split_at_mut(self.lost_of_kernel(images));
        let kernel = &places[0];
        if kernel.is_trained {
            let first_step = steps.start + usize::from(self.starts_from_zeros(steps.start));
            let rows = (first_step - steps.start) * images..steps.len() * images;
            let (mut start, mut lost) = (kernel.range.start, &mut *of_kernel);
            let factors = [(states, of_first), (&*given.kept.inner, &*gradients.of_products[1])];
            for (product, (h, dz)) in self.products.iter().zip(factors) {
                let end = start + product.gate_values() * self.units;
                let (of_product, rest) = lost.split_at_mut(product.lost_len(self.steps * images));
                let dz = &dz[rows.start * product.gate_values()..rows.end * product.gate_values()];
                let h = &h[first_step * images * self.units..];
                product.add_weight_gradients(simd, h, dz, of_product, &mut sums.summed[start..end + SLACK]);
                (start, lost) = (end, rest);
            }
        }
        if let Some(bias) = self.bias_range(places).filter(|_| places[1].is_trained) {
            let (of_block, sums) = (&mut *gradients.of_bias, &mut sums.summed[bias]);
            of_block.fill(0.0);
            add_rows(simd, &of_first[..steps.len() * images * self.width()], of_block);
            if lost_of_bias.is_empty() {
                add(simd, of_block, sums);
            } else {
                add_all_compensated(simd, of_block, sums, lost_of_bias);
            }
        }
    }
}
