//! Rows of a table, and their gradients.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::Lookup;
use crate::simd::Simd;

impl Lookup {
    /// The row of a token. Who gives a model its inputs has checked that there is one.
    fn row_of(&self, token: f32) -> usize {
        (token as usize).min(self.rows - 1)
    }
}

impl Run for Lookup {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let table = &io.weights.flat[io.places[0].range.clone()];
        for (y, token) in io.y[..io.images * io.len].chunks_exact_mut(self.len).zip(io.x[0]) {
            y.copy_from_slice(&table[self.row_of(*token) * self.len..][..self.len]);
        }
    }

    /// Tokens have no gradient, so zeros are what anybody gets who wants it.
    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, x: [tokens, ..], len, dy, dx: [mut dx, ..], gradients, .. } = io;
        let tokens = &tokens[..images * len / self.len];
        if let Some(table) = self.table {
            gradients.keep_rows(table, tokens.iter().map(|token| self.row_of(*token)), &dy[..images * len]);
        }
        dx.open(tokens.len());
    }
}
