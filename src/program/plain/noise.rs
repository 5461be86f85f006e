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
