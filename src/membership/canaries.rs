//! Canaries: examples that are put among others by chance, to see whether a model tells which ones were.

use super::CanaryAudit;
use super::score::log_odds;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::random::{Stream, stream};
use crate::shape::MAX_ELEMENTS;
use rand::RngExt;

/// Audits a training by canaries: examples that are put among the others by chance, and by which one model tells a lower
/// bound on its epsilon ([Steinke, Nasr and Jagielski, Privacy Auditing with One (1) Training Run,
/// 2023](https://arxiv.org/abs/2305.08846)).
///
/// For each canary a fair coin decides whether it is in. After the training, the canaries that the model is surest of are
/// guessed to be in, those that it is least sure of to be out. An epsilon bounds how many such guesses can be right; if more
/// are, epsilon is larger. A private training whose bound is above its claimed epsilon does not keep its promise; one whose
/// bound is below need not keep it: the audit sees what this attack sees.
///
/// Mislabelled examples make good canaries: a model has them right only if it has seen them. The more there are, the
/// closer the bound can come to epsilon: with 95 % confidence, 100 guesses that are
/// all right show about 3.1, 1,000 about 5.4. They cost accuracy.
///
/// # What it assumes
///
/// - The training knows nothing of the draws but the examples: the seed is not used for anything else, and settings are not
///   chosen by what is in.
/// - A canary is not among the other examples, and no two canaries are one person's.
/// - The scores depend on the model alone. The bound is that of one audit: whoever repeats it with other seeds, and keeps the
///   largest, has less confidence.
/// - The number of examples, by which the training finds its sampling rate, depends on the draws a little; as everywhere, it
///   counts as known.
///
/// With several copies a canary is a group of examples, whose epsilon is as many times as large: the bound is for one
/// example. So copies make canaries easier to see, and divide the bound: one copy is best where a model sees it.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::synthetic;
/// use inkstone::privacy::Canaries;
/// let train = synthetic::digits(300, 1)?;
/// // Digits under wrong labels.
/// let strange = synthetic::digits(100, 2)?;
/// let labels = strange.labels().iter().map(|label| (label + 1) % 10).collect();
/// let canaries = Canaries::new(&Dataset::from_floats(strange.images(), labels)?, 1, 3)?;
///
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(128).activation(Relu))
///     .add(Dense::new(10).activation(Softmax))
///     .seed(1)
///     .compile(Adam::new(0.005), SparseCategoricalCrossentropy::default(), [])?;
/// model.fit(&canaries.insert(&train)?, FitConfig::new().epochs(40).verbose(0))?;
/// let audit = canaries.audit(&model, 1e-5, 0.95)?;
/// assert!(audit.epsilon > 1.0, "{audit}");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Canaries {
    canaries: Dataset,
    copies: usize,
    is_in: Vec<bool>,
}

impl Canaries {
    /// Draws which canaries are in.
    ///
    /// - canaries: with the classes that they are to be learned under
    /// - copies: how often each of those that are in is put among the examples
    /// - seed: of the draws, which the training must not know
    ///
    /// # Errors
    /// [`Error::Setting`] if there are no copies, or more than 2^28 of all canaries together.
    pub fn new(canaries: &Dataset, copies: usize, seed: u64) -> Result<Self> {
        let all = canaries.len().checked_mul(copies);
        if copies == 0 || all.is_none_or(|all| all > MAX_ELEMENTS) {
            return Err(Error::Setting {
                name: "copies",
                expected: "at least 1, and at most 2^28 of all canaries together",
                received: format!("{copies} of {} canaries", canaries.len()),
            });
        }
        let mut random = stream(seed, Stream::Canaries);
        let is_in = (0..canaries.len()).map(|_| random.random::<bool>()).collect();
        Ok(Self { canaries: canaries.clone(), copies, is_in })
    }

    /// Whether each canary is in.
    ///
    /// ```
    /// use inkstone::data::synthetic;
    /// use inkstone::privacy::Canaries;
    /// let canaries = Canaries::new(&synthetic::digits(1000, 1)?, 2, 1)?;
    /// let inside = canaries.is_in().iter().filter(|is_in| **is_in).count();
    /// assert!(inside > 400 && inside < 600);
    /// let train = synthetic::digits(500, 2)?;
    /// assert_eq!(canaries.insert(&train)?.len(), 500 + 2 * inside);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn is_in(&self) -> &[bool] {
        &self.is_in
    }

    /// The examples and, behind them, the copies of the canaries that are in.
    ///
    /// # Errors
    /// As [`Dataset::concatenate`]: [`Error::Data`] if canaries and examples differ in shape or targets.
    pub fn insert(&self, train: &Dataset) -> Result<Dataset> {
        let inside = self.is_in.iter().enumerate().filter(|(_, is_in)| **is_in).map(|(canary, _)| canary);
        let copies: Vec<usize> = inside.flat_map(|canary| std::iter::repeat_n(canary, self.copies)).collect();
        if copies.is_empty() {
            return Ok(train.clone());
        }
        train.concatenate(&self.canaries.select(&copies)?)
    }

    /// Guesses by the model, trained on what [`insert`](Self::insert) has returned, which canaries are in, and finds the
    /// smallest epsilon that the guesses do not refute.
    ///
    /// It guesses at all canaries, and at the half, the quarter and the eighth that it is surest of, and takes the largest
    /// bound; each has a quarter of the error, so that the confidence is that of the choice.
    ///
    /// - delta: that of the claimed guarantee; 0 for epsilon alone
    /// - confidence: the least probability that the bound is true, such as 0.95
    ///
    /// # Errors
    /// [`Error::Setting`] if delta is not at least 0 and below 1, or confidence not above 0 and below 1; otherwise as
    /// [`membership_inference`](crate::privacy::membership_inference).
    pub fn audit(&self, model: &Model, delta: f64, confidence: f64) -> Result<CanaryAudit> {
        let setting =
            |name, expected, received: f64| Err(Error::Setting { name, expected, received: received.to_string() });
        if !(0.0..1.0).contains(&delta) {
            return setting("delta", "at least 0 and below 1", delta);
        }
        if !(confidence > 0.0 && confidence < 1.0) {
            return setting("confidence", "above 0 and below 1, such as 0.95", confidence);
        }
        let scores = log_odds(model, (&self.canaries).into(), "canaries")?;
        Ok(CanaryAudit::new(&scores, &self.is_in, self.copies, (delta, confidence)))
    }
}
