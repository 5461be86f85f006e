//! The log loss, as scikit-learn has it.

/// The mean of -ln(probability of the label), with probabilities kept `f32::EPSILON` away from 0 and 1.
pub(super) fn log_loss(labels: &[usize], probabilities: &[f32], classes: usize) -> f64 {
    let rows = probabilities.chunks_exact(classes);
    let loss = |(row, label): (&[f32], &usize)| -f64::from(row[*label].clamp(f32::EPSILON, 1.0 - f32::EPSILON)).ln();
    rows.zip(labels).map(loss).sum::<f64>() / labels.len() as f64
}
