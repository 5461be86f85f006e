//! Layers of users' own.

use super::{Declare, Lengths, product};
use crate::program::AnyLayer;
use crate::shape::Shape;

/// What it does is not known: it is taken to cost as many multiply-adds as an activation for each value.
const PER_VALUE: u64 = 256;

/// A layer of a user's own, applied to inputs of this shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Custom {
    pub(crate) layer: AnyLayer,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
}

impl Declare for Custom {
    fn operations(&self, of: Lengths) -> u64 {
        let values = of.x.iter().fold(of.y as u64, |sum, len| sum.saturating_add(*len as u64));
        product([values, PER_VALUE])
    }
}
