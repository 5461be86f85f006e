//! What a layer answers when it is asked what it makes of certain inputs.

use crate::program::WeightSpec;
use crate::shape::Shape;

/// What a layer gives on certain inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) output: Shape,
    pub(crate) weights: Vec<WeightSpec>,
}

impl Spec {
    /// A layer without weights, whose output has this shape.
    pub(super) fn of_shape(output: Shape) -> Self {
        Self { output, weights: Vec::new() }
    }

    /// The same with weights that training leaves as they are.
    pub(super) fn frozen(mut self) -> Self {
        self.weights.iter_mut().for_each(WeightSpec::freeze);
        self
    }
}
