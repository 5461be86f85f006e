//! Decides how a step is cut up for the threads: into pieces of the flat buffers, where the source of the gradients
//! says.

use super::algorithm::MAX_BUFFERS;
use super::gradients::GradientSource;
use std::ops::Range;

/// A stretch of the parameters with what belongs to it.
pub(super) struct Piece<'a> {
    /// Where it starts in the parameters.
    pub(super) start: usize,
    pub(super) state: PieceState<'a>,
}

/// What a step changes in a stretch of the parameters.
pub(crate) struct PieceState<'a> {
    pub(crate) parameters: &'a mut [f32],
    /// Those that the algorithm does not need are empty, as is the average without one.
    pub(crate) buffers: [&'a mut [f32]; MAX_BUFFERS],
    pub(crate) average: &'a mut [f32],
}

impl<'a> PieceState<'a> {
    /// Parameters alone.
    pub(crate) fn of(parameters: &'a mut [f32]) -> Self {
        Self { parameters, buffers: [(); MAX_BUFFERS].map(|()| &mut [][..]), average: &mut [] }
    }

    /// What belongs to some of its parameters, for a while.
    pub(super) fn part(&mut self, range: Range<usize>) -> PieceState<'_> {
        PieceState {
            parameters: &mut self.parameters[range.clone()],
            buffers: self.buffers.each_mut().map(|buffer| buffer.get_mut(range.clone()).unwrap_or_default()),
            average: self.average.get_mut(range).unwrap_or_default(),
        }
    }

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

/// Cuts a piece in two until the source leaves it whole, and works on all of them in parallel.
pub(super) fn in_pieces(source: &dyn GradientSource, piece: Piece<'_>, work: &(impl Fn(Piece<'_>) + Sync)) {
    let Piece { start, state } = piece;
    match source.cut(&(start..start + state.parameters.len())) {
        None => work(Piece { start, state }),
        Some(middle) => {
            let (state, after) = state.split_at(middle - start);
            let (left, right) = (Piece { start, state }, Piece { start: middle, state: after });
            rayon::join(|| in_pieces(source, left, work), || in_pieces(source, right, work));
        }
    }
}
