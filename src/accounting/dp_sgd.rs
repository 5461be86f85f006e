//! The settings of differentially private training.

use super::noise::least_noise;
use super::{Accountant, noise_multiplier_for};
use crate::error::{Error, Result};

/// Differentially private training by [`FitConfig::differential_privacy`](crate::FitConfig::differential_privacy), with
/// any optimizer ([Abadi et al., 2016](https://arxiv.org/abs/1607.00133)): each step takes each example with the
/// probability `batch_size / examples` (Poisson sampling, so batches differ in size, and one may be empty), finds the
/// gradient of each example's loss alone, over all trained weights and biases together, shortens it to `l2_norm_clip`,
/// and adds Gaussian noise of the deviation `noise_multiplier * l2_norm_clip` to the sum, which it divides by
/// `batch_size`.
///
/// The noise and the choice of examples come from ChaCha20 with a key of the operating system's, which is kept nowhere.
///
/// # What it does not cover
///
/// The guarantee is for the weights, for one example each, against those who see them. It does not cover what is printed
/// or recorded of the training data: training loss, metrics, [`History`](crate::History); nor validation data; nor
/// settings that were chosen by looking at the results of other trainings on the same data, each of which costs its own
/// epsilon; nor the scaling of the data, if it was measured on the data. Numbers are floating-point numbers, which an
/// attacker who sees the noisy sums to the last bit may use
/// ([Mironov, 2012](https://doi.org/10.1145/2382196.2382264)); the weights are no such sums.
///
/// So callbacks that decide by training scores, as `EarlyStopping` does by `loss`, let them into the weights: monitor
/// validation scores. A vocabulary that was adapted to the training texts tells of them as well. A loss that is no number
/// does not end a private training, because one example alone could bring that about.
///
/// There are no microbatches: each example is clipped alone, which costs the memory of one gradient for each thread.
/// Clipping the mean of several would double what one example may change, because batches differ in size.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::synthetic;
/// use inkstone::privacy::DpSgd;
/// let digits = synthetic::digits(600, 0)?;
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// let private = DpSgd::new(1.5, 1.0).delta(1e-4);
/// let config = FitConfig::new().epochs(2).batch_size(60).differential_privacy(private).verbose(0);
/// let history = model.fit(&digits, config)?;
/// // After each epoch.
/// let epsilons = history.epsilon();
/// assert!(epsilons.len() == 2 && epsilons[0] < epsilons[1]);
/// // Kept with the model, in its file too.
/// assert_eq!(model.privacy().epsilon(1e-4)?, epsilons[1]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct DpSgd {
    noise: Noise,
    pub(crate) l2_norm_clip: f32,
    pub(crate) delta: f64,
    /// In place of a key of the system's.
    pub(crate) test_seed: Option<u64>,
}

/// The least bound: squares of much shorter gradients are below what floats can hold.
const LEAST_CLIP: f32 = 1e-12;

/// How strong the noise is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    Multiplier(f64),
    /// As strong as keeps the whole training to this epsilon.
    ForEpsilon(f64),
}

impl DpSgd {
    /// Noise of the deviation `noise_multiplier * l2_norm_clip`; a delta of 1e-5.
    pub fn new(noise_multiplier: f64, l2_norm_clip: f32) -> Self {
        Self { noise: Noise::Multiplier(noise_multiplier), l2_norm_clip, delta: 1e-5, test_seed: None }
    }

    /// As much noise as keeps a training of [`epochs`](crate::FitConfig::epochs) to this epsilon; a delta of 1e-5.
    pub fn for_epsilon(target_epsilon: f64, l2_norm_clip: f32) -> Self {
        Self { noise: Noise::ForEpsilon(target_epsilon), ..Self::new(0.0, l2_norm_clip) }
    }

    /// Sets the probability of an outcome that tells more than epsilon says: less than one part of the examples.
    pub fn delta(self, delta: f64) -> Self {
        Self { delta, ..self }
    }

    /// Draws examples and noise from this seed, so that a test gives the same bits each time. Who knows the seed can take
    /// the noise off: there is no guarantee then, which `fit` says and [`Model::privacy`](crate::Model::privacy) tells by
    /// an infinite epsilon.
    pub fn test_seed(self, seed: u64) -> Self {
        Self { test_seed: Some(seed), ..self }
    }

    /// The noise multiplier of a training.
    ///
    /// - spent: what the model has told before; steps: those of the whole training, from its first epoch on; left: those
    ///   that are still to be taken
    ///
    /// # Errors
    /// [`Error::Setting`] for a number out of range, or an epsilon that the model has exceeded.
    pub(crate) fn noise_multiplier(
        &self,
        spent: &Accountant,
        sampling_rate: f64,
        (steps, left): (u64, u64),
    ) -> Result<f64> {
        let setting = |name, expected, received| Err(Error::Setting { name, expected, received });
        if !(self.l2_norm_clip.is_finite() && self.l2_norm_clip >= LEAST_CLIP) {
            return setting("l2_norm_clip", "finite and at least 1e-12", self.l2_norm_clip.to_string());
        }
        if !(self.delta > 0.0 && self.delta < 1.0) {
            return setting("delta", "greater than 0 and less than 1", self.delta.to_string());
        }
        match self.noise {
            Noise::Multiplier(noise) if noise.is_finite() && noise >= 0.0 => Ok(noise),
            Noise::Multiplier(noise) => setting("noise_multiplier", "finite and at least 0", noise.to_string()),
            Noise::ForEpsilon(target) => {
                let noise = noise_multiplier_for(target, self.delta, sampling_rate, steps)?;
                // What was drawn from a test seed is no secret, and costs any epsilon.
                if spent.steps() == 0 || self.test_seed.is_some() {
                    return Ok(noise);
                }
                let epsilon_of = |noise: f64| {
                    let mut whole = spent.clone();
                    whole.compose(sampling_rate, noise, left)?;
                    whole.epsilon(self.delta)
                };
                // A training that is resumed comes to its target, but for the last digits.
                if epsilon_of(noise)? <= target * (1.0 + 1e-6) {
                    return Ok(noise);
                }
                let told = spent.epsilon(self.delta)?;
                if told > target {
                    let expected = "more than what the model's trainings have told before";
                    return setting("target_epsilon", expected, format!("{target}, where they come to {told:.4}"));
                }
                least_noise(target, epsilon_of)
            }
        }
    }
}
