//! Metrics that count what is right: plain accuracy, a threshold on each output, the class among the likeliest.

use super::cells::ratio;
use super::{Measure, require};
use crate::data::Target;
use crate::error::Result;
use crate::kernels::softmax::argmax;
use serde::{Deserialize, Serialize};

/// What `Metric::Accuracy` does, which has no arguments. Sums: how many are right, how many there are.
#[derive(Debug)]
pub(super) struct PlainAccuracy;

impl Measure for PlainAccuracy {
    fn name(&self) -> &str {
        "accuracy"
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        Ok(())
    }

    fn needs_probabilities(&self, outputs: usize) -> bool {
        outputs == 1
    }

    fn sums(&self, _outputs: usize) -> usize {
        2
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        match probabilities {
            [_] => BinaryAccuracy::default().update(sums, probabilities, target),
            _ => count(sums, u8::from(argmax(probabilities) == target.class())),
        }
    }

    fn value(&self, sums: &[f64]) -> f64 {
        ratio(sums[0], sums[1])
    }
}

/// The part of all outputs that are on the right side of a threshold, as
/// [Keras' `BinaryAccuracy`](https://keras.io/api/metrics/accuracy_metrics/): above it where the target is 1, and not
/// above it where the target is 0.
///
/// ```
/// use inkstone::metrics::BinaryAccuracy;
/// assert_eq!(BinaryAccuracy::new().threshold, 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinaryAccuracy {
    /// What an output must exceed to count as 1; 0.5.
    pub threshold: f32,
}

impl Default for BinaryAccuracy {
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

impl BinaryAccuracy {
    /// Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what an output must exceed to count as 1.
    #[must_use]
    pub fn threshold(self, threshold: f32) -> Self {
        Self { threshold }
    }
}

/// Sums: how many outputs are right, how many there are.
impl Measure for BinaryAccuracy {
    fn name(&self) -> &str {
        "binary_accuracy"
    }

    fn check(&self, _outputs: usize) -> Result<()> {
        let received = || self.threshold.to_string();
        require((0.0..=1.0).contains(&self.threshold), "threshold of BinaryAccuracy", "from 0 to 1", received)
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        true
    }

    fn sums(&self, _outputs: usize) -> usize {
        2
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        for (output, probability) in probabilities.iter().enumerate() {
            let found = f32::from(u8::from(*probability > self.threshold));
            count(sums, u8::from(found == target.value(output, probabilities.len())));
        }
    }

    fn value(&self, sums: &[f64]) -> f64 {
        ratio(sums[0], sums[1])
    }
}

/// The part of the examples whose class is among the `k` likeliest, as
/// [Keras' `TopKCategoricalAccuracy`](https://keras.io/api/metrics/accuracy_metrics/): fewer than `k` outputs are
/// higher than that of the class. An output as high as that of the class is no higher, so a tie counts as right.
///
/// ```
/// use inkstone::metrics::TopKCategoricalAccuracy;
/// assert_eq!(TopKCategoricalAccuracy::default(), TopKCategoricalAccuracy::new(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopKCategoricalAccuracy {
    /// How many classes are looked at; 5. At most as many as the model has outputs.
    pub k: usize,
}

impl Default for TopKCategoricalAccuracy {
    fn default() -> Self {
        Self { k: 5 }
    }
}

impl TopKCategoricalAccuracy {
    /// Whether the class is among the `k` likeliest.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self { k }
    }
}

/// Sums: how many are right, how many there are.
impl Measure for TopKCategoricalAccuracy {
    fn name(&self) -> &str {
        "top_k_categorical_accuracy"
    }

    fn check(&self, outputs: usize) -> Result<()> {
        require(
            (1..=outputs).contains(&self.k),
            "k of TopKCategoricalAccuracy",
            "at least 1 and at most the number of the model's outputs",
            || format!("{} for {outputs} outputs", self.k),
        )
    }

    fn needs_probabilities(&self, _outputs: usize) -> bool {
        false
    }

    fn sums(&self, _outputs: usize) -> usize {
        2
    }

    fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        let class = match probabilities {
            // Keras looks for the largest of one target, whatever it is.
            [_] => 0,
            _ => target.class(),
        };
        let higher = probabilities.iter().filter(|probability| **probability > probabilities[class]).count();
        count(sums, u8::from(higher < self.k));
    }

    fn value(&self, sums: &[f64]) -> f64 {
        ratio(sums[0], sums[1])
    }
}

/// Counts one prediction that is right (1) or wrong (0).
fn count(sums: &mut [f64], right: u8) {
    sums[0] += f64::from(right);
    sums[1] += 1.0;
}
