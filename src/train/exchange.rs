//! Decides what ranks tell each other of a batch. Each works on a part of the shards, and has a slice of the parameters whose
//! gradients it adds up, of the shards of all and in their order, for everybody: so no number of ranks changes a bit, and what goes
//! over the network grows with the parameters and the shards of a rank, not with the ranks.

use super::gradients::{BatchGradients, GROUP};
use super::shard::Shard;
use super::shards::shard_places;
use super::stretches::Stretches;
use super::tally::Tally;
use super::{Engine, Examples};
use crate::aligned::{AlignedBuffer, LINE_FLOATS};
use crate::distributed::{Group, SumOrder};
use crate::error::Result;
use crate::exec::factors_len;
use crate::kernels::sum::add;
use crate::optimizer::{Block, GradientSource, Penalties, collect, collect_piece, pieces};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use rayon::prelude::*;
use std::ops::Range;

/// What an engine exchanges with other ranks.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    group: Group,
    /// The gradients of the last round, of the shards of all ranks.
    gradients: AlignedBuffer,
    /// The ranges that sums over the batch are found in, and for each rank the parameters that it adds up.
    pieces: Vec<Range<usize>>,
    slices: Vec<Range<usize>>,
    sent: Vec<u8>,
    received: Vec<u8>,
    terms: Vec<f32>,
}

/// The gradients that all ranks have together.
pub(super) struct Exchanged<'a> {
    gradients: &'a [f32],
    penalties: Option<&'a Penalties>,
}

impl<'a> Exchanged<'a> {
    pub(super) fn new(exchange: Option<&'a Exchange>, penalties: Option<&'a Penalties>) -> Self {
        Self { gradients: exchange.map_or(&[], |exchange| &exchange.gradients), penalties }
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

/// Shards of one rank that are added up before others are added: all from the start of a group on, otherwise one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term(Range<usize>);

/// The terms that a rank gives of its shards.
fn terms(own: Range<usize>) -> impl Iterator<Item = Term> {
    let mut at = own.start;
    std::iter::from_fn(move || {
        if at == own.end {
            return None;
        }
        let end = if at.is_multiple_of(GROUP) { own.end.min(at + GROUP) } else { at + 1 };
        let term = Term(at..end);
        at = end;
        Some(term)
    })
}

impl Exchange {
    pub(crate) fn new(group: Group, plan: &Plan) -> Self {
        let all = plan.parameters.trained_len;
        let source = BatchGradients { plan, shards: &[], examples: 0, penalties: None };
        let mut found = Vec::new();
        pieces(&source, 0..all, &mut found);
        let sharded = plan.parameters.sharded_len;
        // Behind what is summed over the shards, slices end where pieces do.
        let end = |rank: usize| {
            let even = ((rank + 1) * all / group.size()).next_multiple_of(LINE_FLOATS).min(all);
            if rank + 1 == group.size() {
                return all;
            }
            if even <= sharded {
                return even;
            }
            found.iter().map(|piece| piece.end).filter(|end| *end <= even).max().unwrap_or(0).max(sharded)
        };
        let ends: Vec<usize> = (0..group.size()).map(end).collect();
        let start = |rank: usize| if rank == 0 { 0 } else { ends[rank - 1] };
        let slices = (0..group.size()).map(|rank| start(rank)..ends[rank]).collect();
        let gradients = AlignedBuffer::zeroed(all);
        Self { group, gradients, pieces: found, slices, sent: vec![], received: vec![], terms: vec![] }
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// Makes the shards of a round, of which this rank has worked on its own, tell what all have found.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    pub(super) fn exchange_round(
        &mut self,
        plan: &Plan,
        level: Level,
        shards: &mut [Shard],
        examples: usize,
    ) -> Result<()> {
        let all = shards.len();
        let own = self.group.own(all);
        let lens: Vec<usize> = (0..all).map(|index| shard_places(examples, all, index).len()).collect();
        exchange_tallies(&self.group, shards.iter_mut().map(|shard| &mut shard.tally), &lens)?;
        match self.group.order {
            SumOrder::Shards => {
                if factors_len(plan, 1) > 0 {
                    self.exchange_factors(plan, shards, &lens)?;
                }
                self.exchange_terms(plan, level, shards)?;
                self.add_up(plan, level, shards, examples);
                self.exchange_slices()
            }
            SumOrder::Any => {
                let examples = lens[own.clone()].iter().sum();
                let source = BatchGradients { plan, shards: &shards[own], examples, penalties: None };
                collect(level, &source, &mut self.gradients);
                self.group.all_reduce(&mut self.gradients)
            }
        }
    }

    /// Everybody gets the factors of the gradients that are summed over the whole batch.
    fn exchange_factors(&mut self, plan: &Plan, shards: &mut [Shard], lens: &[usize]) -> Result<()> {
        let own = self.group.own(shards.len());
        self.sent.clear();
        shards[own.clone()].iter().for_each(|shard| shard.gradients.write_factors(plan, &mut self.sent));
        let of_rank = |rank| lens[self.group.part(lens.len(), rank)].iter().map(|len| factors_len(plan, *len)).sum();
        let bytes: Vec<usize> = (0..self.group.size()).map(of_rank).collect();
        self.group.all_gather_into(&self.sent, &bytes, &mut self.received)?;
        let mut rest = &self.received[..];
        for (index, (shard, examples)) in shards.iter_mut().zip(lens).enumerate() {
            let of_shard = rest.split_off(..factors_len(plan, *examples)).expect("as many as were asked for");
            if !own.contains(&index) {
                shard.gradients.read_factors(plan, *examples, of_shard);
            }
        }
        Ok(())
    }

    /// Everybody gets the terms of its slice of what is summed over the shards.
    fn exchange_terms(&mut self, plan: &Plan, level: Level, shards: &mut [Shard]) -> Result<()> {
        let (all, sharded) = (shards.len(), plan.parameters.sharded_len);
        let own = self.group.own(all);
        // The first shard of each term takes up the others: it has been read by nobody yet, and is not needed again.
        for Term(range) in terms(own.clone()) {
            let (first, others) = shards[range].split_first_mut().expect("a term has a shard");
            for other in others {
                let sum = &mut first.gradients.summed;
                dispatch!(level, simd => add(simd, &other.gradients.summed, sum));
            }
        }
        let within = |slice: &Range<usize>| slice.start.min(sharded)..slice.end.min(sharded);
        self.sent.clear();
        let mut to = Vec::with_capacity(self.slices.len());
        for slice in &self.slices {
            let before = self.sent.len();
            for Term(range) in terms(own.clone()) {
                let values = &shards[range.start].gradients.summed[within(slice)];
                self.sent.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            to.push(self.sent.len() - before);
        }
        let len = within(&self.slices[self.group.rank()]).len();
        let of_rank = |rank| terms(self.group.part(all, rank)).count() * len * size_of::<f32>();
        let from: Vec<usize> = (0..self.group.size()).map(of_rank).collect();
        self.group.all_to_all_into(&self.sent, &to, &from, &mut self.received)?;
        self.terms.clear();
        self.terms.extend(floats(&self.received));
        Ok(())
    }

    /// Adds up the gradients of this rank's slice.
    fn add_up(&mut self, plan: &Plan, level: Level, shards: &[Shard], examples: usize) {
        let sharded = plan.parameters.sharded_len;
        let slice = self.slices[self.group.rank()].clone();
        let len = slice.end.min(sharded).saturating_sub(slice.start);
        if len > 0 {
            let all = (0..self.group.size()).flat_map(|rank| terms(self.group.part(shards.len(), rank)));
            let sums = &mut self.gradients[slice.start..slice.start + len];
            let mut of_group = vec![0.0; len];
            let mut given = self.terms.chunks_exact(len).zip(all).peekable();
            while let Some((first, Term(range))) = given.next() {
                let group = range.start / GROUP;
                let to = if group == 0 { &mut *sums } else { &mut of_group[..] };
                to.copy_from_slice(first);
                while let Some((term, _)) = given.next_if(|(_, Term(range))| range.start / GROUP == group) {
                    dispatch!(level, simd => add(simd, term, to));
                }
                if group > 0 {
                    dispatch!(level, simd => add(simd, &of_group, sums));
                }
            }
        }
        let source = BatchGradients { plan, shards, examples, penalties: None };
        let mut rest = &mut self.gradients[slice.start.max(sharded)..slice.end.max(sharded)];
        let mut tasks = Vec::new();
        for piece in &self.pieces {
            let (start, end) = (piece.start.max(slice.start).max(sharded), piece.end.min(slice.end));
            if start < end {
                tasks.push((start, rest.split_off_mut(..end - start).expect("pieces cover the slice")));
            }
        }
        tasks.into_par_iter().for_each(|(start, to)| collect_piece(level, &source, start, to));
    }

    /// Everybody gets the sums of all slices.
    fn exchange_slices(&mut self) -> Result<()> {
        let own = self.slices[self.group.rank()].clone();
        self.sent.clear();
        self.sent.extend(self.gradients[own].iter().flat_map(|value| value.to_le_bytes()));
        let lens: Vec<usize> = self.slices.iter().map(|slice| slice.len() * size_of::<f32>()).collect();
        self.group.all_gather_into(&self.sent, &lens, &mut self.received)?;
        self.gradients.iter_mut().zip(floats(&self.received)).for_each(|(to, value)| *to = value);
        Ok(())
    }
}

impl Engine {
    /// Scores examples without changing anything, together with the other ranks if there are any.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if one cannot be reached.
    pub(crate) fn score_together(&self, examples: &Examples<'_>) -> Result<Tally> {
        let Some(Exchange { group, .. }) = &self.exchange else { return Ok(self.score(examples)) };
        let Stretches { count, .. } = self.stretches(examples);
        let mut tallies = vec![self.scoring.tally(); count];
        let own = group.own(count);
        self.score_stretches(examples, own.clone(), &mut tallies[own]);
        let lens: Vec<usize> = (0..count).map(|index| self.stretches(examples).places(index).len()).collect();
        exchange_tallies(group, tallies.iter_mut(), &lens)?;
        Ok(self.total(&tallies))
    }
}

/// Everybody gets the tallies of all, of which each rank has made its own.
///
/// - examples: of each tally
fn exchange_tallies<'t>(group: &Group, tallies: impl Iterator<Item = &'t mut Tally>, examples: &[usize]) -> Result<()> {
    let own = group.own(examples.len());
    let mut tallies: Vec<&mut Tally> = tallies.collect();
    let Some(len) = tallies.first().map(|tally| tally.sums().len() * size_of::<f64>()) else { return Ok(()) };
    let sums = tallies[own.clone()].iter().flat_map(|tally| tally.sums());
    let sent: Vec<u8> = sums.flat_map(f64::to_le_bytes).collect();
    let lens: Vec<usize> = (0..group.size()).map(|rank| group.part(examples.len(), rank).len() * len).collect();
    let all = group.all_gather(&sent, &lens)?;
    for (index, (tally, bytes)) in tallies.iter_mut().zip(all.chunks_exact(len)).enumerate() {
        if !own.contains(&index) {
            let sums = bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")));
            tally.set_sums(examples[index], &sums.collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// Floats that came as bytes.
pub(super) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_from_the_start_of_a_group_on_are_one_term() {
        let of = |own: Range<usize>| terms(own).map(|Term(range)| (range.start, range.end)).collect::<Vec<_>>();
        assert_eq!(of(0..8), [(0, 8)]);
        assert_eq!(of(0..20), [(0, 8), (8, 16), (16, 20)]);
        assert_eq!(of(6..11), [(6, 7), (7, 8), (8, 11)]);
        assert!(of(3..3).is_empty());
    }
}
