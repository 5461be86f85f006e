//! What an optimizer remembers from step to step: all that a checkpoint must keep of it.

use super::Optimizer;
use super::algorithm::MAX_BUFFERS;
use super::norms::Norms;
use crate::aligned::AlignedBuffer;
use std::ops::Range;

/// What an optimizer remembers.
#[derive(Clone, Debug)]
pub(crate) struct OptimizerState {
    /// Steps taken.
    pub(crate) step: u64,
    /// The product of Nadam's momenta so far; 1 for other algorithms.
    pub(crate) momentum_product: f64,
    /// The algorithm's buffers; those it does not need are empty.
    pub(super) buffers: [AlignedBuffer; MAX_BUFFERS],
    /// The moving average of the weights; empty without one.
    pub(super) average: AlignedBuffer,
    /// Keras' names of the buffers.
    names: [Option<&'static str>; MAX_BUFFERS],
    /// Room to find norms in.
    pub(super) norms: Norms,
}

impl OptimizerState {
    /// The state before the first step, for this many parameters, among which each variable has its place.
    pub(crate) fn new(
        optimizer: &Optimizer,
        parameter_len: usize,
        variables: impl IntoIterator<Item = Range<usize>>,
    ) -> Self {
        let names = optimizer.algorithm.buffers();
        let initial = optimizer.algorithm.initial_value();
        let buffers = names.map(|name| {
            let mut buffer = AlignedBuffer::zeroed(if name.is_some() { parameter_len } else { 0 });
            if initial != 0.0 {
                buffer.fill(initial);
            }
            buffer
        });
        let average = AlignedBuffer::zeroed(if optimizer.use_ema { parameter_len } else { 0 });
        let norms = Norms::new(optimizer, variables);
        Self { step: 0, momentum_product: 1.0, buffers, average, names, norms }
    }

    /// Every buffer that is kept, under Keras' name, laid out as the parameters are.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &[f32])> {
        let average = (!self.average.is_empty()).then_some(("average", &self.average[..]));
        let buffers = self.names.iter().zip(&self.buffers);
        buffers.filter_map(|(name, buffer)| Some(((*name)?, &buffer[..]))).chain(average)
    }

    /// The same, to be written.
    pub(crate) fn named_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut [f32])> {
        let average = (!self.average.is_empty()).then_some(("average", &mut self.average[..]));
        let buffers = self.names.iter().zip(&mut self.buffers);
        buffers.filter_map(|(name, buffer)| Some(((*name)?, &mut buffer[..]))).chain(average)
    }

    /// Replaces parameters by their average, if there is one; says whether it did.
    pub(crate) fn average_to(&self, parameters: &mut [f32]) -> bool {
        let averaged = self.step > 0 && !self.average.is_empty();
        if averaged {
            parameters.copy_from_slice(&self.average);
        }
        averaged
    }
}
