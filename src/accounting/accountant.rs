//! The accountant: which steps were taken, and the epsilon of all of them.

use super::step::Step;
use super::{pld, rdp};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Less noise counts as none.
const LEAST_NOISE: f64 = 1e-3;

/// How epsilon is found.
///
/// ```
/// use inkstone::privacy::{Accountant, AccountantMethod};
/// let mut accountant = Accountant::new();
/// accountant.compose(256.0 / 60_000.0, 1.1, 14_063)?;
/// assert!((accountant.epsilon_by(AccountantMethod::Pld, 1e-5)? - 2.3818).abs() < 2e-4);
/// assert!((accountant.epsilon_by(AccountantMethod::Rdp, 1e-5)? - 2.5967).abs() < 1e-4);
/// assert_eq!(AccountantMethod::default(), AccountantMethod::Pld);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountantMethod {
    /// Privacy loss distributions; Rényi differential privacy where it is smaller, and with noise multipliers below 0.05,
    /// where the distributions would take too long.
    #[default]
    Pld,
    /// Rényi differential privacy, with the orders and the conversion of Google's dp-accounting. A little smaller than
    /// there where its series for fractional orders does not converge.
    Rdp,
}

/// Adds up the privacy loss of training steps: of one training, or of several on the same examples.
///
/// It remembers what was done, not what was found, so that it is small, and each delta has its own epsilon. It can be
/// serialized.
///
/// ```
/// use inkstone::privacy::Accountant;
/// let mut accountant = Accountant::new();
/// assert_eq!(accountant.epsilon(1e-5)?, 0.0);
/// // Ten epochs, then ten more with less noise.
/// accountant.compose(0.01, 2.0, 1000)?;
/// let ten = accountant.epsilon(1e-5)?;
/// accountant.compose(0.01, 1.5, 1000)?;
/// let twenty = accountant.epsilon(1e-5)?;
/// assert!(0.5 < ten && ten < twenty && twenty < 2.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Mechanism>", into = "Vec<Mechanism>")]
pub struct Accountant {
    mechanisms: Vec<Mechanism>,
}

/// Steps with the same settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mechanism {
    sampling_rate: f64,
    noise_multiplier: f64,
    steps: u64,
}

impl Accountant {
    /// An accountant of no steps.
    ///
    /// ```
    /// use inkstone::privacy::Accountant;
    /// assert_eq!(Accountant::new().steps(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds steps of the Poisson-subsampled Gaussian mechanism.
    ///
    /// - `sampling_rate`: the probability of each example to be in a batch: the expected batch size divided by the number of
    ///   examples
    /// - `noise_multiplier`: the standard deviation of the noise divided by the norm that gradients are clipped to; 0 and all
    ///   below 0.001 count as no noise, whose epsilon is infinite
    ///
    /// # Errors
    /// [`Error::Setting`] if the sampling rate is not from 0 to 1, the noise multiplier is negative, infinite or NaN, or there
    /// are more than `u64::MAX` steps in all. Nothing is added then.
    ///
    /// ```
    /// use inkstone::privacy::Accountant;
    /// let mut accountant = Accountant::new();
    /// accountant.compose(0.01, 1.0, 100)?;
    /// accountant.compose(0.01, 1.0, 50)?;
    /// assert_eq!(accountant.steps(), 150);
    /// let error = accountant.compose(1.5, 1.0, 100).unwrap_err();
    /// assert_eq!(error.to_string(), "sampling_rate must be from 0 to 1, got 1.5");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn compose(&mut self, sampling_rate: f64, noise_multiplier: f64, steps: u64) -> Result<()> {
        if !(0.0..=1.0).contains(&sampling_rate) {
            return Err(setting("sampling_rate", "from 0 to 1", sampling_rate));
        }
        if !(0.0..f64::INFINITY).contains(&noise_multiplier) {
            return Err(setting("noise_multiplier", "finite and at least 0", noise_multiplier));
        }
        if self.steps().checked_add(steps).is_none() {
            return Err(setting("steps", "at most u64::MAX, with those before", steps));
        }
        let is_alike =
            |known: &&mut Mechanism| (known.sampling_rate, known.noise_multiplier) == (sampling_rate, noise_multiplier);
        match self.mechanisms.iter_mut().find(is_alike) {
            Some(known) => known.steps += steps,
            None if steps > 0 => self.mechanisms.push(Mechanism { sampling_rate, noise_multiplier, steps }),
            None => {}
        }
        Ok(())
    }

    /// The number of steps that were added.
    ///
    /// ```
    /// use inkstone::privacy::Accountant;
    /// let mut accountant = Accountant::new();
    /// accountant.compose(0.01, 1.0, 100)?;
    /// assert_eq!(accountant.steps(), 100);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.mechanisms.iter().map(|mechanism| mechanism.steps).sum()
    }

    /// The epsilon of all steps together, by [`AccountantMethod::Pld`]. Infinite if there was no noise.
    ///
    /// It takes about 0.1 s for each pair of a sampling rate and a noise multiplier, at most about a second each.
    ///
    /// - `delta`: the probability that the guarantee may fail with: well below 1 divided by the number of examples
    ///
    /// # Errors
    /// [`Error::Setting`] if delta is not above 0 and below 1.
    ///
    /// ```
    /// use inkstone::privacy::Accountant;
    /// let mut accountant = Accountant::new();
    /// accountant.compose(0.01, 1.0, 1000)?;
    /// assert!((accountant.epsilon(1e-5)? - 1.828).abs() < 1e-3);
    /// accountant.compose(0.01, 0.0, 1)?;
    /// assert_eq!(accountant.epsilon(1e-5)?, f64::INFINITY);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn epsilon(&self, delta: f64) -> Result<f64> {
        self.epsilon_by(AccountantMethod::Pld, delta)
    }

    /// The epsilon of all steps together, by a method.
    ///
    /// # Errors
    /// [`Error::Setting`] if delta is not above 0 and below 1.
    ///
    /// ```
    /// use inkstone::privacy::{Accountant, AccountantMethod};
    /// let mut accountant = Accountant::new();
    /// accountant.compose(0.01, 4.0, 10_000)?;
    /// // The value that Abadi et al. (2016) found was 1.26.
    /// assert!((accountant.epsilon_by(AccountantMethod::Rdp, 1e-5)? - 1.0355).abs() < 1e-4);
    /// assert!((accountant.epsilon(1e-5)? - 0.9469).abs() < 1e-4);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn epsilon_by(&self, method: AccountantMethod, delta: f64) -> Result<f64> {
        check_delta(delta)?;
        // A step that samples nothing tells nothing.
        let sampling: Vec<&Mechanism> =
            self.mechanisms.iter().filter(|mechanism| mechanism.sampling_rate > 0.0).collect();
        if sampling.is_empty() {
            return Ok(0.0);
        }
        if sampling.iter().any(|mechanism| mechanism.noise_multiplier < LEAST_NOISE) {
            return Ok(f64::INFINITY);
        }
        let steps: Vec<(Step, u64)> = sampling.into_iter().map(Mechanism::as_step).collect();
        let by_rdp = rdp::epsilon(&steps, delta);
        Ok(match method {
            AccountantMethod::Pld => pld::epsilon(&steps, delta).unwrap_or(f64::INFINITY).min(by_rdp),
            AccountantMethod::Rdp => by_rdp,
        })
    }
}

impl Mechanism {
    fn as_step(&self) -> (Step, u64) {
        (Step { rate: self.sampling_rate, noise: self.noise_multiplier }, self.steps)
    }
}

/// The most that a file may hold: each takes its time when epsilon is found.
const MOST_MECHANISMS: usize = 1000;

#[cfg(feature = "privacy")]
impl Accountant {
    /// The same, and once more what has come to it since another moment.
    ///
    /// # Errors
    /// [`Error::Setting`] for more steps than can be counted.
    pub(crate) fn with_as_much_again(&self, before: &Self) -> Result<Self> {
        let mut whole = self.clone();
        for Mechanism { sampling_rate, noise_multiplier, steps } in &self.mechanisms {
            let is_alike = |known: &&Mechanism| {
                (known.sampling_rate, known.noise_multiplier) == (*sampling_rate, *noise_multiplier)
            };
            let had = before.mechanisms.iter().find(is_alike).map_or(0, |known| known.steps);
            whole.compose(*sampling_rate, *noise_multiplier, steps.saturating_sub(had))?;
        }
        Ok(whole)
    }
}

impl TryFrom<Vec<Mechanism>> for Accountant {
    type Error = Error;

    fn try_from(mechanisms: Vec<Mechanism>) -> Result<Self> {
        if mechanisms.len() > MOST_MECHANISMS {
            return Err(Error::Setting {
                name: "mechanisms",
                expected: "at most 1000 pairs of a rate and a noise",
                received: mechanisms.len().to_string(),
            });
        }
        let mut accountant = Self::new();
        for Mechanism { sampling_rate, noise_multiplier, steps } in mechanisms {
            accountant.compose(sampling_rate, noise_multiplier, steps)?;
        }
        Ok(accountant)
    }
}

impl From<Accountant> for Vec<Mechanism> {
    fn from(accountant: Accountant) -> Self {
        accountant.mechanisms
    }
}

/// The epsilon of a training that is planned: of one [`Accountant`] with these steps.
///
/// # Errors
/// [`Error::Setting`] if a value is out of the range that [`Accountant::compose`] and [`Accountant::epsilon`] name.
///
/// ```
/// use inkstone::privacy::epsilon;
/// // 60 epochs on MNIST in batches of about 256.
/// let found = epsilon(256.0 / 60_000.0, 1.1, 14_063, 1e-5)?;
/// assert!((found - 2.3817).abs() < 1e-4);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn epsilon(sampling_rate: f64, noise_multiplier: f64, steps: u64, delta: f64) -> Result<f64> {
    let mut accountant = Accountant::new();
    accountant.compose(sampling_rate, noise_multiplier, steps)?;
    accountant.epsilon(delta)
}

pub(super) fn check_delta(delta: f64) -> Result<()> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(setting("delta", "above 0 and below 1", delta)) }
}

pub(super) fn setting(name: &'static str, expected: &'static str, received: impl ToString) -> Error {
    Error::Setting { name, expected, received: received.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_setting_is_refused_and_changes_nothing() {
        let mut accountant = Accountant::new();
        accountant.compose(0.5, 2.0, 3).unwrap();
        let before = accountant.clone();
        assert_eq!(said(accountant.compose(f64::NAN, 1.0, 1)), "sampling_rate must be from 0 to 1, got NaN");
        assert_eq!(said(accountant.compose(-0.1, 1.0, 1)), "sampling_rate must be from 0 to 1, got -0.1");
        let expected = "noise_multiplier must be finite and at least 0, got";
        assert_eq!(said(accountant.compose(0.1, -1.0, 1)), format!("{expected} -1"));
        assert_eq!(said(accountant.compose(0.1, f64::INFINITY, 1)), format!("{expected} inf"));
        assert_eq!(said(accountant.compose(0.1, f64::NAN, 1)), format!("{expected} NaN"));
        let expected = "steps must be at most u64::MAX, with those before, got 18446744073709551615";
        assert_eq!(said(accountant.compose(0.1, 1.0, u64::MAX)), expected);
        assert_eq!(accountant, before);
        for delta in [0.0, 1.0, -1e-5, f64::NAN] {
            assert_eq!(said(accountant.epsilon(delta)), format!("delta must be above 0 and below 1, got {delta}"));
        }
    }

    #[test]
    fn steps_that_tell_nothing_or_everything_need_no_search() {
        for (rate, noise, steps, expected) in
            [(0.0, 0.0, 9, 0.0), (0.0, 1.0, 9, 0.0), (0.5, 0.0, 0, 0.0), (0.5, 0.0, 1, f64::INFINITY)]
        {
            for method in [AccountantMethod::Pld, AccountantMethod::Rdp] {
                let mut accountant = Accountant::new();
                accountant.compose(rate, noise, steps).unwrap();
                assert_eq!(accountant.epsilon_by(method, 1e-5).unwrap(), expected);
            }
        }
    }

    #[test]
    fn an_accountant_that_was_written_is_the_same_and_a_damaged_one_is_refused() {
        let mut accountant = Accountant::new();
        for (rate, noise, steps) in [(0.1, 1.0, 5), (1.0 / 3.0, 0.7, 7), (0.1, 1.0, 10), (0.2, 1.0, 0)] {
            accountant.compose(rate, noise, steps).unwrap();
        }
        assert_eq!(accountant.mechanisms.len(), 2);
        let json = serde_json::to_string(&accountant).unwrap();
        assert_eq!(serde_json::from_str::<Accountant>(&json).unwrap(), accountant);
        let bytes = postcard::to_stdvec(&accountant).unwrap();
        assert_eq!(postcard::from_bytes::<Accountant>(&bytes).unwrap(), accountant);
        let damaged = json.replace("0.7", "-0.7");
        let error = serde_json::from_str::<Accountant>(&damaged).unwrap_err().to_string();
        assert!(error.starts_with("noise_multiplier must be finite and at least 0, got -0.7"), "{error}");
    }
}
