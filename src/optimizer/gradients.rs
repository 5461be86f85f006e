//! Where a step gets its gradients from. They are there, or they are found block by block when the step needs them, so
//! that they are still in the cache then. It decides how large blocks are; what is done with them, it does not know.

use super::Penalties;
use super::pieces::{Piece, PieceState, in_pieces};
use crate::aligned::LINE_FLOATS;
use crate::simd::Level;
use std::ops::Range;

/// The most gradients that are read at a time.
pub(crate) const PIECE: usize = 8192;

/// A run of so few gradients gets room of this length: to clear a whole piece's would take longer than all else.
const FEW: usize = 256;

/// Gradients of all parameters, laid out as those are.
pub(crate) trait GradientSource: Sync {
    /// Where a range of parameters is cut in two; `None` where one thread takes it as a whole. It must not depend on
    /// the number of threads, and what it leaves whole has at most [`PIECE`] parameters, or as many in each of its
    /// [rows](Self::rows) as it likes.
    fn cut(&self, range: &Range<usize>) -> Option<usize> {
        halve(range)
    }

    /// How many rows of one length a range that is not cut consists of: one, unless it is longer than [`PIECE`]. They
    /// are read side by side, some columns at a time.
    fn rows(&self, range: &Range<usize>) -> usize {
        let _ = range;
        1
    }

    /// All gradients, if they are there already.
    fn whole(&self) -> Option<&[f32]> {
        None
    }

    /// The first parameters of a range, in a run of their own, that may have a gradient, as far as that is known
    /// without finding it.
    fn first_with_gradient(&self, range: Range<usize>) -> Option<Range<usize>> {
        (!range.is_empty()).then_some(range)
    }

    /// What regularizers add to the gradients that it writes; a step adds it, which has the weights.
    fn penalties(&self) -> Option<&Penalties> {
        None
    }

    /// Writes the gradients of a block of at most [`PIECE`] parameters, row by row.
    ///
    /// - to: (rows of the block, length of a row)
    fn write(&self, level: Level, block: Block, to: &mut [f32]);
}

/// Which parameters a pass visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    /// Those that may have a gradient: it would leave all others as they are.
    WithGradient,
}

impl Reach {
    /// The first parameters of a range that are visited.
    fn first_visited(self, source: &dyn GradientSource, range: Range<usize>) -> Option<Range<usize>> {
        match self {
            Self::All => (!range.is_empty()).then_some(range),
            Self::WithGradient => source.first_with_gradient(range),
        }
    }
}

/// Some columns of some rows of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where its first row starts.
    pub(crate) start: usize,
    pub(crate) rows: usize,
    /// The parameters of each row.
    pub(crate) len: usize,
    /// From one row's start to the next's.
    pub(crate) stride: usize,
}

impl Block {
    /// One row.
    pub(crate) fn run(range: &Range<usize>) -> Self {
        Self { start: range.start, rows: 1, len: range.len(), stride: range.len() }
    }
}

/// Gradients that are there.
pub(crate) struct Whole<'a>(pub(crate) &'a [f32]);

impl GradientSource for Whole<'_> {
    fn whole(&self) -> Option<&[f32]> {
        Some(self.0)
    }

    fn write(&self, _level: Level, block: Block, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(block.len).enumerate() {
            to.copy_from_slice(&self.0[block.start + row * block.stride..][..block.len]);
        }
    }
}

/// The middle of a range that is too long for one piece, on a cache line's start if the range's start is.
pub(crate) fn halve(range: &Range<usize>) -> Option<usize> {
    (range.len() > PIECE).then(|| range.start + (range.len() / 2).next_multiple_of(LINE_FLOATS))
}

/// Goes through gradients in parallel, a run of them at a time, each with the part of the state that belongs to it.
///
/// - work: gets where the run starts, its gradients, and its state
pub(crate) fn for_each_run(
    level: Level,
    source: &dyn GradientSource,
    reach: Reach,
    state: PieceState<'_>,
    work: impl Fn(usize, &[f32], PieceState<'_>) + Sync,
) {
    in_pieces(source, Piece { start: 0, state }, &|piece| each_run(level, source, reach, piece, &work));
}

/// Goes through one piece.
fn each_run(
    level: Level,
    source: &dyn GradientSource,
    reach: Reach,
    piece: Piece<'_>,
    work: &impl Fn(usize, &[f32], PieceState<'_>),
) {
    let (start, len) = (piece.start, piece.state.parameters.len());
    match source.whole() {
        Some(all) => work(start, &all[start..start + len], piece.state),
        None if len <= FEW => each_run_in::<FEW>(level, source, reach, piece, work),
        None => each_run_in::<PIECE>(level, source, reach, piece, work),
    }
}

/// Goes through one piece whose gradients are not there yet. It is never inlined, or each frame of a recursion over
/// pieces would have its room; and a thread that waits for another may have many of those on its stack.
#[inline(never)]
fn each_run_in<const ROOM: usize>(
    level: Level,
    source: &dyn GradientSource,
    reach: Reach,
    Piece { start, mut state }: Piece<'_>,
    work: &impl Fn(usize, &[f32], PieceState<'_>),
) {
    let len = state.parameters.len();
    let mut room = [0.0; ROOM];
    let rows = source.rows(&(start..start + len));
    if rows == 1 {
        let mut rest = start..start + len;
        while let Some(visited) = reach.first_visited(source, rest.clone()) {
            // One row of a kernel may be longer than there is room for.
            let run = visited.start..visited.end.min(visited.start + ROOM);
            let gradients = &mut room[..run.len()];
            source.write(level, Block::run(&run), gradients);
            work(run.start, gradients, state.part(run.start - start..run.end - start));
            rest.start = run.end;
        }
        return;
    }
    let stride = len / rows;
    let columns = ROOM / rows / LINE_FLOATS * LINE_FLOATS;
    for column in (0..stride).step_by(columns) {
        let block = Block { start: start + column, rows, len: columns.min(stride - column), stride };
        let gradients = &mut room[..rows * block.len];
        source.write(level, block, gradients);
        for (row, gradients) in gradients.chunks_exact(block.len).enumerate() {
            let first = row * stride + column;
            work(start + first, gradients, state.part(first..first + block.len));
        }
    }
}

/// Reads a run of at most [`PIECE`] gradients. It is never inlined, for the same reason.
#[inline(never)]
pub(super) fn with_run<R>(
    level: Level,
    source: &dyn GradientSource,
    run: Range<usize>,
    work: impl FnOnce(&[f32]) -> R,
) -> R {
    if let Some(all) = source.whole() {
        return work(&all[run]);
    }
    let mut room = [0.0; PIECE];
    let gradients = &mut room[..run.len()];
    source.write(level, Block::run(&run), gradients);
    work(gradients)
}

/// Writes all gradients to one buffer.
pub(crate) fn collect(level: Level, source: &dyn GradientSource, to: &mut [f32]) {
    for_each_run(level, source, Reach::All, PieceState::of(to), |_, gradients, to| {
        to.parameters.copy_from_slice(gradients)
    });
}

/// The ranges that a source leaves whole of one, in their order.
pub(crate) fn pieces(source: &dyn GradientSource, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    match source.cut(&range) {
        None => found.push(range),
        Some(middle) => {
            pieces(source, range.start..middle, found);
            pieces(source, middle..range.end, found);
        }
    }
}

/// Writes the gradients of one of those ranges.
pub(crate) fn collect_piece(level: Level, source: &dyn GradientSource, start: usize, to: &mut [f32]) {
    let piece = Piece { start, state: PieceState::of(to) };
    each_run(level, source, Reach::All, piece, &|_, gradients, to| to.parameters.copy_from_slice(gradients));
}
