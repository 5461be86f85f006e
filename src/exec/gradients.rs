//! What the backward passes over some examples of a batch leave behind: gradients summed over them, and what those
//! gradients are made of that are summed over the whole batch at once.

use super::looked_up::LookedUp;
use crate::aligned::{AlignedBuffer, LINE_FLOATS, round_up_to_line};
use crate::kernels::over_batch::{Factors, SLACK};
use crate::plan::{OverBatch, Plan, Table};
use std::ops::Range;

/// The gradients of a shard of a batch.
#[derive(Debug)]
pub(crate) struct Gradients {
    /// Summed over the shard's examples; laid out as the first part of the trained parameters is.
    pub(crate) summed: AlignedBuffer,
    /// For each kernel whose gradient is summed over the whole batch, its inputs and output gradients.
    pub(super) kept: Vec<Kept>,
    /// For each step that looks rows up in a table which is trained, what it has looked up.
    pub(super) looked_up: Vec<LookedUp>,
    /// How many examples have been through the backward pass.
    pub(super) examples: usize,
    /// What the penalties of outputs are multiplied by: for a mean loss, one part of the batch.
    pub(crate) activity_scale: f32,
}

/// The two factors of a kernel's gradient.
#[derive(Debug)]
pub(super) struct Kept {
    /// (examples, stride).
    pub(super) x: AlignedBuffer,
    /// (examples, stride of the filters).
    pub(super) dy: AlignedBuffer,
    pub(super) filters: usize,
}

/// From one example's inputs, or output gradients, to the next's: an odd number of cache lines. With a power of two all
/// examples would compete for the same few places of the cache.
pub(crate) fn stride(numbers: usize) -> usize {
    let stride = round_up_to_line(numbers);
    if stride.is_multiple_of(2 * LINE_FLOATS) { stride + LINE_FLOATS } else { stride }
}

/// Floats that are kept of an example.
pub(crate) fn kept_len(plan: &Plan) -> usize {
    let kernels = plan.over_batch.iter().map(|kernel| stride(kernel.inputs) + stride(kernel.filters));
    kernels.chain(plan.tables.iter().map(|table| table.steps * (table.len + 2))).sum()
}

impl Gradients {
    /// Zeros, with room for this many examples.
    pub(crate) fn new(plan: &Plan, max_examples: usize) -> Self {
        let summed = AlignedBuffer::zeroed(plan.parameters.sharded_len);
        Self { summed, ..Self::without_sums(plan, max_examples) }
    }

    /// The same for a shard of another rank, whose sums are added to others before they come.
    pub(crate) fn without_sums(plan: &Plan, max_examples: usize) -> Self {
        let kept = |OverBatch { inputs, filters, .. }: &OverBatch| Kept {
            x: AlignedBuffer::zeroed(max_examples * stride(*inputs) + SLACK),
            dy: AlignedBuffer::zeroed(max_examples * stride(*filters)),
            filters: *filters,
        };
        let kept = plan.over_batch.iter().map(kept).collect();
        let looked_up = plan.tables.iter().map(|table| LookedUp::new(table, max_examples)).collect();
        Self { summed: AlignedBuffer::default(), kept, looked_up, examples: 0, activity_scale: 0.0 }
    }

    /// Makes them those of no examples.
    pub(crate) fn clear(&mut self) {
        self.summed.fill(0.0);
        self.examples = 0;
    }

    /// Closes a shard: what it has looked up comes into an order in which it can be read.
    pub(crate) fn close(&mut self) {
        self.looked_up.iter_mut().for_each(|looked_up| looked_up.sort_rows(self.examples));
    }

    /// The first row from this one on that occurs in a table.
    pub(crate) fn next_occurring(&self, table: usize, first: usize) -> Option<usize> {
        self.looked_up[table].next_occurring(self.examples, first)
    }

    /// Adds the gradients of some values of a table, from its first on, that these examples leave.
    pub(crate) fn add_rows(&self, table: usize, values: Range<usize>, to: &mut [f32]) {
        self.looked_up[table].add_to(self.examples, values, to);
    }

    /// The factors of one kernel's gradient.
    pub(crate) fn factors(&self, place: usize) -> Factors<'_> {
        let Kept { x, dy, filters } = &self.kept[place];
        Factors { x, dy: &dy[..self.examples * stride(*filters)] }
    }

    /// The gradients of all trained parameters over these examples alone, found the plain way: to be looked at, not to
    /// train with. The shard must be closed.
    pub(crate) fn all(&self, plan: &Plan) -> Vec<f32> {
        let mut all = self.summed.to_vec();
        all.resize(plan.parameters.trained_len, 0.0);
        for (place, OverBatch { weights, biases, inputs, filters }) in plan.over_batch.iter().enumerate() {
            let Factors { x, dy } = self.factors(place);
            for (x, dy) in x.chunks(stride(*inputs)).zip(dy.chunks_exact(stride(*filters))) {
                let dy = &dy[..*filters];
                for (filter, dy) in dy.iter().enumerate() {
                    let dw = all[weights.start + filter * inputs..][..*inputs].iter_mut();
                    dw.zip(x).for_each(|(dw, x)| *dw += dy * x);
                }
                all[biases.clone()].iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
            }
        }
        for (place, Table { weights, .. }) in plan.tables.iter().enumerate() {
            self.add_rows(place, 0..weights.len(), &mut all[weights.clone()]);
        }
        all
    }

    /// Keeps the factors of one kernel's gradient, of the next examples.
    ///
    /// - x: (examples, inputs); dy: (examples, filters)
    pub(super) fn keep(&mut self, place: usize, x: &[f32], dy: &[f32]) {
        let Kept { x: kept_x, dy: kept_dy, filters } = &mut self.kept[place];
        let images = dy.len() / *filters;
        let (inputs, start) = (x.len() / images, self.examples);
        let rows = kept_x[start * stride(inputs)..].chunks_mut(stride(inputs));
        rows.zip(x.chunks_exact(inputs)).for_each(|(kept, x)| kept[..inputs].copy_from_slice(x));
        let rows = kept_dy[start * stride(*filters)..].chunks_mut(stride(*filters));
        rows.zip(dy.chunks_exact(*filters)).for_each(|(kept, dy)| kept[..*filters].copy_from_slice(dy));
    }

    /// Keeps the gradients of the rows that the next examples have looked up in a table.
    pub(super) fn keep_rows(&mut self, table: usize, rows: impl Iterator<Item = usize>, dy: &[f32]) {
        self.looked_up[table].keep(self.examples, rows, dy);
    }

    /// Goes to where the examples of a chunk are kept that goes through the backward pass phase by phase, or behind
    /// all.
    pub(crate) fn go_to(&mut self, example: usize) {
        self.examples = example;
    }

    /// Counts examples whose backward pass is over.
    pub(super) fn count(&mut self, examples: usize) {
        self.examples += examples;
    }
}
