//! A batch from its examples to its gradients, round by round.

use super::chunks::Run;
use super::counts::{Counting, Scale};
use super::exchange::Exchanged;
use super::round::Round;
use super::shard::make_shards;
use super::shards::{round_len, shard_count};
use super::{Engine, Examples, LastBatch};
use crate::aligned::AlignedBuffer;
use crate::error::Result;
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
        if self.exchange.is_some() {
            return self.run_round_together(batch, &places, (seed, step));
        }
        let used = shard_count(&self.plan, places.len());
        let Self { plan, weights, scoring, level, shards, chunks, workspaces, step_shares, tally, .. } = self;
        let scale = Scale { examples: 1.0 / batch.len() as f32, steps: step_shares };
        let (places, level) = (&places, *level);
        let round = Round { plan, weights, scoring, level, batch, places, shards: used, scale, seed, step };
        make_shards(shards, plan, scoring, used, round.shard_len());
        let shards = &mut shards[..used];
        if plan.meetings().next().is_some() {
            let run = Run { plan, weights, level, group: None };
            // Taken out, so that what a panic of a user's own layer or loss leaves of them is dropped.
            let mut taken = std::mem::take(chunks);
            round.forward(run, 0, shards, &mut taken)?;
            taken.backward(run, shards, |chunk, shard| round.finish(chunk, shard))?;
            *chunks = taken;
        } else {
            round.run_shards(0, shards, workspaces);
        }
        shards.iter().for_each(|shard| tally.merge(&shard.tally));
        self.last = LastBatch::InShards { used, examples: places.len() };
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
