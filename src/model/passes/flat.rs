//! The parts of a step for a training of two models: gradients stay laid out as the weights are, only those that are
//! wanted are found, and nothing takes their detour over arrays with names.

use super::{ForwardPass, Model};
use crate::data::Inputs;
use crate::error::Result;
use crate::plan::Wanted;
use crate::train::{HeadGradient, Moments, PassGradients, Side};

impl Model {
    /// Runs the forward pass of a training whose backward pass finds the gradients of the weights alone. The weights
    /// must not change until then.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub(crate) fn forward_to_train(&self, inputs: Inputs<'_>) -> Result<ForwardPass> {
        self.forward_for(Wanted::OfParameters, inputs)
    }

    /// Runs the forward pass of a training whose backward pass finds the gradients of the inputs alone.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub(crate) fn forward_to_see_through(&self, inputs: Inputs<'_>) -> Result<ForwardPass> {
        self.forward_for(Wanted::OfInputsAlone, inputs)
    }

    /// Runs the backward pass from the gradient of the only output. Regularizers add nothing.
    ///
    /// - gradient: (N, values of the output)
    pub(crate) fn backward_flat(
        &self,
        pass: ForwardPass,
        gradient: &[f32],
        moments: Moments,
        found: &mut PassGradients,
    ) {
        let kept = pass.kept;
        debug_assert!(self.engine.made(&kept), "the pass is one of this model");
        let heads = [HeadGradient { values: gradient, of: Side::Output }];
        let crew = self.engine.crew_of_pass(kept.examples);
        crew.run(|| self.engine.backward_pass(kept, &heads, moments, found));
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
