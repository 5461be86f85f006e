//! Decides how the backward pass cuts a convolution's window into blocks: some rows, and some vectors of each, as many
//! as the registers hold. A row of the window is contiguous both in the input and in the weights, so its vectors need
//! no broadcast and no gather.

use super::conv2d::ConvLayout;
use crate::simd::{Select, Simd, SimdBase, has_32_registers};

/// A part of a window that fits in registers.
pub(super) struct Block {
    pub(super) first_row: usize,
    pub(super) rows: usize,
    /// The first float in each row.
    pub(super) start: usize,
    /// Vectors of each row; the last may reach past the row's end.
    pub(super) vectors: usize,
}

/// Cuts a window into blocks of up to three rows of up to eight vectors each, at most `max_vectors` in all.
pub(super) fn blocks<S: Simd>(layout: &ConvLayout, max_vectors: usize) -> impl Iterator<Item = Block> {
    let registers = if has_32_registers::<S>() { 24 } else { 12 };
    let rows_each = layout.rows.min(3);
    cut::<S>(layout, rows_each, (registers.min(max_vectors) / rows_each).clamp(1, 8))
}

/// Cuts a window into blocks of at most three vectors, which leave registers for other things: of one row where a row
/// has as many as two, because what is contiguous comes from memory sooner.
pub(super) fn narrow_blocks<S: Simd>(layout: &ConvLayout) -> impl Iterator<Item = Block> {
    let rows_each = if layout.run > S::f32s::LEN { 1 } else { layout.rows.min(3) };
    cut::<S>(layout, rows_each, 3 / rows_each)
}

/// Blocks of so many rows, and of at most so many vectors of each.
fn cut<S: Simd>(layout: &ConvLayout, rows_each: usize, most_vectors: usize) -> impl Iterator<Item = Block> {
    let (run, rows) = (layout.run.div_ceil(S::f32s::LEN), layout.rows);
    let parts = run.div_ceil(most_vectors);
    (0..rows).step_by(rows_each).flat_map(move |first_row| {
        (0..parts).map(move |part| {
            let (first, end) = (part * run / parts, (part + 1) * run / parts);
            let rows = rows_each.min(rows - first_row);
            Block { first_row, rows, start: first * S::f32s::LEN, vectors: end - first }
        })
    })
}

impl Block {
    /// Where it starts in an input window.
    pub(super) fn input_offset(&self, layout: &ConvLayout) -> usize {
        self.first_row * layout.row_stride + self.start
    }

    /// Where it starts in a filter's weights.
    pub(super) fn weight_offset(&self, layout: &ConvLayout) -> usize {
        self.first_row * layout.run + self.start
    }

    /// Whether all its vectors end within their rows.
    pub(super) fn is_whole<S: Simd>(&self, layout: &ConvLayout) -> bool {
        self.start + self.vectors * S::f32s::LEN <= layout.run
    }

    /// Zeroes the lanes of a row's last vector that reach past the row's end.
    #[inline(always)]
    pub(super) fn trim<S: Simd>(&self, simd: S, layout: &ConvLayout, last: S::f32s) -> S::f32s {
        const LANES: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let lanes = S::u32s::LEN;
        let inside = layout.run - (self.start + (self.vectors - 1) * lanes);
        let inside = S::u32s::from_slice(simd, &LANES[..lanes]).simd_lt(S::u32s::splat(simd, inside as u32));
        inside.select(last, S::f32s::splat(simd, 0.0))
    }
}

/// Calls a kernel with the numbers of rows and vectors as constants.
macro_rules! with_block_size {
    ($block:expr, $kernel:ident($($argument:expr),*)) => {
        match $block.vectors {
            1 => with_block_size!(@rows 1, $block, $kernel($($argument),*)),
            2 => with_block_size!(@rows 2, $block, $kernel($($argument),*)),
            3 => with_block_size!(@rows 3, $block, $kernel($($argument),*)),
            4 => with_block_size!(@rows 4, $block, $kernel($($argument),*)),
            5 => with_block_size!(@rows 5, $block, $kernel($($argument),*)),
            6 => with_block_size!(@rows 6, $block, $kernel($($argument),*)),
            7 => with_block_size!(@rows 7, $block, $kernel($($argument),*)),
            _ => with_block_size!(@rows 8, $block, $kernel($($argument),*)),
        }
    };
    (@rows $vectors:literal, $block:expr, $kernel:ident($($argument:expr),*)) => {
        match $block.rows {
            1 => $kernel::<S, 1, $vectors>($($argument),*),
            2 => $kernel::<S, 2, $vectors>($($argument),*),
            _ => $kernel::<S, 3, $vectors>($($argument),*),
        }
    };
}
pub(super) use with_block_size;
