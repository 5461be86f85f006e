//! The loss of a classifier.

use super::require;
use crate::error::Result;
use ndarray::{Array2, ArrayView2};

/// The mean cross-entropy of softmax(logits) against one class for each example, and its gradient with respect to the
/// logits, `(softmax(logits) - one_hot(labels)) / N`. As
/// [Keras' loss of that name](https://keras.io/api/losses/probabilistic_losses/) with `from_logits=True`.
///
/// - logits: (N, classes); labels: (N), each less than classes
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) if there is no example, not one label for each, or a label out of range.
///
/// ```
/// use inkstone::ops;
/// use inkstone::ndarray::array;
/// let (loss, dlogits) = ops::sparse_categorical_crossentropy(array![[0.0, 0.0]].view(), &[1])?;
/// assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
/// assert_eq!(dlogits, array![[0.5, -0.5]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn sparse_categorical_crossentropy(logits: ArrayView2<'_, f32>, labels: &[usize]) -> Result<(f32, Array2<f32>)> {
    let (count, classes) = logits.dim();
    require(count == labels.len() && count > 0, || {
        format!(
            "sparse_categorical_crossentropy: expected at least one example and a label for each, got {count} examples \
             and {} labels",
            labels.len()
        )
    })?;
    let wrong = labels.iter().position(|label| *label >= classes);
    require(wrong.is_none(), || {
        let index = wrong.unwrap_or_default();
        format!(
            "sparse_categorical_crossentropy: expected labels less than {classes}, got {} at index {index}",
            labels[index]
        )
    })?;
    let mut loss = 0.0;
    let mut dlogits = Array2::zeros(logits.dim());
    for ((row, label), mut gradient) in logits.rows().into_iter().zip(labels).zip(dlogits.rows_mut()) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        loss += sum.ln() - f64::from(row[*label] - largest);
        for (class, logit) in row.iter().enumerate() {
            let target = f64::from(u8::from(class == *label));
            gradient[class] = ((f64::from(logit - largest).exp() / sum - target) / count as f64) as f32;
        }
    }
    Ok(((loss / count as f64) as f32, dlogits))
}
