//! The report as a whole, and its table, which is scikit-learn's to the letter.

use super::calibration::Calibration;
use super::checks::check;
use super::confusion_matrix::ConfusionMatrix;
use super::log_loss::log_loss;
use super::mistakes::{Mistake, most_confident};
use super::roc_auc::RocAuc;
use super::scores::{ClassScores, Scores};
use crate::error::{Error, Result};
use crate::kernels::softmax::argmax;
use ndarray::ArrayView2;
use serde::Serialize;
use std::fmt;

/// What a classifier got right and wrong on labelled examples.
/// [`Model::evaluate_report`](crate::Model::evaluate_report) makes it, or [`new`](Self::new) from probabilities of any
/// origin.
///
/// Predicted is the class of the highest probability, the first of equals. All of the model's classes count, those
/// without examples too. Printed with `{}`, it is the text of scikit-learn's
/// [`classification_report`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.classification_report.html)
/// with `labels=range(classes), digits=4, zero_division=0`.
///
/// ```
/// use inkstone::EvaluationReport;
/// use inkstone::ndarray::array;
/// let probabilities = array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]];
/// let report = EvaluationReport::new(&[0, 1, 1, 1], probabilities.view())?.class_names(["cat", "dog"])?;
/// assert_eq!(report.to_string(), "              precision    recall  f1-score   support
///
///          cat     0.5000    1.0000    0.6667         1
///          dog     1.0000    0.6667    0.8000         3
///
///     accuracy                         0.7500         4
///    macro avg     0.7500    0.8333    0.7333         4
/// weighted avg     0.8750    0.7500    0.7667         4
/// ");
/// assert_eq!(report.confusion_matrix().counts(), array![[1, 0], [1, 2]]);
/// assert_eq!(report.mistakes(1)[0].to_string(), "example 2: is 1, predicted 0 with probability 0.7000");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationReport {
    class_names: Vec<String>,
    #[serde(flatten)]
    scores: Scores,
    confusion_matrix: ConfusionMatrix,
    roc_auc: RocAuc,
    log_loss: f64,
    calibration: Calibration,
    mistakes: Vec<Mistake>,
}

impl EvaluationReport {
    /// The report on probabilities for examples whose classes are known.
    ///
    /// - labels: (N), each less than `classes`; probabilities: (N, classes)
    ///
    /// # Errors
    /// [`Error::Data`] if there are no examples, fewer than two classes, not one label for each example, a label out of
    /// range, a probability that is NaN or not from 0 to 1, or a row whose sum is not 1. As rounding goes, 0.0003 more
    /// or less are accepted.
    pub fn new(labels: &[usize], probabilities: ArrayView2<'_, f32>) -> Result<Self> {
        check(labels, &probabilities)?;
        let classes = probabilities.ncols();
        let rows = probabilities.as_standard_layout();
        let rows = rows.as_slice().expect("the standard layout is a slice");
        let predicted: Vec<usize> = rows.chunks_exact(classes).map(argmax).collect();
        let class_names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let confusion_matrix = ConfusionMatrix::new(labels, &predicted, class_names.clone());
        Ok(Self {
            class_names,
            scores: Scores::new(confusion_matrix.counts()),
            confusion_matrix,
            roc_auc: RocAuc::new(labels, rows, classes),
            log_loss: log_loss(labels, rows, classes),
            calibration: Calibration::new(labels, &predicted, rows),
            mistakes: most_confident(labels, &predicted, rows),
        })
    }

    /// Names the classes in all that is printed; without it they are numbers.
    ///
    /// # Errors
    /// [`Error::Data`] if there is not one name for each class.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.class_names.len() {
            return Err(Error::Data(format!(
                "there must be one name for each class, got {} names and {} classes",
                names.len(),
                self.class_names.len()
            )));
        }
        self.confusion_matrix.class_names.clone_from(&names);
        Ok(Self { class_names: names, ..self })
    }

    /// The classes' names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.class_names
    }

    /// The scores of each class, in order.
    #[must_use]
    pub fn classes(&self) -> &[ClassScores] {
        &self.scores.classes
    }

    /// The part of the examples whose class was predicted, from 0 to 1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.scores.accuracy
    }

    /// The mean of all classes' scores, each class as important as the others.
    #[must_use]
    pub fn macro_average(&self) -> ClassScores {
        self.scores.macro_average
    }

    /// The scores of all classes' counts added up. As every example has one class, all three are the accuracy.
    #[must_use]
    pub fn micro_average(&self) -> ClassScores {
        self.scores.micro_average
    }

    /// The mean of all classes' scores, each class as important as it is frequent.
    #[must_use]
    pub fn weighted_average(&self) -> ClassScores {
        self.scores.weighted_average
    }

    /// How often each class was taken for each.
    #[must_use]
    pub fn confusion_matrix(&self) -> &ConfusionMatrix {
        &self.confusion_matrix
    }

    /// The areas under the ROC curves, each class against the rest.
    #[must_use]
    pub fn roc_auc(&self) -> &RocAuc {
        &self.roc_auc
    }

    /// The mean of -ln(probability of the right class), where probabilities are kept 1.2e-7 (`f32::EPSILON`) away from
    /// 0 and 1, as scikit-learn's
    /// [`log_loss`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.log_loss.html) does with 32-bit
    /// floats.
    #[must_use]
    pub fn log_loss(&self) -> f64 {
        self.log_loss
    }

    /// Whether the probabilities mean what they say.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The `n` mistakes with the highest probability of the wrong class, highest first; fewer if there are fewer.
    #[must_use]
    pub fn mistakes(&self, n: usize) -> &[Mistake] {
        &self.mistakes[..n.min(self.mistakes.len())]
    }

    /// How many examples were classified wrong.
    #[must_use]
    pub fn mistake_count(&self) -> usize {
        self.mistakes.len()
    }
}

/// The heading of the last line, which no column is narrower than.
const WEIGHTED: &str = "weighted avg";

impl fmt::Display for EvaluationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scores { classes, accuracy, macro_average, micro_average, weighted_average } = &self.scores;
        let longest = self.class_names.iter().map(|name| name.chars().count()).max();
        let width = longest.unwrap_or_default().max(WEIGHTED.len());
        let row = |f: &mut fmt::Formatter<'_>, name: &str, scores: &ClassScores| {
            let ClassScores { precision, recall, f1_score, support } = scores;
            writeln!(f, "{name:>width$}  {precision:>9.4} {recall:>9.4} {f1_score:>9.4} {support:>9}")
        };
        writeln!(f, "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n", "", "precision", "recall", "f1-score", "support")?;
        self.class_names.iter().zip(classes).try_for_each(|(name, scores)| row(f, name, scores))?;
        writeln!(f, "\n{:>width$}  {:>9} {:>9} {accuracy:>9.4} {:>9}", "accuracy", "", "", micro_average.support)?;
        row(f, "macro avg", macro_average)?;
        row(f, WEIGHTED, weighted_average)
    }
}
