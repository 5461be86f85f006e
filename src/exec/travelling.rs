//! What of a shard goes to other ranks as bytes, besides sums: the factors of gradients that are summed over the whole batch.

use super::gradients::{Gradients, stride};
use crate::plan::{OverBatch, Plan, Table};
use crate::wire::{floats, put_floats};
use std::ops::Range;

/// Some of a plan's kernels and tables whose gradients are made of factors, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Factored {
    pub(crate) kernels: Range<usize>,
    pub(crate) tables: Range<usize>,
}

impl Factored {
    fn kernels<'p>(&self, plan: &'p Plan) -> &'p [OverBatch] {
        &plan.over_batch[self.kernels.clone()]
    }

    fn tables<'p>(&self, plan: &'p Plan) -> &'p [Table] {
        &plan.tables[self.tables.clone()]
    }

    /// How many bytes the factors of so many examples are.
    pub(crate) fn len(&self, plan: &Plan, examples: usize) -> usize {
        let kernels = self.kernels(plan).iter().map(|kernel| 4 * (kernel.inputs + kernel.filters));
        let tables = self.tables(plan).iter().map(|table| table.steps * (8 + 4 * table.len));
        kernels.chain(tables).sum::<usize>() * examples
    }
}

impl Gradients {
    /// Writes the factors of all examples of a shard, whose tables must be closed.
    pub(crate) fn write_factors(&self, plan: &Plan, of: &Factored, to: &mut Vec<u8>) {
        for (kept, OverBatch { inputs, filters, .. }) in self.kept[of.kernels.clone()].iter().zip(of.kernels(plan)) {
            for (values, len) in [(&kept.x, *inputs), (&kept.dy, *filters)] {
                for row in values.chunks(stride(len)).take(self.examples) {
                    put_floats(&row[..len], to);
                }
            }
        }
        for (looked_up, Table { len, steps, .. }) in self.looked_up[of.tables.clone()].iter().zip(of.tables(plan)) {
            let occurrences = self.examples * steps;
            to.extend(looked_up.occurrences[..occurrences].iter().flat_map(|occurrence| occurrence.to_le_bytes()));
            put_floats(&looked_up.dy[..occurrences * len], to);
        }
    }

    /// Takes up those of a shard of so many examples, for which there is room.
    pub(crate) fn read_factors(&mut self, plan: &Plan, of: &Factored, examples: usize, mut from: &[u8]) {
        self.examples = examples;
        let mut next = |len: usize| from.split_off(..len).expect("as many as `len` says");
        for (kept, OverBatch { inputs, filters, .. }) in self.kept[of.kernels.clone()].iter_mut().zip(of.kernels(plan))
        {
            for (values, len) in [(&mut kept.x, *inputs), (&mut kept.dy, *filters)] {
                for row in values.chunks_mut(stride(len)).take(examples) {
                    read_floats(next(4 * len), &mut row[..len]);
                }
            }
        }
        let tables = of.tables(plan);
        for (looked_up, Table { len, steps, .. }) in self.looked_up[of.tables.clone()].iter_mut().zip(tables) {
            let occurrences = examples * steps;
            let bytes = next(8 * occurrences).chunks_exact(8);
            let read = bytes.map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
            looked_up.occurrences.iter_mut().zip(read).for_each(|(to, occurrence)| *to = occurrence);
            read_floats(next(4 * occurrences * len), &mut looked_up.dy[..occurrences * len]);
        }
    }
}

/// Reads as many floats as there is room for.
fn read_floats(bytes: &[u8], to: &mut [f32]) {
    to.iter_mut().zip(floats(bytes)).for_each(|(to, value)| *to = value);
}
