//! The area under the ROC curve, from counts between thresholds.

use super::cells::ratio;
use super::{Measure, require};
use crate::data::Target;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The most thresholds: their counts are kept several times over.
const MAX_THRESHOLDS: usize = 1 << 16;

/// The area under the ROC curve at evenly spaced thresholds, as
/// [Keras' `AUC`](https://keras.io/api/metrics/classification_metrics/#auc-class) with its defaults: every output of
/// every example is a prediction of its own, and the curve is straight between thresholds. The exact area for each
/// class is in the [report on a model](crate::Model::evaluate_report).
///
/// ```
/// use inkstone::metrics::Auc;
/// assert_eq!(Auc::new().num_thresholds, 200);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auc {
    /// How many thresholds there are, the two ends included; 200.
    pub num_thresholds: usize,
}

impl Default for Auc {
    fn default() -> Self {
        Self { num_thresholds: 200 }
    }
}

impl Auc {
    /// Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many thresholds there are, the two ends included.
    #[must_use]
    pub fn num_thresholds(self, num_thresholds: usize) -> Self {
        Self { num_thresholds }
    }
}

/// Sums: how many predictions lie between two thresholds, those that should be 1 before those that should be 0.
impl Measure for Auc {
    fn name(&self) -> &str {
        "auc"
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        let holds = (2..=MAX_THRESHOLDS).contains(&self.num_thresholds);
        require(holds, "num_thresholds of Auc", "from 2 to 2^16", || self.num_thresholds.to_string())
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        true
    }

    fn sums(&self, _outputs: usize) -> usize {
        2 * (self.num_thresholds - 1)
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        let between = self.num_thresholds - 1;
        let (positive, negative) = sums.split_at_mut(between);
        for (output, probability) in probabilities.iter().enumerate() {
            // In `f32` as in Keras. A prediction on a threshold is not above it; at most `between`, as nothing exceeds
            // 1.
            let place = (probability.clamp(0.0, 1.0) * between as f32).ceil() as usize;
            let right = target.value(output, probabilities.len()) != 0.0;
            (if right { &mut *positive } else { &mut *negative })[place.saturating_sub(1)] += 1.0;
        }
    }

    fn value(&self, sums: &[f64]) -> f64 {
        let (positive, negative) = sums.split_at(self.num_thresholds - 1);
        let (mut found, mut area) = (0.0, 0.0);
        for (positive, negative) in positive.iter().zip(negative).rev() {
            area += negative * (found + positive / 2.0);
            found += positive;
        }
        ratio(area, found * negative.iter().sum::<f64>())
    }
}
