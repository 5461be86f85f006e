//! How sure a model is of the class of an example: what all attacks start from.

use crate::data::LabelledInputs;
use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::model::Model;
use crate::train::{Decision, Examples, Undecided};

/// For each example the log-odds of its class, `ln(p / (1 - p))`, which fall as the loss, `-ln(p)`, grows. They are found
/// from logits in `f64`, so that examples of which the model is very sure still differ.
///
/// - what: whose examples these are, for errors
///
/// # Errors
/// [`Error::Model`] for a model that chooses no class, or whose outputs are not finite; [`Error::Data`] if examples and
/// model do not fit.
pub(super) fn log_odds(model: &Model, data: LabelledInputs<'_>, what: &str) -> Result<Vec<f64>> {
    check(model)?;
    let examples = model.check_labelled(data).map_err(|error| match error {
        Error::Data(problem) => Error::Data(format!("{what}: {problem}")),
        other => other,
    })?;
    let engine = &model.engine;
    let outputs = engine.plan.output_len(0);
    let mut logits = vec![0.0; examples.len() * outputs];
    engine.logits(&Examples::of(&examples), &mut logits);
    let is_yes_or_no = engine.scoring.head().function() == OutputFunction::Sigmoid;
    let targets = examples.targets.as_slice()[0].rows();
    let mut row = Vec::new();
    let mut scores = Vec::with_capacity(examples.len());
    for (example, logits) in logits.chunks_exact(outputs).enumerate() {
        if let Some(value) = logits.iter().find(|value| !value.is_finite()) {
            return Err(Error::Model(format!(
                "has an output of {value} for example {example} of {what}, expected finite numbers: its training has diverged, \
                 so lower the learning rate"
            )));
        }
        let class = targets.at(example, &mut row).class();
        scores.push(match class {
            0 if is_yes_or_no => -f64::from(logits[0]),
            _ if is_yes_or_no => f64::from(logits[0]),
            class => of_class(logits, class),
        });
    }
    Ok(scores)
}

/// # Errors
/// [`Error::Model`] for a model that chooses no class.
fn check(model: &Model) -> Result<()> {
    let found = match model.engine.decision() {
        Decision::Highest | Decision::Probability | Decision::Logit => return Ok(()),
        Decision::Undecided(Undecided::Numbers) => "gives numbers",
        Decision::Undecided(Undecided::SeveralLabels) => "gives probabilities that do not exclude each other",
        Decision::Undecided(Undecided::SeveralOutputs) => "has several outputs",
        Decision::Undecided(Undecided::AlwaysOne) => "ends with the softmax of a single output",
    };
    Err(Error::Model(format!(
        "{found}, but attacks need the probability of an example's class: attack a model of one output that ends with \
         `Softmax` over classes, or with `Sigmoid` for yes or no"
    )))
}

/// `z[class] - ln(sum of exp(z) of the others)`, of at least two logits.
fn of_class(logits: &[f32], class: usize) -> f64 {
    let others = || logits.iter().enumerate().filter(|(place, _)| *place != class).map(|(_, z)| f64::from(*z));
    let largest = others().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = others().map(|z| (z - largest).exp()).sum();
    f64::from(logits[class]) - largest - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_those_of_the_softmax_and_stay_finite() {
        let logits = [0.3_f32, -1.2, 2.5, 0.0];
        let sum: f64 = logits.iter().map(|z| f64::from(*z).exp()).sum();
        for (class, z) in logits.iter().enumerate() {
            let p = f64::from(*z).exp() / sum;
            assert!((of_class(&logits, class) - (p / (1.0 - p)).ln()).abs() < 1e-12);
        }
        assert_eq!(of_class(&[f32::MAX, f32::MIN], 0), 2.0 * f64::from(f32::MAX));
        assert_eq!(of_class(&[1000.0, 0.0], 0), 1000.0);
        assert_eq!(of_class(&[1000.0, 0.0], 1), -1000.0);
    }
}
