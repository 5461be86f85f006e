//! The backward pass of a recurrent cell: over the steps in reverse, then the gradients of the recurrent kernel over
//! all of them at once.

use super::{Kept, Slots, part, part_mut};
use crate::exec::run::{Backward, InputGradient, Purpose};
use crate::kernels::conv2d::SLACK;
use crate::kernels::recurrent::{
    Cell, GruKept, LstmKept, Reset, gru_backward, gru_finish_backward, lstm_backward, simple_backward,
};
use crate::kernels::sum::add_rows;
use crate::plan::Flow;
use crate::program::plain::{Carry, Mask, Recurrence};
use crate::simd::Simd;

/// Gradients on the way.
struct Gradients<'a> {
    /// Of the state behind a step, then of that before it: (examples, units).
    dh: &'a mut [f32],
    /// Of the states by way of a product.
    back: &'a mut [f32],
    /// Of the carry states.
    dc: &'a mut [f32],
    /// Of the projected inputs: (steps, examples, gates).
    dz: &'a mut [f32],
    /// Of each product, where it is not that of the projected inputs: (steps, examples, columns).
    of_products: [&'a mut [f32]; 2],
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
    /// Floats of the gradients on the way.
    pub(super) fn gradient_floats(&self, images: usize) -> usize {
        let of_steps = self.steps * images * self.width();
        let of_products = match self.cell {
            Cell::Simple | Cell::Lstm => 0,
            Cell::Gru(_) => of_steps,
        };
        3 * images * self.units + of_steps + of_products
    }

    fn gradients<'a>(&self, images: usize, floats: &'a mut [f32]) -> Gradients<'a> {
        let (states, of_steps) = (images * self.units, self.steps * images * self.width());
        let (dh, rest) = floats.split_at_mut(states);
        let (back, rest) = rest.split_at_mut(states);
        let (dc, rest) = rest.split_at_mut(states);
        let (dz, rest) = rest.split_at_mut(of_steps);
        let of_first = match self.cell {
            Cell::Simple | Cell::Lstm => 0,
            Cell::Gru(_) => self.steps * images * self.products[0].gate_values(),
        };
        let (first, second) = rest.split_at_mut(of_first);
        Gradients { dh, back, dc, dz, of_products: [first, second] }
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
        for step in (0..self.steps).rev() {
            match self.output_place(step) {
                Some(place) => {
                    for (dh, dy) in gradients.dh.chunks_exact_mut(self.units).zip(dy.chunks(len)) {
                        dh.iter_mut().zip(part(dy, place, self.units)).for_each(|(dh, dy)| *dh += dy);
                    }
                }
                None if step + 1 == self.steps => {
                    for (dh, dy) in gradients.dh.chunks_exact_mut(self.units).zip(dy.chunks(len)) {
                        dh.copy_from_slice(&dy[..self.units]);
                    }
                }
                None => {}
            }
            match self.cell {
                Cell::Simple => self.simple_step_back(simd, &given, step, &mut gradients),
                Cell::Lstm => self.lstm_step_back(simd, &given, step, &mut gradients),
                Cell::Gru(reset) => self.gru_step_back(simd, &given, step, reset, &mut gradients),
            }
            self.hand_on(step, images, &gradients, &mut dx);
        }
        self.hand_on_initial(&gradients, &mut d_initial);
        self.add_weight_gradients(simd, &given, &gradients, &mut scratch.lost, (io.places, io.gradients));
    }

    /// Whether a step counts for an example.
    fn counts(&self, given: &Given<'_>, step: usize, image: usize) -> bool {
        given.mask.get(image * self.steps + self.place(step)).is_none_or(|mask| *mask != 0.0)
    }

    /// Writes the gradients of the projected inputs of a step.
    fn hand_on(&self, step: usize, images: usize, gradients: &Gradients<'_>, dx: &mut InputGradient<'_>) {
        let width = self.width();
        let dz = part(gradients.dz, step, images * width);
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

    /// Adds what comes back through the products to the gradients of the states before a step.
    fn add_back(&self, given: &Given<'_>, dh: &mut [f32], back: &[f32]) {
        if self.drops() {
            let back = back.iter().zip(&*given.kept.factors);
            dh.iter_mut().zip(back).for_each(|(dh, (back, factor))| *dh += back * factor);
        } else {
            dh.iter_mut().zip(back).for_each(|(dh, back)| *dh += back);
        }
    }

    fn simple_step_back<S: Simd>(&self, simd: S, given: &Given<'_>, step: usize, gradients: &mut Gradients<'_>) {
        let (units, states) = (self.units, given.images * self.units);
        let Gradients { dh, back, dz, .. } = gradients;
        let dz = part_mut(dz, step, states);
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
        self.products[0].of_gradients(simd, dz, given.packed[0], back);
        self.add_back(given, dh, back);
    }

    fn lstm_step_back<S: Simd>(&self, simd: S, given: &Given<'_>, step: usize, gradients: &mut Gradients<'_>) {
        let (units, width, images) = (self.units, self.width(), given.images);
        let Gradients { dh, back, dc, dz, .. } = gradients;
        let dz = part_mut(dz, step, images * width);
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
        self.products[0].of_gradients(simd, dz, given.packed[0], back);
        self.add_back(given, dh, back);
    }

    fn gru_step_back<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        step: usize,
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
        let dz = part_mut(dz, step, images * width);
        let first = part_mut(first, step, images * self.products[0].gate_values());
        let second = part_mut(second, step, images * units);
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
            Reset::Before => self.add_back(given, dh, back),
        }
        self.products[0].of_gradients(simd, first, given.packed[0], back);
        self.add_back(given, dh, back);
    }

    /// The gradients of the recurrent kernel and of its bias.
    fn add_weight_gradients<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        gradients: &Gradients<'_>,
        lost: &mut [f32],
        (places, sums): (&[crate::program::WeightPlace], &mut crate::exec::Gradients),
    ) {
        let rows = self.steps * given.images;
        let states: &[f32] = if self.drops() { given.kept.dropped } else { given.kept.h };
        let of_first = match self.cell {
            Cell::Simple | Cell::Lstm => &*gradients.dz,
            Cell::Gru(_) => &*gradients.of_products[0],
        };
        let kernel = &places[0];
        if kernel.is_trained {
            let mut start = kernel.range.start;
            let factors = [(states, of_first), (&*given.kept.inner, &*gradients.of_products[1])];
            for (product, (h, dz)) in self.products.iter().zip(factors) {
                let end = start + product.gate_values() * self.units;
                let dw = &mut sums.summed[start..end + SLACK];
                product.add_weight_gradients(simd, h, &dz[..rows * product.gate_values()], lost, dw);
                start = end;
            }
        }
        if let Some(bias) = self.bias_range(places).filter(|_| places[1].is_trained) {
            add_rows(simd, &of_first[..rows * self.width()], &mut sums.summed[bias]);
        }
    }
}
