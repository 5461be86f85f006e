//! Decides what ranks tell each other of a batch, and when. Each works on a part of the shards, and has slices of the parameters
//! whose gradients it adds up, of the shards of all and in their order, for everybody: so no number of ranks changes a bit, and
//! what goes over the network grows with the parameters and the shards of a rank, not with the ranks.

mod rounds;
mod stages;
mod tallies;
mod traffic;

use super::gradients::BatchGradients;
use crate::distributed::Group;
use crate::optimizer::{Block, GradientSource, Penalties, pieces};
use crate::plan::Plan;
use crate::simd::Level;
use stages::{Cut, Stage};
use traffic::Traffic;

/// What an engine exchanges with other ranks.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// All parameters, whose gradients travel when all shards are done.
    whole: Stage,
    /// The same in two, if some can travel before.
    cut: Option<Cut>,
    traffic: Traffic,
}

impl Exchange {
    pub(crate) fn new(group: Group, plan: &Plan) -> Self {
        let all = plan.parameters.trained_len;
        let source = BatchGradients { plan, shards: &[], examples: 0, penalties: None };
        let mut found = Vec::new();
        pieces(&source, 0..all, &mut found);
        let ranks = group.size();
        Self {
            whole: Stage::whole(plan, &found, ranks),
            cut: if ranks > 1 { Cut::of(plan, &found, ranks) } else { None },
            traffic: Traffic::new(group, all, found),
        }
    }

    /// That of a clone of the engine.
    pub(super) fn of_clone(&self, plan: &Plan) -> Self {
        Self::new(self.group().clone(), plan)
    }

    pub(crate) fn group(&self) -> &Group {
        &self.traffic.group
    }
}

/// The gradients that all ranks have together.
pub(super) struct Exchanged<'a> {
    gradients: &'a [f32],
    penalties: Option<&'a Penalties>,
}

impl<'a> Exchanged<'a> {
    pub(super) fn new(exchange: Option<&'a Exchange>, penalties: Option<&'a Penalties>) -> Self {
        Self { gradients: exchange.map_or(&[], |exchange| &exchange.traffic.gradients), penalties }
    }
}

impl GradientSource for Exchanged<'_> {
    fn whole(&self) -> Option<&[f32]> {
        Some(self.gradients)
    }

    fn penalties(&self) -> Option<&Penalties> {
        self.penalties
    }

    fn write(&self, _level: Level, block: Block, to: &mut [f32]) {
        for (row, to) in to.chunks_exact_mut(block.len).enumerate() {
            to.copy_from_slice(&self.gradients[block.start + row * block.stride..][..block.len]);
        }
    }
}
