//! Differentially private steps: which examples each takes, and the noise that it adds.

use crate::accounting::DpSgd;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::train::{Clipping, Examples};
use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{Rng, RngExt, SeedableRng, TryRng};
use std::fmt;

/// How a training is kept private. It cannot be printed with all that it has: who knows the key knows the noise.
pub(super) struct Private {
    l2_norm_clip: f32,
    noise_multiplier: f64,
    pub(super) delta: f64,
    /// The probability of each example to be in a step.
    sampling_rate: f64,
    /// How many examples a step takes on average.
    batch_size: f64,
    /// Of the generator of everything that is drawn; each step has some streams of it.
    key: [u8; 32],
    /// Whether nobody knows what is drawn.
    is_secret: bool,
    /// The examples of the last step.
    drawn: Vec<u32>,
}

/// As `fit` says it when it begins.
impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { l2_norm_clip, noise_multiplier, delta, batch_size, .. } = self;
        write!(
            f,
            "Differentially private: noise multiplier {noise_multiplier:.4}, gradients clipped to {l2_norm_clip}, batches of \
             about {batch_size}, delta {delta:e}"
        )?;
        if self.is_secret { Ok(()) } else { write!(f, "; no guarantee, as the noise comes from a test seed") }
    }
}

/// What a stream of a step is for.
#[derive(Clone, Copy)]
enum Use {
    Examples,
    Noise,
    /// What layers and augmentation draw.
    Draws,
}

/// How many streams a step has.
const STREAMS: u64 = 4;

impl Private {
    /// - examples: those that are trained on; epochs: of the whole training; behind: how many of its epochs, and of the
    ///   batches of the next one, it has had
    ///
    /// # Errors
    /// [`Error::Model`] for a model whose examples see each other; [`Error::Setting`] for a number out of range.
    pub(super) fn new(
        settings: &DpSgd,
        model: &Model,
        (examples, batch_size): (usize, usize),
        epochs: usize,
        behind: (usize, usize),
    ) -> Result<Self> {
        check_model(model)?;
        if batch_size > examples {
            let expected = "at most the number of examples, as each step takes each of them by chance";
            return Err(Error::Setting { name: "batch_size", expected, received: batch_size.to_string() });
        }
        if settings.delta >= 1.0 / examples as f64 {
            return Err(Error::Setting {
                name: "delta",
                expected: "less than one part of the examples: with more, one of them might be published as it is",
                received: format!("{} with {examples} examples", settings.delta),
            });
        }
        let sampling_rate = batch_size as f64 / examples as f64;
        let steps = |epochs: usize| (epochs as u64).saturating_mul(examples.div_ceil(batch_size) as u64);
        let left = steps(epochs.saturating_sub(behind.0)).saturating_sub(behind.1 as u64);
        let noise_multiplier = settings.noise_multiplier(model.privacy(), sampling_rate, (steps(epochs), left))?;
        let mut key = [0; 32];
        match settings.test_seed {
            Some(seed) => key[..8].copy_from_slice(&seed.to_le_bytes()),
            None => SysRng.try_fill_bytes(&mut key).map_err(|error| {
                Error::Data(format!("the operating system gives no random numbers for the noise: {error}"))
            })?,
        }
        Ok(Self {
            l2_norm_clip: settings.l2_norm_clip,
            noise_multiplier,
            delta: settings.delta,
            sampling_rate,
            batch_size: batch_size as f64,
            key,
            is_secret: settings.test_seed.is_none(),
            // A step takes all of them at most.
            drawn: Vec::with_capacity(examples),
        })
    }

    /// How many examples a step takes at most, but for one of very many trainings: eight deviations above the mean.
    pub(super) fn most_at_once(&self) -> usize {
        let most = self.batch_size + 8.0 * self.batch_size.sqrt() + 8.0;
        (most as usize).min(self.drawn.capacity())
    }

    /// One step, whose scores are added to those of the epoch.
    ///
    /// - all: of which the first `trained` are trained on
    ///
    /// # Errors
    /// [`Error::Setting`] for more steps than can be counted.
    pub(super) fn step(&mut self, model: &mut Model, all: &Examples<'_>, trained: usize) -> Result<()> {
        let at = model.state.step;
        self.draw(at, trained);
        // Dropout, noise and augmentation draw by the place in the batch, which changes where an example is missing: that
        // says nothing of the others as long as nobody knows what is drawn.
        let seed = self.stream(at, Use::Draws).next_u64();
        let clipping = Clipping { l2_norm_clip: self.l2_norm_clip, seed, step: at };
        // Before the gradients are there: what has been found of the data counts, whatever becomes of it.
        let noise_multiplier = if self.is_secret { self.noise_multiplier } else { 0.0 };
        model.privacy.compose(self.sampling_rate, noise_multiplier, 1)?;
        model.engine.run_clipped_batch(&all.ordered(&self.drawn), clipping);
        // Whatever the loss is: one example alone would end the training by it.
        model.ongoing.total.merge(model.engine.tally());
        let Model { engine, optimizer, state, .. } = model;
        engine.update_clipped(self.finish(at), optimizer, state);
        Ok(())
    }

    /// Draws the examples of a step: each of so many, by chance.
    fn draw(&mut self, step: u64, examples: usize) {
        let mut random = self.stream(step, Use::Examples);
        // As many of 2^64 numbers as the rate is of one; all of them if it is one.
        let below = (self.sampling_rate * 2.0_f64.powi(64)) as u64;
        let takes_all = self.sampling_rate >= 1.0;
        self.drawn.clear();
        self.drawn.extend((0..examples as u32).filter(|_| random.next_u64() < below || takes_all));
    }

    /// What adds noise to the sum of a step's gradients, parameter by parameter, and divides it by the expected number of
    /// examples.
    fn finish(&self, step: u64) -> impl FnMut(&mut [f32]) {
        let mut random = self.stream(step, Use::Noise);
        let (deviation, batch_size) = (self.noise_multiplier * f64::from(self.l2_norm_clip), self.batch_size);
        move |sums: &mut [f32]| {
            for pair in sums.chunks_mut(2) {
                for (sum, noise) in pair.iter_mut().zip(normal_pair(&mut random)) {
                    *sum = ((f64::from(*sum) + deviation * noise) / batch_size) as f32;
                }
            }
        }
    }

    fn stream(&self, step: u64, of: Use) -> ChaCha20Rng {
        let mut random = ChaCha20Rng::from_seed(self.key);
        random.set_stream(step.wrapping_mul(STREAMS) + of as u64);
        random
    }
}

/// Two numbers of the normal distribution, by Box and Muller's method, with all digits of their source.
fn normal_pair(random: &mut impl Rng) -> [f64; 2] {
    // From 0 excluded to 1 included, so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
    [radius * cosine, radius * sine]
}

/// # Errors
/// [`Error::Model`] if the gradient of one example depends on others.
fn check_model(model: &Model) -> Result<()> {
    let plan = &model.engine.plan;
    let fault = |fault: &str| Err(Error::Model(fault.into()));
    if plan.meetings().next().is_some() {
        return fault(
            "normalizes over the batch, so that each example changes the gradients of the others, and none has a gradient \
             of its own: use `GroupNormalization` or `LayerNormalization`",
        );
    }
    if !plan.carried.is_empty() {
        return fault("has stateful layers, which go on from batches of one size: private batches differ in size");
    }
    if plan.heads.iter().any(|head| head.mask.is_some()) {
        return fault("has an output that is a sequence with a mask, whose steps are counted over the whole batch");
    }
    let tables = &plan.tables;
    let is_shared = |(place, table): (usize, &crate::plan::Table)| {
        tables[..place].iter().any(|other| other.weights == table.weights)
    };
    if tables.iter().enumerate().any(is_shared) {
        return fault("looks words up in one table at several places, which private training does not know");
    }
    Ok(())
}
