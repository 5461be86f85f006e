//! Masks: which steps of a sequence count.

use super::{Declare, Lengths};

/// 1 for each step of a sequence that counts, 0 for one whose features all have a certain value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FindMask {
    pub(crate) value: f32,
    pub(crate) features: usize,
}

/// A sequence with zeros in the steps that do not count. It reads the mask, then the sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MaskedSteps {
    pub(crate) features: usize,
}

/// The mean of each feature over the steps that count; zeros where none does. It reads the mask, then the sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MaskedMean {
    pub(crate) steps: usize,
    pub(crate) features: usize,
}

impl Declare for FindMask {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn has_gradient(&self) -> bool {
        false
    }
}

impl Declare for MaskedSteps {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

impl Declare for MaskedMean {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}
