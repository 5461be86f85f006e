//! The record of a GAN's training, and what in it deserves a warning.

use super::loss::GanLoss;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`Gan::fit`](super::Gan::fit) returns: its epochs, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GanHistory {
    /// The epochs of this call.
    pub epochs: Vec<GanEpoch>,
}

/// One epoch of a [`GanHistory`]. Losses and accuracies are means over the epoch, measured while the weights changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GanEpoch {
    /// Its number, from 0, since the models were new.
    pub epoch: usize,
    /// What the generator's images cost it.
    pub generator_loss: f64,
    /// The sum of what real and generated images cost the discriminator.
    pub discriminator_loss: f64,
    /// The share of real images that the discriminator takes for real.
    pub real_accuracy: f64,
    /// The share of generated images that the discriminator does not take for real.
    pub generated_accuracy: f64,
    /// How much images differ that the generator makes after the epoch of different latent vectors, and of the same
    /// label if it takes one, relative to the data: the mean variance of a value, divided by that of the data.
    pub diversity: f64,
    /// Wall time.
    pub seconds: f64,
    /// What went wrong in the epoch, if anything did.
    pub warnings: Vec<GanWarning>,
}

/// A sign that a GAN's training goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GanWarning {
    /// The discriminator's loss was about zero for a whole epoch: it tells all images apart, and the generator learns
    /// nothing from it.
    DiscriminatorWins {
        /// Its loss.
        loss: f64,
    },
    /// The generator makes nearly the same image of all latent vectors.
    Collapse {
        /// [`GanEpoch::diversity`].
        diversity: f64,
    },
}

/// The share of the loss by chance below which a discriminator's loss is about zero.
const ABOUT_ZERO: f64 = 0.01;
/// The diversity below which images are nearly the same.
const NEARLY_THE_SAME: f64 = 0.02;

impl GanEpoch {
    /// Finds what there is to warn of.
    pub(super) fn examine(&mut self, loss: GanLoss, label_smoothing: f32) {
        let wins = loss.least_and_chance(label_smoothing);
        let wins = wins.is_some_and(|[least, chance]| self.discriminator_loss - least < ABOUT_ZERO * (chance - least));
        let collapsed = self.diversity < NEARLY_THE_SAME;
        let wins = wins.then_some(GanWarning::DiscriminatorWins { loss: self.discriminator_loss });
        let collapsed = collapsed.then_some(GanWarning::Collapse { diversity: self.diversity });
        self.warnings = wins.into_iter().chain(collapsed).collect();
    }
}

/// As `fit` prints it: `generator_loss: 0.9411 - discriminator_loss: 1.2040 - ...`.
impl fmt::Display for GanEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { generator_loss, discriminator_loss, real_accuracy, generated_accuracy, diversity, .. } = self;
        write!(
            f,
            "generator_loss: {generator_loss:.4} - discriminator_loss: {discriminator_loss:.4} - real_accuracy: \
             {real_accuracy:.4} - generated_accuracy: {generated_accuracy:.4} - diversity: {diversity:.4}"
        )
    }
}

impl fmt::Display for GanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiscriminatorWins { loss } => write!(
                f,
                "the discriminator's loss was {loss:.4}, about zero, for a whole epoch, so that the generator learns nothing: \
                 lower the discriminator's learning rate, make it smaller, or use `label_smoothing` or `instance_noise`"
            ),
            Self::Collapse { diversity } => write!(
                f,
                "the generator makes nearly the same image of all latent vectors, with {:.2} % of the data's variance: lower \
                 the learning rates, or start anew with another seed or loss",
                100.0 * diversity
            ),
        }
    }
}

impl GanHistory {
    /// The generator's loss of each epoch.
    #[must_use]
    pub fn generator_losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.generator_loss).collect()
    }

    /// The discriminator's loss of each epoch.
    #[must_use]
    pub fn discriminator_losses(&self) -> Vec<f64> {
        self.epochs.iter().map(|epoch| epoch.discriminator_loss).collect()
    }

    /// The warnings of all epochs, each with the number of its epoch.
    pub fn warnings(&self) -> impl Iterator<Item = (usize, GanWarning)> {
        self.epochs.iter().flat_map(|epoch| epoch.warnings.iter().map(|warning| (epoch.epoch, *warning)))
    }

    /// A line for each epoch under a line of names, as [`History::to_csv`](crate::History::to_csv) has them.
    ///
    /// ```
    /// use inkstone::{GanEpoch, GanHistory};
    /// let epoch = GanEpoch {
    ///     epoch: 0,
    ///     generator_loss: 0.75,
    ///     discriminator_loss: 1.25,
    ///     real_accuracy: 0.5,
    ///     generated_accuracy: 0.625,
    ///     diversity: 1.0,
    ///     seconds: 2.0,
    ///     warnings: vec![],
    /// };
    /// let csv = GanHistory { epochs: vec![epoch] }.to_csv();
    /// assert_eq!(csv.lines().nth(1), Some("0,0.75,1.25,0.5,0.625,1,2"));
    /// ```
    #[must_use]
    pub fn to_csv(&self) -> String {
        let names = "epoch,generator_loss,discriminator_loss,real_accuracy,generated_accuracy,diversity,seconds\n";
        let line = |epoch: &GanEpoch| {
            let GanEpoch { generator_loss, discriminator_loss, real_accuracy, generated_accuracy, .. } = epoch;
            let GanEpoch { epoch, diversity, seconds, .. } = epoch;
            format!(
                "{epoch},{generator_loss},{discriminator_loss},{real_accuracy},{generated_accuracy},{diversity},{seconds}\n"
            )
        };
        self.epochs.iter().map(line).fold(names.to_owned(), |text, line| text + &line)
    }
}
