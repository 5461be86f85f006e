//! How one output of a model is scored, and what a set of examples scored at it: sums, which can be added up.

use super::examples::ChunkTargets;
use crate::data::{OrderedTargets, Target};
use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::loss::{Gradient, Loss, Outcome};
use crate::metrics::{Metric, MetricState};
use crate::objective::Objective;
use crate::plan::Head;

/// How one output is scored.
#[derive(Clone, Debug)]
pub(crate) struct HeadScoring {
    loss: Loss,
    metrics: Vec<Metric>,
    /// What turns the plan's results into what loss and metrics see.
    function: OutputFunction,
    outputs: usize,
    /// How many steps there are to score one by one, of a sequence with a mask; otherwise `None`.
    steps: Option<usize>,
    /// Whether somebody looks at more than the order of the outputs.
    needs_outputs: bool,
}

/// What some examples scored at one output.
#[derive(Clone, Debug)]
pub(super) struct HeadTally {
    /// The sum of the examples' losses, each times its weight; of a sequence with a mask that of its steps.
    pub(super) loss: f64,
    /// How many steps counted, of sequences with masks.
    pub(super) steps: Option<f64>,
    pub(super) metrics: Vec<MetricState>,
}

impl HeadScoring {
    /// The scoring of an output whose loss and metrics have been checked.
    ///
    /// - outputs: values of one example
    pub(super) fn new(head: &Head, outputs: usize, objective: &Objective) -> Self {
        let Objective { loss, metrics, .. } = objective.clone();
        let function = loss.output_function(head.function);
        let steps = head.mask.map(|_| head.shape.axes()[0]);
        let mut scoring = Self { loss, metrics, function, outputs, steps, needs_outputs: true };
        scoring.needs_outputs =
            scoring.loss.needs_outputs() || scoring.states().any(|state| state.needs_probabilities());
        scoring
    }

    pub(crate) fn loss(&self) -> &Loss {
        &self.loss
    }

    pub(crate) fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// What turns the plan's results into what loss and metrics see.
    pub(crate) fn function(&self) -> OutputFunction {
        self.function
    }

    /// How many values of one example are scored.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The tally of no examples.
    pub(super) fn tally(&self) -> HeadTally {
        HeadTally { loss: 0.0, steps: self.steps.map(|_| 0.0), metrics: self.states().collect() }
    }

    /// How many values are scored at a time: those of a step, or all.
    fn step_len(&self) -> usize {
        self.outputs / self.steps.unwrap_or(1)
    }

    fn states(&self) -> impl Iterator<Item = MetricState> {
        self.metrics.iter().map(|metric| MetricState::new(metric.for_outputs(self.function), self.step_len()))
    }

    /// # Errors
    /// [`Error::Model`] for a metric whose value would say nothing of the model.
    pub(crate) fn check_metrics(&self) -> Result<()> {
        self.metrics.iter().try_for_each(|metric| metric.check_function(self.function, self.step_len()))
    }

    /// # Errors
    /// [`Error::Data`] for targets that the loss or a metric cannot compare outputs with.
    pub(crate) fn check_targets(&self, targets: &OrderedTargets<'_>) -> Result<()> {
        if self.steps.is_some() && matches!(targets, OrderedTargets::Classes(_)) {
            return Err(Error::Data(format!(
                "targets of a sequence with a mask must have values for each of its steps, {} for each example, got labels",
                self.outputs
            )));
        }
        match (targets, self.steps) {
            (OrderedTargets::Values(rows), Some(steps)) if rows.dim().1 == self.outputs => {
                self.check_rows(&OrderedTargets::Values(rows.cut(steps)), self.step_len())
            }
            (OrderedTargets::Images(images), Some(steps)) if images.dim().1 == self.outputs => {
                self.check_rows(&OrderedTargets::Values(images.to_rows().cut(steps)), self.step_len())
            }
            (OrderedTargets::Values(_) | OrderedTargets::Images(_) | OrderedTargets::Classes(_), _) => {
                self.check_rows(targets, self.outputs)
            }
        }
    }

    /// [`Self::check_targets`] for rows of so many outputs: an example's, or a step's.
    fn check_rows(&self, targets: &OrderedTargets<'_>, outputs: usize) -> Result<()> {
        self.loss.check_targets(targets, outputs)?;
        self.metrics.iter().try_for_each(|metric| metric.check_targets(targets, self.function, outputs))
    }
}

impl HeadTally {
    pub(super) fn reset(&mut self) {
        self.loss = 0.0;
        self.steps = self.steps.map(|_| 0.0);
        self.metrics.iter_mut().for_each(MetricState::reset);
    }

    /// The mean loss of so many examples, or of the steps that counted; 0 if none did.
    pub(super) fn mean_loss(&self, examples: usize) -> f64 {
        match self.steps {
            Some(0.0) => 0.0,
            Some(steps) => self.loss / steps,
            None => self.loss / examples as f64,
        }
    }

    /// The metrics as users get them.
    pub(super) fn metrics(&self, scoring: &HeadScoring) -> Vec<(Metric, f64)> {
        scoring.metrics.iter().cloned().zip(self.metrics.iter().map(MetricState::value)).collect()
    }

    /// The values of the metrics.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.metrics.iter().map(MetricState::value)
    }

    /// All sums, to be kept: the loss, the number of steps if it is counted, then the metrics' in their order.
    pub(super) fn sums(&self) -> impl Iterator<Item = f64> {
        [self.loss].into_iter().chain(self.steps).chain(self.metrics.iter().flat_map(MetricState::sums).copied())
    }

    /// The same, to be written.
    pub(super) fn sums_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.loss]
            .into_iter()
            .chain(&mut self.steps)
            .chain(self.metrics.iter_mut().flat_map(MetricState::sums_mut))
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.loss += other.loss;
        self.steps = self.steps.zip(other.steps).map(|(own, other)| own + other);
        self.metrics.iter_mut().zip(&other.metrics).for_each(|(metric, other)| metric.merge(other));
    }

    /// Scores a chunk. With `gradients` (the shape of logits) the gradient of each loss times its weight and `scale` is
    /// written there.
    pub(super) fn add_chunk(
        &mut self,
        scoring: &HeadScoring,
        chunk: HeadChunk<'_>,
        targets: &ChunkTargets<'_>,
        mut gradients: Option<(&mut [f32], f32)>,
    ) {
        let HeadChunk { logits, room, target_row, mask } = chunk;
        let (outputs, row) = (scoring.outputs, scoring.step_len());
        let seen = if scoring.needs_outputs {
            room.copy_from_slice(logits);
            scoring.function.apply(room, outputs);
            &*room
        } else {
            logits
        };
        let examples = logits.chunks_exact(outputs).zip(seen.chunks_exact(outputs));
        for (example, (logits, seen)) in examples.enumerate() {
            let (target, weight) = targets.at(example, target_row);
            for (step, (logits, seen)) in logits.chunks_exact(row).zip(seen.chunks_exact(row)).enumerate() {
                let start = example * outputs + step * row;
                let mut gradient = gradients
                    .as_mut()
                    .map(|(all, scale)| Gradient { dlogits: &mut all[start..start + row], scale: *scale * weight });
                if mask.is_some_and(|mask| mask[start / row] == 0.0) {
                    gradient.iter_mut().for_each(|gradient| gradient.dlogits.fill(0.0));
                    continue;
                }
                let target = match target {
                    Target::Values(values) if row < outputs => Target::Values(&values[step * row..][..row]),
                    Target::Values(_) | Target::Class(_) => target,
                };
                let outcome = Outcome { logits, outputs: seen, function: scoring.function, target };
                self.loss += scoring.loss.of(&outcome, gradient) * f64::from(weight);
                self.steps = self.steps.map(|steps| steps + 1.0);
                self.metrics.iter_mut().for_each(|metric| metric.update(seen, target));
            }
        }
    }
}

/// What some examples came out as at one output.
pub(super) struct HeadChunk<'a> {
    /// (examples, outputs).
    pub(super) logits: &'a [f32],
    /// As many, for what is made of them.
    pub(super) room: &'a mut [f32],
    /// Room for one example's target, which grows once.
    pub(super) target_row: &'a mut Vec<f32>,
    /// Which steps count, (examples, steps), of a sequence with a mask.
    pub(super) mask: Option<&'a [f32]>,
}
