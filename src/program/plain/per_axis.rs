//! Functions of each value with numbers of their own along some axes.

use super::{Declare, Lengths};
use crate::shape::MAX_RANK;

/// Negative values multiplied by a weight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LeakBySlope {
    /// The axes of an example; those that there are not are 1, in front.
    pub(crate) axes: [usize; MAX_RANK],
    /// Those of the weight: 1 where all share it.
    pub(crate) slopes: [usize; MAX_RANK],
}

/// Each channel less its mean, by its deviation; or the reverse.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Normalize {
    pub(crate) means: Vec<f32>,
    pub(crate) deviations: Vec<f32>,
    pub(crate) direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To mean 0 and deviation 1.
    Forth,
    /// Back to the means and deviations.
    Back,
}

impl Declare for LeakBySlope {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

impl Declare for Normalize {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}
