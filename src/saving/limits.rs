//! Limits the size of models in files, so that a small file cannot make loading or predicting take much memory or time.
//! Weights need no limit, as the file must contain each of them.

use crate::error::ModelFault;
use crate::exec::{Purpose, Workspace};
use crate::layers::Network;
use crate::plan::Plan;
use crate::shape::Shape;
use crate::train::chunk_len;

/// Limits on the memory and time that a model from a file may need. A file of a few kilobytes can describe a model that
/// needs all memory of a machine, or years to predict. [`Model::load`](crate::Model::load) and the other loading
/// functions refuse a model that exceeds the default limits before they allocate memory for it;
/// [`Model::load_with`](crate::Model::load_with) and its counterparts accept other limits.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::{LoadLimits, ModelFault, Error};
/// let bytes = Sequential::new([784])
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?
///     .to_bytes()?;
/// let few = LoadLimits::new().operations(1000);
/// let error = Model::from_bytes_with(&bytes, few).unwrap_err();
/// assert!(matches!(error, Error::ModelFile { fault: ModelFault::Limit { limit: 1000, .. }, .. }));
/// assert!(Model::from_bytes_with(&bytes, LoadLimits::new()).is_ok());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadLimits {
    /// The most bytes that predicting on one thread may take beside the weights: their copy in another order that the
    /// forward pass reads, and the values between the layers for as many images as are worked on at a time, at most 8.
    /// Weights, their gradients and what the optimizer keeps are not counted: they take a few times the bytes of the
    /// file.
    ///
    /// By default 2 GiB.
    pub memory: u64,
    /// The most multiply-adds that predicting may take for one image. Other arithmetic is counted as multiply-adds of
    /// about the same time.
    ///
    /// By default 10^11, about a second of one core of a Zen 5 with AVX-512. VGG-16, one of the largest image networks
    /// there are, takes 1.5 * 10^10 for an image of 224x224.
    pub operations: u64,
}

impl LoadLimits {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self { memory: 2 << 30, operations: 100_000_000_000 }
    }

    /// No limits, for files from a trusted source.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { memory: u64::MAX, operations: u64::MAX }
    }

    setters! {
        /// Sets the most bytes that predicting on one thread may take beside the weights.
        memory: u64,

        /// Sets the most multiply-adds that predicting may take for one image.
        operations: u64,
    }

    /// Checks the lists of where windows start, and what each call of a layer copies of it, before a plan is made,
    /// which has them.
    ///
    /// - shapes: of the calls' outputs
    pub(crate) fn check_layers(&self, network: &Network, shapes: &[Vec<Shape>]) -> Result<(), ModelFault> {
        let bytes = network.calls.iter().zip(shapes).map(|(call, outputs)| {
            let layer = network.layers[call.layer].describe();
            let input = call.reads[0].find(&network.inputs, shapes).expect("the shapes are known of all values");
            let lists = (layer.listed_windows(*input, outputs[0]) as u64).saturating_mul(size_of::<u32>() as u64);
            lists.saturating_add(layer.copied_bytes())
        });
        self.check_memory(bytes.fold(0_u64, u64::saturating_add))
    }

    /// Checks all that predicting takes: by the plan, and by that for inference, if there is another.
    pub(crate) fn check_plan(&self, plan: &Plan, for_inference: Option<&Plan>) -> Result<(), ModelFault> {
        // One after the other both work in the workspace of the larger one.
        let plans = || [Some(plan), for_inference].into_iter().flatten();
        let kept = plans().map(|plan| {
            let packed = (plan.packed_len as u64).saturating_mul(size_of::<f32>() as u64);
            plan.list_bytes().saturating_add(packed)
        });
        let workspace = plans().map(|plan| Workspace::bytes(plan, chunk_len(plan), Purpose::Training)).max();
        self.check_memory(kept.fold(workspace.unwrap_or_default(), u64::saturating_add))?;
        let (needed, limit) = (plan.operations(), self.operations);
        if needed > limit {
            let what = "multiply-adds for an image";
            return Err(ModelFault::Limit { what, needed, limit, setting: "operations" });
        }
        Ok(())
    }

    fn check_memory(&self, needed: u64) -> Result<(), ModelFault> {
        let limit = self.memory;
        if needed > limit {
            let what = "bytes of memory beside its weights";
            return Err(ModelFault::Limit { what, needed, limit, setting: "memory" });
        }
        Ok(())
    }
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self::new()
    }
}
