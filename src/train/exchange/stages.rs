//! Decides which gradients travel to the other ranks while others are still computed: those of the last layers, which the backward
//! pass finds first; and which parameters each rank adds up.

use super::super::chunk_len;
use crate::aligned::LINE_FLOATS;
use crate::exec::{Factored, Purpose, Workspace};
use crate::plan::Plan;
use std::ops::Range;

/// Parameters whose gradients travel together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) parameters: Parts,
    /// What gradients that are summed over the whole batch are made of.
    pub(super) factored: Factored,
    /// Of the parameters, those that each rank adds up.
    pub(super) slices: Vec<Parts>,
}

/// A run of the parameters whose gradients are sums over the shards, and one of those behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) sharded: Range<usize>,
    pub(super) rest: Range<usize>,
}

/// The backward pass cut in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The steps of each phase: those of the plan, or if it has but one, its two parts.
    pub(super) phases: Vec<Range<usize>>,
    /// The phase that is computed while the gradients of those behind it travel.
    pub(super) meanwhile: usize,
    /// What travels then, and what does in the end.
    pub(super) stages: [Stage; 2],
    /// The memory of a chunk that keeps its values from phase to phase.
    pub(super) chunk_bytes: u64,
}

/// How many examples of a rank are reckoned with.
const EXAMPLES: usize = 64;
/// The fewest floats that are worth exchanges of their own: 256 KiB take as long as these exchanges do, where messages take some
/// microseconds and 10 GB come in a second.
const LEAST_AHEAD: usize = 1 << 16;
/// One part in so many of the backward pass's arithmetic is the least that is worth a cut.
const LEAST_MEANWHILE: u64 = 8;

impl Parts {
    fn len(&self) -> usize {
        self.sharded.len() + self.rest.len()
    }

    /// A part of it, as if one run came right behind the other.
    fn part(&self, range: &Range<usize>) -> Self {
        let sharded = [range.start, range.end].map(|at| self.sharded.start + at.min(self.sharded.len()));
        let rest = [range.start, range.end].map(|at| self.rest.start + at.saturating_sub(self.sharded.len()));
        Self { sharded: sharded[0]..sharded[1], rest: rest[0]..rest[1] }
    }
}

impl Stage {
    /// All parameters.
    ///
    /// - pieces: the ranges that sums over the batch are found in
    pub(super) fn whole(plan: &Plan, pieces: &[Range<usize>], ranks: usize) -> Self {
        let sharded = plan.parameters.sharded_len;
        let parameters = Parts { sharded: 0..sharded, rest: sharded..plan.parameters.trained_len };
        let factored = Factored { kernels: 0..plan.over_batch.len(), tables: 0..plan.tables.len() };
        Self::new(parameters, factored, pieces, ranks)
    }

    fn new(parameters: Parts, factored: Factored, pieces: &[Range<usize>], ranks: usize) -> Self {
        let (all, Parts { sharded, rest }) = (parameters.len(), &parameters);
        // Behind what is summed over the shards, slices end where pieces do.
        let end = |rank: usize| {
            if rank + 1 == ranks {
                return all;
            }
            let even = ((rank + 1) * all / ranks).next_multiple_of(LINE_FLOATS).min(all);
            if even <= sharded.len() {
                return even;
            }
            let ends = pieces.iter().map(|piece| piece.end).filter(|end| rest.contains(end));
            let ends = ends.map(|end| sharded.len() + end - rest.start).filter(|end| *end <= even);
            ends.max().unwrap_or(sharded.len())
        };
        let start = |rank: usize| if rank == 0 { 0 } else { end(rank - 1) };
        let slices = (0..ranks).map(|rank| parameters.part(&(start(rank)..end(rank)))).collect();
        Self { parameters, factored, slices }
    }

    fn floats(&self, plan: &Plan) -> usize {
        self.parameters.len() + self.factored.len(plan, EXAMPLES) / size_of::<f32>()
    }
}

impl Cut {
    /// Where a plan's backward pass is cut, if that pays: where there is much to travel behind it and much to compute in front.
    ///
    /// - pieces: the ranges that sums over the batch are found in
    pub(super) fn of(plan: &Plan, pieces: &[Range<usize>], ranks: usize) -> Option<Self> {
        let phases: Vec<Range<usize>> = plan.phases().collect();
        let steps = plan.steps.len();
        let chunk_bytes = Workspace::bytes(plan, chunk_len(plan), Purpose::Training);
        let candidates: Vec<(usize, Vec<Range<usize>>, usize)> = match phases.len() {
            1 => (1..steps).map(|step| (step, vec![0..step, step..steps], 0)).collect(),
            // The first step of a phase, where chunks meet, goes backward with the phase in front.
            all => (1..all).map(|phase| (phases[phase].start + 1, phases.clone(), phase - 1)).collect(),
        };
        let cuts = candidates.into_iter().filter_map(|(step, phases, meanwhile)| {
            let stages = in_two(plan, step)?.map(|(parts, factored)| Stage::new(parts, factored, pieces, ranks));
            Some(Self { phases, meanwhile, stages, chunk_bytes })
        });
        let meanwhile = |cut: &Self| plan.backward_operations(cut.phases[cut.meanwhile].clone());
        let least = plan.backward_operations(0..steps) / LEAST_MEANWHILE;
        let worth = cuts.filter(|cut| cut.stages[0].floats(plan) >= LEAST_AHEAD && meanwhile(cut) >= least.max(1));
        worth.max_by_key(|cut| cut.stages[0].floats(plan) as u128 * u128::from(meanwhile(cut)))
    }
}

/// The parameters whose gradients are known once the steps from this one on have been through the backward pass, and the others;
/// `None` if they do not lie in this order.
fn in_two(plan: &Plan, step: usize) -> Option<[(Parts, Factored); 2]> {
    let sharded = plan.parameters.sharded_len;
    let all = sharded..plan.parameters.trained_len;
    // Tables come with the rest, as they are closed in the end.
    let is_table = |range: &Range<usize>| plan.tables.iter().any(|table| table.weights == *range);
    let is_known = |range: &Range<usize>| {
        let mut users =
            plan.steps.iter().enumerate().filter(|(_, placed)| placed.weight_ranges().any(|own| own == range));
        users.next().is_some_and(|(first, _)| first >= step) && !is_table(range)
    };
    let trained: Vec<&Range<usize>> = plan.parameters.trained().map(|parameter| &parameter.range).collect();
    // Where known ones begin, if all others lie before them.
    let start_of = |part: Range<usize>| {
        let of_part = || trained.iter().filter(|range| !range.is_empty() && part.contains(&range.start));
        let start = of_part().filter(|range| is_known(range)).map(|range| range.start).min().unwrap_or(part.end);
        of_part().all(|range| is_known(range) == (range.start >= start)).then_some(start)
    };
    let (known, known_rest) = (start_of(0..sharded)?, start_of(all.clone())?);
    let kernels = plan.over_batch.iter().take_while(|kernel| kernel.weights.start < known_rest).count();
    plan.over_batch[kernels..].iter().all(|kernel| kernel.weights.start >= known_rest).then_some(())?;
    let ahead = Factored { kernels: kernels..plan.over_batch.len(), tables: 0..0 };
    let behind = Factored { kernels: 0..kernels, tables: 0..plan.tables.len() };
    Some([
        (Parts { sharded: known..sharded, rest: known_rest..all.end }, ahead),
        (Parts { sharded: 0..known, rest: all.start..known_rest }, behind),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::gradients::BatchGradients;
    use super::super::super::models::{keras_cnn, mlp, plan};
    use super::*;
    use crate::layers::{BatchNormalization, Conv2D, Dense, Embedding, Flatten, Layer};
    use crate::optimizer::pieces;

    fn cut(plan: &Plan, ranks: usize) -> Option<Cut> {
        let source = BatchGradients { plan, shards: &[], examples: 0, penalties: None };
        let mut found = Vec::new();
        pieces(&source, 0..plan.parameters.trained_len, &mut found);
        let cut = Cut::of(plan, &found, ranks);
        cut.iter().for_each(|cut| check(plan, cut, ranks));
        cut
    }

    /// What every cut must be: two parts of all parameters, shared out to all ranks.
    fn check(plan: &Plan, cut: &Cut, ranks: usize) {
        let [ahead, behind] = &cut.stages;
        let (sharded, all) = (plan.parameters.sharded_len, plan.parameters.trained_len);
        assert_eq!((behind.parameters.sharded.start, behind.parameters.rest.start), (0, sharded));
        assert_eq!(behind.parameters.sharded.end, ahead.parameters.sharded.start);
        assert_eq!(behind.parameters.rest.end, ahead.parameters.rest.start);
        assert_eq!((ahead.parameters.sharded.end, ahead.parameters.rest.end), (sharded, all));
        for stage in &cut.stages {
            assert_eq!(stage.slices.len(), ranks);
            let (mut at, mut rest) = (stage.parameters.sharded.start, stage.parameters.rest.start);
            for slice in &stage.slices {
                assert_eq!((slice.sharded.start, slice.rest.start), (at, rest));
                (at, rest) = (slice.sharded.end, slice.rest.end);
            }
            assert_eq!((at, rest), (stage.parameters.sharded.end, stage.parameters.rest.end));
        }
    }

    #[test]
    fn the_last_layers_of_the_cnn_travel_while_the_second_convolution_is_computed() {
        let plan = keras_cnn();
        for ranks in [2, 3, 4, 64] {
            let cut = cut(&plan, ranks).unwrap();
            let known = |name: &str| {
                let parameter = plan.parameters.all.iter().find(|parameter| parameter.name == name).unwrap();
                let Parts { sharded, rest } = &cut.stages[0].parameters;
                sharded.contains(&parameter.range.start) || rest.contains(&parameter.range.start)
            };
            let kernels =
                ["conv2d", "conv2d_1", "conv2d_2", "dense", "dense_1"].map(|name| known(&format!("{name}/kernel")));
            assert_eq!(kernels, [false, false, true, true, true]);
        }
    }

    #[test]
    fn large_dense_layers_travel_too() {
        let plan = mlp();
        let cut = cut(&plan, 4).unwrap();
        assert_eq!(cut.stages[1].factored.kernels, 0..1);
        let rest = |stage: &Stage| stage.slices.iter().filter(|slice| !slice.rest.is_empty()).count();
        assert!(rest(&cut.stages[0]) > 1, "{:?}", cut.stages[0].slices);
    }

    #[test]
    fn phases_of_normalizations_are_not_cut_again() {
        let dense = |units| Layer::from(Dense::new(units));
        let layers = vec![
            Conv2D::new(32, (3, 3)).into(),
            BatchNormalization::new().into(),
            Conv2D::new(32, (3, 3)).into(),
            BatchNormalization::new().into(),
            Flatten::new().into(),
            dense(64),
        ];
        let plan = plan([16, 16, 1], layers);
        let cut = cut(&plan, 2).unwrap();
        assert_eq!(cut.phases, plan.phases().collect::<Vec<_>>());
        assert_eq!(cut.meanwhile, 1);
    }

    #[test]
    fn small_networks_travel_as_a_whole() {
        let small = plan([4, 4, 1], vec![Flatten::new().into(), Dense::new(16).into()]);
        assert_eq!(cut(&small, 2), None);
    }

    #[test]
    fn nothing_travels_ahead_of_next_to_no_work() {
        let dense = |units| Layer::from(Dense::new(units));
        let normalized = vec![BatchNormalization::new().into(), Flatten::new().into(), dense(512), dense(10)];
        assert_eq!(cut(&plan([16, 16, 1], normalized), 2), None);
        let looked_up = vec![Embedding::new(50, 16).into(), Flatten::new().into(), dense(512), dense(10)];
        assert_eq!(
            cut(&plan([64, 1, 1], [vec![crate::layers::Reshape::new([64]).into()], looked_up].concat()), 2),
            None
        );
    }

    #[test]
    fn frozen_layers_are_no_work() {
        let conv = |trains| Layer::from(Conv2D::new(64, (3, 3)).trainable(trains));
        let layers = |trains| vec![conv(trains), conv(trains), Flatten::new().into(), Dense::new(256).into()];
        assert!(cut(&plan([12, 12, 1], layers(true)), 2).is_some());
        assert_eq!(cut(&plan([12, 12, 1], layers(false)), 2), None);
    }

    #[test]
    fn tables_travel_in_the_end() {
        let dense = |units| Layer::from(Dense::new(units));
        let layers =
            vec![crate::layers::Reshape::new([64]).into(), Embedding::new(50, 16).into(), Flatten::new().into()];
        let plan = plan([64, 1, 1], [layers, vec![dense(256), dense(512), dense(256)]].concat());
        let cut = cut(&plan, 3).unwrap();
        assert_eq!(cut.stages.map(|stage| stage.factored.tables), [0..0, 0..1]);
    }
}
