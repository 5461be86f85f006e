//! The operations that run as they are declared, with no algorithm to choose: a struct for each, which says what `plan`
//! must know of it. What it computes is in `exec/steps`.

mod batch_norm;
mod custom;
mod depthwise;
mod elementwise;
mod local_norm;
mod lookup;
mod masking;
mod merge;
mod noise;
mod patches;
mod per_axis;
mod pooling;
mod recurrence;
mod shaping;

pub(crate) use batch_norm::{BatchNorm, Learned, Statistics};
pub(crate) use custom::Custom;
pub(crate) use depthwise::{Bias, Depthwise};
pub(crate) use elementwise::{Activate, Affine, Softmax};
pub(crate) use local_norm::LocalNorm;
pub(crate) use lookup::Lookup;
pub(crate) use masking::{FindMask, MaskedMean, MaskedSteps};
pub(crate) use merge::{Concatenate, Merge, MergeFunction};
pub(crate) use noise::{Chance, Dropout, Noise};
pub(crate) use patches::{Cut, PutBack, Slice};
pub(crate) use per_axis::{Direction, LeakBySlope, Normalize, Numbers, PerAxis};
pub(crate) use pooling::{AveragePool, MaxPool};
pub(crate) use recurrence::{Along, Carry, Gives, Initial, Mask, Recurrence, RecurrentDropout};
pub(crate) use shaping::{Between, Crop, Permute, Repeat, UpSample, ZeroPad};

/// How many values of one example an operation reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) x: [usize; super::MAX_READS],
    pub(crate) y: usize,
}

/// What `plan` must know of a plain operation.
pub(crate) trait Declare {
    /// About as many multiply-adds as it computes for one example, beside reading and writing its values: see
    /// `plan/cost.rs`.
    fn operations(&self, of: Lengths) -> u64;

    /// Whether its backward pass can turn the gradient of its output into that of its last input in place.
    fn works_in_place(&self) -> bool {
        false
    }

    /// Whether its chunks meet in training: a phase ends before it, and what they gather is summed over the batch.
    fn meets(&self) -> bool {
        false
    }

    /// Whether every example reads all of its weights.
    fn reads_all_weights(&self) -> bool {
        true
    }

    /// Whether its output depends on what it reads smoothly, so that a gradient is wanted of it.
    fn has_gradient(&self) -> bool {
        true
    }

    /// Whether about half of the gradients that reach its input are zero.
    fn reads_sparsely(&self) -> bool {
        false
    }

    /// How many examples it wants to go through a plan at a time, if there is memory for them: 1 if any number does.
    fn examples_at_once(&self) -> usize {
        1
    }
}

/// Hands the list of all plain operations to a macro: the only place that names them all.
macro_rules! with_plain_operations {
    ($callback:ident) => {
        $callback! {
            MaxPool,
            AveragePool,
            ZeroPad,
            Crop,
            Permute,
            Repeat,
            UpSample,
            Activate,
            Affine,
            Softmax,
            Dropout,
            Noise,
            LeakBySlope,
            Normalize,
            Merge,
            Concatenate,
            BatchNorm,
            LocalNorm,
            FindMask,
            MaskedSteps,
            MaskedMean,
            Lookup,
            Depthwise,
            Cut,
            PutBack,
            Slice,
            Recurrence,
            Custom,
        }
    };
}
pub(crate) use with_plain_operations;

macro_rules! declare {
    ($($operation:ident,)*) => {
        /// Any plain operation.
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) enum Plain {
            $($operation($operation),)*
        }

        impl Plain {
            /// What it declares.
            pub(crate) fn declare(&self) -> &dyn Declare {
                match self {
                    $(Self::$operation(operation) => operation,)*
                }
            }
        }

        $(
            impl From<$operation> for Plain {
                fn from(operation: $operation) -> Self {
                    Self::$operation(operation)
                }
            }
        )*
    };
}
with_plain_operations!(declare);

/// A product that does not overflow.
pub(crate) fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
