//! The gradients of a batch as the optimizer reads them: of most parameters the sum over the shards, in their order; of
//! others found when they are read, over the whole batch.

use super::Shard;
use crate::exec::stride;
use crate::kernels::over_batch::{
    Batch, Factors, Part, Strides, bias_gradients_over_batch, weight_gradients_over_batch,
};
use crate::kernels::sum::add;
use crate::optimizer::{Block, GradientSource, PIECE, Penalties, halve};
use crate::plan::{OverBatch, Plan, Table};
use crate::simd::{Level, Simd, dispatch};
use std::ops::Range;

/// How many filters of a kernel one thread takes at a time. Their inputs start on a cache line if their number is even.
const ROWS: usize = 8;

/// How many shards are added up before their sum is added to that of the others.
pub(super) const GROUP: usize = 8;

/// The gradients of the shards of a batch.
pub(super) struct BatchGradients<'a> {
    pub(super) plan: &'a Plan,
    pub(super) shards: &'a [Shard],
    /// The examples of all shards.
    pub(super) examples: usize,
    /// What a step adds.
    pub(super) penalties: Option<&'a Penalties>,
}

/// A run of parameters whose gradients are found in one way.
enum Run {
    Sharded,
    Kernel {
        place: usize,
    },
    Biases {
        place: usize,
    },
    /// Rows of a table: those that occur have a gradient.
    Rows {
        table: usize,
    },
    /// Room between two parameters.
    Gap,
}

impl GradientSource for BatchGradients<'_> {
    /// Kernels whose gradients are found over the whole batch are cut between filters.
    fn cut(&self, range: &Range<usize>) -> Option<usize> {
        if range.len() <= PIECE {
            return None;
        }
        let middle = range.start + range.len() / 2;
        if let Some(kernel) = self.kernel_of(range) {
            let rows = ROWS * kernel.inputs;
            let before = (range.len().div_ceil(rows) / 2) * rows;
            return (before > 0).then_some(range.start + before);
        }
        let ends = self.plan.over_batch.iter().flat_map(|kernel| [kernel.weights.start, kernel.weights.end]);
        let inside = ends.filter(|end| (range.start + 1..range.end).contains(end));
        inside.min_by_key(|end| end.abs_diff(middle)).or_else(|| halve(range))
    }

    fn rows(&self, range: &Range<usize>) -> usize {
        match self.kernel_of(range) {
            Some(kernel) if range.len() > PIECE => range.len() / kernel.inputs,
            Some(_) | None => 1,
        }
    }

    fn first_with_gradient(&self, range: Range<usize>) -> Option<Range<usize>> {
        let mut at = range.start;
        while at < range.end {
            let (run, end) = self.run_at(at);
            let run_end = end.min(range.end);
            match run {
                Run::Sharded | Run::Kernel { .. } | Run::Biases { .. } => return Some(at..run_end),
                Run::Rows { table } => {
                    if let Some(row) = self.next_occurring(table, at..run_end) {
                        return Some(row);
                    }
                }
                Run::Gap => {}
            }
            at = run_end;
        }
        None
    }

    fn penalties(&self) -> Option<&Penalties> {
        self.penalties
    }

    fn write(&self, level: Level, block: Block, to: &mut [f32]) {
        dispatch!(level, simd => self.write_block(simd, block, to));
    }
}

impl<'a> BatchGradients<'a> {
    /// The kernel that all of these parameters belong to.
    fn kernel_of(&self, range: &Range<usize>) -> Option<&OverBatch> {
        let holds = |kernel: &&OverBatch| kernel.weights.start <= range.start && range.end <= kernel.weights.end;
        self.plan.over_batch.iter().find(holds)
    }

    fn write_block<S: Simd>(&self, simd: S, block: Block, room: &mut [f32]) {
        let Block { start, rows, len, stride } = block;
        if rows > 1 {
            let (Run::Kernel { place }, _) = self.run_at(start) else { unreachable!("only kernels have rows") };
            let OverBatch { weights, inputs, .. } = &self.plan.over_batch[place];
            debug_assert_eq!(stride, *inputs, "rows are filters");
            let (filter, input) = ((start - weights.start) / inputs, (start - weights.start) % inputs);
            let part = Part { filters: filter..filter + rows, inputs: input..input + len };
            return weight_gradients_over_batch(simd, &self.batch(place), &part, room, len);
        }
        let mut at = start;
        while at < start + len {
            let (run, end) = self.run_at(at);
            let range = at..end.min(start + len);
            let to = &mut room[at - start..range.end - start];
            at = range.end;
            match run {
                Run::Sharded => self.add_up(simd, range, to),
                Run::Kernel { place } => self.write_weights(simd, place, range, to),
                Run::Biases { place } => {
                    let first = self.plan.over_batch[place].biases.start;
                    let filters = range.start - first..range.end - first;
                    bias_gradients_over_batch(simd, &self.batch(place), filters, to);
                }
                Run::Rows { table } => self.write_rows(table, range, to),
                Run::Gap => to.fill(0.0),
            }
        }
    }

    /// How the gradients from a parameter on are found, and where that ends.
    fn run_at(&self, at: usize) -> (Run, usize) {
        let Plan { parameters, over_batch, tables, .. } = self.plan;
        if at < parameters.sharded_len {
            return (Run::Sharded, parameters.sharded_len);
        }
        for (place, kernel) in over_batch.iter().enumerate() {
            if kernel.weights.contains(&at) {
                return (Run::Kernel { place }, kernel.weights.end);
            }
            if kernel.biases.contains(&at) {
                return (Run::Biases { place }, kernel.biases.end);
            }
        }
        if let Some(table) = tables.iter().position(|table| table.weights.contains(&at)) {
            return (Run::Rows { table }, tables[table].weights.end);
        }
        let starts = over_batch.iter().flat_map(|kernel| [kernel.weights.start, kernel.biases.start]);
        let starts = starts.chain(tables.iter().map(|table| table.weights.start));
        (Run::Gap, starts.filter(|start| *start > at).min().unwrap_or(parameters.trained_len))
    }

    /// Sums over the shards: of a few of them at a time, so that few roundings add up.
    fn add_up<S: Simd>(&self, simd: S, range: Range<usize>, to: &mut [f32]) {
        const TILE: usize = 512;
        let (first, others) = self.shards.split_at(GROUP.min(self.shards.len()));
        for (start, to) in range.step_by(TILE).zip(to.chunks_mut(TILE)) {
            sum_up(simd, first, start, to);
            for shards in others.chunks(GROUP) {
                let mut sums = [0.0; TILE];
                let sums = &mut sums[..to.len()];
                sum_up(simd, shards, start, sums);
                add(simd, sums, to);
            }
        }
    }

    /// The gradients of a run of a table's values: of all steps that look rows up in it, in the order of the shards.
    fn write_rows(&self, table: usize, range: Range<usize>, to: &mut [f32]) {
        to.fill(0.0);
        let weights = &self.plan.tables[table].weights;
        let values = range.start - weights.start..range.end - weights.start;
        for (step, _) in self.plan.tables.iter().enumerate().filter(|(_, step)| step.weights == *weights) {
            self.shards.iter().for_each(|shard| shard.gradients.add_rows(step, values.clone(), to));
        }
    }

    /// The first row of a run of a table's values that occurs, as far as it lies in the run.
    fn next_occurring(&self, table: usize, range: Range<usize>) -> Option<Range<usize>> {
        let Table { weights, len, .. } = &self.plan.tables[table];
        let first = (range.start - weights.start) / len;
        let steps = self.plan.tables.iter().enumerate().filter(|(_, step)| step.weights == *weights);
        let rows = steps.flat_map(|(step, _)| self.shards.iter().map(move |shard| (step, shard)));
        let row = rows.filter_map(|(step, shard)| shard.gradients.next_occurring(step, first)).min()?;
        let start = weights.start + row * len;
        let within = start.max(range.start)..(start + len).min(range.end);
        (!within.is_empty()).then_some(within)
    }

    /// The gradients of a run of a kernel's weights, which may begin and end within a filter.
    fn write_weights<S: Simd>(&self, simd: S, place: usize, range: Range<usize>, to: &mut [f32]) {
        let OverBatch { weights, inputs, .. } = &self.plan.over_batch[place];
        let batch = self.batch(place);
        let (start, end) = (range.start - weights.start, range.end - weights.start);
        let mut at = start;
        while at < end {
            let (filter, input) = (at / inputs, at % inputs);
            let part = if input > 0 || end - at < *inputs {
                Part { filters: filter..filter + 1, inputs: input..(input + end - at).min(*inputs) }
            } else {
                Part { filters: filter..end / inputs, inputs: 0..*inputs }
            };
            let stride = part.inputs.len();
            let len = part.filters.len() * stride;
            weight_gradients_over_batch(simd, &batch, &part, &mut to[at - start..][..len], stride);
            at += len;
        }
    }

    fn batch(&self, place: usize) -> Batch<impl Iterator<Item = Factors<'a>> + Clone + use<'a>> {
        let OverBatch { inputs, filters, .. } = &self.plan.over_batch[place];
        let shards = self.shards.iter().map(move |shard| shard.gradients.factors(place));
        let strides = Strides { inputs: stride(*inputs), filters: stride(*filters) };
        Batch { shards, examples: self.examples, strides }
    }
}

/// The sums over these shards of the gradients from a parameter on.
fn sum_up<S: Simd>(simd: S, shards: &[Shard], start: usize, to: &mut [f32]) {
    match shards {
        [] => to.fill(0.0),
        [first, others @ ..] => {
            to.copy_from_slice(&first.gradients.summed[start..][..to.len()]);
            others.iter().for_each(|shard| add(simd, &shard.gradients.summed[start..][..to.len()], to));
        }
    }
}
