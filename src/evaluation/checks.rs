//! What labels and probabilities a report accepts.

use crate::error::{Error, Result};
use ndarray::ArrayView2;

/// How far a row's sum may be from 1: the square root of `f32::EPSILON`, as in scikit-learn.
const SUM_TOLERANCE: f64 = 3.45e-4;

/// # Errors
/// [`Error::Data`] unless there are examples, at least two classes, a label less than their number for each example,
/// and each row is a distribution.
pub(super) fn check(labels: &[usize], probabilities: &ArrayView2<'_, f32>) -> Result<()> {
    let (examples, classes) = probabilities.dim();
    let fail = |problem: String| Err(Error::Data(problem));
    if examples == 0 || examples != labels.len() {
        return fail(format!(
            "there must be at least one row of probabilities and one label for each, got {examples} rows and {} labels",
            labels.len()
        ));
    }
    if classes < 2 {
        return fail(format!(
            "a report needs a probability for each of at least 2 classes, got {classes} in a row: of one output p, make the two \
             1 - p and p"
        ));
    }
    if let Some(index) = labels.iter().position(|label| *label >= classes) {
        return fail(format!(
            "labels must be from 0 to {}, as there are {classes} probabilities in a row, got {} at index {index}",
            classes - 1,
            labels[index]
        ));
    }
    for (index, row) in probabilities.rows().into_iter().enumerate() {
        // NaN is not in the range either.
        let range = 0.0..=1.0 + SUM_TOLERANCE as f32;
        if let Some(class) = row.iter().position(|probability| !range.contains(probability)) {
            return fail(format!(
                "probabilities must be from 0 to 1, got {} for class {class} at row {index}: of logits, take softmax first",
                row[class]
            ));
        }
        let sum: f64 = row.iter().map(|probability| f64::from(*probability)).sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return fail(format!(
                "the probabilities in a row must have the sum 1, got {sum:.4} at row {index}: a report is on models that choose \
                 one of several classes"
            ));
        }
    }
    Ok(())
}
