//! Values in other places.

use super::{Declare, Lengths};
use crate::shape::Window2d;

/// A border of zeros around images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZeroPad {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
}

impl Declare for ZeroPad {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}
