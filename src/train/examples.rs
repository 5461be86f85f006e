//! Decides which examples are meant, in which order, and writes their pixels into a workspace. It knows nothing of
//! models.

use crate::data::{Augment, OrderedExamples, OrderedImages, Pixels, Stored, Target, TargetRows};
use crate::exec::Workspace;
use crate::kernels::pixels::{bytes_to_floats, scale};
use crate::plan::Plan;
use crate::random::{Stream, stream};
use crate::simd::Simd;
use std::ops::Range;

/// Examples to train on or to score, in the order in which they come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Examples<'a> {
    pixels: Pixels<'a>,
    /// Where each example's image is among the pixels; in the order of the examples if it is `None`.
    stored: Option<&'a [u32]>,
    /// What each example should come out as; none where nothing is scored.
    targets: Option<TargetRows<'a>>,
    /// How much each example counts; all alike if it is `None`.
    weights: Option<&'a [f32]>,
    /// Which examples, in this order; all of them if it is `None`.
    order: Option<&'a [u32]>,
    /// How they are varied in training.
    augment: Option<Augment>,
    len: usize,
}

impl<'a> Examples<'a> {
    /// All images, with nothing to score them by.
    pub(crate) fn of_images(images: &'a OrderedImages<'_>) -> Self {
        Self {
            pixels: images.pixels(),
            stored: images.order(),
            targets: None,
            weights: None,
            order: None,
            augment: None,
            len: images.len(),
        }
    }

    /// All examples.
    pub(crate) fn of(examples: &'a OrderedExamples<'_>) -> Self {
        let weights = examples.weights.as_deref();
        Self { targets: Some(examples.targets.rows()), weights, ..Self::of_images(&examples.images) }
    }

    /// Those examples that `order` names.
    pub(crate) fn ordered(self, order: &'a [u32]) -> Self {
        Self { order: Some(order), len: order.len(), ..self }
    }

    /// The examples with these weights in place of their own.
    pub(crate) fn weighted(self, weights: Option<&'a [f32]>) -> Self {
        Self { weights, ..self }
    }

    /// The examples varied at random in training; as they are in scoring and predicting.
    pub(crate) fn augmented(self, augment: Option<Augment>) -> Self {
        Self { augment, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn at(&self, place: usize) -> usize {
        self.order.map_or(place, |order| order[place] as usize)
    }

    /// Writes the pixels of these examples, one after the other.
    pub(super) fn write<S: Simd>(&self, simd: S, places: Range<usize>, len: usize, out: &mut [f32]) {
        for (place, out) in places.zip(out.chunks_exact_mut(len)) {
            let example = self.at(place);
            let start = self.stored.map_or(example, |stored| stored[example] as usize) * len;
            match self.pixels.stored {
                Stored::Bytes(bytes) => bytes_to_floats(simd, &bytes[start..][..len], out),
                Stored::Floats(floats) => out.copy_from_slice(&floats[start..][..len]),
            }
            if let Some(scaling) = self.pixels.scaling {
                scale(simd, &scaling.factors, &scaling.offsets, out);
            }
        }
    }

    /// Varies images that have been written, as the batch says.
    pub(super) fn vary(&self, places: Range<usize>, plan: &Plan, seed: u64, step: u64, workspace: &mut Workspace) {
        let Some(augment) = &self.augment else { return };
        let input = plan.input();
        let (images, scratch) = workspace.input_and_augment_mut(plan);
        // Once for a workspace: later calls find it long enough.
        scratch.resize(Augment::scratch_len(input), 0.0);
        for (example, image) in places.zip(images.chunks_exact_mut(plan.input_len())) {
            let mut random = stream(seed, Stream::Augment { step, example });
            augment.apply(input, &mut random, image, scratch);
        }
    }

    /// What each of these examples should come out as, and how much it counts.
    pub(super) fn targets(&self, places: Range<usize>) -> impl Iterator<Item = (Target<'a>, f32)> {
        let targets = self.targets.expect("only examples with targets are scored");
        places.map(move |place| {
            let example = self.at(place);
            (targets.at(example), self.weights.map_or(1.0, |weights| weights[example]))
        })
    }
}
