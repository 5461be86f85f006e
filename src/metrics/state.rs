//! A metric at work: the sums it has made of the examples so far.

use super::Metric;
use crate::data::Target;

/// What a metric has seen. It allocates when it is made, and never again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricState {
    metric: Metric,
    outputs: usize,
    sums: Box<[f64]>,
}

impl MetricState {
    /// Nothing seen so far. The metric's arguments have been checked for this many outputs.
    pub(crate) fn new(metric: Metric, outputs: usize) -> Self {
        Self { sums: vec![0.0; metric.sums(outputs)].into(), metric, outputs }
    }

    /// Whether `update` must be given probabilities; otherwise the order of the outputs is all that counts, and logits
    /// do as well.
    pub(crate) fn needs_probabilities(&self) -> bool {
        self.metric.measure().needs_probabilities(self.outputs)
    }

    /// Forgets all examples.
    pub(crate) fn reset(&mut self) {
        self.sums.fill(0.0);
    }

    /// Adds one example.
    ///
    /// - probabilities: (outputs); target: a class less than `outputs` (of one output: 0 or 1), or (outputs) values
    pub(crate) fn update(&mut self, probabilities: &[f32], target: Target<'_>) {
        debug_assert_eq!(probabilities.len(), self.outputs, "one probability for each output");
        self.metric.measure().update(&mut self.sums, probabilities, target);
    }

    /// Adds what another state of the same metric has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        debug_assert_eq!((&self.metric, self.outputs), (&other.metric, other.outputs), "states of one metric");
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
    }

    /// The sums that it has made.
    pub(crate) fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// The same, to be written.
    pub(crate) fn sums_mut(&mut self) -> &mut [f64] {
        &mut self.sums
    }

    /// The metric's value over all examples so far.
    pub(crate) fn value(&self) -> f64 {
        self.metric.measure().value(&self.sums)
    }
}
