//! Softmax over the last axis, alone and as one step with cross-entropy.

use super::sum::long_sum;

/// Softmax of each row in place, with the row's maximum subtracted first so that no exponential overflows.
///
/// - values: (rows, classes)
pub(crate) fn softmax(values: &mut [f32], classes: usize) {
    for row in values.chunks_exact_mut(classes) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|value| *value = (*value - largest).exp());
        let sum = long_sum(row.iter().copied());
        row.iter_mut().for_each(|value| *value /= sum);
    }
}

/// Turns the gradient of a softmax' output into that of its input, in place.
///
/// - y, dy: (rows, classes)
pub(crate) fn softmax_backward(y: &[f32], dy: &mut [f32], classes: usize) {
    for (y, dy) in y.chunks_exact(classes).zip(dy.chunks_exact_mut(classes)) {
        let dot = long_sum(y.iter().zip(dy.iter()).map(|(y, dy)| y * dy));
        dy.iter_mut().zip(y).for_each(|(dy, y)| *dy = y * (*dy - dot));
    }
}

/// The cross-entropy of softmax(logits) against one label. With `gradient`, a pair of `dlogits` and `scale`, its
/// gradient times `scale` is written to `dlogits`.
///
/// - logits, dlogits: (classes)
///
/// The logarithm is taken of the sum of exponentials, never of a probability, so nothing overflows or is clipped.
pub(crate) fn cross_entropy(logits: &[f32], label: usize, gradient: Option<(&mut [f32], f32)>) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = long_sum(logits.iter().map(|logit| (logit - largest).exp()));
    if let Some((dlogits, scale)) = gradient {
        for (dlogit, logit) in dlogits.iter_mut().zip(logits) {
            *dlogit = (logit - largest).exp() / sum * scale;
        }
        dlogits[label] -= scale;
    }
    f64::from(sum.ln() - (logits[label] - largest))
}

/// The cross-entropy of softmax(logits) against a probability for each class, `-sum(target * ln(softmax))`; otherwise
/// as
/// [`cross_entropy`].
pub(crate) fn soft_cross_entropy(
    logits: &[f32],
    target: impl Fn(usize) -> f32,
    gradient: Option<(&mut [f32], f32)>,
) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = long_sum(logits.iter().map(|logit| (logit - largest).exp()));
    let targets = || (0..logits.len()).map(&target);
    if let Some((dlogits, scale)) = gradient {
        let all = long_sum(targets());
        for ((dlogit, logit), target) in dlogits.iter_mut().zip(logits).zip(targets()) {
            *dlogit = ((logit - largest).exp() / sum * all - target) * scale;
        }
    }
    let surprise = |logit: &f32| f64::from(sum.ln() - (logit - largest));
    // 0 times an infinite surprise would be NaN.
    let terms = logits.iter().zip(targets()).filter(|(_, target)| *target != 0.0);
    terms.map(|(logit, target)| f64::from(target) * surprise(logit)).sum()
}

/// The index of the largest value, the first of equals.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best
}
