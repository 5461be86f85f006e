//! Which rows of values have which numbers.

use crate::program::plain::PerAxis;
use std::ops::Range;

impl PerAxis {
    /// Calls `visit` for each row of values, the last axis, of some images: with where it starts, and where its numbers
    /// do.
    #[inline(always)]
    pub(super) fn each_row(&self, images: usize, mut visit: impl FnMut(usize, usize)) {
        let ([a, b, c, row_len], [of_a, of_b, of_c, len]) = (self.axes, self.numbers);
        // An axis that shares a number is stood still on. Found before the loops: the compiler would make loops of their
        // own for each case.
        let [step_a, step_b, step_c] = [(of_a, of_b * of_c * len), (of_b, of_c * len), (of_c, len)]
            .map(|(numbers, step)| if numbers == 1 { 0 } else { step });
        let mut start = 0;
        for _ in 0..images {
            for i in 0..a {
                for j in 0..b {
                    for k in 0..c {
                        visit(start, i * step_a + j * step_b + k * step_c);
                        start += row_len;
                    }
                }
            }
        }
    }

    /// Calls `visit` with where each row starts that has the numbers of this place.
    #[inline(always)]
    pub(super) fn each_row_of(&self, images: usize, place: usize, mut visit: impl FnMut(usize)) {
        let ([a, b, c, row_len], [of_a, of_b, of_c, _]) = (self.axes, self.numbers);
        let [i, j, k] = [place / (of_b * of_c) % of_a, place / of_c % of_b, place % of_c];
        let range = |at: usize, numbers: usize, len: usize| if numbers == 1 { 0..len } else { at..at + 1 };
        let [rows_a, rows_b, rows_c]: [Range<usize>; 3] = [range(i, of_a, a), range(j, of_b, b), range(k, of_c, c)];
        for image in 0..images {
            for i in rows_a.clone() {
                for j in rows_b.clone() {
                    rows_c.clone().for_each(|k| visit((((image * a + i) * b + j) * c + k) * row_len));
                }
            }
        }
    }
}
