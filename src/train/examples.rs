//! Decides which examples are meant, in which order, and writes their pixels into a workspace. It knows nothing of
//! models.

use crate::data::{Augment, OneOrMore, OrderedExamples, OrderedImages, OrderedTargets, Stored, Target, TargetRows};
use crate::exec::Workspace;
use crate::kernels::pixels::{bytes_to_floats, scale};
use crate::plan::Plan;
use crate::random::{Stream, stream};
use crate::simd::Simd;
use std::ops::Range;

/// Examples to train on or to score, in the order in which they come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Examples<'a> {
    /// Those of each input of the model.
    pub(super) inputs: &'a [OrderedImages<'a>],
    /// What each example should come out as, for each output; none where nothing is scored.
    pub(super) targets: &'a [OrderedTargets<'a>],
    /// How much each example counts; all alike if it is `None`.
    weights: Option<&'a [f32]>,
    /// Which examples, in this order; all of them if it is `None`.
    order: Option<&'a [u32]>,
    /// The states that stateful layers start from, (examples, values of all states), by the place in the batch; zeros
    /// if it is `None`.
    states: Option<&'a [f32]>,
    /// How they are varied in training.
    augment: Option<Augment>,
    len: usize,
    /// The place of the first that is there, of a batch of which only some are.
    first: usize,
}

impl<'a> Examples<'a> {
    /// All images, with nothing to score them by.
    pub(crate) fn of_images(inputs: &'a OneOrMore<OrderedImages<'a>>) -> Self {
        Self::of_inputs(inputs.as_slice())
    }

    fn of_inputs(inputs: &'a [OrderedImages<'a>]) -> Self {
        let len = inputs.first().map_or(0, OrderedImages::len);
        Self { inputs, targets: &[], weights: None, order: None, states: None, augment: None, len, first: 0 }
    }

    /// What so many examples should come out as, without the examples.
    pub(crate) fn of_targets(targets: &'a OneOrMore<OrderedTargets<'a>>, len: usize) -> Self {
        Self { targets: targets.as_slice(), len, ..Self::of_inputs(&[]) }
    }

    /// All examples.
    pub(crate) fn of(examples: &'a OrderedExamples<'a>) -> Self {
        let (targets, weights) = (examples.targets.as_slice(), examples.weights.as_deref());
        Self { targets, weights, ..Self::of_images(&examples.images) }
    }

    /// Those examples that `order` names.
    pub(crate) fn ordered(self, order: &'a [u32]) -> Self {
        Self { order: Some(order), len: order.len(), ..self }
    }

    /// The examples as those of a batch of so many from this place on: no others are there, nor may be asked for.
    pub(crate) fn at_places(self, first: usize, whole: usize) -> Self {
        debug_assert!(self.order.is_none() && first + self.len <= whole, "{} from {first} on of {whole}", self.len);
        Self { first, len: whole, ..self }
    }

    /// The examples with these weights in place of their own.
    pub(crate) fn weighted(self, weights: Option<&'a [f32]>) -> Self {
        Self { weights, ..self }
    }

    /// The examples varied at random in training; as they are in scoring and predicting.
    pub(crate) fn augmented(self, augment: Option<Augment>) -> Self {
        Self { augment, ..self }
    }

    /// The examples with these states for stateful layers to start from.
    pub(crate) fn starting_from(self, states: &'a [f32]) -> Self {
        Self { states: Some(states), ..self }
    }

    /// How many there are, of a batch that is not all there in the whole of it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Where the example of a place is stored.
    fn at(&self, place: usize) -> usize {
        self.order.map_or_else(|| place - self.first, |order| order[place] as usize)
    }

    /// Where the example of a place is among the values of an input.
    pub(super) fn stored_at(&self, images: &OrderedImages<'_>, place: usize) -> usize {
        let example = self.at(place);
        images.order().map_or(example, |stored| stored[example] as usize)
    }

    /// Writes the values of these examples into the workspace's inputs.
    pub(crate) fn write<S: Simd>(&self, simd: S, places: Range<usize>, plan: &Plan, workspace: &mut Workspace) {
        self.write_states(&places, plan, workspace);
        for (input, images) in self.inputs.iter().enumerate() {
            let pixels = images.pixels();
            let len = plan.input_len(input);
            for (place, out) in places.clone().zip(workspace.input_mut(plan, input).chunks_exact_mut(len)) {
                let start = self.stored_at(images, place) * len;
                match pixels.stored {
                    Stored::Bytes(bytes) => bytes_to_floats(simd, &bytes[start..][..len], out),
                    Stored::Floats(floats) => out.copy_from_slice(&floats[start..][..len]),
                }
                if let Some(scaling) = pixels.scaling {
                    scale(simd, &scaling.factors, &scaling.offsets, out);
                }
            }
        }
    }

    /// Writes the states that stateful layers start from.
    fn write_states(&self, places: &Range<usize>, plan: &Plan, workspace: &mut Workspace) {
        let (all, mut from) = (plan.carried_len(), 0);
        for carried in &plan.carried {
            let rows = workspace.value_mut(carried.first).chunks_exact_mut(carried.len);
            for (place, row) in places.clone().zip(rows) {
                match self.states {
                    None => row.fill(0.0),
                    Some(states) => row.copy_from_slice(&states[place * all + from..][..carried.len]),
                }
            }
            from += carried.len;
        }
    }

    /// Varies images that have been written, as the batch says: those of the first input.
    pub(super) fn vary(&self, places: Range<usize>, plan: &Plan, seed: u64, step: u64, workspace: &mut Workspace) {
        let Some(augment) = &self.augment else { return };
        let input = plan.input();
        let (images, scratch) = workspace.input_and_augment_mut(plan);
        // Once for a workspace: later calls find it long enough.
        scratch.resize(Augment::scratch_len(input), 0.0);
        for (example, image) in places.zip(images.chunks_exact_mut(plan.input_len(0))) {
            let mut random = stream(seed, Stream::Augment { step, example });
            augment.apply(input, &mut random, image, scratch);
        }
    }

    /// What one output should be for each of these examples, and how much the example counts.
    pub(super) fn targets(&self, output: usize, places: Range<usize>) -> ChunkTargets<'a> {
        ChunkTargets { examples: *self, rows: self.targets[output].rows(), places }
    }
}

/// What one output should be for each example of a chunk.
pub(super) struct ChunkTargets<'a> {
    examples: Examples<'a>,
    rows: TargetRows<'a>,
    places: Range<usize>,
}

impl<'a> ChunkTargets<'a> {
    /// What this example of the chunk should come out as, and how much it counts.
    ///
    /// - row: room for values that are not stored as floats
    pub(super) fn at<'r>(&self, example: usize, row: &'r mut Vec<f32>) -> (Target<'r>, f32)
    where
        'a: 'r,
    {
        let example = self.examples.at(self.places.start + example);
        (self.rows.at(example, row), self.examples.weights.map_or(1.0, |weights| weights[example]))
    }
}
