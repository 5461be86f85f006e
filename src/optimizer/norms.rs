//! Decides how norms of gradients are found: the sum of squares block by block, in parallel, and then over the blocks
//! in their order. Blocks depend on the variables alone, never on the threads.

use super::Optimizer;
use super::pieces::{Gradients, PIECE};
use crate::kernels::clip::sum_of_squares;
use crate::simd::{Level, Simd, dispatch};
use std::ops::Range;

/// The room that norms need; empty for an optimizer that needs none.
#[derive(Clone, Debug)]
pub(super) struct Norms {
    /// They cover the whole buffer, in order.
    blocks: Vec<Block>,
    /// A sum for each block.
    squares: Vec<f64>,
    /// What the gradients of each variable are multiplied by, in order.
    pub(super) factors: Vec<Factor>,
}

/// A part of one variable.
#[derive(Clone, Debug)]
struct Block {
    start: usize,
    /// How many gradients it has.
    len: usize,
    /// Where the next block starts: there may be room between two variables.
    end: usize,
    /// Its place among the variables.
    variable: usize,
}

/// What one variable's gradients are multiplied by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    /// Where the variable ends.
    pub(super) end: usize,
    pub(super) factor: f32,
}

impl Norms {
    pub(super) fn new(
        optimizer: &Optimizer,
        parameter_len: usize,
        variables: impl IntoIterator<Item = Range<usize>>,
    ) -> Self {
        let (mut blocks, mut factors): (Vec<Block>, _) = (Vec::new(), Vec::new());
        if optimizer.clipnorm.is_some() || optimizer.global_clipnorm.is_some() {
            let variables = variables.into_iter().filter(|range| !range.is_empty());
            for (variable, range) in variables.enumerate() {
                factors.push(Factor { end: range.end, factor: 1.0 });
                for start in range.clone().step_by(PIECE) {
                    let len = PIECE.min(range.end - start);
                    blocks.push(Block { start, len, end: start + len, variable });
                }
            }
            for index in 0..blocks.len() {
                blocks[index].end = blocks.get(index + 1).map_or(parameter_len, |next| next.start);
            }
        }
        Self { squares: vec![0.0; blocks.len()], blocks, factors }
    }

    /// Adds the gradients' parts up, and finds the sum of squares of each block.
    fn sum(&mut self, level: Level, gradients: Gradients<'_>) {
        sum_blocks(level, &self.blocks, gradients, &mut self.squares);
    }

    /// Adds the gradients' parts up; what all of them are multiplied by so that their norm is at most `bound`.
    pub(super) fn global_factor(&mut self, level: Level, gradients: Gradients<'_>, bound: f32) -> f32 {
        self.sum(level, gradients);
        let norm = self.squares.iter().sum::<f64>().sqrt();
        // As in Keras, an infinite norm makes all gradients NaN instead of some.
        if norm.is_finite() { factor(norm, bound) } else { f32::NAN }
    }

    /// Adds the gradients' parts up; what those of each variable are multiplied by so that their norm is at most
    /// `bound`.
    pub(super) fn factors(&mut self, level: Level, gradients: Gradients<'_>, bound: f32) -> &[Factor] {
        self.sum(level, gradients);
        let mut blocks = self.blocks.iter().zip(&self.squares).peekable();
        for (variable, Factor { factor: to, .. }) in self.factors.iter_mut().enumerate() {
            let mut squares = 0.0;
            while let Some((_, square)) = blocks.next_if(|(block, _)| block.variable == variable) {
                squares += square;
            }
            *to = factor(squares.sqrt(), bound);
        }
        &self.factors
    }
}

/// What brings a norm down to `bound`.
fn factor(norm: f64, bound: f32) -> f32 {
    if norm <= f64::from(bound) { 1.0 } else { (f64::from(bound) / norm) as f32 }
}

/// Adds the parts of the gradients of these blocks up, and finds the sum of squares of each block, in parallel.
fn sum_blocks(level: Level, blocks: &[Block], gradients: Gradients<'_>, squares: &mut [f64]) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
    if blocks.len() > 1 && last.end - first.start > PIECE {
        let middle = blocks.len() / 2;
        let (left, right) = blocks.split_at(middle);
        let (squares_left, squares_right) = squares.split_at_mut(middle);
        let (gradients_left, gradients_right) = gradients.split_at(right[0].start - first.start);
        rayon::join(
            || sum_blocks(level, left, gradients_left, squares_left),
            || sum_blocks(level, right, gradients_right, squares_right),
        );
        return;
    }
    dispatch!(level, simd => sum_each(simd, blocks, gradients.add_up(simd), squares));
}

/// The sum of squares of each block.
fn sum_each<S: Simd>(simd: S, blocks: &[Block], gradients: &[f32], squares: &mut [f64]) {
    for (block, sum) in blocks.iter().zip(squares) {
        let start = block.start - blocks[0].start;
        *sum = sum_of_squares(simd, &gradients[start..][..block.len]);
    }
}
