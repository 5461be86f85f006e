//! Normalization over a batch.

use super::{Declare, Lengths, product};
use crate::kernels::normalize::Then;
use crate::program::WeightPlace;

/// The multiply-adds that take as long as one value.
const PER_VALUE: u64 = 16;

/// Each channel less its mean, divided by its standard deviation, scaled and shifted. Its weights are the scale and the
/// shift, where it has them, and the moving mean and variance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BatchNorm {
    pub(crate) channels: usize,
    pub(crate) epsilon: f32,
    pub(crate) statistics: Statistics,
    pub(crate) learned: Learned,
    /// What is fused behind it.
    pub(crate) then: Then,
}

/// What training normalizes with. Outside training it is always the moving statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistics {
    /// Those of the batch, which the moving ones take up: `moving * momentum + batch * (1 - momentum)`.
    Batch { momentum: f32 },
    /// The moving ones, which stay as they are.
    Moving,
}

/// Which of the two weights there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    Nothing,
    Scale,
    Offset,
    Both,
}

/// The weights of a normalization: `None` where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormWeights<'a, T> {
    pub(crate) gamma: Option<&'a T>,
    pub(crate) beta: Option<&'a T>,
    pub(crate) mean: &'a T,
    pub(crate) variance: &'a T,
}

impl Learned {
    /// The scale and the offset, if there are any: the first weights, in this order.
    pub(crate) fn scale_and_offset<T>(self, weights: &[T]) -> (Option<&T>, Option<&T>) {
        match self {
            Self::Nothing => (None, None),
            Self::Scale => (Some(&weights[0]), None),
            Self::Offset => (None, Some(&weights[0])),
            Self::Both => (Some(&weights[0]), Some(&weights[1])),
        }
    }
}

impl BatchNorm {
    pub(crate) fn weights<'a>(&self, places: &'a [WeightPlace]) -> NormWeights<'a, WeightPlace> {
        let (gamma, beta) = self.learned.scale_and_offset(places);
        let [.., mean, variance] = places else { unreachable!("a normalization has moving statistics") };
        NormWeights { gamma, beta, mean, variance }
    }
}

impl Declare for BatchNorm {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_VALUE])
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn meets(&self) -> bool {
        match self.statistics {
            Statistics::Batch { .. } => true,
            Statistics::Moving => false,
        }
    }
}
