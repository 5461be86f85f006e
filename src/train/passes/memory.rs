//! What passes by hand run on: plans that find the gradients that are wanted, and memory that earlier passes have left.

use crate::error::Result;
use crate::layers::Network;
use crate::plan::{Plan, Wanted};
use crate::train::Engine;
use crate::train::chunks::Chunks;
use crate::train::other_plan::{OtherPlan, PackedPlan};
use crate::train::shard::Shard;
use std::sync::{Arc, Mutex, PoisonError};

/// For each kind of pass.
#[derive(Debug, Default)]
pub(in crate::train) struct PassRoom {
    of_parameters: SparePasses,
    of_inputs: OnOtherPlan,
    of_inputs_alone: OnOtherPlan,
}

/// Passes on a plan that finds the gradients of inputs.
#[derive(Debug, Default)]
struct OnOtherPlan {
    plan: OtherPlan,
    spare: SparePasses,
}

/// The memory of a pass: its chunks, and the gradients of shards that an earlier pass has left.
#[derive(Debug, Default)]
pub(super) struct PassMemory {
    pub(super) chunks: Chunks,
    pub(super) shards: Vec<Shard>,
}

/// The memory of passes for training that have gone backward, for those that come. A loop by hand has as many at once as
/// it has passes between two steps.
#[derive(Debug, Default)]
struct SparePasses(Mutex<Vec<PassMemory>>);

/// The most passes of a kind whose memory is kept.
const MAX_SPARE: usize = 4;

impl PassRoom {
    /// The plan of passes for training, if it is not that of the engine.
    pub(super) fn plan(&self, wanted: Wanted, engine: &Engine, network: &Network) -> Result<Option<Arc<PackedPlan>>> {
        let other = match wanted {
            Wanted::OfParameters | Wanted::Nothing => return Ok(None),
            Wanted::OfInputs => &self.of_inputs,
            Wanted::OfInputsAlone => &self.of_inputs_alone,
        };
        let make = || Plan::new(network, wanted).map(Arc::new);
        other.plan.packed(engine, make).map(Some)
    }

    pub(super) fn take(&self, wanted: Wanted) -> PassMemory {
        self.spare(wanted).and_then(SparePasses::take).unwrap_or_default()
    }

    pub(super) fn put_back(&self, wanted: Wanted, memory: PassMemory) {
        if let Some(spare) = self.spare(wanted) {
            spare.put_back(memory);
        }
    }

    fn spare(&self, wanted: Wanted) -> Option<&SparePasses> {
        match wanted {
            Wanted::OfParameters => Some(&self.of_parameters),
            Wanted::OfInputs => Some(&self.of_inputs.spare),
            Wanted::OfInputsAlone => Some(&self.of_inputs_alone.spare),
            Wanted::Nothing => None,
        }
    }
}

impl SparePasses {
    fn take(&self) -> Option<PassMemory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, memory: PassMemory) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(memory);
        }
    }
}
