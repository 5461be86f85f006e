//! Cross-entropy of outputs that say yes or no, each by itself.

use super::{Gradient, Loss, Outcome};
use crate::kernels::exp::sigmoid;
use serde::{Deserialize, Serialize};

/// Cross-entropy between 0 or 1 and a probability, the mean over the outputs, as
/// [Keras' `BinaryCrossentropy`](https://keras.io/api/losses/probabilistic_losses/).
///
/// Together with the sigmoid before it, it is one numerically stable step: probabilities are never clipped.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let mut model = Sequential::new([2])
///     .add(Dense::new(1).activation(Sigmoid))
///     .seed(1)
///     .compile(Adam::new(0.1), BinaryCrossentropy::default(), [Accuracy])?;
/// let points = Array4::from_shape_vec((2, 1, 1, 2), vec![0.0, 1.0, 1.0, 0.0]).unwrap();
/// model.fit((&points, &[0, 1]), FitConfig::new().epochs(50).verbose(0))?;
/// assert!(model.predict(&points)?[[1, 0]] > 0.9);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryCrossentropy {
    /// Whether the model's outputs are logits; otherwise they are probabilities, and the model ends with a sigmoid.
    pub from_logits: bool,
    /// How far targets are moved towards one half, from 0 to 1.
    pub label_smoothing: f32,
}

impl BinaryCrossentropy {
    setters! {
        /// Sets whether the model's outputs are logits.
        from_logits: bool,

        /// Sets how far targets are moved towards one half.
        label_smoothing: f32,
    }

    pub(super) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        let logits = outcome.logits;
        let target = |output| {
            outcome.target.value(output, logits.len()) * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        };
        let share = 1.0 / logits.len() as f32;
        if let Some(Gradient { dlogits, scale }) = gradient {
            for (output, (dlogit, logit)) in dlogits.iter_mut().zip(logits).enumerate() {
                *dlogit = (sigmoid(*logit) - target(output)) * (share * scale);
            }
        }
        // ln(1 + exp(z)) - z * y, written so that no exponential overflows.
        let loss = |(output, logit): (usize, &f32)| {
            f64::from(logit.max(0.0) - logit * target(output) + (-logit.abs()).exp().ln_1p())
        };
        logits.iter().enumerate().map(loss).sum::<f64>() * f64::from(share)
    }
}

impl From<BinaryCrossentropy> for Loss {
    fn from(loss: BinaryCrossentropy) -> Self {
        Self::BinaryCrossentropy(loss)
    }
}
