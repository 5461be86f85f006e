//! Decides how norms of gradients are found: the sum of squares block by block, in parallel, and then over the blocks
//! in their order. Blocks depend on the variables alone, never on the threads.

use super::Optimizer;
use super::gradients::{GradientSource, PIECE, with_run};
use crate::kernels::clip::sum_of_squares;
use crate::simd::{Level, dispatch};
use std::ops::Range;

/// The room that norms need; empty for an optimizer that needs none.
#[derive(Clone, Debug)]
pub(super) struct Norms {
    /// They cover all variables, in the order in which those lie in the buffer.
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
    pub(super) fn new(optimizer: &Optimizer, variables: impl IntoIterator<Item = Range<usize>>) -> Self {
        let (mut blocks, mut factors): (Vec<Block>, _) = (Vec::new(), Vec::new());
        if optimizer.clips_by_norm() {
            let mut variables: Vec<_> = variables.into_iter().filter(|range| !range.is_empty()).collect();
            variables.sort_by_key(|range| range.start);
            for (variable, range) in variables.into_iter().enumerate() {
                factors.push(Factor { end: range.end, factor: 1.0 });
                for start in range.clone().step_by(PIECE) {
                    let len = PIECE.min(range.end - start);
                    blocks.push(Block { start, len, variable });
                }
            }
        }
        Self { squares: vec![0.0; blocks.len()], blocks, factors }
    }

    /// What all of them are multiplied by so that their norm is at most `bound`.
    pub(super) fn global_factor(&mut self, level: Level, gradients: &dyn GradientSource, bound: f32) -> f32 {
        sum_blocks(level, &self.blocks, gradients, &mut self.squares);
        let norm = self.squares.iter().sum::<f64>().sqrt();
        // As in Keras, an infinite norm makes all gradients NaN instead of some.
        if norm.is_finite() { factor(norm, bound) } else { f32::NAN }
    }

    /// What those of each variable are multiplied by so that their norm is at most
    /// `bound`.
    pub(super) fn factors(&mut self, level: Level, gradients: &dyn GradientSource, bound: f32) -> &[Factor] {
        sum_blocks(level, &self.blocks, gradients, &mut self.squares);
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

/// Finds the sum of squares of each block, in parallel.
fn sum_blocks(level: Level, blocks: &[Block], gradients: &dyn GradientSource, squares: &mut [f64]) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
    if blocks.len() > 1 && last.start + last.len - first.start > PIECE {
        let (left, right) = blocks.split_at(blocks.len() / 2);
        let (squares_left, squares_right) = squares.split_at_mut(left.len());
        rayon::join(
            || sum_blocks(level, left, gradients, squares_left),
            || sum_blocks(level, right, gradients, squares_right),
        );
        return;
    }
    for (block, sum) in blocks.iter().zip(squares) {
        let run = block.start..block.start + block.len;
        *sum = with_run(level, gradients, run, |gradients| dispatch!(level, simd => sum_of_squares(simd, gradients)));
    }
}
