//! What a rank gives the others of its shards, what it gets, and the sums that are made of it.

use super::super::gradients::{BatchGradients, GROUP};
use super::super::shard::{Shard, make_shards_of_others};
use super::super::shards::shard_places;
use super::super::{Crew, Scoring, Tally};
use super::stages::{Parts, Stage};
use super::tallies::{gather_tallies, write_tally};
use crate::aligned::AlignedBuffer;
use crate::distributed::{Group, SumOrder};
use crate::error::Result;
use crate::kernels::sum::add;
use crate::optimizer::{Block, GradientSource, collect_piece};
use crate::plan::Plan;
use crate::simd::{Level, dispatch};
use crate::wire::{floats, put_floats};
use rayon::prelude::*;
use std::ops::Range;

/// The gradients of a round on their way between ranks.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) group: Group,
    /// The ranges that sums over the batch are found in.
    pieces: Vec<Range<usize>>,
    /// The gradients of the last round, of the shards of all ranks.
    pub(super) gradients: AlignedBuffer,
    /// What the shards of the round have scored, and the factors of their gradients.
    known: Vec<Shard>,
    /// The examples of each of them.
    examples: Vec<usize>,
    given: Given,
    received: Vec<u8>,
    terms: Vec<f32>,
}

/// What a rank gives to others.
#[derive(Debug, Default)]
struct Given {
    tallies: Vec<u8>,
    factors: Vec<u8>,
    terms: Vec<u8>,
    sums: Vec<u8>,
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

impl Traffic {
    /// - parameters: how many are trained
    pub(super) fn new(group: Group, parameters: usize, pieces: Vec<Range<usize>>) -> Self {
        Self {
            group,
            pieces,
            gradients: AlignedBuffer::zeroed(parameters),
            known: Vec::new(),
            examples: Vec::new(),
            given: Given::default(),
            received: Vec::new(),
            terms: Vec::new(),
        }
    }

    /// Begins a round of so many shards and examples.
    pub(super) fn begin(&mut self, plan: &Plan, scoring: &Scoring, shards: usize, examples: usize) {
        make_shards_of_others(&mut self.known, plan, scoring, shards, examples.div_ceil(shards));
        self.examples.clear();
        self.examples.extend((0..shards).map(|index| shard_places(examples, shards, index).len()));
    }

    /// What the shards of the round have scored.
    pub(super) fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.known[..self.examples.len()].iter().map(|shard| &shard.tally)
    }

    /// Takes what this rank gives of the shards that it has worked on.
    pub(super) fn take(&mut self, plan: &Plan, level: Level, stage: &Stage, own: &mut [Shard]) {
        let Self { group, examples, gradients, given, .. } = self;
        given.factors.clear();
        own.iter().for_each(|shard| shard.gradients.write_factors(plan, &stage.factored, &mut given.factors));
        let sharded = &stage.parameters.sharded;
        match group.order {
            SumOrder::Any => {
                let source = BatchGradients { plan, shards: own, examples: 0, penalties: None };
                source.write(level, Block::run(sharded), &mut gradients[sharded.clone()]);
            }
            SumOrder::Shards => {
                let all = group.own(examples.len());
                let of_term = |Term(range): Term| range.start - all.start..range.end - all.start;
                // The first shard of each term takes up the others: it has been read by nobody yet, and is not needed again.
                for range in terms(all.clone()).map(of_term) {
                    let (first, others) = own[range].split_first_mut().expect("a term has a shard");
                    for other in others {
                        let sum = &mut first.gradients.summed[sharded.clone()];
                        dispatch!(level, simd => add(simd, &other.gradients.summed[sharded.clone()], sum));
                    }
                }
                given.terms.clear();
                for slice in &stage.slices {
                    for range in terms(all.clone()).map(of_term) {
                        let values = &own[range.start].gradients.summed[slice.sharded.clone()];
                        put_floats(values, &mut given.terms);
                    }
                }
            }
        }
    }

    /// Exchanges what has been taken, so that the gradients of a stage are those of all shards.
    ///
    /// - crew: who adds them up
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    pub(super) fn travel(&mut self, plan: &Plan, level: Level, stage: &Stage, crew: Crew) -> Result<()> {
        match self.group.order {
            SumOrder::Shards => {
                self.exchange_factors(plan, stage)?;
                self.exchange_terms(stage)?;
                self.add_up(plan, level, stage, crew);
                self.exchange_slices(stage)
            }
            SumOrder::Any => {
                let own = self.group.own(self.examples.len());
                read_factors(plan, stage, &mut self.known, &self.examples, own.clone(), &self.given.factors);
                let Parts { sharded, rest } = &stage.parameters;
                self.add_up_batch(plan, level, own, rest, crew);
                for range in [sharded, rest].into_iter().filter(|range| !range.is_empty()) {
                    self.group.all_reduce(&mut self.gradients[range.clone()])?;
                }
                Ok(())
            }
        }
    }

    /// Everybody gets what all shards have scored.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    pub(super) fn exchange_tallies(&mut self, own: &[Shard]) -> Result<()> {
        let Self { group, known, examples, given, .. } = self;
        given.tallies.clear();
        own.iter().for_each(|shard| write_tally(&shard.tally, &mut given.tallies));
        gather_tallies(group, &given.tallies, known.iter_mut().map(|shard| &mut shard.tally), examples)
    }

    /// Everybody gets the factors of the gradients that are summed over the whole batch.
    fn exchange_factors(&mut self, plan: &Plan, stage: &Stage) -> Result<()> {
        let Self { group, known, examples, given, received, .. } = self;
        let of_shard = |examples: &usize| stage.factored.len(plan, *examples);
        if examples.iter().map(of_shard).sum::<usize>() == 0 {
            return Ok(());
        }
        let of_rank = |rank| examples[group.part(examples.len(), rank)].iter().map(of_shard).sum();
        let lens: Vec<usize> = (0..group.size()).map(of_rank).collect();
        group.all_gather_into(&given.factors, &lens, received)?;
        read_factors(plan, stage, known, examples, 0..examples.len(), received);
        Ok(())
    }

    /// Everybody gets the terms of its slice of what is summed over the shards.
    fn exchange_terms(&mut self, stage: &Stage) -> Result<()> {
        let Self { group, examples, given, received, .. } = self;
        self.terms.clear();
        if stage.parameters.sharded.is_empty() {
            return Ok(());
        }
        let len = |from: usize, to: usize| {
            let terms = terms(group.part(examples.len(), from)).count();
            terms * stage.slices[to].sharded.len() * size_of::<f32>()
        };
        let ranks = 0..group.size();
        let to: Vec<usize> = ranks.clone().map(|to| len(group.rank(), to)).collect();
        let from: Vec<usize> = ranks.map(|from| len(from, group.rank())).collect();
        group.all_to_all_into(&given.terms, &to, &from, received)?;
        self.terms.extend(floats(received));
        Ok(())
    }

    /// Adds up the gradients of this rank's slice.
    fn add_up(&mut self, plan: &Plan, level: Level, stage: &Stage, crew: Crew) {
        let Parts { sharded, rest } = &stage.slices[self.group.rank()];
        let shards = self.examples.len();
        if !sharded.is_empty() {
            let all = (0..self.group.size()).flat_map(|rank| terms(self.group.part(shards, rank)));
            let sums = &mut self.gradients[sharded.clone()];
            let mut of_group = vec![0.0; sharded.len()];
            let mut given = self.terms.chunks_exact(sharded.len()).zip(all).peekable();
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
        self.add_up_batch(plan, level, 0..shards, rest, crew);
    }

    /// Adds up gradients that are summed over all examples of some shards at once.
    fn add_up_batch(&mut self, plan: &Plan, level: Level, shards: Range<usize>, wanted: &Range<usize>, crew: Crew) {
        let examples = self.examples[shards.clone()].iter().sum();
        let source = BatchGradients { plan, shards: &self.known[shards], examples, penalties: None };
        let mut left = &mut self.gradients[wanted.clone()];
        let mut tasks = Vec::new();
        for piece in &self.pieces {
            let (start, end) = (piece.start.max(wanted.start), piece.end.min(wanted.end));
            if start < end {
                tasks.push((start, left.split_off_mut(..end - start).expect("pieces cover all parameters")));
            }
        }
        let work = |(start, to): (usize, &mut [f32])| collect_piece(level, &source, start, to);
        match crew {
            Crew::Caller => tasks.into_iter().for_each(work),
            Crew::Pool => tasks.into_par_iter().for_each(work),
        }
    }

    /// Everybody gets the sums of all slices.
    fn exchange_slices(&mut self, stage: &Stage) -> Result<()> {
        let Self { group, gradients, given, received, .. } = self;
        let Parts { sharded, rest } = stage.slices[group.rank()].clone();
        let own = gradients[sharded].iter().chain(&gradients[rest]);
        given.sums.clear();
        put_floats(own, &mut given.sums);
        let floats_of = |Parts { sharded, rest }: &Parts| sharded.len() + rest.len();
        let lens: Vec<usize> = stage.slices.iter().map(|slice| floats_of(slice) * size_of::<f32>()).collect();
        group.all_gather_into(&given.sums, &lens, received)?;
        let mut values = floats(received);
        for Parts { sharded, rest } in &stage.slices {
            for range in [sharded, rest] {
                gradients[range.clone()].iter_mut().zip(&mut values).for_each(|(to, value)| *to = value);
            }
        }
        Ok(())
    }
}

/// Takes up the factors of the gradients of some shards, one after the other.
fn read_factors(
    plan: &Plan,
    stage: &Stage,
    known: &mut [Shard],
    examples: &[usize],
    shards: Range<usize>,
    mut from: &[u8],
) {
    for (shard, examples) in known[shards.clone()].iter_mut().zip(&examples[shards]) {
        let len = stage.factored.len(plan, *examples);
        let of_shard = from.split_off(..len).expect("as many as there are");
        shard.gradients.read_factors(plan, &stage.factored, *examples, of_shard);
    }
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
