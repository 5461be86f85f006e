//! The gradients of a table's rows, as steps leave them that looked rows up: those of each occurrence, to be added up
//! row by row when the optimizer reads them. So a table of any size takes no buffer of its size, and rows that do not
//! occur take no time.

use crate::aligned::AlignedBuffer;
use crate::kernels::sum::sum_rows;
use crate::plan::Table;
use std::ops::Range;

/// What one step has looked up for the examples of a shard.
#[derive(Debug)]
pub(super) struct LookedUp {
    /// The row of each occurrence in the high half, the occurrence in the low one: sorted once the shard is done, so
    /// that a row's occurrences lie together, in their order.
    pub(super) occurrences: Vec<u64>,
    /// The gradient of each occurrence: (occurrences, len).
    pub(super) dy: AlignedBuffer,
    /// The values of a row.
    len: usize,
    /// How many rows each example looks up.
    steps: usize,
}

impl LookedUp {
    pub(super) fn new(Table { len, steps, .. }: &Table, max_examples: usize) -> Self {
        let occurrences = max_examples * steps;
        let dy = AlignedBuffer::zeroed(occurrences * len);
        Self { occurrences: vec![0; occurrences], dy, len: *len, steps: *steps }
    }

    /// Keeps the gradients of rows, of the examples from this one on.
    pub(super) fn keep(&mut self, example: usize, rows: impl Iterator<Item = usize>, dy: &[f32]) {
        let first = example * self.steps;
        let occurrences = self.occurrences[first..].iter_mut().zip(rows).enumerate();
        occurrences.for_each(|(place, (to, row))| *to = (row as u64) << 32 | (first + place) as u64);
        self.dy[first * self.len..][..dy.len()].copy_from_slice(dy);
    }

    /// Brings the occurrences of these many examples into the order of rows.
    pub(super) fn sort_rows(&mut self, examples: usize) {
        self.occurrences[..examples * self.steps].sort_unstable();
    }

    /// The gradients of the rows that one example has looked up.
    #[cfg(feature = "privacy")]
    pub(super) fn gradients_of(&mut self, example: usize) -> &mut [f32] {
        let len = self.steps * self.len;
        &mut self.dy[example * len..][..len]
    }

    /// The square of the length of the table's gradient that one example leaves.
    #[cfg(feature = "privacy")]
    pub(super) fn square_norm(&mut self, example: usize) -> f64 {
        const AT_ONCE: usize = 64;
        let of_example = example * self.steps..(example + 1) * self.steps;
        // All occurrences of the shard are sorted in the end.
        self.occurrences[of_example.clone()].sort_unstable();
        let mut square = 0.0;
        for of_row in self.occurrences[of_example].chunk_by(|a, b| row(*a) == row(*b)) {
            for first in (0..self.len).step_by(AT_ONCE) {
                let mut sums = [0.0; AT_ONCE];
                let sums = &mut sums[..AT_ONCE.min(self.len - first)];
                self.add_row(of_row, first, sums);
                square += sums.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            }
        }
        square
    }

    /// The first row from this one on that occurs, of this many examples, which have been sorted.
    pub(super) fn next_occurring(&self, examples: usize, first: usize) -> Option<usize> {
        let occurrences = &self.occurrences[..examples * self.steps];
        let next = occurrences.partition_point(|occurrence| row(*occurrence) < first);
        occurrences.get(next).map(|occurrence| row(*occurrence))
    }

    /// Adds the gradients of some of the table's values, of this many examples, which have been sorted: of each row the
    /// sum over its occurrences.
    ///
    /// - values: from the table's first value on
    pub(super) fn add_to(&self, examples: usize, values: Range<usize>, to: &mut [f32]) {
        let occurrences = &self.occurrences[..examples * self.steps];
        let first = occurrences.partition_point(|occurrence| row(*occurrence) < values.start / self.len);
        for of_row in occurrences[first..].chunk_by(|a, b| row(*a) == row(*b)) {
            let start = row(of_row[0]) * self.len;
            if start >= values.end {
                break;
            }
            // A run may begin and end within a row.
            let within = values.start.max(start)..values.end.min(start + self.len);
            let to = &mut to[within.start - values.start..within.end - values.start];
            self.add_row(of_row, within.start - start, to);
        }
    }

    /// Adds the gradients of a row's occurrences, from this value of the row on: in `f64`, as padding and full stops
    /// occur very often.
    fn add_row(&self, occurrences: &[u64], first: usize, to: &mut [f32]) {
        let dy = |occurrence: &u64| &self.dy[(*occurrence as u32) as usize * self.len + first..];
        if let [occurrence] = occurrences {
            return to.iter_mut().zip(dy(occurrence)).for_each(|(to, dy)| *to += dy);
        }
        sum_rows(occurrences.iter().map(dy), to, |to, total| *to += total as f32);
    }
}

fn row(occurrence: u64) -> usize {
    (occurrence >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_rows_get_the_sums_of_their_occurrences() {
        let table = Table { weights: 16..22, len: 2, steps: 2 };
        let mut kept = LookedUp::new(&table, 2);
        kept.keep(0, [2, 0].into_iter(), &[1.0, 2.0, 3.0, 4.0]);
        kept.keep(1, [2, 1].into_iter(), &[10.0, 20.0, 30.0, 40.0]);
        kept.sort_rows(2);
        let found = |values: Range<usize>| {
            let mut to = vec![0.0; values.len()];
            kept.add_to(2, values, &mut to);
            to
        };
        assert_eq!(found(0..6), [3.0, 4.0, 30.0, 40.0, 11.0, 22.0]);
        assert_eq!(found(1..5), [4.0, 30.0, 40.0, 11.0]);
        assert_eq!(found(3..4), [40.0]);
        assert_eq!(found(5..6), [22.0]);
    }

    #[test]
    fn a_row_that_occurs_very_often_loses_no_digits() {
        const TIMES: usize = 100_003;
        let table = Table { weights: 0..70, len: 35, steps: TIMES };
        let mut kept = LookedUp::new(&table, 1);
        kept.keep(0, std::iter::repeat_n(1, TIMES), &vec![0.3; TIMES * 35]);
        kept.sort_rows(1);
        let mut to = vec![0.0; 36];
        kept.add_to(1, 34..70, &mut to);
        let exact = f64::from(0.3_f32) * TIMES as f64;
        assert_eq!(to[0], 0.0, "the last value of the row before");
        for sum in &to[1..] {
            assert!((f64::from(*sum) - exact).abs() < 1e-6 * exact, "{sum}, expected {exact}");
        }
    }
}
