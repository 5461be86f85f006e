//! A round of a batch that several ranks work on: each on its own shards. The last ones go through the backward pass phase by
//! phase, so that the gradients of the last layers travel while those of the first are still computed.

use super::super::chunks::{Chunks, Run};
use super::super::counts::Scale;
use super::super::round::Round;
use super::super::shard::{Shard, make_shards};
use super::super::shards::shard_count;
use super::super::{Crew, Engine, Examples, LastBatch, chunk_len};
use super::Exchange;
use super::stages::Cut;
use super::traffic::Traffic;
use crate::error::Result;
use std::ops::Range;

/// The most memory of the shards that go phase by phase: all values of all their examples are kept, not those of a chunk for each
/// thread.
const LATE_BYTES: u64 = 1 << 28;

impl Engine {
    /// Scores a round, and finds its gradients.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    pub(in super::super) fn run_round_together(
        &mut self,
        batch: &Examples<'_>,
        places: &Range<usize>,
        (seed, step): (u64, u64),
    ) -> Result<()> {
        let used = shard_count(&self.plan, places.len());
        let Self { plan, weights, scoring, level, shards, chunks, workspaces, step_shares, exchange, tally, .. } = self;
        let Exchange { whole, cut, traffic } = exchange.as_mut().expect("there are other ranks");
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        let (plan, level) = (&*plan, *level);
        let round = Round { plan, weights, scoring, level, batch, places, shards: used, scale, seed, step };
        let own = traffic.group.own(used);
        traffic.begin(plan, scoring, used, places.len());
        make_shards(shards, plan, scoring, own.len(), round.shard_len());
        let shards = &mut shards[..own.len()];
        // All go phase by phase where chunks meet; if the plan is cut, those that each thread works on last.
        let meets = plan.meetings().next().is_some();
        let early = match cut {
            _ if meets => 0,
            Some(cut) => own.len() - late_shards(cut, own.len(), round.shard_len().div_ceil(chunk_len(plan))),
            None => own.len(),
        };
        round.run_shards(own.start, &mut shards[..early], workspaces);
        if meets || cut.is_some() {
            let group = traffic.group.clone();
            let run = Run { plan, weights, level, group: Some(&group) };
            // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
            let mut late = std::mem::take(chunks);
            round.forward(run, own.start + early, &mut shards[early..], &mut late)?;
            match cut {
                None => late.backward(run, &mut shards[early..], |chunk, shard| round.finish(chunk, shard))?,
                Some(cut) => backward_in_two(&round, (run, &mut late), cut, traffic, (shards, early))?,
            }
            *chunks = late;
        }
        let last = cut.as_ref().map_or(&*whole, |Cut { stages: [_, last], .. }| last);
        traffic.take(plan, level, last, shards);
        traffic.travel(plan, level, last, Crew::Pool)?;
        traffic.exchange_tallies(shards)?;
        traffic.tallies().for_each(|of_shard| tally.merge(of_shard));
        self.last = LastBatch::Exchanged;
        Ok(())
    }
}

/// How many of a rank's shards, of so many chunks each, go phase by phase: one for each thread, but fewer, or none, where their values
/// would take too much memory. It changes neither a bit nor what is exchanged.
fn late_shards(cut: &Cut, own: usize, chunks: usize) -> usize {
    let most = LATE_BYTES / cut.chunk_bytes.saturating_mul(chunks as u64).max(1);
    Crew::Pool.threads(own).min(own).min(usize::try_from(most).unwrap_or(usize::MAX))
}

/// The backward pass of the last shards, phase by phase, while the gradients that all shards have left so far travel.
///
/// - shards: those of this rank, and where the last begin, of which the chunks are
fn backward_in_two(
    round: &Round<'_>,
    (run, chunks): (Run<'_>, &mut Chunks),
    Cut { phases, meanwhile, stages: [ahead, _], .. }: &Cut,
    traffic: &mut Traffic,
    (shards, first): (&mut [Shard], usize),
) -> Result<()> {
    let Round { plan, level, .. } = *round;
    for (phase, steps) in phases.iter().enumerate().rev() {
        chunks.meet_backward(run, phase)?;
        if phase == *meanwhile {
            traffic.take(plan, level, ahead, shards);
        }
        let late = &mut shards[first..];
        let mut compute = || chunks.backward_phase(run, steps.clone(), late, |chunk, shard| round.finish(chunk, shard));
        if phase == *meanwhile {
            at_once(compute, || traffic.travel(plan, level, ahead, Crew::Caller))?;
        } else {
            compute();
        }
    }
    Ok(())
}

/// Computes in the pool while this thread exchanges. If it is the only one of the pool, it computes afterwards.
fn at_once<T>(compute: impl FnOnce() + Send, exchange: impl FnOnce() -> T) -> T {
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| compute());
        exchange()
    })
}
