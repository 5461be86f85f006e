//! What a chain of layers does not show: gradients of a value that several steps read, and the memory that steps ask
//! for. Then every layer of the table of cases on its own.

pub(crate) mod cases;
mod convolutions;
mod differences;
mod each_layer;
mod functions;
pub(crate) mod kinds;
mod merging;
pub(crate) mod oracle;
mod recurrent;
mod recurrent_dropout;
mod reference;
mod sample;
mod sequences;
mod states;

use super::memory::Memory;
use super::run::{Chunk, Run};
use super::{Gradients, Pass, Purpose, Weights, Workspace, backward, forward, pack_kernel};
use crate::layers::{ActivationFunction, Call, Conv2D, Flatten, Layer, Network, Source};
use crate::plan::{InputGradient, Plan, Wanted};
use crate::program::{CustomLayer, LayerBackward, LayerForward, ValueId};
use crate::shape::{Padding, Shape};
use crate::simd::{Level, all_levels, dispatch};
use serde::{Deserialize, Serialize};

const IMAGES: usize = 3;

/// The gradient of the input that these branches read, where the gradient of every output is a number of its own.
fn input_gradient(input: Shape, branches: &[Layer], level: Level) -> (Plan, Vec<f32>) {
    let mut network = Network { inputs: vec![input], layers: Vec::new(), calls: Vec::new(), outputs: Vec::new() };
    for branch in branches {
        let first = network.layers.len();
        network.layers.extend([branch.clone(), Flatten::new().into()]);
        network.calls.push(Call { layer: first, reads: vec![Source::Input(0)] });
        network.calls.push(Call { layer: first + 1, reads: vec![Source::Call(first)] });
        network.outputs.push(Source::Call(first + 1));
    }
    let plan = Plan::new(&network, Wanted::OfInputs).unwrap();
    let number = |index: usize| (index * 37 % 101) as f32 / 101.0 - 0.4;
    let mut weights = Weights::zeroed(&plan);
    for parameter in &plan.parameters.all {
        weights.flat[parameter.range.clone()]
            .iter_mut()
            .enumerate()
            .for_each(|(index, weight)| *weight = number(index));
    }
    let mut workspace = Workspace::new(&plan, IMAGES, Purpose::Training);
    workspace.input_mut(&plan, 0).iter_mut().enumerate().for_each(|(index, value)| *value = number(index + 5));
    let pass = Pass::Training { seed: 0, step: 0, first_example: 0 };
    let mut gradients = Gradients::new(&plan, IMAGES);
    dispatch!(level, simd => {
        for placed in &plan.steps {
            if let Some(conv) = placed.step.conv() {
                pack_kernel(simd, conv, &weights.flat, &mut weights.packed[conv.packed.clone()]);
            }
        }
        forward(simd, &plan, &weights, &mut workspace, IMAGES, pass);
        for head in &plan.heads {
            let slot = plan.gradients.slot_of[head.value.0].unwrap();
            let len = IMAGES * plan.lengths[head.value.0];
            workspace.gradients[slot][..len].iter_mut().enumerate().for_each(|(index, dy)| *dy = number(index + 11));
        }
        backward(simd, &plan, &weights, &mut workspace, IMAGES, &mut gradients);
    });
    let ValueId(value) = plan.inputs[0].value;
    let slot = plan.gradients.slot_of[value].unwrap();
    let dx = workspace.gradients[slot][..IMAGES * plan.lengths[value]].to_vec();
    (plan, dx)
}

/// A layer of a user's own.
#[derive(Debug, Serialize, Deserialize)]
struct Squares;

impl CustomLayer for Squares {
    const NAME: &'static str = "Squares";

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn forward(&self, pass: LayerForward<'_>) {
        pass.output.iter_mut().zip(pass.input).for_each(|(y, x)| *y = x * x);
    }

    fn backward(&self, pass: LayerBackward<'_>) {
        let d_input = pass.d_input.expect("the input's gradient is wanted");
        for ((dx, x), dy) in d_input.iter_mut().zip(pass.input).zip(pass.d_output) {
            *dx += 2.0 * x * dy;
        }
    }
}

/// Whichever way it is found, with and without a border: the second reader adds to what the first one wrote.
#[test]
fn the_gradient_of_a_value_is_the_sum_over_its_readers() {
    use ActivationFunction::{Linear, Relu};
    let input = Shape::from([6, 6, 16]);
    let conv =
        |filters, padding, function| Layer::from(Conv2D::new(filters, (3, 3)).padding(padding).activation(function));
    let mut seen = [false; 3];
    for padding in [Padding::Same, Padding::Valid] {
        let branches = [conv(16, padding, Linear), conv(5, padding, Linear), conv(16, padding, Relu), Squares.into()];
        for level in all_levels() {
            for first in 0..branches.len() {
                let pair = [branches[first].clone(), branches[(first + 1) % branches.len()].clone()];
                let (plan, both) = input_gradient(input, &pair, level);
                for conv in plan.steps.iter().filter_map(|placed| placed.step.conv()) {
                    match conv.input_gradient {
                        InputGradient::Nobody => panic!("{pair:?}: the input's gradient is wanted"),
                        InputGradient::Sets => seen[0] = true,
                        InputGradient::Dense => seen[1] = true,
                        InputGradient::Turned(_) => seen[2] = true,
                    }
                }
                let (_, one) = input_gradient(input, &pair[..1], level);
                let (_, other) = input_gradient(input, &pair[1..], level);
                let largest = both.iter().fold(0.0_f32, |largest, dx| largest.max(dx.abs()));
                assert!(largest > 0.1);
                for (index, dx) in both.iter().enumerate() {
                    let sum = one[index] + other[index];
                    assert!((dx - sum).abs() <= 1e-5 * largest, "{level:?} {pair:?} [{index}]: {dx}, expected {sum}");
                }
            }
        }
    }
    assert_eq!(seen, [true; 3], "sets, dense and turned");
}

#[test]
fn a_convolution_asks_for_the_memory_of_its_algorithms_alone() {
    let memory = |conv: Conv2D, wanted| {
        let layers = vec![conv.into(), Flatten::new().into()];
        let plan = Plan::new(&Network::chain(Shape::from([6, 6, 16]), layers), wanted).unwrap();
        let (lengths, purpose) = (plan.lengths_of(&plan.steps[0].reads, plan.steps[0].writes), Purpose::Training);
        plan.steps[0].step.memory(Chunk { images: IMAGES, lengths, purpose })
    };
    let conv = |filters| Conv2D::new(filters, (3, 3)).padding(Padding::Same);
    let lists_and_sets = |memory: Memory| [memory.nonzeros > 0, memory.nonzero_lists > 0, memory.filter_sets > 0];
    let relu = |conv: Conv2D| conv.activation(ActivationFunction::Relu);
    assert_eq!(lists_and_sets(memory(relu(conv(5)), Wanted::OfInputs)), [true; 3]);
    assert_eq!(lists_and_sets(memory(relu(conv(5)), Wanted::OfParameters)), [true, true, false]);
    for filters in [5, 16] {
        let dense = memory(conv(filters), Wanted::OfInputs);
        assert_eq!(lists_and_sets(dense), [false; 3], "{filters} filters");
        // The second is turned: it works on the outputs' gradients with a border.
        assert_eq!((dense.cached_weights > 0, dense.bordered_dy > 0), (filters == 5, filters == 16));
        assert_eq!(dense.lost, 0, "36 pixels an image are a short sum");
    }
    let without = memory(conv(5), Wanted::OfParameters);
    assert_eq!((without.padded_gradient, without.cached_weights), (0, 0), "nobody wants the input's gradients");
}
