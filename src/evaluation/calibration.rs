//! Calibration: whether of the examples predicted with 80 % about 80 % are right.

use serde::Serialize;

/// Into how many bins the confidences go.
const BINS: usize = 15;

/// How far the model's confidence is from how often it is right. An example's confidence is the probability of the
/// predicted class; confidences go into 15 bins of equal width, each without its lower end and with its upper end.
///
/// Source: Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, 2017,
/// [arXiv:1706.04599](https://arxiv.org/abs/1706.04599).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error, from 0 to 1: the mean over examples of |accuracy - confidence| of their bins.
    pub expected_error: f64,
    /// The bins that have examples, in order: the points of a reliability diagram.
    pub bins: Vec<CalibrationBin>,
}

/// The examples whose confidence lies in one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// What their confidences exceed.
    pub lower: f64,
    /// What none of their confidences exceeds.
    pub upper: f64,
    /// How many there are, at least 1.
    pub count: usize,
    /// The mean of their confidences.
    pub confidence: f64,
    /// The part of them that are classified right.
    pub accuracy: f64,
}

impl Calibration {
    /// - labels, predicted: (N); probabilities: (N, classes)
    pub(super) fn new(labels: &[usize], predicted: &[usize], probabilities: &[f32]) -> Self {
        let mut sums = [(0_usize, 0.0, 0_usize); BINS];
        let classes = probabilities.len() / labels.len();
        for ((row, label), predicted) in probabilities.chunks_exact(classes).zip(labels).zip(predicted) {
            let confidence = f64::from(row[*predicted]);
            let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            let (count, confidences, right) = &mut sums[bin];
            *count += 1;
            *confidences += confidence;
            *right += usize::from(label == predicted);
        }
        let bins = sums.iter().enumerate().filter(|(_, (count, ..))| *count > 0);
        let bin = |(place, (count, confidences, right)): (usize, &(usize, f64, usize))| CalibrationBin {
            lower: place as f64 / BINS as f64,
            upper: (place + 1) as f64 / BINS as f64,
            count: *count,
            confidence: confidences / *count as f64,
            accuracy: *right as f64 / *count as f64,
        };
        let bins: Vec<CalibrationBin> = bins.map(bin).collect();
        let error = |bin: &CalibrationBin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        Self { expected_error: bins.iter().map(error).sum::<f64>() / labels.len() as f64, bins }
    }
}
