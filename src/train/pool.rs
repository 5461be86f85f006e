//! Keeps workspaces between calls, so that scoring and predicting need no exclusive access to the model.

use super::chunks::Chunks;
#[cfg(feature = "privacy")]
use super::clipped::Totals;
use super::passes::{EngineId, PassRoom};
use super::{Engine, ForInference, LastBatch};
use crate::aligned::AlignedBuffer;
use crate::exec::{Purpose, Workspace};
use crate::plan::Plan;
use std::sync::{Arc, Mutex, PoisonError};

/// Workspaces that nobody works in. A call takes all of them out and puts them back when it is done; the lock is held
/// for the moment of that alone. A second call at the same time finds none, and makes its own.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Workspace>>);

impl Pool {
    /// All workspaces that wait.
    pub(super) fn take(&self) -> Vec<Workspace> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps these for the next call, unless more have been put back meanwhile.
    pub(super) fn put_back(&self, workspaces: Vec<Workspace>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < workspaces.len() {
            *waiting = workspaces;
        }
    }

    /// One that has room for so many images, if one waits: for a thread among many, which leaves the others theirs.
    pub(super) fn take_one(&self, images: usize) -> Option<Workspace> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        last.filter(|workspace| workspace.max_images >= images)
    }

    /// Keeps this one too: there are never more than threads have worked at one time.
    pub(super) fn put_back_one(&self, workspace: Workspace) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }

    /// The workspaces, for whoever has exclusive access.
    pub(super) fn get_mut(&mut self) -> &mut Vec<Workspace> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes sure there is a workspace for each thread.
pub(super) fn make_workspaces(plan: &Plan, workspaces: &mut Vec<Workspace>, threads: usize, max_images: usize) {
    if workspaces.iter().any(|workspace| workspace.max_images < max_images) {
        workspaces.clear();
    }
    // All of one size, so that none is too small for a later call that another fits.
    let max_images = workspaces.first().map_or(max_images, |workspace| workspace.max_images);
    while workspaces.len() < threads {
        workspaces.push(Workspace::new(plan, max_images, Purpose::Training));
    }
}

/// A copy of what the engine has learned. Memory to work in is made when it is needed.
impl Clone for Engine {
    fn clone(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            weights: self.weights.clone(),
            scoring: self.scoring.clone(),
            penalties: self.penalties.clone(),
            constraints: self.constraints.clone(),
            level: self.level,
            version: self.version,
            passes: PassRoom::default(),
            inference: self.inference.as_ref().map(|other| ForInference::new(Arc::clone(&other.plan))),
            pending: self.pending.clone(),
            id: EngineId::default(),
            workspaces: Pool::default(),
            shards: Vec::new(),
            chunks: Chunks::default(),
            last: LastBatch::InShards { used: 0, examples: 0 },
            gradients: AlignedBuffer::zeroed(self.gradients.len()),
            #[cfg(feature = "privacy")]
            totals: Totals::default(),
            lost: AlignedBuffer::default(),
            step_shares: Vec::new(),
            tally: self.tally.clone(),
            states: self.states.clone(),
            exchange: self.exchange.as_ref().map(|exchange| exchange.of_clone(&self.plan)),
        }
    }
}
