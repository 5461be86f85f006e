//! Checks the gradients of a whole model.

use super::{GradientCheck, Tensor};
use crate::data::LabelledInputs;
use crate::error::Result;
use crate::model::Model;
use crate::train::Examples;

/// The least size of a loss that rounding is reckoned by: small losses are made of larger numbers.
const LEAST_LOSS: f64 = 0.1;

pub(super) fn check(settings: &GradientCheck, model: &Model, batch: LabelledInputs<'_>) -> Result<()> {
    let examples = model.check_labelled(batch)?;
    let examples = Examples::of(&examples);
    let (mut engine, seed, step) = (model.engine.clone(), model.seed, model.state.step);
    // Other ranks do not check.
    engine.exchange = None;
    engine.run_batch(&examples, seed, step).expect("no other rank takes part");
    engine.sum_gradients();
    let size = engine.tally().mean_loss().abs().max(LEAST_LOSS);
    let (values, gradients) = (engine.weights.flat.to_vec(), engine.gradients().to_vec());
    for parameter in model.engine.plan.parameters.trained() {
        settings.compare(&Tensor::of(parameter, &values, &gradients), size, |place, value| {
            let place = parameter.range.start + place;
            engine.weights.flat[place] = value;
            engine.pack();
            engine.run_batch(&examples, seed, step).expect("no other rank takes part");
            engine.weights.flat[place] = values[place];
            engine.tally().mean_loss()
        })?;
    }
    Ok(())
}
