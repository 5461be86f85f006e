//! What dilated and transposed convolutions are made of besides a product with a kernel.

use super::{Declare, Lengths};
use crate::kernels::patches::Dilated;

/// The pixels of each window side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    pub(crate) of: Dilated,
    pub(crate) channels: usize,
}

/// The pixels of patches added up where they overlap in an image, and a bias for each channel if it has a weight.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PutBack {
    pub(crate) of: Dilated,
    pub(crate) channels: usize,
}

/// Some of the channels of each pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slice {
    pub(crate) from: usize,
    pub(crate) channels: usize,
    /// Those of the input.
    pub(crate) of: usize,
}

impl Declare for Cut {
    fn operations(&self, of: Lengths) -> u64 {
        of.y as u64
    }
}

impl Declare for PutBack {
    fn operations(&self, of: Lengths) -> u64 {
        of.x[0] as u64
    }
}

impl Declare for Slice {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}
