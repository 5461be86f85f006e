//! One rate after the other.

use super::check_rate;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A schedule of several rates, one after the other, as
/// [Keras'
/// `PiecewiseConstantDecay`](https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/).
///
/// ```
/// use inkstone::PiecewiseConstantDecay;
/// // Keras counts the boundary to the rate before it.
/// let schedule = PiecewiseConstantDecay::new([100, 200], [0.1, 0.01, 0.001]);
/// assert_eq!([0, 100, 101, 200, 201].map(|step| schedule.at(step)), [0.1, 0.1, 0.01, 0.01, 0.001]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiecewiseConstantDecay {
    /// The last step of each rate but the last, in rising order.
    pub boundaries: Vec<u64>,
    /// The rates: one more than there are boundaries.
    pub values: Vec<f32>,
}

impl PiecewiseConstantDecay {
    /// The first rate up to the first boundary and with it, the second up to the second, and so on.
    #[must_use]
    pub fn new(boundaries: impl Into<Vec<u64>>, values: impl Into<Vec<f32>>) -> Self {
        Self { boundaries: boundaries.into(), values: values.into() }
    }

    /// The rate of a step; `step` counts those before it.
    #[must_use]
    pub fn at(&self, step: u64) -> f32 {
        let piece = self.boundaries.partition_point(|boundary| *boundary < step);
        // Too few values never come here: `check` has refused them. To ask a schedule that is in no optimizer is no
        // panic.
        self.values.get(piece).or(self.values.last()).copied().unwrap_or(0.0)
    }

    pub(super) fn check(&self) -> Result<()> {
        let (boundaries, values) = (self.boundaries.len(), self.values.len());
        if values != boundaries + 1 {
            let received = format!("{boundaries} boundaries and {values} values");
            return Err(Error::Setting { name: "values", expected: "one more than boundaries", received });
        }
        if let Some(pair) = self.boundaries.windows(2).find(|pair| pair[0] >= pair[1]) {
            let received = format!("{} before {}", pair[0], pair[1]);
            return Err(Error::Setting { name: "boundaries", expected: "in rising order", received });
        }
        self.values.iter().try_for_each(|value| check_rate("values", *value))
    }
}
