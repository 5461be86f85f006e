//! Decides what the two models of a GAN are trained for, score by score.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What the models of a [`Gan`](super::Gan) are trained for. The discriminator gives one number for an image, its
/// score; D(x) is that of a real image, D(G(z)) that of a generated one.
///
/// ```
/// use inkstone::GanLoss;
/// let losses = [GanLoss::NonSaturating, GanLoss::LeastSquares, GanLoss::Hinge, GanLoss::Wasserstein { clip: 0.01 }];
/// assert_eq!(losses.map(GanLoss::threshold), [0.0, 0.5, 0.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GanLoss {
    /// The scores are logits; the discriminator minimises their cross-entropy against 1 for real and 0 for generated
    /// images, the generator `-ln(sigmoid(D(G(z))))` ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)).
    NonSaturating,
    /// Half the squared differences to 1 for real and 0 for generated images; the generator's to 1 ([Mao et al.,
    /// 2016](https://arxiv.org/abs/1611.04076)).
    LeastSquares,
    /// The discriminator minimises `max(0, 1 - D(x)) + max(0, 1 + D(G(z)))`, the generator `-D(G(z))` ([Lim and Ye,
    /// 2017](https://arxiv.org/abs/1705.02894)).
    Hinge,
    /// The discriminator minimises `D(G(z)) - D(x)`, and after each of its steps every trained weight of it is brought
    /// between `-clip` and `clip`; the generator minimises `-D(G(z))` ([Arjovsky et al.,
    /// 2017](https://arxiv.org/abs/1701.07875), who clip at 0.01, take five steps of the discriminator for one of the
    /// generator, and use [`RmsProp`](crate::RmsProp)).
    Wasserstein {
        /// The largest absolute value of the discriminator's weights.
        clip: f32,
    },
}

/// What a score is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Real,
    Generated,
}

/// The loss of one score, and its derivative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ScoreLoss {
    pub(super) loss: f64,
    pub(super) derivative: f32,
}

impl GanLoss {
    /// The score above which an image counts as taken for real, for the accuracies of the history. The Wasserstein
    /// loss knows no such score, so there the accuracies tell little.
    #[must_use]
    pub fn threshold(self) -> f32 {
        match self {
            Self::NonSaturating | Self::Hinge | Self::Wasserstein { .. } => 0.0,
            Self::LeastSquares => 0.5,
        }
    }

    /// How far from zero the discriminator's weights may be.
    pub(super) fn clip(self) -> Option<f32> {
        match self {
            Self::Wasserstein { clip } => Some(clip),
            Self::NonSaturating | Self::LeastSquares | Self::Hinge => None,
        }
    }

    /// # Errors
    /// [`Error::Setting`] for a number that makes no sense with this loss.
    pub(super) fn check(self, label_smoothing: f32) -> Result<()> {
        let setting =
            |name, expected, received: f32| Err(Error::Setting { name, expected, received: received.to_string() });
        if !(0.0..0.5).contains(&label_smoothing) {
            return setting("label_smoothing", "from 0 to less than 0.5", label_smoothing);
        }
        match self {
            Self::Wasserstein { clip } if !(clip.is_finite() && clip > 0.0) => {
                setting("clip", "finite and more than 0", clip)
            }
            Self::Hinge | Self::Wasserstein { .. } if label_smoothing != 0.0 => {
                let expected = "0 with the losses `Hinge` and `Wasserstein`, which have no labels";
                setting("label_smoothing", expected, label_smoothing)
            }
            Self::NonSaturating | Self::LeastSquares | Self::Hinge | Self::Wasserstein { .. } => Ok(()),
        }
    }

    /// What the discriminator's score of an image costs it.
    pub(super) fn of_discriminator(self, score: f32, judged: Judged, label_smoothing: f32) -> ScoreLoss {
        let wide = f64::from(score);
        let label = match judged {
            Judged::Real => 1.0 - f64::from(label_smoothing),
            Judged::Generated => 0.0,
        };
        let sign = match judged {
            Judged::Real => -1.0,
            Judged::Generated => 1.0,
        };
        let (loss, derivative) = match self {
            Self::NonSaturating => (softplus(wide) - label * wide, sigmoid(wide) - label),
            Self::LeastSquares => (0.5 * (wide - label).powi(2), wide - label),
            Self::Hinge => {
                let margin = 1.0 + sign * wide;
                if margin > 0.0 { (margin, sign) } else { (0.0, 0.0) }
            }
            Self::Wasserstein { .. } => (sign * wide, sign),
        };
        ScoreLoss { loss, derivative: derivative as f32 }
    }

    /// What the discriminator's score of a generated image costs the generator.
    pub(super) fn of_generator(self, score: f32) -> ScoreLoss {
        let wide = f64::from(score);
        let (loss, derivative) = match self {
            Self::NonSaturating => (softplus(-wide), -sigmoid(-wide)),
            Self::LeastSquares => (0.5 * (wide - 1.0).powi(2), wide - 1.0),
            Self::Hinge | Self::Wasserstein { .. } => (-wide, -1.0),
        };
        ScoreLoss { loss, derivative: derivative as f32 }
    }

    /// The least loss that a discriminator can have, and that of one that cannot tell real from generated images;
    /// `None` if there are none.
    pub(super) fn least_and_chance(self, label_smoothing: f32) -> Option<[f64; 2]> {
        let smoothing = f64::from(label_smoothing);
        let entropy = |share: f64| if share > 0.0 { -share * share.ln() } else { 0.0 };
        match self {
            Self::NonSaturating => Some([entropy(smoothing) + entropy(1.0 - smoothing), 2.0 * std::f64::consts::LN_2]),
            Self::LeastSquares => Some([0.0, 0.25]),
            Self::Hinge => Some([0.0, 2.0]),
            Self::Wasserstein { .. } => None,
        }
    }
}

/// `ln(1 + exp(x))`, written so that nothing overflows.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [GanLoss; 4] =
        [GanLoss::NonSaturating, GanLoss::LeastSquares, GanLoss::Hinge, GanLoss::Wasserstein { clip: 0.1 }];

    #[test]
    fn derivatives_are_differences() {
        let step = 1e-3_f32;
        let check = |what: &str, of: &dyn Fn(f32) -> ScoreLoss| {
            for score in [-3.0, -0.4, 0.3, 2.5] {
                let expected = (of(score + step).loss - of(score - step).loss) / f64::from(2.0 * step);
                let found = f64::from(of(score).derivative);
                assert!((found - expected).abs() < 1e-3, "{what} at {score}: {found}, differences {expected}");
            }
        };
        for loss in ALL {
            check(&format!("{loss:?}, generator"), &|score| loss.of_generator(score));
            for judged in [Judged::Real, Judged::Generated] {
                check(&format!("{loss:?}, {judged:?}"), &|score| loss.of_discriminator(score, judged, 0.1));
            }
        }
    }

    #[test]
    fn losses_at_extremes_are_finite_and_least() {
        for loss in [GanLoss::NonSaturating, GanLoss::LeastSquares, GanLoss::Hinge] {
            let [least, chance] = loss.least_and_chance(0.0).unwrap();
            let both = |real, generated| {
                loss.of_discriminator(real, Judged::Real, 0.0).loss
                    + loss.of_discriminator(generated, Judged::Generated, 0.0).loss
            };
            let blind = loss.threshold();
            assert!((both(blind, blind) - chance).abs() < 1e-9, "{loss:?}");
            let best = if loss == GanLoss::LeastSquares { (1.0, 0.0) } else { (1000.0, -1000.0) };
            assert!((both(best.0, best.1) - least).abs() < 1e-9, "{loss:?}");
        }
        let smoothed = GanLoss::NonSaturating.least_and_chance(0.1).unwrap()[0];
        // Where the sigmoid is 0.9.
        let at_best = GanLoss::NonSaturating.of_discriminator(9.0_f32.ln(), Judged::Real, 0.1).loss;
        assert!((at_best - smoothed).abs() < 1e-6, "{at_best}, {smoothed}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let said = |loss: GanLoss, smoothing| loss.check(smoothing).unwrap_err().to_string();
        assert_eq!(said(GanLoss::Wasserstein { clip: 0.0 }, 0.0), "clip must be finite and more than 0, got 0");
        assert_eq!(said(GanLoss::NonSaturating, 0.5), "label_smoothing must be from 0 to less than 0.5, got 0.5");
        assert_eq!(
            said(GanLoss::Hinge, 0.1),
            "label_smoothing must be 0 with the losses `Hinge` and `Wasserstein`, which have no labels, got 0.1"
        );
        assert!(ALL.into_iter().all(|loss| loss.check(0.0).is_ok()));
    }
}
