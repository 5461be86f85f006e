//! The steps of a plan: operations with everything decided that `exec` needs to run them.

use crate::kernels::activation::Elementwise;
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::turned::Turned;
use crate::program::plain::BatchNorm;
use crate::program::{MAX_READS, Plain, ValueId, WeightPlace};
use crate::shape::Window2d;
use std::ops::Range;

/// A step with the values it reads and the one it writes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) step: Step,
    pub(crate) reads: Vec<ValueId>,
    pub(crate) writes: ValueId,
    /// Where the weights of a plain step lie in the parameters.
    pub(crate) weights: Vec<WeightPlace>,
    /// What its backward pass does with the gradient of each value it reads; `None` if it has no backward pass.
    pub(crate) flows: Option<[Flow; MAX_READS]>,
}

/// What a backward pass does with the gradient of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing: nobody needs it.
    Nobody,
    /// Turns the gradient of the output into it, in the same memory.
    InPlace,
    /// Writes it.
    Write,
    /// Adds to it, as a later reader of the value has written it.
    Add,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A convolution or dense layer, with the pooling and activation that are fused behind it.
    Conv(ConvStep),
    /// What runs as it is declared.
    Plain(Plain),
}

/// A convolution; a dense layer is one with a 1x1 window on images of one pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConvStep {
    pub(crate) layout: ConvLayout,
    pub(crate) activation: Elementwise,
    /// The window and the channels, where the input needs a border first.
    pub(crate) border: Option<(Window2d, usize)>,
    /// What the layout was made of, for those who tell others of it.
    #[cfg(feature = "onnx")]
    pub(crate) geometry: Box<Geometry>,
    /// Where the kernel lies in the parameters: (filters, window_len).
    pub(crate) weights: Range<usize>,
    /// Where the biases lie in the parameters; empty if there are none.
    pub(crate) biases: Range<usize>,
    /// Where the packed weights lie.
    pub(crate) packed: Range<usize>,
    pub(crate) forward: ForwardAlgorithm,
    pub(crate) weight_gradient: WeightGradient,
    pub(crate) input_gradient: InputGradient,
    /// The normalization that is part of the packed kernel.
    pub(crate) norm: Option<Box<FoldedNorm>>,
    /// Whether the biases are there and trained.
    pub(crate) trains_biases: bool,
}

/// The windows of a convolution.
#[cfg(feature = "onnx")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
    /// Of the pooling that is fused behind it.
    pub(crate) pool: Option<Window2d>,
}

/// A normalization with moving statistics, and where its weights lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoldedNorm {
    pub(crate) norm: BatchNorm,
    pub(crate) weights: Vec<WeightPlace>,
}

/// How a convolution's outputs are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardAlgorithm {
    /// Tiles of pixels and filters in registers.
    Direct,
    /// All weights of a filter in registers.
    Tiny,
    /// Fewer multiplications, on transformed patches.
    Winograd,
    /// A dense layer on its kernel as it is stored, nothing packed.
    Stored,
}

/// How a convolution's weight gradients are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightGradient {
    /// Not at all: the kernel is frozen.
    Nobody,
    /// Over lists of the outputs that have a gradient.
    Lists,
    /// Over all outputs, with a tile of filters and weights in registers.
    Dense,
    /// The same in fewer multiplications, on transformed patches and gradients.
    Winograd,
    /// Over all outputs, with a tile of weights and filters in registers: for windows of few weights.
    SmallWindows,
    /// For any part of the kernel when it is needed, over all examples of a batch, whose inputs and output gradients
    /// are kept: for many weights and few activations. The biases' gradients too. `place` counts the steps that do
    /// this.
    OverBatch { place: usize },
}

/// How a convolution's input gradients are found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InputGradient {
    /// Not at all: nobody needs them.
    Nobody,
    /// Over sets of the filters that have a gradient, pixel by pixel.
    Sets,
    /// Over all filters, with a tile of pixels and weights in registers.
    Dense,
    /// By a convolution with the turned kernel, whose packed weights lie behind those for the forward pass.
    Turned(Box<Turned>),
}

/// A kernel whose gradient is summed over all examples of a batch at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OverBatch {
    /// Where the kernel lies in the parameters: (filters, inputs).
    pub(crate) weights: Range<usize>,
    /// Where the biases lie in the parameters; empty if there are none that are trained.
    pub(crate) biases: Range<usize>,
    pub(crate) inputs: usize,
    pub(crate) filters: usize,
}

/// A table whose gradient one step keeps occurrence by occurrence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    /// Where the table lies in the parameters.
    pub(crate) weights: Range<usize>,
    /// The values of a row.
    pub(crate) len: usize,
    /// How many rows the step looks up for an example.
    pub(crate) steps: usize,
}

/// Tells each step that looks rows up in a trained table its place among all of those.
///
/// - lengths: how many floats of one example each value has
pub(super) fn number_tables(steps: &mut [Placed], lengths: &[usize]) -> Vec<Table> {
    let mut tables = Vec::new();
    for Placed { step, reads, weights, .. } in steps {
        if let Step::Plain(Plain::Lookup(lookup)) = step
            && weights[0].is_trained
        {
            lookup.table = Some(tables.len());
            let steps = lengths[reads[0].0];
            tables.push(Table { weights: weights[0].range.clone(), len: lookup.len, steps });
        }
    }
    tables
}

/// The first token that a table which reads this value has no row for; none if no table reads it.
pub(super) fn token_limit(steps: &[Placed], value: ValueId) -> Option<usize> {
    let rows = steps.iter().filter_map(|placed| match &placed.step {
        Step::Plain(Plain::Lookup(lookup)) if placed.reads[0] == value => Some(lookup.rows),
        Step::Plain(_) | Step::Conv(_) => None,
    });
    rows.min()
}

impl ConvStep {
    /// The kernel, if its gradient is summed over a whole batch at once.
    pub(super) fn over_batch(&self) -> Option<OverBatch> {
        match self.weight_gradient {
            WeightGradient::OverBatch { .. } => Some(OverBatch {
                weights: self.weights.clone(),
                biases: if self.trains_biases { self.biases.clone() } else { 0..0 },
                inputs: self.layout.window_len(),
                filters: self.layout.filters,
            }),
            WeightGradient::Nobody
            | WeightGradient::Lists
            | WeightGradient::Dense
            | WeightGradient::Winograd
            | WeightGradient::SmallWindows => None,
        }
    }
}

impl Step {
    /// The convolution, if it is one.
    pub(crate) fn conv(&self) -> Option<&ConvStep> {
        match self {
            Self::Conv(conv) => Some(conv),
            Self::Plain(_) => None,
        }
    }
}

impl Placed {
    /// Whether it has parameters that are trained.
    pub(crate) fn trains(&self) -> bool {
        match &self.step {
            Step::Conv(conv) => conv.weight_gradient != WeightGradient::Nobody || conv.trains_biases,
            Step::Plain(_) => self.weights.iter().any(|weight| weight.is_trained),
        }
    }

    /// Where its weights lie in the parameters.
    pub(crate) fn weight_ranges(&self) -> impl Iterator<Item = &Range<usize>> {
        let conv = self.step.conv().into_iter().flat_map(|conv| [&conv.weights, &conv.biases]);
        conv.chain(self.weights.iter().map(|weight| &weight.range))
    }

    /// Whether its forward pass reads weights as they lie in the parameters; otherwise it reads packed ones, or none.
    pub(crate) fn forward_reads_flat_weights(&self) -> bool {
        match &self.step {
            Step::Conv(conv) => conv.forward == ForwardAlgorithm::Stored,
            Step::Plain(_) => !self.weights.is_empty(),
        }
    }

    /// Whether its chunks meet before it in training.
    pub(crate) fn meets(&self) -> bool {
        match &self.step {
            Step::Conv(_) => false,
            Step::Plain(plain) => plain.declare().meets(),
        }
    }

    /// Whether a gradient is wanted of its output where one of its inputs has one.
    pub(crate) fn has_gradient(&self) -> bool {
        match &self.step {
            Step::Conv(_) => true,
            Step::Plain(plain) => plain.declare().has_gradient(),
        }
    }

    /// Whether its backward pass can turn the gradient of its output into that of its last input in place.
    pub(crate) fn works_in_place(&self) -> bool {
        match &self.step {
            Step::Conv(_) => false,
            Step::Plain(plain) => plain.declare().works_in_place(),
        }
    }
}
