//! A layer of the table of cases in a small network, with weights, inputs and gradients of its outputs; and what `exec`
//! makes of it.

use super::cases::{Case, of_case};
use super::oracle::batch_axes;
use crate::exec::{
    Direction, Gradients, Meeting, Pass, Phase, Purpose, Weights, Workspace, backward_phase, forward_phase, pack_kernel,
};
use crate::layers::{Call, Dense, Flatten, Layer, Network, Source};
use crate::plan::{Plan, Wanted};
use crate::program::ValueId;
use crate::random::{Stream, stream};
use crate::simd::{Level, dispatch};
use ndarray::ArrayD;
use rand::RngExt;
use std::ops::Range;

/// How many images a sample has.
pub(super) const IMAGES: usize = 5;

/// A network with all that a pass reads.
#[derive(Clone)]
pub(super) struct Sample {
    pub(super) network: Network,
    pub(super) plan: Plan,
    /// All weights, laid out as the plan says.
    pub(super) flat: Vec<f32>,
    /// (N, axes of an example) each.
    pub(super) inputs: Vec<ArrayD<f32>>,
    /// The gradient of each output: (N, values).
    pub(super) dy: Vec<ArrayD<f32>>,
}

/// What a pass gives.
pub(super) struct Outcome {
    /// Each output: (N, values).
    pub(super) outputs: Vec<Vec<f32>>,
    /// The gradient of each input; none after a pass for inference.
    pub(super) inputs: Vec<Vec<f32>>,
    /// The gradients of the trained parameters, laid out as the plan says.
    pub(super) parameters: Vec<f32>,
}

impl Sample {
    /// The layer of a case, with its output as one output of the network, and a dense layer behind it as the other: its
    /// value is read twice, and its function is no output function, which would be left to a loss.
    pub(super) fn new(case: &Case, layer: Layer, seed: u64) -> Self {
        let inputs = (0..case.inputs.len()).map(Source::Input).collect();
        let calls = vec![
            Call { layer: 0, reads: inputs },
            Call { layer: 1, reads: vec![Source::Call(0)] },
            Call { layer: 2, reads: vec![Source::Call(1)] },
        ];
        let network = Network {
            inputs: case.inputs.clone(),
            layers: vec![layer, Flatten::new().into(), Dense::new(3).into()],
            calls,
            outputs: vec![Source::Call(1), Source::Call(2)],
        };
        let mut sample = Self::drawn(network, seed);
        sample.inputs.iter_mut().for_each(|input| *input = of_case(case, std::mem::take(input)));
        sample
    }

    /// Weights, inputs and gradients for a network.
    pub(super) fn drawn(network: Network, seed: u64) -> Self {
        let plan = Plan::new(&network, Wanted::OfInputs).unwrap_or_else(|error| panic!("{network:?}: {error}"));
        let mut random = stream(seed, Stream::Shuffle { epoch: 0 });
        let mut number = || random.random::<f32>() * 2.0 - 1.0;
        let mut flat = vec![0.0; plan.parameters.len];
        for parameter in &plan.parameters.all {
            // Few outputs saturate what follows.
            let outputs = parameter.shape.last().map_or(1, |outputs| *outputs);
            let scale = (outputs as f32 / parameter.range.len() as f32).sqrt();
            let offset = if parameter.name.ends_with("variance") { 1.5 } else { 0.0 };
            flat[parameter.range.clone()].iter_mut().for_each(|weight| *weight = offset + number() * scale);
        }
        let mut batch = |shape| ArrayD::from_shape_simple_fn(batch_axes(IMAGES, shape), &mut number);
        let inputs = network.inputs.iter().map(|shape| batch(*shape)).collect();
        let dy = plan.heads.iter().map(|head| batch(head.shape)).collect();
        Self { network, plan, flat, inputs, dy }
    }

    /// Runs the images chunk by chunk, forward and, in training, backward.
    pub(super) fn run(&self, level: Level, chunk: usize, purpose: Purpose) -> Outcome {
        let plan = &self.plan;
        let mut weights = Weights::zeroed(plan);
        weights.flat.copy_from_slice(&self.flat);
        let mut outcome = Outcome {
            outputs: vec![Vec::new(); plan.heads.len()],
            inputs: vec![Vec::new(); plan.inputs.len()],
            parameters: Vec::new(),
        };
        let mut gradients = Gradients::new(plan, IMAGES);
        dispatch!(level, simd => {
            for placed in &plan.steps {
                if let Some(conv) = placed.step.conv() {
                    pack_kernel(simd, conv, &weights.flat, &mut weights.packed[conv.packed.clone()]);
                }
            }
            let mut chunks: Vec<(Range<usize>, Workspace)> = (0..IMAGES)
                .step_by(chunk)
                .map(|start| (start..(start + chunk).min(IMAGES), Workspace::new(plan, chunk, purpose)))
                .collect();
            for (images, workspace) in &mut chunks {
                for (input, operand) in self.inputs.iter().zip(&plan.inputs) {
                    write(input, images.clone(), &mut workspace.values[operand.value.0]);
                }
            }
            let mut meetings = Meeting::all(plan);
            for (phase, steps) in plan.phases().enumerate() {
                for (images, workspace) in &mut chunks {
                    let pass = match purpose {
                        Purpose::Inference => Pass::Inference,
                        Purpose::Training => Pass::Training { seed: 3, step: 5, first_example: images.start },
                    };
                    forward_phase(simd, Phase { plan, steps: steps.clone() }, &weights, workspace, images.len(), pass);
                }
                if let Some(meeting) = meetings.get_mut(phase) {
                    meet(plan, Direction::Forward, meeting, &mut chunks);
                }
            }
            for (images, workspace) in &mut chunks {
                for (head, outputs) in plan.heads.iter().zip(&mut outcome.outputs) {
                    outputs.extend(&workspace.values[head.value.0][..images.len() * plan.lengths[head.value.0]]);
                }
            }
            if purpose == Purpose::Training {
            for (images, workspace) in chunks.iter_mut() {
                for (dy, head) in self.dy.iter().zip(&plan.heads) {
                    write(dy, images.clone(), &mut workspace.gradients[self.slot(head.value)]);
                }
            }
            for (phase, steps) in plan.phases().enumerate().collect::<Vec<_>>().into_iter().rev() {
                if let Some(meeting) = meetings.get_mut(phase) {
                    meet(plan, Direction::Backward, meeting, &mut chunks);
                }
                for (images, workspace) in chunks.iter_mut() {
                    gradients.go_to(images.start);
                    backward_phase(simd, Phase { plan, steps: steps.clone() }, &weights, workspace, images.len(), &mut gradients);
                }
            }
            gradients.go_to(IMAGES);
            gradients.close();
            for (images, workspace) in chunks.iter() {
                for (gradients, operand) in outcome.inputs.iter_mut().zip(&plan.inputs) {
                    let len = images.len() * plan.lengths[operand.value.0];
                    gradients.extend(&workspace.gradients[self.slot(operand.value)][..len]);
                }
            }
            }
        });
        outcome.parameters = gradients.all(plan);
        outcome
    }

    /// Where a value's gradient lies.
    fn slot(&self, ValueId(value): ValueId) -> usize {
        self.plan.gradients.slot_of[value].expect("every gradient is wanted")
    }
}

/// What the chunks have gathered becomes what they have together.
fn meet(plan: &Plan, direction: Direction, meeting: &mut Meeting, chunks: &mut [(Range<usize>, Workspace)]) {
    meeting.open();
    for (images, workspace) in &mut *chunks {
        let gathered = meeting.gathered(plan, direction, workspace).map(|values| values.iter().copied());
        meeting.take_up(direction, gathered, images.len());
    }
    meeting.close(direction);
    chunks.iter_mut().for_each(|(_, workspace)| meeting.share(plan, direction, workspace));
}

/// Copies some images of an array to the start of a buffer.
fn write(array: &ArrayD<f32>, images: Range<usize>, buffer: &mut [f32]) {
    let values = array.as_slice().expect("made in standard order");
    let len = values.len() / array.shape()[0];
    let values = &values[images.start * len..images.end * len];
    buffer[..values.len()].copy_from_slice(values);
}

/// A tensor's axes as a vector's, for arrays that are compared value by value.
pub(super) fn flat(array: &ArrayD<f32>) -> Vec<f32> {
    array.iter().copied().collect()
}
