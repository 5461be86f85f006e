//! How a model's examples are scored, and what a set of them scored: sums, so that shards and chunks can be added up in
//! their order. What is particular to an output is in `head`.

use super::Examples;
use super::counts::Scale;
use super::head::{HeadChunk, HeadScoring, HeadTally};
use crate::data::OrderedTargets;
use crate::error::{Error, Result};
use crate::exec::{OutputBuffers, Workspace};
use crate::kernels::penalty::penalty;
use crate::metrics::{Direction, Metric, OutputScores, Scores};
use crate::objective::Objective;
use crate::plan::Plan;
use crate::program::Regularizer;
use std::ops::Range;

/// How a model's examples are scored.
#[derive(Clone, Debug)]
pub(crate) struct Scoring {
    /// For each output of the model.
    pub(super) heads: Vec<HeadScoring>,
    /// How much the loss of each output counts.
    pub(super) loss_weights: Vec<f32>,
    names: Vec<String>,
    /// Whether weights or outputs of layers add to the loss.
    is_penalised: bool,
}

/// What some examples scored.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// At each output.
    pub(super) heads: Vec<HeadTally>,
    loss_weights: Vec<f32>,
    /// What the weights at the time and outputs of layers have added to the loss, summed over the examples; `None` if
    /// there is nothing that does.
    penalty: Option<f64>,
    /// How many there were.
    pub(crate) examples: usize,
}

impl Scoring {
    /// The scoring of a model whose losses and metrics have been checked: an objective for each output.
    pub(crate) fn new(plan: &Plan, objectives: &[Objective]) -> Self {
        let heads = plan.heads.iter().zip(objectives).enumerate();
        Self {
            heads: heads
                .map(|(index, (head, objective))| HeadScoring::new(head, plan.output_len(index), objective))
                .collect(),
            loss_weights: objectives.iter().map(|objective| objective.weight).collect(),
            names: plan.heads.iter().map(|head| head.name.clone()).collect(),
            is_penalised: plan.parameters.add_penalties() || !plan.activities.is_empty(),
        }
    }

    /// How the first output is scored.
    pub(crate) fn head(&self) -> &HeadScoring {
        &self.heads[0]
    }

    /// What each output is trained for.
    pub(crate) fn objectives(&self) -> impl Iterator<Item = Objective> {
        self.heads.iter().zip(&self.loss_weights).map(|(head, weight)| Objective {
            loss: head.loss().clone(),
            weight: *weight,
            metrics: head.metrics().to_vec(),
        })
    }

    /// The names of all scores, in Keras' order: the metrics, then the loss.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tally().scores(self).named().map(|(name, _)| name).collect()
    }

    /// Which way the score of this name gets better: losses get smaller.
    pub(crate) fn direction_of(&self, score: &str) -> Direction {
        let of_loss = (self.heads.len() > 1).then_some(Direction::Down);
        let of_head = |head: &HeadScoring| {
            let metrics: Vec<Direction> = head.metrics().iter().map(Metric::direction).collect();
            metrics.into_iter().chain(of_loss)
        };
        let directions = self.heads.iter().flat_map(of_head);
        let found = self.names().into_iter().zip(directions).find(|(name, _)| name == score);
        found.map_or(Direction::Down, |(_, direction)| direction)
    }

    /// The tally of no examples.
    pub(crate) fn tally(&self) -> Tally {
        let heads = self.heads.iter().map(HeadScoring::tally).collect();
        let penalty = self.is_penalised.then_some(0.0);
        Tally { heads, loss_weights: self.loss_weights.clone(), penalty, examples: 0 }
    }

    /// # Errors
    /// [`Error::Model`] for a metric whose value would say nothing of the model.
    pub(crate) fn check_metrics(&self) -> Result<()> {
        self.heads.iter().try_for_each(HeadScoring::check_metrics)
    }

    /// # Errors
    /// [`Error::Data`] for targets that a loss or a metric cannot compare outputs with.
    pub(crate) fn check_targets(&self, targets: &[OrderedTargets<'_>]) -> Result<()> {
        for ((head, name), targets) in self.heads.iter().zip(&self.names).zip(targets) {
            head.check_targets(targets).map_err(|error| match error {
                Error::Data(fault) if self.heads.len() > 1 => Error::Data(format!("of output {name}: {fault}")),
                other => other,
            })?;
        }
        Ok(())
    }
}

impl Tally {
    pub(crate) fn reset(&mut self) {
        self.examples = 0;
        self.penalty = self.penalty.map(|_| 0.0);
        self.heads.iter_mut().for_each(HeadTally::reset);
    }

    /// The mean loss of an example: the weighted sum over the outputs, and what is added.
    pub(crate) fn mean_loss(&self) -> f64 {
        let of_head = |(head, weight): (&HeadTally, &f32)| head.mean_loss(self.examples) * f64::from(*weight);
        let of_heads: f64 = self.heads.iter().zip(&self.loss_weights).map(of_head).sum();
        self.penalty.map_or(of_heads, |penalty| of_heads + penalty / self.examples as f64)
    }

    /// Loss and metrics as users get them.
    pub(crate) fn scores(&self, scoring: &Scoring) -> Scores {
        if let ([head], [of_head]) = (&self.heads[..], &scoring.heads[..]) {
            return Scores::new(self.mean_loss(), head.metrics(of_head));
        }
        let heads = self.heads.iter().zip(&scoring.heads).zip(&scoring.names);
        let outputs = heads.map(|((head, scoring), name)| OutputScores {
            name: name.clone(),
            loss: head.mean_loss(self.examples),
            metrics: head.metrics(scoring),
        });
        Scores { loss: self.mean_loss(), metrics: Vec::new(), outputs: outputs.collect() }
    }

    /// The values of all scores, in the order of [`Scoring::names`].
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        let one = self.heads.len() == 1;
        let of_head = move |head: &HeadTally| (!one).then(|| head.mean_loss(self.examples));
        let heads = self.heads.iter().flat_map(move |head| head.values().chain(of_head(head)));
        heads.chain([self.mean_loss()])
    }

    /// Takes up what weights add to the loss of each example so far.
    pub(super) fn add_penalty(&mut self, penalty: f64) {
        self.penalty = self.penalty.map(|sum| sum + penalty * self.examples as f64);
    }

    /// Takes up what the outputs of layers add to the losses of a chunk.
    pub(super) fn add_activities(&mut self, plan: &Plan, workspace: &Workspace, images: usize) {
        for (value, Regularizer { l1, l2 }) in &plan.activities {
            let values = &workspace.value(*value)[..images * plan.lengths[value.0]];
            self.penalty = self.penalty.map(|sum| sum + penalty([*l1, *l2], values));
        }
    }

    /// All sums, to be kept: for each output the loss, then the metrics' in their order; last what is added.
    pub(crate) fn sums(&self) -> Vec<f64> {
        self.heads.iter().flat_map(HeadTally::sums).chain(self.penalty).collect()
    }

    /// Takes up the sums of this many examples; there must be as many as [`sums`](Self::sums) has.
    pub(crate) fn set_sums(&mut self, examples: usize, sums: &[f64]) {
        let own = self.heads.iter_mut().flat_map(HeadTally::sums_mut).chain(&mut self.penalty);
        own.zip(sums).for_each(|(own, sum)| *own = *sum);
        self.examples = examples;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.examples += other.examples;
        self.penalty = self.penalty.zip(other.penalty).map(|(own, other)| own + other);
        self.heads.iter_mut().zip(&other.heads).for_each(|(head, other)| head.merge(other));
    }

    /// Scores a chunk at every output. With a scale the gradient of each loss, times that, goes to where the backward
    /// pass reads it.
    pub(super) fn add_chunk(
        &mut self,
        scoring: &Scoring,
        plan: &Plan,
        examples: &Examples<'_>,
        places: &Range<usize>,
        workspace: &mut Workspace,
        scale: Option<Scale<'_>>,
    ) {
        self.count(places);
        self.add_activities(plan, workspace, places.len());
        for (index, (head, of_head)) in plan.heads.iter().zip(&scoring.heads).enumerate() {
            let values = places.len() * of_head.outputs();
            let OutputBuffers { logits, room, gradient, mask, target_row } = workspace.output_buffers(plan, head);
            let scale = scale.map(|scale| scale.of(index) * scoring.loss_weights[index]);
            let gradient = scale.map(|scale| (&mut gradient[..values], scale));
            let targets = examples.targets(index, places.clone());
            let chunk = HeadChunk { logits: &logits[..values], room: &mut room[..values], target_row, mask };
            self.heads[index].add_chunk(of_head, chunk, &targets, gradient);
        }
    }

    /// Takes up that these examples have been scored at every output.
    pub(super) fn count(&mut self, places: &Range<usize>) {
        self.examples += places.len();
    }
}
