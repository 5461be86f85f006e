//! Reckons what a plan costs: the memory of its lists, and the arithmetic of a forward pass.

use super::Plan;
use super::step::{ConvStep, ForwardAlgorithm, InputGradient, Placed, Step};
use crate::aligned::round_up_to_line;
use crate::kernels::conv2d::ConvLayout;
use crate::program::plain::product;
use crate::program::{Lengths, MAX_READS, Plain, ValueId};
use std::ops::Range;

/// How many multiply-adds take the time in which one value is written to memory. These were measured on one core of a
/// Zen 5 with AVX-512, which takes 0.008 ns for a multiply-add of a large convolution.
const PER_VALUE: u64 = 16;

impl Plan {
    /// Bytes of the lists of where windows start.
    pub(crate) fn list_bytes(&self) -> u64 {
        let convs = self.steps.iter().filter_map(|placed| placed.step.conv());
        let turned = |conv: &ConvStep| match &conv.input_gradient {
            InputGradient::Turned(turned) => turned.layout.list_len() as u64,
            _ => 0,
        };
        let lens = convs.map(|conv| (conv.layout.list_len() as u64).saturating_add(turned(conv)));
        lens.fold(0_u64, u64::saturating_add).saturating_mul(size_of::<u32>() as u64)
    }

    /// About as many multiply-adds as the forward pass of one example takes.
    pub(crate) fn operations(&self) -> u64 {
        self.costs.operations
    }

    /// The same of those of some steps that have a backward pass.
    pub(crate) fn backward_operations(&self, steps: Range<usize>) -> u64 {
        let steps = self.steps[steps].iter().filter(|placed| placed.flows.is_some());
        steps.map(|placed| operations(placed, &self.lengths)).fold(0, u64::saturating_add)
    }

    /// The weights of dense layers that are read as they are stored.
    pub(crate) fn dense_weights(&self) -> usize {
        self.costs.dense_weights
    }

    /// The most values that one example has in one place, inputs with the border that padding adds included.
    pub(crate) fn widest_padded(&self) -> usize {
        self.costs.widest_padded
    }

    /// How many examples a step wants to go through the plan at a time.
    pub(crate) fn examples_at_once(&self) -> usize {
        self.costs.examples_at_once
    }

    /// How many values of one example a step reads and writes.
    pub(crate) fn lengths_of(&self, reads: &[ValueId], writes: ValueId) -> Lengths {
        lengths_of(&self.lengths, reads, writes)
    }
}

/// What every batch asks for, reckoned once: a small network's whole step takes little longer than to reckon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Costs {
    operations: u64,
    widest_padded: usize,
    dense_weights: usize,
    examples_at_once: usize,
}

impl Costs {
    /// - lengths: how many floats of one example each value has
    pub(super) fn new(steps: &[Placed], lengths: &[usize]) -> Self {
        let operations = steps.iter().map(|placed| operations(placed, lengths)).fold(0, u64::saturating_add);
        let padded = steps.iter().filter_map(|placed| match &placed.step {
            Step::Conv(conv) => Some(conv.layout.image_len),
            Step::Plain(Plain::Depthwise(depthwise)) => Some(depthwise.layout.padded_len()),
            Step::Plain(_) => None,
        });
        let stored = steps
            .iter()
            .filter_map(|placed| placed.step.conv().filter(|conv| conv.forward == ForwardAlgorithm::Stored));
        let dense_weights = stored.map(|conv| conv.weights.len()).sum();
        let at_once = steps.iter().map(|placed| match &placed.step {
            Step::Conv(_) => 1,
            Step::Plain(plain) => plain.declare().examples_at_once(),
        });
        Self {
            operations,
            dense_weights,
            widest_padded: padded.chain(lengths.iter().copied()).max().unwrap_or(0),
            examples_at_once: at_once.max().unwrap_or(1),
        }
    }
}

fn operations(Placed { step, reads, writes, weights, .. }: &Placed, lengths: &[usize]) -> u64 {
    let output = lengths[writes.0] as u64;
    let read = reads.iter().map(|value| lengths[value.0] as u64).fold(output, u64::saturating_add);
    let computed = match step {
        Step::Conv(conv) => convolution(&conv.layout),
        Step::Plain(plain) => {
            let reads_all = plain.declare().reads_all_weights();
            let weights = weights.iter().filter(|_| reads_all).map(|weight| weight.range.len() as u64).sum();
            plain.declare().operations(lengths_of(lengths, reads, *writes)).saturating_add(weights)
        }
    };
    product([read, PER_VALUE]).saturating_add(computed)
}

fn lengths_of(lengths: &[usize], reads: &[ValueId], writes: ValueId) -> Lengths {
    let mut x = [0; MAX_READS];
    x.iter_mut().zip(reads).for_each(|(len, value)| *len = lengths[value.0]);
    Lengths { x, y: lengths[writes.0] }
}

/// Lanes without a filter take as long as those with one; each output is held before it is pooled.
fn convolution(layout: &ConvLayout) -> u64 {
    let columns = round_up_to_line(layout.filters) as u64;
    product([layout.windows.len() as u64, layout.window_len() as u64 + PER_VALUE, columns])
}
