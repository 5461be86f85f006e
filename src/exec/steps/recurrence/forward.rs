//! The forward pass of a recurrent cell: for each step the products with the recurrent kernel, then the gates of each
//! example in one pass over its row.

use super::{Kept, Slots, part, part_mut, two};
use crate::exec::forward::Pass;
use crate::exec::run::{Forward, Purpose};
use crate::kernels::recurrent::{Cell, LstmStates, Reset, gru_forward, gru_reset, lstm_forward, simple_forward};
use crate::program::WeightPlace;
use crate::program::plain::{Bias, Carry, Initial, Mask, Recurrence};
use crate::random::{Stream, stream};
use crate::simd::Simd;
use rand::RngExt;

/// What every step reads.
struct Given<'a> {
    images: usize,
    /// (examples, steps, gates).
    x: &'a [f32],
    /// The packed kernel of each product.
    packed: [&'a [f32]; 2],
}

/// One step.
#[derive(Clone, Copy)]
struct Step {
    /// The place of its inputs.
    place: usize,
    /// The slots of the state before it, of the one behind it, and of the step.
    before: usize,
    behind: usize,
    slot: usize,
    starts_from_zeros: bool,
}

impl Recurrence {
    pub(super) fn run_forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, second, third], y, len, saved, scratch, weights, places, pass } = io;
        let [mask, initial] = self.mask_and_initial([second, third]);
        let purpose = match pass {
            Pass::Inference => Purpose::Inference,
            Pass::Training { .. } => Purpose::Training,
        };
        let slots = Slots::new(purpose, self.steps);
        let mut kept = self.kept(images, slots, &mut saved.floats);
        let (packed, room) = scratch.forward.split_at_mut(self.packed_len());
        let mut packed = self.packed(packed);
        self.pack(simd, &weights.flat, places, &mut packed);
        let given = Given { images, x, packed: packed.map(|packed| &*packed) };
        let states = images * self.units;
        self.begin(initial, images, &mut kept);
        self.draw(pass, images, kept.factors);
        for step in 0..self.steps {
            let place = self.place(step);
            let [before, behind] = [slots.state(step), slots.state(step + 1)];
            let at =
                Step { place, before, behind, slot: slots.step(step), starts_from_zeros: self.starts_from_zeros(step) };
            self.drop_states(at, states, &mut kept);
            match self.cell {
                Cell::Simple => self.simple_step(simd, &given, at, &mut kept),
                Cell::Lstm => self.lstm_step(simd, &given, at, &mut kept),
                Cell::Gru(Reset::After) => self.gru_step(simd, &given, at, &mut kept),
                Cell::Gru(Reset::Before) => self.gru_step_reset_before(simd, &given, at, &mut kept, room),
            }
            match self.mask {
                Mask::All => {}
                Mask::Read => self.keep_masked(at, mask, images, &mut kept),
            }
            let h = part(kept.h, behind, states);
            if let Some(place) = self.output_place(step) {
                for (y, h) in y.chunks_mut(len).zip(h.chunks_exact(self.units)) {
                    part_mut(y, place, self.units).copy_from_slice(h);
                }
            }
        }
        match self.carry {
            Carry::Kept => {}
            Carry::Given => {
                let c = part(kept.c, slots.state(self.steps), states);
                for (y, c) in y.chunks_mut(len).zip(c.chunks_exact(self.units)) {
                    y[len - self.units..].copy_from_slice(c);
                }
            }
        }
    }

    /// Puts the states before the first step in their place.
    fn begin(&self, initial: &[f32], images: usize, kept: &mut Kept<'_>) {
        let states = images * self.units;
        match self.initial {
            Initial::Zeros => {
                kept.h[..states].fill(0.0);
                kept.c.iter_mut().take(states).for_each(|c| *c = 0.0);
            }
            Initial::Read => {
                for (image, both) in initial.chunks_exact(self.state_len()).take(images).enumerate() {
                    let (h, c) = both.split_at(self.units);
                    part_mut(kept.h, image, self.units).copy_from_slice(h);
                    part_mut(kept.c, image, c.len()).copy_from_slice(c);
                }
            }
        }
    }

    fn pack<S: Simd>(&self, simd: S, flat: &[f32], places: &[WeightPlace], packed: &mut [&mut [f32]; 2]) {
        let kernel = &flat[places[0].range.clone()];
        let biases = self.bias_range(places).map_or(&[][..], |range| &flat[range]);
        let mut first = 0;
        for (product, packed) in self.products.iter().zip(packed) {
            let columns = first..first + product.gate_values();
            let kernel = &kernel[columns.start * self.units..columns.end * self.units];
            product.pack(simd, kernel, biases.get(columns.clone()).unwrap_or_default(), packed);
            first = columns.end;
        }
    }

    /// Where the recurrent bias lies: it is the second row of the bias.
    pub(super) fn bias_range(&self, places: &[WeightPlace]) -> Option<std::ops::Range<usize>> {
        match self.bias {
            Bias::Nothing => None,
            Bias::Added => Some(places[1].range.end - self.width()..places[1].range.end),
        }
    }

    /// Draws what is dropped of the states of each example.
    fn draw(&self, pass: Pass, images: usize, factors: &mut [f32]) {
        let (rate, call) = (self.dropout.rate, self.dropout.call);
        if !self.drops() {
            return;
        }
        let Pass::Training { seed, step, first_example } = pass else { return factors.fill(1.0) };
        for image in 0..images {
            let mut random = stream(seed, Stream::RecurrentDropout { call, step, example: first_example + image });
            let kept = 1.0 / (1.0 - rate);
            for factor in part_mut(factors, image, self.units) {
                *factor = if random.random::<f32>() < rate { 0.0 } else { kept };
            }
        }
    }

    /// The states as the products read them.
    fn drop_states(&self, Step { before, slot, .. }: Step, states: usize, kept: &mut Kept<'_>) {
        if self.drops() {
            let h = part(kept.h, before, states).iter().zip(&*kept.factors);
            part_mut(kept.dropped, slot, states).iter_mut().zip(h).for_each(|(to, (h, factor))| *to = h * factor);
        }
    }

    /// The first product of states. Where all of them are 0, all products of them are alike.
    fn of_states<S: Simd>(&self, simd: S, given: &Given<'_>, at: Step, read: &[f32], z: &mut [f32]) {
        let product = &self.products[0];
        if at.starts_from_zeros {
            let (first, others) = z.split_at_mut(product.gate_values());
            product.of_states(simd, &read[..self.units], given.packed[0], first);
            others.chunks_exact_mut(first.len()).for_each(|z| z.copy_from_slice(first));
        } else {
            product.of_states(simd, read, given.packed[0], z);
        }
    }

    /// The projected input of an example.
    fn projected<'a>(&self, x: &'a [f32], image: usize, place: usize) -> &'a [f32] {
        part(x, image * self.steps + place, self.width())
    }

    fn simple_step<S: Simd>(&self, simd: S, given: &Given<'_>, at: Step, kept: &mut Kept<'_>) {
        let (states, units) = (given.images * self.units, self.units);
        let (before, h) = two(kept.h, at.before, at.behind, states);
        let read = if self.drops() { part(kept.dropped, at.slot, states) } else { before };
        let z = part_mut(kept.gates, at.slot, states);
        let inputs = part_mut(kept.inputs, at.slot, states);
        self.of_states(simd, given, at, read, z);
        for (image, z) in z.chunks_exact_mut(units).enumerate() {
            let x = self.projected(given.x, image, at.place);
            simple_forward(simd, self.functions, x, z, part_mut(inputs, image, units));
        }
        h.copy_from_slice(z);
    }

    fn lstm_step<S: Simd>(&self, simd: S, given: &Given<'_>, at: Step, kept: &mut Kept<'_>) {
        let (units, width) = (self.units, self.width());
        let (states, of_gates) = (given.images * units, given.images * width);
        let (before, h) = two(kept.h, at.before, at.behind, states);
        let (c_before, c) = two(kept.c, at.before, at.behind, states);
        let read = if self.drops() { part(kept.dropped, at.slot, states) } else { before };
        let gates = part_mut(kept.gates, at.slot, of_gates);
        let inputs = part_mut(kept.inputs, at.slot, of_gates);
        let squashed = part_mut(kept.squashed, at.slot, states);
        self.of_states(simd, given, at, read, gates);
        for (image, gates) in gates.chunks_exact_mut(width).enumerate() {
            let states = LstmStates {
                c: part_mut(c, image, units),
                squashed: part_mut(squashed, image, units),
                h: part_mut(h, image, units),
            };
            let x = self.projected(given.x, image, at.place);
            let gates = (gates, part_mut(inputs, image, width));
            lstm_forward(simd, self.functions, x, gates, part(c_before, image, units), states);
        }
    }

    fn gru_step<S: Simd>(&self, simd: S, given: &Given<'_>, at: Step, kept: &mut Kept<'_>) {
        let (units, width) = (self.units, self.width());
        let (states, of_gates) = (given.images * units, given.images * width);
        let (before, h) = two(kept.h, at.before, at.behind, states);
        let read = if self.drops() { part(kept.dropped, at.slot, states) } else { before };
        let gates = part_mut(kept.gates, at.slot, of_gates);
        let inputs = part_mut(kept.inputs, at.slot, of_gates);
        let inner = part_mut(kept.inner, at.slot, states);
        self.of_states(simd, given, at, read, gates);
        for (image, gates) in gates.chunks_exact_mut(width).enumerate() {
            let x = self.projected(given.x, image, at.place);
            let (x, x_candidate) = x.split_at(2 * units);
            let (gates, candidate) = gates.split_at_mut(2 * units);
            let inputs = part_mut(inputs, image, width);
            let (inputs, input) = inputs.split_at_mut(inputs.len() / 3 * 2);
            let factor = part_mut(inner, image, units);
            factor.copy_from_slice(candidate);
            gru_reset(simd, self.functions, x, (&mut *gates, inputs), (factor, candidate));
            let others = (&gates[..units], part(before, image, units));
            gru_forward(simd, self.functions, x_candidate, (candidate, input), others, part_mut(h, image, units));
        }
    }

    fn gru_step_reset_before<S: Simd>(
        &self,
        simd: S,
        given: &Given<'_>,
        at: Step,
        kept: &mut Kept<'_>,
        room: &mut [f32],
    ) {
        let (units, width) = (self.units, self.width());
        let (states, of_gates) = (given.images * units, given.images * width);
        let (before, h) = two(kept.h, at.before, at.behind, states);
        let read = if self.drops() { part(kept.dropped, at.slot, states) } else { before };
        let all_gates = part_mut(kept.gates, at.slot, of_gates);
        let inputs = part_mut(kept.inputs, at.slot, of_gates);
        let inner = part_mut(kept.inner, at.slot, states);
        let (z, candidates) = room[..of_gates].split_at_mut(2 * states);
        self.of_states(simd, given, at, read, z);
        for (image, gates) in all_gates.chunks_exact_mut(width).enumerate() {
            let x = &self.projected(given.x, image, at.place)[..2 * units];
            let gates = &mut gates[..2 * units];
            gates.copy_from_slice(part(z, image, 2 * units));
            let inputs = part_mut(inputs, image, width);
            let of_both = inputs.len() / 3 * 2;
            let product = (part(read, image, units), part_mut(inner, image, units));
            gru_reset(simd, self.functions, x, (gates, &mut inputs[..of_both]), product);
        }
        self.products[1].of_states(simd, inner, given.packed[1], candidates);
        for (image, gates) in all_gates.chunks_exact_mut(width).enumerate() {
            let x = &self.projected(given.x, image, at.place)[2 * units..];
            let (gates, candidate) = gates.split_at_mut(2 * units);
            candidate.copy_from_slice(part(candidates, image, units));
            let inputs = part_mut(inputs, image, width);
            let of_both = inputs.len() / 3 * 2;
            let others = (&gates[..units], part(before, image, units));
            let candidate = (candidate, &mut inputs[of_both..]);
            gru_forward(simd, self.functions, x, candidate, others, part_mut(h, image, units));
        }
    }

    /// Examples for which a step does not count keep their states.
    fn keep_masked(&self, at: Step, mask: &[f32], images: usize, kept: &mut Kept<'_>) {
        let states = images * self.units;
        for image in (0..images).filter(|image| mask[image * self.steps + at.place] == 0.0) {
            let (before, h) = two(kept.h, at.before, at.behind, states);
            part_mut(h, image, self.units).copy_from_slice(part(before, image, self.units));
            if !kept.c.is_empty() {
                let (before, c) = two(kept.c, at.before, at.behind, states);
                part_mut(c, image, self.units).copy_from_slice(part(before, image, self.units));
            }
        }
    }
}
