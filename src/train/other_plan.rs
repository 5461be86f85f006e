//! Plans of an engine's network for another purpose than training, each with a copy of the weights packed for it.

use super::Engine;
use super::chunks::Run;
use super::packing::pack_steps;
use crate::error::Result;
use crate::exec::{Weights, pack_filters};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use std::sync::{Arc, Mutex, PoisonError};

/// A plan with the weights of one moment packed for it.
#[derive(Debug)]
pub(super) struct PackedPlan {
    /// The same for all weights.
    pub(super) plan: Arc<Plan>,
    pub(super) weights: Weights,
    pub(super) level: Level,
    /// The engine's version of the weights.
    version: u64,
}

/// The plan as it was packed last, for calls with the same weights.
#[derive(Debug, Default)]
pub(super) struct OtherPlan(Mutex<Option<Arc<PackedPlan>>>);

impl PackedPlan {
    pub(super) fn run(&self) -> Run<'_> {
        Run { plan: &self.plan, weights: &self.weights, level: self.level, group: None }
    }
}

impl OtherPlan {
    /// The plan, packed for the engine's weights of this moment.
    pub(super) fn packed(&self, engine: &Engine, make: impl FnOnce() -> Result<Arc<Plan>>) -> Result<Arc<PackedPlan>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.version == engine.version) {
            return Ok(Arc::clone(last));
        }
        let (level, version) = (engine.level, engine.version);
        // The memory of the last serves again, unless somebody still reads it.
        let (plan, mut weights) = match last.take().map(Arc::try_unwrap) {
            Some(Ok(PackedPlan { plan, weights, .. })) => (plan, weights),
            Some(Err(other)) => (Arc::clone(&other.plan), Weights::zeroed(&other.plan)),
            None => {
                let plan = make()?;
                let weights = Weights::zeroed(&plan);
                (plan, weights)
            }
        };
        weights.flat.copy_from_slice(&engine.weights.flat);
        let Weights { flat, packed } = &mut weights;
        pack_steps(&plan.steps, packed, &|conv, filters, packed| {
            dispatch!(level, simd => pack_filters(simd, conv, filters, flat, packed));
        });
        let made = Arc::new(PackedPlan { plan, weights, level, version });
        *last = Some(Arc::clone(&made));
        Ok(made)
    }
}
