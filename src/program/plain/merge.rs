//! Two values made one.

use super::{Declare, Lengths};

/// A function of two values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merge(pub(crate) MergeFunction);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeFunction {
    Sum,
    /// The first less the second.
    Difference,
    Product,
    Maximum,
    Minimum,
}

/// The channels of the second value behind those of the first, pixel by pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Concatenate {
    pub(crate) channels: [usize; 2],
}

impl Declare for Merge {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

impl Declare for Concatenate {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}
