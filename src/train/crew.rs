//! Decides whether work is worth other threads. To enter the pool and to wake its threads takes longer than all of a
//! small network's step, so work so small runs on the thread that calls. The number of threads changes no bit of any
//! result, and neither does this.

use super::packing::packs_in_one_job;
use super::shards::{PASSES, shard_count};
use crate::optimizer::PIECE;
use crate::plan::Plan;

/// What one core computes in about the time that it takes to wake another, in multiply-adds (see
/// [`Plan::operations`]): 4 to 15 µs of a Zen 5, as small networks take longer for each of them.
const WAKING: u64 = 500_000;

/// Who works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Crew {
    /// The thread that calls, alone.
    Caller,
    /// The threads of the current pool.
    #[default]
    Pool,
}

impl Crew {
    /// Who runs the forward pass of so many examples.
    pub(super) fn of_forward(plan: &Plan, examples: usize) -> Self {
        Self::of_work(plan.operations().saturating_mul(examples as u64))
    }

    /// Who runs the chunks of so many examples forward and backward, phase by phase.
    pub(super) fn of_phases(plan: &Plan, examples: usize) -> Self {
        Self::of_work(plan.operations().saturating_mul(PASSES).saturating_mul(examples as u64))
    }

    /// Who takes a step on so many examples: the one who calls, if no part of it would be handed out.
    pub(super) fn of_step(plan: &Plan, examples: usize) -> Self {
        let of_gradients = match plan.meetings().next() {
            None if shard_count(plan, examples) == 1 => Self::Caller,
            None => Self::Pool,
            Some(_) => Self::of_phases(plan, examples),
        };
        of_gradients.and(Self::of_update(plan))
    }

    /// Who runs a pass by hand over so many examples.
    pub(super) fn of_pass(plan: &Plan, examples: usize) -> Self {
        Self::of_phases(plan, examples).and(Self::of_update(plan))
    }

    /// Who updates the weights and packs them.
    pub(super) fn of_update(plan: &Plan) -> Self {
        let is_one_job = plan.parameters.trained_len <= PIECE && packs_in_one_job(plan.packed_len);
        if is_one_job { Self::Caller } else { Self::Pool }
    }

    /// Who does both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Caller, Self::Caller) => Self::Caller,
            (Self::Pool, _) | (_, Self::Pool) => Self::Pool,
        }
    }

    fn of_work(operations: u64) -> Self {
        if operations < WAKING { Self::Caller } else { Self::Pool }
    }

    /// How many threads share so many tasks.
    pub(super) fn threads(self, tasks: usize) -> usize {
        match self {
            Self::Caller => 1,
            Self::Pool => rayon::current_num_threads().clamp(1, tasks.max(1)),
        }
    }

    /// Runs the work of one batch; in the pool, which takes it over as a whole: that is faster than to enter the pool
    /// for each of its loops. The work must be short and call no callback: a thread of the pool that waits may run any
    /// other work of the pool to its end before it returns to its own.
    pub(crate) fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Caller => work(),
            Self::Pool => rayon::scope(|_| work()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::models::{keras_cnn, mlp, plan};
    use super::Crew::{Caller, Pool};
    use super::*;
    use crate::layers::{ActivationFunction, BatchNormalization, Dense, Flatten, Layer};

    fn small() -> Vec<Layer> {
        vec![Flatten::new().into(), Dense::new(16).activation(ActivationFunction::Tanh).into()]
    }

    #[test]
    fn small_work_stays_on_the_calling_thread() {
        let tiny = plan([1, 1, 2], small());
        let normalized = plan([1, 1, 2], [small(), vec![BatchNormalization::new().into()]].concat());
        for plan in [&tiny, &normalized] {
            assert_eq!([1, 32, 4096].map(|examples| Crew::of_forward(plan, examples)), [Caller, Caller, Pool]);
            assert_eq!([1, 32, 4096].map(|examples| Crew::of_pass(plan, examples)), [Caller, Caller, Pool]);
            assert_eq!([1, 32, 100_000].map(|examples| Crew::of_step(plan, examples)), [Caller, Caller, Pool]);
        }
        assert_eq!(Caller.threads(8), 1);
    }

    #[test]
    fn many_weights_are_updated_by_all_threads() {
        for plan in [keras_cnn(), mlp()] {
            assert_eq!([1, 32].map(|examples| Crew::of_step(&plan, examples)), [Pool, Pool]);
            assert_eq!(Crew::of_update(&plan), Pool);
        }
    }
}
