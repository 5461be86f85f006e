//! What chance does in training.

use super::{Declare, Lengths};

/// Values dropped at random; `call` tells its random numbers from those of others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dropout {
    pub(crate) rate: f32,
    pub(crate) call: usize,
}

impl Declare for Dropout {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

/// Values changed at random; `call` tells its random numbers from those of others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Noise {
    pub(crate) chance: Chance,
    pub(crate) call: usize,
    pub(crate) channels: usize,
}

/// How values are changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Chance {
    /// A part of the channels is dropped, in all pixels, and the others are scaled up.
    Channels { rate: f32 },
    /// A number of a normal distribution around 0 is added.
    Add { deviation: f32 },
    /// Each is multiplied by a number of a normal distribution around 1.
    Multiply { deviation: f32 },
    /// A part becomes what SELU gives for far negative inputs, and all are scaled and shifted to the same mean and
    /// variance.
    Saturate { rate: f32 },
}

impl Declare for Noise {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}
