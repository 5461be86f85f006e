//! Draws the weights that training starts from.

use crate::exec::Weights;
use crate::plan::Plan;
use crate::program::Initializer;
use crate::random::{Stream, stream};
use rand::RngExt;

/// The weights that training starts from. Each weight has a stream of random numbers of its own.
pub(crate) fn initial_weights(plan: &Plan, seed: u64) -> Weights {
    let mut weights = Weights::zeroed(plan);
    for parameter in &plan.parameters.all {
        match parameter.initializer {
            Initializer::Zeros => {}
            Initializer::Constant(value) => weights.flat[parameter.range.clone()].fill(value),
            Initializer::Uniform { limit } => {
                let mut random = stream(seed, Stream::Weights { layer: parameter.layer, place: parameter.place });
                let values = weights.flat[parameter.range.clone()].iter_mut();
                values.for_each(|value| *value = (random.random::<f32>() * 2.0 - 1.0) * limit);
            }
        }
    }
    weights
}
