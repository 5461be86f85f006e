//! The parts of a step for a training of two models: gradients stay laid out as the weights are, and nothing takes
//! their detour over arrays with names.

use super::{ForwardPass, Model};
use crate::aligned::AlignedBuffer;
use crate::train::{HeadGradient, Moments, PassGradients, Side};

/// What a backward pass finds.
pub(crate) struct FlatGradients {
    /// Of the trained weights, laid out as they are.
    pub(crate) parameters: AlignedBuffer,
    /// Of the first input: (N, values).
    pub(crate) input: Vec<f32>,
}

impl FlatGradients {
    /// Adds the weights' gradients of another pass of the same model.
    pub(crate) fn accumulate_flat(&mut self, other: &Self) {
        self.parameters.iter_mut().zip(other.parameters.iter()).for_each(|(own, other)| *own += other);
    }
}

impl Model {
    /// Runs the backward pass from the gradient of the only output. Regularizers add nothing.
    ///
    /// - gradient: (N, values of the output)
    pub(crate) fn backward_flat(&self, pass: ForwardPass, gradient: &[f32], moments: Moments) -> FlatGradients {
        let kept = pass.kept;
        debug_assert!(self.engine.made(&kept), "the pass is one of this model");
        let heads = [HeadGradient { values: gradient, of: Side::Output }];
        let crew = self.engine.crew_of_pass(kept.examples);
        let PassGradients { parameters, mut inputs } = crew.run(|| self.engine.backward_pass(kept, &heads, moments));
        FlatGradients { parameters, input: inputs.swap_remove(0) }
    }

    /// Takes one step of the optimizer with gradients that are laid out as the trained weights are.
    pub(crate) fn apply_flat(&mut self, gradients: &[f32]) {
        let Self { engine, optimizer, state, .. } = self;
        engine.crew_of_update().run(|| engine.update_with(gradients, optimizer, state));
    }

    /// Brings every trained weight between `-limit` and `limit`.
    pub(crate) fn clip_weights(&mut self, limit: f32) {
        self.engine.clip_weights(limit);
    }
}
