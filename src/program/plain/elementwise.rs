//! Functions of each value, and of the values of each pixel.

use super::{Declare, Lengths, product};
use crate::kernels::activation::Elementwise;

/// The multiply-adds that take as long as one value of an activation.
const PER_ACTIVATION: u64 = 256;

/// An activation that could not be fused, or a copy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Activate(pub(crate) Elementwise);

/// A factor and a summand for all values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Affine {
    pub(crate) scale: f32,
    pub(crate) offset: f32,
}

/// A softmax over the last axis, inside the model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Softmax {
    pub(crate) classes: usize,
}

impl Declare for Activate {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_ACTIVATION])
    }

    fn works_in_place(&self) -> bool {
        true
    }

    fn reads_sparsely(&self) -> bool {
        self.0.is_sparse_behind()
    }
}

impl Declare for Affine {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }

    fn works_in_place(&self) -> bool {
        true
    }
}

impl Declare for Softmax {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_ACTIVATION])
    }

    fn works_in_place(&self) -> bool {
        true
    }
}
