//! What a set of examples scored: sums, so that shards and chunks can be added up in their order.

use crate::data::{OrderedTargets, Target};
use crate::error::Result;
use crate::kernels::output::OutputFunction;
use crate::loss::{Gradient, Loss, Outcome};
use crate::metrics::{Metric, MetricState, Scores};
use crate::plan::Plan;

/// How a model's examples are scored.
#[derive(Clone, Debug)]
pub(crate) struct Scoring {
    loss: Loss,
    metrics: Vec<Metric>,
    /// What turns the plan's results into what loss and metrics see.
    function: OutputFunction,
    outputs: usize,
    /// Whether somebody looks at more than the order of the outputs.
    needs_outputs: bool,
}

/// What some examples scored.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// The sum of the examples' losses, each times its weight.
    pub(crate) loss: f64,
    /// How many there were.
    pub(crate) examples: usize,
    pub(crate) metrics: Vec<MetricState>,
}

impl Scoring {
    /// The scoring of a model whose loss and metrics have been checked.
    pub(crate) fn new(plan: &Plan, loss: Loss, metrics: &[Metric]) -> Self {
        let outputs = plan.classes();
        let function = loss.output_function(plan.head().function);
        let mut scoring = Self { loss, metrics: metrics.to_vec(), function, outputs, needs_outputs: true };
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

    /// The names of all scores, in Keras' order: the metrics, then the loss.
    pub(crate) fn names(&self) -> Vec<String> {
        self.tally().scores(self).named().map(|(name, _)| name).collect()
    }

    /// The tally of no examples.
    pub(crate) fn tally(&self) -> Tally {
        Tally { loss: 0.0, examples: 0, metrics: self.states().collect() }
    }

    fn states(&self) -> impl Iterator<Item = MetricState> {
        self.metrics.iter().map(|metric| MetricState::new(metric.for_outputs(self.function), self.outputs))
    }

    /// # Errors
    /// [`Error::Model`](crate::error::Error::Model) for a metric whose value would say nothing of the model.
    pub(crate) fn check_metrics(&self) -> Result<()> {
        self.metrics.iter().try_for_each(|metric| metric.check_function(self.function, self.outputs))
    }

    /// # Errors
    /// [`Error::Data`](crate::error::Error::Data) for targets that the loss or a metric cannot compare outputs with.
    pub(crate) fn check_targets(&self, targets: &OrderedTargets<'_>) -> Result<()> {
        self.loss.check_targets(targets, self.outputs)?;
        self.metrics.iter().try_for_each(|metric| metric.check_targets(targets, self.function, self.outputs))
    }
}

impl Tally {
    pub(crate) fn reset(&mut self) {
        self.loss = 0.0;
        self.examples = 0;
        self.metrics.iter_mut().for_each(MetricState::reset);
    }

    /// The mean loss of an example.
    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.examples as f64
    }

    /// Loss and metrics as users get them.
    pub(crate) fn scores(&self, scoring: &Scoring) -> Scores {
        let metrics = scoring.metrics.iter().cloned().zip(self.metrics.iter().map(MetricState::value)).collect();
        Scores { loss: self.mean_loss(), metrics }
    }

    /// The values of all scores, in the order of [`Scoring::names`].
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        self.metrics.iter().map(MetricState::value).chain([self.mean_loss()])
    }

    /// All sums, to be kept: the loss, then the metrics' in their order.
    pub(crate) fn sums(&self) -> Vec<f64> {
        [self.loss].into_iter().chain(self.metrics.iter().flat_map(MetricState::sums).copied()).collect()
    }

    /// Takes up the sums of this many examples; there must be as many as [`sums`](Self::sums) has.
    pub(crate) fn set_sums(&mut self, examples: usize, sums: &[f64]) {
        let own = self.metrics.iter_mut().flat_map(MetricState::sums_mut);
        [&mut self.loss].into_iter().chain(own).zip(sums).for_each(|(own, sum)| *own = *sum);
        self.examples = examples;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.loss += other.loss;
        self.examples += other.examples;
        self.metrics.iter_mut().zip(&other.metrics).for_each(|(metric, other)| metric.merge(other));
    }

    /// Scores a chunk. With `gradients` (the shape of logits) the gradient of each loss times its weight and `scale` is
    /// written there.
    ///
    /// - logits: (examples, outputs); room: as many, for what is made of them
    pub(super) fn add_chunk<'t>(
        &mut self,
        scoring: &Scoring,
        logits: &[f32],
        room: &mut [f32],
        targets: impl Iterator<Item = (Target<'t>, f32)>,
        mut gradients: Option<(&mut [f32], f32)>,
    ) {
        let outputs = scoring.outputs;
        let seen = if scoring.needs_outputs {
            room.copy_from_slice(logits);
            scoring.function.apply(room, outputs);
            &*room
        } else {
            logits
        };
        let rows = logits.chunks_exact(outputs).zip(seen.chunks_exact(outputs)).zip(targets);
        for (index, ((logits, seen), (target, weight))) in rows.enumerate() {
            let outcome = Outcome { logits, outputs: seen, function: scoring.function, target };
            let gradient = gradients.as_mut().map(|(all, scale)| Gradient {
                dlogits: &mut all[index * outputs..][..outputs],
                scale: *scale * weight,
            });
            self.loss += scoring.loss.of(&outcome, gradient) * f64::from(weight);
            self.metrics.iter_mut().for_each(|metric| metric.update(seen, target));
            self.examples += 1;
        }
    }
}
