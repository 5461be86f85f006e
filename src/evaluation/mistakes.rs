//! Which examples were classified wrong, the most confident first.

use serde::Serialize;
use std::fmt;

/// An example whose class is not the predicted one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// Its place in the data.
    pub index: usize,
    /// Its class.
    pub label: usize,
    /// The class it was taken for.
    pub predicted: usize,
    /// The probability of that, from 0 to 1.
    pub probability: f32,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, label, predicted, probability } = self;
        write!(f, "example {index}: is {label}, predicted {predicted} with probability {probability:.4}")
    }
}

/// All mistakes, the highest probability first, and of equals the first.
pub(super) fn most_confident(labels: &[usize], predicted: &[usize], probabilities: &[f32]) -> Vec<Mistake> {
    let classes = probabilities.len() / labels.len();
    let pairs = labels.iter().copied().zip(predicted.iter().copied()).enumerate();
    let mistake = |(index, (label, predicted)): (usize, (usize, usize))| {
        let probability = probabilities[index * classes + predicted];
        (label != predicted).then_some(Mistake { index, label, predicted, probability })
    };
    let mut mistakes: Vec<Mistake> = pairs.filter_map(mistake).collect();
    mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    mistakes
}
