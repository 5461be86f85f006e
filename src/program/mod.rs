//! A model as operations on values: what layers lower themselves to, before `plan` fuses them, chooses algorithms and
//! lays out memory. It knows no layers but the trait of users' own, and computes nothing.

mod builder;
mod constraint;
pub(crate) mod custom;
mod custom_pass;
mod initializer;
mod masks;
mod named_alone;
pub(crate) mod plain;
mod regularizer;
mod weights;

pub(crate) use builder::Builder;
pub use constraint::Constraint;
pub use custom::{AnyLayer, CustomLayer};
pub(crate) use custom_pass::WeightPlace;
pub use custom_pass::{LayerBackward, LayerForward, LayerWeight, WeightGradients, WeightValues};
pub use initializer::Initializer;
pub(crate) use initializer::{InitialValues, glorot_limit};
pub(crate) use masks::MaskRule;
use plain::BatchNorm;
pub(crate) use plain::{Lengths, Plain};
pub use regularizer::Regularizer;
pub(crate) use weights::{Role, StoredOrder, WeightId, WeightOptions, WeightSpec};

use crate::kernels::activation::Elementwise;
use crate::shape::{Shape, Window2d};

/// Which value of a program is meant. A value is written once, and read by any number of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValueId(pub(crate) usize);

/// A value as a layer reads it. Two operands may be the same value in different shapes, as before and behind `Flatten`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) value: ValueId,
    pub(crate) shape: Shape,
}

/// States that go from a batch to the next, example by example.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Carried {
    /// Those before the first step, which nothing writes but who fills the inputs.
    pub(crate) first: ValueId,
    /// Those behind the last step.
    pub(crate) last: ValueId,
    /// Values of one example.
    pub(crate) len: usize,
}

/// The most values that an operation reads.
pub(crate) const MAX_READS: usize = 3;

/// One operation with the values it reads and the one it writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) kind: OperationKind,
    /// At least one, at most [`MAX_READS`], all different.
    pub(crate) reads: Vec<ValueId>,
    pub(crate) writes: ValueId,
    /// The weights of a plain operation.
    pub(crate) weights: Vec<WeightId>,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperationKind {
    /// A convolution; a dense layer is one on images of one pixel.
    Conv(Conv),
    /// What runs as it is declared.
    Plain(Plain),
}

/// A convolution, with what `plan` fuses behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conv {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
    pub(crate) filters: usize,
    /// The first of these filters among those of the kernel.
    pub(crate) first_filter: usize,
    pub(crate) kernel: WeightId,
    pub(crate) bias: Option<WeightId>,
    /// The normalization that has become part of the kernel.
    pub(crate) norm: Option<Folded>,
    pub(crate) pool: Option<Window2d>,
    pub(crate) activation: Elementwise,
}

impl Conv {
    /// A convolution with nothing fused behind it. Its weights are the kernel, and the bias if there is one.
    pub(crate) fn new(window: Window2d, channels: usize, filters: usize, weights: &[WeightId]) -> Self {
        Self {
            window,
            channels,
            filters,
            first_filter: 0,
            kernel: weights[0],
            bias: weights.get(1).copied(),
            norm: None,
            pool: None,
            activation: Elementwise::Linear,
        }
    }
}

/// A normalization with moving statistics, and its weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Folded {
    pub(crate) norm: BatchNorm,
    pub(crate) weights: Vec<WeightId>,
}
