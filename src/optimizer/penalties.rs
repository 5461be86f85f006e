//! What the regularizers of weights add to the loss and to its gradients. A step adds it to the gradients of a run of
//! parameters just before it clips them, as both are in the cache then.

use super::gradients::PIECE;
use crate::kernels::clip::sum_of_squares;
use crate::kernels::penalty::{add_penalty_gradients, sum_of_magnitudes};
use crate::program::Regularizer;
use crate::simd::{Level, Simd, dispatch};
use std::ops::Range;

/// The regularizers of all weights that are trained and have one, in the order of the flat buffer.
#[derive(Clone, Debug)]
pub(crate) struct Penalties(Vec<Penalty>);

/// The regularizer of one weight.
#[derive(Clone, Debug)]
struct Penalty {
    /// Its place in the flat buffer.
    range: Range<usize>,
    regularizer: Regularizer,
}

impl Penalties {
    /// `None` without any.
    pub(crate) fn new(weights: impl IntoIterator<Item = (Range<usize>, Regularizer)>) -> Option<Self> {
        let penalties = weights.into_iter().map(|(range, regularizer)| Penalty { range, regularizer });
        let mut penalties: Vec<Penalty> = penalties.collect();
        penalties.sort_by_key(|penalty| penalty.range.start);
        (!penalties.is_empty()).then_some(Self(penalties))
    }

    /// What they add to the loss, summed in an order that nothing but the weights' sizes decides.
    ///
    /// - weights: all, laid out as the ranges say
    pub(crate) fn value(&self, level: Level, weights: &[f32]) -> f64 {
        self.0.iter().map(|Penalty { range, regularizer }| sum(level, *regularizer, &weights[range.clone()])).sum()
    }

    /// Adds to the gradients of all parameters.
    pub(crate) fn add_to(&self, level: Level, weights: &[f32], gradients: &mut [f32]) {
        for Penalty { range, regularizer } in &self.0 {
            let (weights, gradients) = (&weights[range.clone()], &mut gradients[range.clone()]);
            dispatch!(level, simd => add_penalty_gradients(simd, factors(*regularizer), weights, gradients));
        }
    }

    /// Those of the parameters from here on.
    fn after(&self, start: usize) -> &[Penalty] {
        &self.0[self.0.partition_point(|penalty| penalty.range.end <= start)..]
    }

    /// Whether any of a run of parameters has one.
    pub(super) fn reach(&self, start: usize, len: usize) -> bool {
        self.after(start).first().is_some_and(|first| first.range.start < start + len)
    }

    /// The gradients of a run of parameters with what is added to them: themselves, or in `room`.
    pub(super) fn added<'a, S: Simd>(
        &self,
        simd: S,
        start: usize,
        weights: &[f32],
        gradients: &'a [f32],
        room: &'a mut [f32],
    ) -> &'a [f32] {
        if !self.reach(start, gradients.len()) {
            return gradients;
        }
        room.copy_from_slice(gradients);
        let end = start + gradients.len();
        for Penalty { range, regularizer } in self.after(start).iter().take_while(|penalty| penalty.range.start < end) {
            let part = range.start.max(start) - start..range.end.min(end) - start;
            add_penalty_gradients(simd, factors(*regularizer), &weights[part.clone()], &mut room[part]);
        }
        room
    }
}

fn factors(Regularizer { l1, l2 }: Regularizer) -> [f32; 2] {
    [l1, l2]
}

/// What one regularizer makes of these values.
fn sum(level: Level, regularizer: Regularizer, values: &[f32]) -> f64 {
    if values.len() > PIECE {
        let (left, right) = values.split_at((values.len() / 2).next_multiple_of(PIECE));
        let (left, right) = rayon::join(|| sum(level, regularizer, left), || sum(level, regularizer, right));
        return left + right;
    }
    let Regularizer { l1, l2 } = regularizer;
    let magnitudes = if l1 == 0.0 { 0.0 } else { dispatch!(level, simd => sum_of_magnitudes(simd, values)) };
    let squares = if l2 == 0.0 { 0.0 } else { dispatch!(level, simd => sum_of_squares(simd, values)) };
    f64::from(l1) * magnitudes + f64::from(l2) * squares
}
