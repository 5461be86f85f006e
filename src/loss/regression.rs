//! Losses of numbers that are to be met: means over the outputs of some function of the difference.

use super::{Gradient, Loss, Outcome};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The mean over the outputs of `(output - target)^2`, as
/// [Keras' `MeanSquaredError`](https://keras.io/api/losses/regression_losses/).
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array4, array};
/// let mut model = Sequential::new([1]).add(Dense::new(2)).compile(Sgd::default(), MeanSquaredError, [])?;
/// let x = Array4::<f32>::zeros((1, 1, 1, 1));
/// assert_eq!(model.evaluate((&x, &array![[1.0, 3.0]]))?.loss, (1.0 + 9.0) / 2.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanSquaredError;

/// The mean over the outputs of `|output - target|`, as
/// [Keras' `MeanAbsoluteError`](https://keras.io/api/losses/regression_losses/). Its gradient at 0 is 0.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array4, array};
/// let mut model = Sequential::new([1]).add(Dense::new(2)).compile(Sgd::default(), MeanAbsoluteError, [])?;
/// let x = Array4::<f32>::zeros((1, 1, 1, 1));
/// assert_eq!(model.evaluate((&x, &array![[1.0, -3.0]]))?.loss, 2.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeanAbsoluteError;

/// The mean over the outputs of `d^2 / 2` where the difference `d` is at most `delta`, and of `delta * (|d| - delta /
/// 2)` where it is more, as [Keras' `Huber`](https://keras.io/api/losses/regression_losses/): outliers pull no harder
/// than `delta`.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array4, array};
/// let mut model = Sequential::new([1]).add(Dense::new(2)).compile(Sgd::default(), Huber::new(2.0), [])?;
/// let x = Array4::<f32>::zeros((1, 1, 1, 1));
/// assert_eq!(model.evaluate((&x, &array![[1.0, 5.0]]))?.loss, (0.5 + 8.0) / 2.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Huber {
    /// From which difference on it grows in proportion; 1.
    pub delta: f32,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Huber {
    /// A loss that grows in proportion from this difference on.
    #[must_use]
    pub fn new(delta: f32) -> Self {
        Self { delta }
    }

    /// # Errors
    /// [`Error::Setting`] unless delta is finite and more than 0.
    pub(super) fn check(&self) -> Result<()> {
        if self.delta.is_finite() && self.delta > 0.0 {
            return Ok(());
        }
        Err(Error::Setting { name: "delta", expected: "finite and more than 0", received: self.delta.to_string() })
    }

    pub(super) fn of(&self, outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
        let delta = self.delta;
        let loss = |d: f32| if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) };
        of_differences(outcome, loss, |d| d.clamp(-delta, delta), gradient)
    }
}

pub(super) fn mean_squared_error(outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
    of_differences(outcome, |d| d * d, |d| 2.0 * d, gradient)
}

pub(super) fn mean_absolute_error(outcome: &Outcome<'_>, gradient: Option<Gradient<'_>>) -> f64 {
    // Not `signum`, which is 1 at 0; nor may NaN become a number.
    let sign = |d: f32| if d == 0.0 { 0.0 } else { d.signum() };
    of_differences(outcome, f32::abs, sign, gradient)
}

/// The mean over the outputs of `loss(output - target)`.
fn of_differences(
    outcome: &Outcome<'_>,
    loss: impl Fn(f32) -> f32,
    derivative: impl Fn(f32) -> f32,
    gradient: Option<Gradient<'_>>,
) -> f64 {
    let outputs = outcome.outputs;
    let share = 1.0 / outputs.len() as f32;
    let difference = |output: usize| outputs[output] - outcome.target.value(output, outputs.len());
    if let Some(Gradient { dlogits, scale }) = gradient {
        for (output, dlogit) in dlogits.iter_mut().enumerate() {
            *dlogit = derivative(difference(output)) * (share * scale);
        }
        outcome.function.backward(outputs, dlogits);
    }
    (0..outputs.len()).map(|output| f64::from(loss(difference(output)))).sum::<f64>() * f64::from(share)
}

impl From<MeanSquaredError> for Loss {
    fn from(loss: MeanSquaredError) -> Self {
        Self::MeanSquaredError(loss)
    }
}

impl From<MeanAbsoluteError> for Loss {
    fn from(loss: MeanAbsoluteError) -> Self {
        Self::MeanAbsoluteError(loss)
    }
}

impl From<Huber> for Loss {
    fn from(loss: Huber) -> Self {
        Self::Huber(loss)
    }
}
