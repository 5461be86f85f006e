//! One step of any optimizer with any options. In order, as Keras: what regularizers add to gradients is
//! added, gradients are clipped, weights decay, the algorithm
//! takes its step, the moving average follows. All of it is one pass over memory, in which a tile of each buffer stays
//! in the first-level cache from one of these to the next; norms, where they are needed, take a pass before it.

use super::algorithm::Update;
use super::gradients::{GradientSource, Reach, for_each_run};
use super::norms::Factor;
use super::pieces::PieceState;
use super::{Optimizer, OptimizerState, Penalties};
use crate::kernels::average::{decay, moving_average};
use crate::kernels::clip::{bounded, scaled};
use crate::simd::{Level, Simd, dispatch};

/// Parameters that go through all parts of a step before the next.
const TILE: usize = 1024;

/// What one step does, the same for every piece.
struct Step<'a> {
    update: Update,
    penalties: Option<&'a Penalties>,
    clipping: Clipping<'a>,
    /// The part of the weights that is taken from them.
    decay: f32,
    averaging: Option<Averaging>,
}

/// How gradients are clipped.
#[derive(Clone, Copy)]
enum Clipping<'a> {
    None,
    /// Between this and its opposite.
    Value(f32),
    /// Multiplied by this.
    Factor(f32),
    /// Multiplied by a factor for each variable.
    Factors(&'a [Factor]),
}

/// How the average follows the weights.
#[derive(Clone, Copy)]
struct Averaging {
    momentum: f32,
    then: Then,
}

/// What happens to the weights then.
#[derive(Clone, Copy)]
enum Then {
    Stay,
    BecomeTheAverage,
}

/// Takes one step.
///
/// - gradients, parameters: all elements, laid out as the state was told; clipping by a norm reads the gradients twice,
///   and they have what regularizers add in them then
pub(crate) fn take_step(
    level: Level,
    optimizer: &Optimizer,
    state: &mut OptimizerState,
    gradients: &dyn GradientSource,
    parameters: &mut [f32],
) {
    debug_assert!(
        !(optimizer.clips_by_norm() && gradients.penalties().is_some()),
        "norms are those of whole gradients"
    );
    let rate = optimizer.learning_rate().at(state.step);
    state.step += 1;
    let update = optimizer.algorithm.update(state.step, rate, &mut state.momentum_product);
    let clipping = match (optimizer.clipvalue, optimizer.global_clipnorm, optimizer.clipnorm) {
        (None, None, None) => Clipping::None,
        (Some(bound), ..) => Clipping::Value(bound),
        (None, Some(bound), _) => match state.norms.global_factor(level, gradients, bound) {
            1.0 => Clipping::None,
            factor => Clipping::Factor(factor),
        },
        (None, None, Some(bound)) => Clipping::Factors(state.norms.factors(level, gradients, bound)),
    };
    let step = Step {
        update,
        penalties: gradients.penalties(),
        clipping,
        decay: optimizer.weight_decay.map_or(0.0, |decay| decay * rate),
        averaging: optimizer.use_ema.then(|| averaging(optimizer, state.step)),
    };
    let buffers = state.buffers.each_mut().map(|buffer| &mut buffer[..]);
    let all = PieceState { parameters, buffers, average: &mut state.average };
    for_each_run(level, gradients, step.reach(), all, |start, gradients, state| {
        dispatch!(level, simd => step.run(simd, start, gradients, state));
    });
}

/// How the average follows in a step, counted from 1: the first average is the weights themselves.
fn averaging(optimizer: &Optimizer, step: u64) -> Averaging {
    let momentum = if step == 1 { 0.0 } else { optimizer.ema_momentum };
    let overwrites = optimizer.ema_overwrite_frequency.is_some_and(|frequency| step.is_multiple_of(frequency));
    Averaging { momentum, then: if overwrites { Then::BecomeTheAverage } else { Then::Stay } }
}

impl Step<'_> {
    fn reach(&self) -> Reach {
        let moves_all = self.penalties.is_some() || self.decay != 0.0 || self.averaging.is_some();
        if self.update.keeps_what_has_no_gradient() && !moves_all { Reach::WithGradient } else { Reach::All }
    }

    fn run<S: Simd>(&self, simd: S, mut start: usize, mut gradients: &[f32], mut state: PieceState<'_>) {
        let penalties = self.penalties.filter(|penalties| penalties.reach(start, gradients.len()));
        let has_options = self.decay != 0.0 || self.averaging.is_some() || penalties.is_some();
        if matches!(self.clipping, Clipping::None) && !has_options {
            return self.update.run(simd, gradients, state.parameters, state.buffers);
        }
        let (mut penalised, mut clipped) = ([0.0; TILE], [0.0; TILE]);
        while !gradients.is_empty() {
            let len = TILE.min(gradients.len());
            let (tile, gradients_after) = gradients.split_at(len);
            let (tile_state, state_after) = state.split_at(len);
            let penalised = &mut penalised[..len];
            let tile = match penalties {
                Some(penalties) => penalties.added(simd, start, tile_state.parameters, tile, penalised),
                None => tile,
            };
            self.run_tile(simd, self.clipping.clip(simd, start, tile, &mut clipped[..len]), tile_state);
            (start, gradients, state) = (start + len, gradients_after, state_after);
        }
    }

    fn run_tile<S: Simd>(&self, simd: S, gradients: &[f32], state: PieceState<'_>) {
        let PieceState { parameters, buffers, average } = state;
        if self.decay != 0.0 {
            decay(simd, self.decay, parameters);
        }
        self.update.run(simd, gradients, parameters, buffers);
        if let Some(Averaging { momentum, then }) = self.averaging {
            moving_average(simd, momentum, parameters, average);
            match then {
                Then::Stay => {}
                Then::BecomeTheAverage => parameters.copy_from_slice(average),
            }
        }
    }
}

impl Clipping<'_> {
    /// The clipped gradients of a tile that starts here: themselves, or in `room`.
    fn clip<'a, S: Simd>(self, simd: S, start: usize, gradients: &'a [f32], room: &'a mut [f32]) -> &'a [f32] {
        match self {
            Clipping::None => return gradients,
            Clipping::Value(bound) => bounded(simd, bound, gradients, room),
            Clipping::Factor(factor) => scaled(simd, factor, gradients, room),
            Clipping::Factors(factors) => {
                let mut done = 0;
                let first = factors.partition_point(|variable| variable.end <= start);
                for Factor { end, factor } in &factors[first..] {
                    let until = gradients.len().min(end - start);
                    scaled(simd, *factor, &gradients[done..until], &mut room[done..until]);
                    done = until;
                    if done == gradients.len() {
                        break;
                    }
                }
                // What belongs to no variable lies behind the last.
                room[done..].copy_from_slice(&gradients[done..]);
            }
        }
        room
    }
}
