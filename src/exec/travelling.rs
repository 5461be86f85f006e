//! What of a shard goes to other ranks as bytes, besides sums: the factors of gradients that are summed over the whole batch.

use super::gradients::{Gradients, stride};
use crate::plan::{OverBatch, Plan, Table};

/// How many bytes the factors of so many examples are.
pub(crate) fn factors_len(plan: &Plan, examples: usize) -> usize {
    let kernels = plan.over_batch.iter().map(|kernel| 4 * (kernel.inputs + kernel.filters));
    let tables = plan.tables.iter().map(|table| table.steps * (8 + 4 * table.len));
    kernels.chain(tables).sum::<usize>() * examples
}

impl Gradients {
    /// Writes the factors of all examples of a closed shard.
    pub(crate) fn write_factors(&self, plan: &Plan, to: &mut Vec<u8>) {
        for (kept, OverBatch { inputs, filters, .. }) in self.kept.iter().zip(&plan.over_batch) {
            for (values, len) in [(&kept.x, *inputs), (&kept.dy, *filters)] {
                for row in values.chunks(stride(len)).take(self.examples) {
                    to.extend(row[..len].iter().flat_map(|value| value.to_le_bytes()));
                }
            }
        }
        for (looked_up, Table { len, steps, .. }) in self.looked_up.iter().zip(&plan.tables) {
            let occurrences = self.examples * steps;
            to.extend(looked_up.occurrences[..occurrences].iter().flat_map(|occurrence| occurrence.to_le_bytes()));
            to.extend(looked_up.dy[..occurrences * len].iter().flat_map(|value| value.to_le_bytes()));
        }
    }

    /// Takes up those of another rank's shard of so many examples, for which there is room.
    pub(crate) fn read_factors(&mut self, plan: &Plan, examples: usize, mut from: &[u8]) {
        self.examples = examples;
        let mut next = |len: usize| from.split_off(..len).expect("as many as `factors_len` says");
        for (kept, OverBatch { inputs, filters, .. }) in self.kept.iter_mut().zip(&plan.over_batch) {
            for (values, len) in [(&mut kept.x, *inputs), (&mut kept.dy, *filters)] {
                for row in values.chunks_mut(stride(len)).take(examples) {
                    read_floats(next(4 * len), &mut row[..len]);
                }
            }
        }
        for (looked_up, Table { len, steps, .. }) in self.looked_up.iter_mut().zip(&plan.tables) {
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
    let read = bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")));
    to.iter_mut().zip(read).for_each(|(to, value)| *to = value);
}
