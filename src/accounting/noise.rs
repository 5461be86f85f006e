//! The noise that a privacy budget needs.

use super::accountant::{check_delta, epsilon, setting};
use crate::error::Result;

/// The most noise that is looked for.
const MOST_NOISE: f64 = 1e9;
/// How much more noise than the least one is found, as a factor.
const PRECISION: f64 = 1.0 + 1e-4;

/// The least noise multiplier, within 0.01 %, that gives at most an epsilon: [`epsilon`] of it is not above the target.
///
/// It takes about ten times as long as [`epsilon`].
///
/// - `target_epsilon`: above 0
/// - `sampling_rate`: the expected batch size divided by the number of examples
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if a value is out of range, or no noise multiplier up to 1e9 is enough.
///
/// ```
/// use inkstone::privacy::{epsilon, noise_multiplier_for};
/// let noise_multiplier = noise_multiplier_for(3.0, 1e-5, 0.01, 2000)?;
/// assert!(epsilon(0.01, noise_multiplier, 2000, 1e-5)? <= 3.0);
/// assert!(epsilon(0.01, 0.999 * noise_multiplier, 2000, 1e-5)? > 3.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn noise_multiplier_for(target_epsilon: f64, delta: f64, sampling_rate: f64, steps: u64) -> Result<f64> {
    check_delta(delta)?;
    if !(target_epsilon > 0.0 && target_epsilon.is_finite()) {
        return Err(setting("target_epsilon", "finite and above 0", target_epsilon));
    }
    least_noise(target_epsilon, |noise| epsilon(sampling_rate, noise, steps, delta))
}

/// The least noise multiplier, within 0.01 %, whose epsilon is not above the target.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if none up to 1e9 is enough; the first one of `epsilon_of`.
pub(super) fn least_noise(target_epsilon: f64, epsilon_of: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    if epsilon_of(0.0)? <= target_epsilon {
        return Ok(0.0);
    }
    let mut high = 1.0;
    let mut of_high = epsilon_of(high)?;
    let mut low = high;
    let mut of_low = of_high;
    while of_high > target_epsilon {
        (low, of_low) = (high, of_high);
        high *= 2.0;
        if high > MOST_NOISE {
            return Err(setting("target_epsilon", "what a noise multiplier of 1e9 gives, or more", target_epsilon));
        }
        of_high = epsilon_of(high)?;
    }
    // It ends: there is noise that counts as none.
    while of_low <= target_epsilon {
        (high, of_high) = (low, of_low);
        low *= 0.5;
        of_low = epsilon_of(low)?;
    }
    // On logarithmic scales the curve is nearly straight. Guesses a little to either side of where it should meet the
    // target close in on it; every third halves what is left, whatever the curve is.
    for turn in 0.. {
        if high <= low * PRECISION {
            break;
        }
        let share = (of_low / target_epsilon).ln() / (of_low / of_high).ln();
        let middle = match turn % 3 {
            0 if share.is_finite() => low * (high / low).powf(share) * PRECISION.powf(0.4),
            1 if share.is_finite() => low * (high / low).powf(share) / PRECISION.powf(0.4),
            _ => (low * high).sqrt(),
        };
        let middle = middle.clamp(low * PRECISION.powf(0.4), high / PRECISION.powf(0.4));
        let of_middle = epsilon_of(middle)?;
        if of_middle <= target_epsilon {
            (high, of_high) = (middle, of_middle);
        } else {
            (low, of_low) = (middle, of_middle);
        }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_that_need_no_noise_or_have_none_that_is_enough() {
        assert_eq!(noise_multiplier_for(1.0, 1e-5, 0.01, 0).unwrap(), 0.0);
        assert_eq!(noise_multiplier_for(1.0, 1e-5, 0.0, 10).unwrap(), 0.0);
        let said = |target, delta, rate| noise_multiplier_for(target, delta, rate, 10).unwrap_err().to_string();
        assert_eq!(said(0.0, 1e-5, 0.1), "target_epsilon must be finite and above 0, got 0");
        assert_eq!(said(f64::NAN, 1e-5, 0.1), "target_epsilon must be finite and above 0, got NaN");
        assert_eq!(said(1.0, 0.0, 0.1), "delta must be above 0 and below 1, got 0");
        assert_eq!(said(1.0, 1e-5, 1.1), "sampling_rate must be from 0 to 1, got 1.1");
        assert!(said(1e-100, 1e-50, 0.1).starts_with("target_epsilon must be what a noise multiplier of 1e9 gives"));
    }

    #[test]
    fn noise_is_enough_and_hardly_more_than_that() {
        for (target, delta, rate, steps) in [
            (0.1, 1e-6, 0.001, 100),
            (1.0, 1e-5, 1.0, 10),
            (8.0, 1e-5, 0.02, 3000),
            (1000.0, 1e-5, 0.1, 1),
            (2.0, 0.3, 0.5, 3),
        ] {
            let noise = noise_multiplier_for(target, delta, rate, steps).unwrap();
            let of = |noise| epsilon(rate, noise, steps, delta).unwrap();
            assert!(of(noise) <= target && of(noise * 0.9995) > target, "{target}, {delta}, {rate}, {steps}: {noise}");
        }
    }
}
