//! A batch from its examples to its gradients: round by round, and phase by phase where its chunks meet.

use super::chunks::{Chunk, Run};
use super::counts::{Counting, Scale};
use super::exchange::{Exchange, Exchanged};
use super::pool::make_workspaces;
use super::shard::{Part, make_shards, run_shard};
use super::shards::{round_len, shard_count, shard_places};
use super::workers::{Then, hand_out};
use super::{Crew, Engine, Examples, LastBatch, chunk_len};
use crate::aligned::AlignedBuffer;
use crate::error::Result;
use crate::exec::{Pass, Purpose};
use crate::kernels::sum::add_all_compensated;
use crate::optimizer::{GradientSource, PieceState, Reach, for_each_run};
use crate::simd::dispatch;
use std::ops::Range;

impl Engine {
    /// Scores a batch, and finds the gradients of its mean loss shard by shard.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if other ranks take part, and one cannot be reached.
    pub(crate) fn run_batch(&mut self, batch: &Examples<'_>, seed: u64, step: u64) -> Result<()> {
        self.tally.reset();
        // Taken out: after a panic of a user's own layer or loss the next batch starts anew.
        let mut states = std::mem::take(&mut self.states);
        let (before, behind) = states.open(&self.plan, batch.len());
        let going_on = batch.starting_from(before);
        let Self { plan, weights, level, workspaces, step_shares, .. } = self;
        Counting { plan, weights, level: *level, seed, step }.count(&going_on, workspaces, step_shares);
        let round_len = round_len(&self.plan);
        for start in (0..batch.len()).step_by(round_len) {
            let places = start..(start + round_len).min(batch.len());
            self.run_round(&going_on, places.clone(), seed, step)?;
            self.copy_states(places, behind);
            if batch.len() > round_len {
                self.add_round(start);
            }
        }
        self.states = states;
        let Self { weights, gradients, tally, penalties, level, last, .. } = self;
        if batch.len() > round_len {
            *last = LastBatch::AddedUp;
            penalties.iter().for_each(|penalties| penalties.add_to(*level, &weights.flat, gradients));
        }
        penalties.iter().for_each(|penalties| tally.add_penalty(penalties.value(*level, &weights.flat)));
        Ok(())
    }

    /// Scores a round, and finds its gradients.
    fn run_round(&mut self, batch: &Examples<'_>, places: Range<usize>, seed: u64, step: u64) -> Result<()> {
        let used = shard_count(&self.plan, places.len());
        let shard_len = places.len().div_ceil(used);
        make_shards(&mut self.shards, &self.plan, &self.scoring, used, shard_len);
        self.last = LastBatch::InShards { used, examples: places.len() };
        let own = self.exchange.as_ref().map_or(0..used, |exchange| exchange.group().own(used));
        if self.plan.meetings().next().is_some() {
            self.run_phases(batch, &places, (used, own), (seed, step))?;
            return self.finish_round(used, places.len());
        }
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut workspaces = std::mem::take(self.workspaces.get_mut());
        let Self { plan, weights, scoring, level, step_shares, .. } = self;
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        let threads = Crew::Pool.threads(own.len());
        make_workspaces(plan, &mut workspaces, threads, chunk_len(plan).min(shard_len));
        let shards = &mut self.shards[own.clone()];
        hand_out(shards.iter_mut(), &mut workspaces[..threads], Then::Work, |index, shard, workspace| {
            let Range { start, end } = shard_places(places.len(), used, own.start + index);
            let part = Part { batch, places: places.start + start..places.start + end, seed, step, scale };
            dispatch!(*level, simd => run_shard(simd, plan, weights, scoring, &part, shard, workspace));
        });
        *self.workspaces.get_mut() = workspaces;
        self.finish_round(used, places.len())
    }

    /// Gets what the shards of other ranks have found, if there are any, and adds up what all have scored.
    fn finish_round(&mut self, used: usize, examples: usize) -> Result<()> {
        let Self { plan, level, shards, tally, exchange, last, .. } = self;
        let shards = &mut shards[..used];
        if let Some(exchange) = exchange {
            exchange.exchange_round(plan, *level, shards, examples)?;
            *last = LastBatch::Exchanged;
        }
        shards.iter().for_each(|shard| tally.merge(&shard.tally));
        Ok(())
    }

    /// Scores a batch whose chunks meet, and finds its gradients.
    fn run_phases(
        &mut self,
        batch: &Examples<'_>,
        places: &Range<usize>,
        (used, own): (usize, Range<usize>),
        (seed, step): (u64, u64),
    ) -> Result<()> {
        // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
        let mut chunks = std::mem::take(&mut self.chunks);
        let Self { plan, weights, scoring, level, shards, step_shares, exchange, .. } = self;
        let group = exchange.as_ref().map(Exchange::group);
        let run = Run { plan, weights, level: *level, group };
        chunks.cut(plan, places, (used, own.clone()), Purpose::Training);
        let shards = &mut shards[own];
        for shard in &mut *shards {
            shard.gradients.clear();
            shard.gradients.activity_scale = 1.0 / batch.len() as f32;
            shard.tally.reset();
        }
        let pass = |places: &Range<usize>| Pass::Training { seed, step, first_example: places.start };
        chunks.forward(run, pass, |Chunk { places, workspace }| {
            dispatch!(*level, simd => batch.write(simd, places.clone(), plan, workspace));
            batch.vary(places.clone(), plan, seed, step, workspace);
        })?;
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        chunks.backward(run, shards, |Chunk { places, workspace }, shard| {
            shard.tally.add_chunk(scoring, plan, batch, places, workspace, Some(scale));
        })?;
        self.chunks = chunks;
        Ok(())
    }

    /// Adds the gradients of a round that started here to those of the rounds before.
    fn add_round(&mut self, start: usize) {
        let Self { plan, shards, last, gradients, lost, level, exchange, .. } = self;
        if lost.is_empty() {
            *lost = AlignedBuffer::zeroed(plan.parameters.trained_len);
        }
        if start == 0 {
            gradients.fill(0.0);
            lost.fill(0.0);
        }
        let sums = PieceState { buffers: [lost, &mut [], &mut []], ..PieceState::of(gradients) };
        let (in_shards, exchanged) = (last.gradients(plan, shards, None), Exchanged::new(exchange.as_ref(), None));
        let source: &dyn GradientSource = if *last == LastBatch::Exchanged { &exchanged } else { &in_shards };
        for_each_run(*level, source, Reach::All, sums, |_, values, PieceState { parameters, buffers, .. }| {
            let [lost, ..] = buffers;
            dispatch!(*level, simd => add_all_compensated(simd, values, parameters, lost));
        });
    }
}
