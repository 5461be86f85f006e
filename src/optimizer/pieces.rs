//! Decides how a step is cut up for the threads: into pieces of the flat buffers, by their length alone.

use super::algorithm::MAX_BUFFERS;
use crate::aligned::LINE_FLOATS;
use crate::kernels::sum::add;
use crate::simd::Simd;

/// Parameters that one thread updates at a time.
pub(super) const PIECE: usize = 8192;
/// The most parts in which gradients may come.
pub(crate) const MAX_PARTS: usize = 4;

/// The gradients of a step, or of a stretch of it.
pub(crate) enum Gradients<'a> {
    /// As they are.
    Whole(&'a [f32]),
    /// In parts, those that are not needed empty, which are to be added up in their order.
    Parts { parts: [&'a [f32]; MAX_PARTS], sum: &'a mut [f32] },
}

impl<'a> Gradients<'a> {
    /// The same, for a shorter while.
    pub(super) fn reborrow(&mut self) -> Gradients<'_> {
        match self {
            Self::Whole(gradients) => Gradients::Whole(gradients),
            Self::Parts { parts, sum } => Gradients::Parts { parts: *parts, sum },
        }
    }

    /// Those that [`Gradients::add_up`] has added up.
    pub(super) fn added_up(self) -> Self {
        match self {
            Self::Whole(gradients) => Self::Whole(gradients),
            Self::Parts { sum, .. } => Self::Whole(sum),
        }
    }

    pub(super) fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            Self::Whole(gradients) => {
                let (before, after) = gradients.split_at(middle);
                (Self::Whole(before), Self::Whole(after))
            }
            Self::Parts { parts, sum } => {
                let halves = parts.map(|part| part.split_at(middle.min(part.len())));
                let (sum, sum_after) = sum.split_at_mut(middle);
                let parts_after = halves.map(|(_, after)| after);
                (
                    Self::Parts { parts: halves.map(|(before, _)| before), sum },
                    Self::Parts { parts: parts_after, sum: sum_after },
                )
            }
        }
    }

    /// Adds the parts up, in their order.
    pub(crate) fn add_up<S: Simd>(self, simd: S) -> &'a [f32] {
        match self {
            Self::Whole(gradients) => gradients,
            Self::Parts { parts: [first, others @ ..], sum } => {
                sum.copy_from_slice(first);
                others.iter().filter(|part| !part.is_empty()).for_each(|part| add(simd, part, sum));
                sum
            }
        }
    }
}

/// A stretch of the parameters with what belongs to it.
pub(super) struct Piece<'a> {
    /// Where it starts in the parameters.
    pub(super) start: usize,
    pub(super) gradients: Gradients<'a>,
    pub(super) state: PieceState<'a>,
}

/// What a step changes in a stretch of the parameters.
pub(super) struct PieceState<'a> {
    pub(super) parameters: &'a mut [f32],
    /// Those that the algorithm does not need are empty, as is the average without one.
    pub(super) buffers: [&'a mut [f32]; MAX_BUFFERS],
    pub(super) average: &'a mut [f32],
}

impl PieceState<'_> {
    pub(super) fn split_at(self, middle: usize) -> (Self, Self) {
        let [first, second, third] = self.buffers.map(|buffer| split(buffer, middle));
        let (parameters, parameters_after) = split(self.parameters, middle);
        let (average, average_after) = split(self.average, middle);
        let after =
            Self { parameters: parameters_after, buffers: [first.1, second.1, third.1], average: average_after };
        (Self { parameters, buffers: [first.0, second.0, third.0], average }, after)
    }
}

/// Cuts a slice in two; an empty one into empty ones.
fn split(slice: &mut [f32], middle: usize) -> (&mut [f32], &mut [f32]) {
    slice.split_at_mut(middle.min(slice.len()))
}

/// Cuts a piece in two until it is small, and works on all of them in parallel.
pub(super) fn in_pieces(piece: Piece<'_>, work: &(impl Fn(Piece<'_>) + Sync)) {
    let len = piece.state.parameters.len();
    if len <= PIECE {
        return work(piece);
    }
    let middle = (len / 2).next_multiple_of(LINE_FLOATS);
    let (gradients, gradients_after) = piece.gradients.split_at(middle);
    let (state, state_after) = piece.state.split_at(middle);
    let left = Piece { start: piece.start, gradients, state };
    let right = Piece { start: piece.start + middle, gradients: gradients_after, state: state_after };
    rayon::join(|| in_pieces(left, work), || in_pieces(right, work));
}
