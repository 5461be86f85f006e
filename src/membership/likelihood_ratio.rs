//! The likelihood-ratio attack: compares a model with shadow models that were trained with an example and without it.

use super::MembershipInference;
use super::score::log_odds;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::random::{Stream, stream};
use rand::seq::SliceRandom;

/// From so many shadow models on each example has variances of its own.
const MANY: usize = 64;
/// The least variance, so that every ratio is finite.
const LEAST_VARIANCE: f64 = 1e-9;

/// Attacks a classifier by the likelihood ratio of each example's score
/// ([LiRA, Carlini et al., 2022](https://arxiv.org/abs/2112.03570), online): would a model trained on the example rather give
/// it the score that the model gives, or one that was not?
///
/// Shadow models, trained like the model, answer that. Each pair of them is trained on the two random halves of members and
/// others together, so that half of the shadow models have seen an example. A normal distribution is fitted to the
/// log-odds that those have given it, and another to those of the others; the logarithm of the ratio of the two at the
/// model's own log-odds is the example's score. With fewer than 64 shadow models the variances are those of all examples
/// together, as the paper recommends; with two, where no example has a variance, one stands for both sides.
///
/// One shadow model is in memory at a time. 8 to 16 make the attack far stronger than
/// [`membership_inference`](crate::privacy::membership_inference); the paper uses up to 256.
///
/// - members: all examples that the model was trained on; with a part of them, shadow models learn from less than it did
/// - others: examples like these, best as many, that it was not trained on
/// - `shadow_models`: how many, an even number
/// - seed: of the halves
/// - train: trains a shadow model, of the number from 0 on that it gets, as the model was trained
///
/// # Errors
/// [`Error::Setting`] if `shadow_models` is odd or 0; [`Error::Data`] if members and others differ in shape or targets;
/// otherwise as `membership_inference`, for shadow models too, and what `train` returns.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::synthetic;
/// use inkstone::privacy::likelihood_ratio;
/// let (members, others) = (synthetic::digits(100, 1)?, synthetic::digits(100, 2)?);
/// let train = |data: &Dataset, seed: usize| {
///     let mut model = Sequential::new([28, 28, 1])
///         .add(Flatten::new())
///         .add(Dense::new(32).activation(Relu))
///         .add(Dense::new(10).activation(Softmax))
///         .seed(seed as u64)
///         .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [])?;
///     model.fit(data, FitConfig::new().epochs(15).verbose(0))?;
///     Ok(model)
/// };
/// let model = train(&members, 100)?;
/// let attack = likelihood_ratio(&model, &members, &others, 8, 1, train)?;
/// assert!(attack.auc() > 0.6, "{attack}");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn likelihood_ratio(
    model: &Model,
    members: &Dataset,
    others: &Dataset,
    shadow_models: usize,
    seed: u64,
    mut train: impl FnMut(&Dataset, usize) -> Result<Model>,
) -> Result<MembershipInference> {
    if shadow_models == 0 || !shadow_models.is_multiple_of(2) {
        return Err(Error::Setting {
            name: "shadow_models",
            expected: "an even number of at least 2, as half of them have seen an example",
            received: shadow_models.to_string(),
        });
    }
    let mut own = log_odds(model, members.into(), "members")?;
    own.extend(log_odds(model, others.into(), "others")?);
    let all = members.concatenate(others)?;
    let mut differences = vec![Differences::default(); all.len()];
    for pair in 0..shadow_models / 2 {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.shuffle(&mut stream(seed, Stream::ShadowModels { pair }));
        let (first, second) = order.split_at(all.len() / 2);
        for (place, half) in [first, second].into_iter().enumerate() {
            let number = 2 * pair + place;
            let shadow = train(&all.select(half)?, number)?;
            let scores = log_odds(&shadow, (&all).into(), &format!("shadow model {number}"))?;
            let mut has_seen = vec![false; all.len()];
            half.iter().for_each(|example| has_seen[*example] = true);
            for (example, differences) in differences.iter_mut().enumerate() {
                let side = if has_seen[example] { &mut differences.inside } else { &mut differences.outside };
                side.add(scores[example] - own[example]);
            }
        }
    }
    let mut ratios = log_ratios(&differences, shadow_models);
    let of_others = ratios.split_off(members.len());
    Ok(MembershipInference::new(ratios, of_others))
}

/// How far the scores that shadow models give an example are from the model's.
#[derive(Clone, Copy, Debug, Default)]
struct Differences {
    inside: Side,
    outside: Side,
}

/// Those of the shadow models that have seen the example, or of those that have not.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    count: f64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
}

impl Side {
    /// Takes up another one, by Welford's method.
    fn add(&mut self, difference: f64) {
        self.count += 1.0;
        let before = difference - self.mean;
        self.mean += before / self.count;
        self.squares += before * (difference - self.mean);
    }
}

/// For each example the logarithm of the density at the model's score, which is the difference 0, of the shadow models that
/// have seen the example, without that of the others.
fn log_ratios(all: &[Differences], shadow_models: usize) -> Vec<f64> {
    let of_side = shadow_models / 2;
    let mean = |of: fn(&Differences) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let freedom = (of_side - 1) as f64;
    let together = if of_side > 1 {
        [mean(|all| all.inside.squares) / freedom, mean(|all| all.outside.squares) / freedom]
    } else {
        // One for both changes no order.
        [0.5 * mean(|all| all.inside.mean.powi(2) + all.outside.mean.powi(2)); 2]
    };
    let ratio = |one: &Differences| {
        let variances =
            if shadow_models < MANY { together } else { [one.inside.squares / freedom, one.outside.squares / freedom] };
        let [inside, outside] = variances.map(|variance| variance.max(LEAST_VARIANCE));
        let squares = one.outside.mean.powi(2) / outside - one.inside.mean.powi(2) / inside;
        0.5 * (squares + outside.ln() - inside.ln())
    };
    all.iter().map(ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(differences: &[f64]) -> Side {
        let mut side = Side::default();
        differences.iter().for_each(|difference| side.add(*difference));
        side
    }

    fn normal_log_density(at: f64, mean: f64, variance: f64) -> f64 {
        -0.5 * ((at - mean).powi(2) / variance + variance.ln() + std::f64::consts::TAU.ln())
    }

    #[test]
    fn ratios_are_those_of_two_normal_distributions() {
        let all = [
            Differences { inside: side(&[1.0, 3.0]), outside: side(&[-4.0, -1.0]) },
            Differences { inside: side(&[0.5, 0.0]), outside: side(&[-0.5, -3.5]) },
        ];
        // Sums of squares 2 and 0.125 inside, 4.5 and 4.5 outside, of two examples with one degree of freedom each.
        let (inside, outside) = (2.125 / 2.0, 4.5);
        for (found, (of_inside, of_outside)) in log_ratios(&all, 4).into_iter().zip([(2.0, -2.5), (0.25, -2.0)]) {
            let expected = normal_log_density(0.0, of_inside, inside) - normal_log_density(0.0, of_outside, outside);
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
    }

    #[test]
    fn many_shadow_models_have_a_variance_for_each_example() {
        let spread = |width: f64| {
            let differences: Vec<f64> = (0..32).map(|n| if n % 2 == 0 { width } else { -width }).collect();
            side(&differences)
        };
        let all = [
            Differences { inside: spread(1.0), outside: spread(2.0) },
            Differences { inside: spread(3.0), outside: spread(3.0) },
        ];
        let found = log_ratios(&all, 64);
        assert!((found[0] - 2.0_f64.ln()).abs() < 1e-12 && found[1].abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn no_ratio_is_infinite_or_nan() {
        for value in [0.0, 1.0, 1e38, -1e38] {
            for shadow_models in [2, 4, 64, 128] {
                let same = side(&vec![value; shadow_models / 2]);
                let all = [
                    Differences { inside: same, outside: same },
                    Differences { inside: same, outside: Side { mean: 0.0, ..same } },
                ];
                let found = log_ratios(&all, shadow_models);
                assert!(found.iter().all(|ratio| ratio.is_finite()), "{value}, {shadow_models}: {found:?}");
                assert_eq!(found[0], 0.0);
                assert!(value == 0.0 || found[1] < 0.0);
            }
        }
    }
}
