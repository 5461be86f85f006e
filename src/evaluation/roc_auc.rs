//! The area under the ROC curve, one class against the rest, exactly: from the order of all predictions.

use serde::Serialize;

/// The area under each class' ROC curve, with the class' probability as the score and all other classes as negatives:
/// how likely an example of the class has a higher probability of it than an example of another one, where a tie is
/// half. As scikit-learn's
/// [`roc_auc_score`](https://scikit-learn.org/stable/modules/generated/sklearn.metrics.roc_auc_score.html) with
/// `multi_class="ovr"`.
///
/// A class without examples, or to which all belong, has no such area: `None` here, `nan` in scikit-learn. The averages
/// are over the classes that have one, where scikit-learn's are `nan` as well; `None` if no class has one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RocAuc {
    /// Of each class, in order.
    pub per_class: Vec<Option<f64>>,
    /// The mean, each class as important as the others.
    pub macro_average: Option<f64>,
    /// The mean, each class as important as it is frequent.
    pub weighted_average: Option<f64>,
}

impl RocAuc {
    /// The areas of probabilities that are not negative.
    ///
    /// - labels: (N); probabilities: (N, classes)
    pub(super) fn new(labels: &[usize], probabilities: &[f32], classes: usize) -> Self {
        let mut support = vec![0_usize; classes];
        labels.iter().for_each(|label| support[*label] += 1);
        let mut keys = vec![0_u32; labels.len()];
        let area = |class: usize| {
            let column = probabilities.iter().skip(class).step_by(classes);
            keys.iter_mut().zip(column.zip(labels)).for_each(|(to, (p, label))| *to = key(*p, *label, class));
            keys.sort_unstable();
            area(&keys)
        };
        let per_class: Vec<Option<f64>> = (0..classes).map(area).collect();
        let mean = |weight: &dyn Fn(usize) -> f64| {
            let areas = per_class.iter().enumerate().filter_map(|(class, area)| area.map(|area| (area, weight(class))));
            let (sum, weights) =
                areas.fold((0.0, 0.0), |(sum, weights), (area, weight)| (sum + area * weight, weights + weight));
            (weights > 0.0).then(|| sum / weights)
        };
        let macro_average = mean(&|_| 1.0);
        let weighted_average = mean(&|class| support[class] as f64);
        Self { per_class, macro_average, weighted_average }
    }
}

/// A probability of `class`, and whether that is the label, in a number of the same order: bits of floats that are not
/// negative are ordered as the floats are, and one bit is free, as they are below 2.
fn key(probability: f32, label: usize, class: usize) -> u32 {
    // -0.0 becomes 0.0.
    (probability + 0.0).to_bits() << 1 | u32::from(label == class)
}

/// The area of sorted keys; `None` without positives, or without negatives.
fn area(keys: &[u32]) -> Option<f64> {
    area_of(keys.chunk_by(|a, b| a >> 1 == b >> 1).map(|equals| {
        let positive = equals.iter().filter(|key| *key & 1 == 1).count();
        (positive, equals.len() - positive)
    }))
}

/// The area of groups of examples with the same score, from the lowest to the highest: how many positives and negatives
/// each has. `None` without positives, or without negatives.
pub(crate) fn area_of(groups: impl Iterator<Item = (usize, usize)>) -> Option<f64> {
    // Twice the number of pairs in which the positive is higher, where a tie is half a pair.
    let (mut pairs, mut positives, mut negatives) = (0_u64, 0_u64, 0_u64);
    for (positive, negative) in groups.map(|(positive, negative)| (positive as u64, negative as u64)) {
        pairs += positive * (2 * negatives + negative);
        positives += positive;
        negatives += negative;
    }
    let all = positives as f64 * negatives as f64;
    (all > 0.0).then(|| pairs as f64 / 2.0 / all)
}
