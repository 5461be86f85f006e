//! Normalization within an example.

use super::{Declare, Learned, Lengths, product};
use crate::kernels::local_norm::Groups;

/// The multiply-adds that take as long as one value.
const PER_VALUE: u64 = 32;

/// Each group of values less its mean, divided by its standard deviation, scaled and shifted. Its weights are the scale
/// and the shift, where it has them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LocalNorm {
    pub(crate) of: Groups,
    pub(crate) epsilon: f32,
    pub(crate) learned: Learned,
}

impl Declare for LocalNorm {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_VALUE])
    }

    fn works_in_place(&self) -> bool {
        true
    }
}
