//! Checks the gradients of one layer by itself, on inputs that are drawn.

use super::{GradientCheck, Tensor};
use crate::error::Result;
use crate::exec::{Gradients, Pass, Purpose, Weights, Workspace, backward, forward, pack_kernel};
use crate::layers::{Flatten, Layer, Network};
use crate::plan::{Plan, Wanted};
use crate::program::StoredOrder;
use crate::random::{Stream, stream};
use crate::shape::Shape;
use crate::simd::{Level, dispatch};
use crate::train::initial_weights;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// How many examples there are.
const EXAMPLES: usize = 2;
/// What the drawn numbers hang on.
const SEED: u64 = 0;
/// Dropout drops the same each time.
const PASS: Pass = Pass::Training { seed: SEED, step: 0, first_example: 0 };
/// How far weights are moved from where they start.
const SPREAD: f32 = 0.25;

/// The result of the layer is the sum of its outputs, each times a number that is drawn: the gradient of the output.
pub(super) fn check(settings: &GradientCheck, layer: Layer, input: Shape) -> Result<()> {
    // The engine's outputs are vectors.
    let network = Network::chain(input, vec![layer, Flatten::new().into()]);
    let plan = Plan::new(&network, Wanted::OfInputs)?;
    let mut random = stream(SEED, Stream::Dataset);
    let inputs = draw_inputs(&mut random, EXAMPLES * plan.input_len(0), settings.step);
    let mut weights = initial_weights(&plan, SEED);
    for parameter in plan.parameters.trained() {
        weights.flat[parameter.range.clone()].iter_mut().for_each(|value| *value += between(&mut random, SPREAD));
    }
    let dy: Vec<f32> = (0..EXAMPLES * plan.output_len(0)).map(|_| between(&mut random, 1.0)).collect();
    let workspace = Workspace::new(&plan, EXAMPLES, Purpose::Training);
    let mut bench = Bench { plan, weights, workspace, level: Level::new(), dy };
    let size = bench.run(&inputs).iter().zip(&bench.dy).map(|(y, dy)| f64::from(y * dy).abs()).sum();
    let (d_inputs, d_weights) = bench.gradients(&inputs);
    let of_inputs = Tensor {
        name: "the input".into(),
        shape: [&[EXAMPLES], input.axes()].concat(),
        stored: StoredOrder::AsShaped,
        values: &inputs,
        gradients: &d_inputs,
    };
    let mut moved = inputs.clone();
    settings.compare(&of_inputs, size, |place, value| {
        moved[place] = value;
        let result = bench.result(&moved);
        moved[place] = inputs[place];
        result
    })?;
    let (values, parameters) = (bench.weights.flat.to_vec(), bench.plan.parameters.clone());
    for parameter in parameters.trained() {
        settings.compare(&Tensor::of(parameter, &values, &d_weights), size, |place, value| {
            let place = parameter.range.start + place;
            bench.weights.flat[place] = value;
            let result = bench.result(&inputs);
            bench.weights.flat[place] = values[place];
            result
        })?;
    }
    Ok(())
}

/// A layer with all that it takes to run it.
struct Bench {
    plan: Plan,
    weights: Weights,
    workspace: Workspace,
    level: Level,
    /// The gradient of the output: (examples, values of one output).
    dy: Vec<f32>,
}

impl Bench {
    /// The outputs of the layer.
    fn run(&mut self, inputs: &[f32]) -> Vec<f32> {
        let Self { plan, weights, workspace, level, dy } = self;
        let Weights { flat, packed } = weights;
        for placed in &plan.steps {
            if let Some(conv) = placed.step.conv() {
                let packed = &mut packed[conv.packed.clone()];
                dispatch!(*level, simd => pack_kernel(simd, conv, flat, packed));
            }
        }
        workspace.input_mut(plan, 0)[..inputs.len()].copy_from_slice(inputs);
        dispatch!(*level, simd => forward(simd, plan, weights, workspace, EXAMPLES, PASS));
        let mut outputs = workspace.output(plan.head())[..dy.len()].to_vec();
        plan.head().function.apply(&mut outputs, plan.output_len(0));
        outputs
    }

    /// The number whose gradients are checked.
    fn result(&mut self, inputs: &[f32]) -> f64 {
        let outputs = self.run(inputs);
        outputs.iter().zip(&self.dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy)).sum()
    }

    /// Its gradients: of the inputs, and of the weights, laid out as they are.
    fn gradients(&mut self, inputs: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let outputs = self.run(inputs);
        let Self { plan, weights, workspace, level, dy } = self;
        let d_output = workspace.output_buffers(plan, plan.head()).gradient;
        let d_output = &mut d_output[..dy.len()];
        d_output.copy_from_slice(dy);
        let values = plan.output_len(0);
        for (y, dy) in outputs.chunks_exact(values).zip(d_output.chunks_exact_mut(values)) {
            plan.head().function.backward(y, dy);
        }
        let mut gradients = Gradients::new(plan, EXAMPLES);
        dispatch!(*level, simd => backward(simd, plan, weights, workspace, EXAMPLES, &mut gradients));
        (workspace.input_gradient(plan, 0)[..inputs.len()].to_vec(), gradients.all(plan))
    }
}

/// Numbers around 0 in no order, of which no two, and none and 0, are within four steps of each other.
fn draw_inputs(random: &mut impl Rng, len: usize, step: f32) -> Vec<f32> {
    let distance = (2.0 / len as f32).max(4.0 * step);
    // Halfway between the multiples of the distance, and so half of it away from 0.
    let mut numbers: Vec<f32> = (0..len).map(|rank| (rank as f32 + 0.5 - (len / 2) as f32) * distance).collect();
    numbers.shuffle(random);
    numbers
}

/// A number from `-limit` to `limit`.
fn between(random: &mut impl Rng, limit: f32) -> f32 {
    (random.random::<f32>() * 2.0 - 1.0) * limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_keep_their_distance() {
        for len in [2, 7, 36, 1000] {
            let mut numbers = draw_inputs(&mut stream(1, Stream::Dataset), len, 5e-3);
            numbers.sort_by(f32::total_cmp);
            assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] > 0.019), "{len}");
            assert!(numbers.iter().all(|number| number.abs() > 0.009), "{len}");
        }
    }
}
