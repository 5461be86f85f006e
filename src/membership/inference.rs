//! What an attack has found: how well its scores tell members from others.

use crate::evaluation::area_of;
use serde::Serialize;
use std::fmt;

/// How well an attack tells the examples that a model was trained on from others. Each example has a score; the higher it
/// is, the more the attack takes it for a member.
///
/// The mean over all examples ([`auc`](Self::auc), [`accuracy`](Self::accuracy)) says little of those that are in danger:
/// what counts is how many members an attack finds while it accuses almost nobody wrongly
/// ([`true_positive_rate`](Self::true_positive_rate)).
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::synthetic;
/// use inkstone::privacy::membership_inference;
/// let model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
/// let (members, others) = (synthetic::digits(100, 1)?, synthetic::digits(50, 2)?);
/// let attack = membership_inference(&model, &members, &others)?;
/// assert_eq!((attack.member_scores().len(), attack.other_scores().len()), (100, 50));
/// assert!(attack.to_string().starts_with("100 members among 50 others: AUC 0."));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MembershipInference {
    members: Vec<f64>,
    others: Vec<f64>,
}

impl MembershipInference {
    /// The result of at least one score of each, all finite.
    pub(super) fn new(members: Vec<f64>, others: Vec<f64>) -> Self {
        Self { members, others }
    }

    /// The score of each member, in the order of the data.
    #[must_use]
    pub fn member_scores(&self) -> &[f64] {
        &self.members
    }

    /// The score of each of the others, in the order of the data.
    #[must_use]
    pub fn other_scores(&self) -> &[f64] {
        &self.others
    }

    /// The area under the ROC curve: how likely a member has a higher score than another example, where a tie is half. 0.5 is
    /// a guess.
    #[must_use]
    pub fn auc(&self) -> f64 {
        area_of(self.groups().into_iter().rev()).expect("there are members and others")
    }

    /// The part of the members that the attack finds where it takes at most this part of the others for members, at the
    /// best threshold. `None` if there are too few others to tell: fewer than `1 / false_positive_rate`. At a rate of 0.001
    /// it takes 1,000; and with just as many, one example decides, so several times as many are better.
    ///
    /// An attack that guesses finds as many members as others. As the threshold is chosen on the same scores, the rate is
    /// slightly too high where few examples decide.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::data::synthetic;
    /// use inkstone::privacy::membership_inference;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let attack = membership_inference(&model, &synthetic::digits(100, 1)?, &synthetic::digits(100, 2)?)?;
    /// assert!(attack.true_positive_rate(0.1).unwrap() < 0.4);
    /// assert_eq!(attack.true_positive_rate(1.0), Some(1.0));
    /// assert_eq!(attack.true_positive_rate(0.001), None);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn true_positive_rate(&self, false_positive_rate: f64) -> Option<f64> {
        // With a little more, so that 0.001 of 1,000 is one.
        let allowed = false_positive_rate * self.others.len() as f64 * (1.0 + 1e-9);
        if allowed.is_nan() || allowed < 1.0 {
            return None;
        }
        let cuts = self.cuts().take_while(|(_, others)| *others as f64 <= allowed);
        let members = cuts.last().map_or(0, |(members, _)| members);
        Some(members as f64 / self.members.len() as f64)
    }

    /// The part of examples that the attack is right about, with as many others as members, at the best threshold: the
    /// balanced accuracy, from 0.5, a guess, to 1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let part = |count: usize, of: &[f64]| count as f64 / of.len() as f64;
        let advantages = self.cuts().map(|(members, others)| part(members, &self.members) - part(others, &self.others));
        0.5 + 0.5 * advantages.fold(0.0, f64::max)
    }

    /// For each score that occurs, from the highest to the lowest: how many members and others have it.
    fn groups(&self) -> Vec<(usize, usize)> {
        let members = self.members.iter().map(|score| (*score, true));
        let mut scores: Vec<(f64, bool)> = members.chain(self.others.iter().map(|score| (*score, false))).collect();
        scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let count = |equals: &[(f64, bool)]| {
            let members = equals.iter().filter(|(_, is_member)| *is_member).count();
            (members, equals.len() - members)
        };
        scores.chunk_by(|a, b| a.0 == b.0).map(count).collect()
    }

    /// For each threshold, from the highest to the lowest: how many members and others reach it.
    fn cuts(&self) -> impl Iterator<Item = (usize, usize)> {
        self.groups().into_iter().scan((0, 0), |(members, others), (more_members, more_others)| {
            *members += more_members;
            *others += more_others;
            Some((*members, *others))
        })
    }
}

impl fmt::Display for MembershipInference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} members among {} others: AUC {:.3}, accuracy {:.1} %, ",
            self.members.len(),
            self.others.len(),
            self.auc(),
            100.0 * self.accuracy()
        )?;
        match self.true_positive_rate(0.001) {
            Some(rate) => write!(f, "{:.2} % found at 0.1 % false positives", 100.0 * rate),
            None => write!(f, "too few others for 0.1 % false positives"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_best_threshold() {
        let found = MembershipInference::new(vec![5.0, 4.0, 2.0, 2.0], vec![4.5, 2.0, 1.0, 0.0, -0.0]);
        // Of 20 pairs the member is higher in 5 + 4 + 3 + 3, and two are ties.
        assert_eq!(found.auc(), 16.0 / 20.0);
        assert_eq!(found.true_positive_rate(0.19), None);
        assert_eq!(found.true_positive_rate(f64::NAN), None);
        assert_eq!(found.true_positive_rate(0.2), Some(0.5));
        assert_eq!(found.true_positive_rate(0.4), Some(1.0));
        // All members, and two of five others.
        assert_eq!(found.accuracy(), 0.5 + 0.5 * (1.0 - 0.4));
        // Nothing is found where the others have the highest scores.
        let reversed = MembershipInference::new(found.others.clone(), vec![9.0; 3]);
        assert_eq!((reversed.auc(), reversed.true_positive_rate(0.4), reversed.accuracy()), (0.0, Some(0.0), 0.5));
    }

    #[test]
    fn one_part_of_a_thousand_is_measured_with_a_thousand() {
        let others = |count: usize| (0..count).map(|n| n as f64).collect::<Vec<f64>>();
        let found = |count: usize| MembershipInference::new(vec![998.5], others(count)).true_positive_rate(0.001);
        assert_eq!((found(999), found(1000)), (None, Some(1.0)));
        let told = MembershipInference::new(vec![998.5, 3.0], others(1000)).to_string();
        assert!(told.ends_with("50.00 % found at 0.1 % false positives"), "{told}");
    }
}
