//! The memory that one chunk needs on its way through a plan and back. Made once, used for every chunk.

use super::memory::{Memory, Saved, Scratch, bytes};
use super::run::{Chunk, Purpose, Run};
use crate::aligned::AlignedBuffer;
use crate::kernels::conv2d::SLACK;
use crate::plan::{Head, Plan};
use crate::program::ValueId;

/// Buffers for a chunk of at most `max_images` images.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// How many images it has room for.
    pub(crate) max_images: usize,
    /// Each value: (images, values of one example). The caller fills the inputs before the forward pass.
    pub(super) values: Vec<AlignedBuffer>,
    /// The slots of gradients. The caller fills those of the outputs before the backward pass.
    pub(super) gradients: Vec<AlignedBuffer>,
    /// What each step keeps.
    pub(super) saved: Vec<Saved>,
    pub(super) scratch: Scratch,
    /// (images, outputs): for what is made of the output.
    result: AlignedBuffer,
    /// What it takes to augment an image; for the caller to size.
    pub(crate) augment: Vec<f32>,
    /// The target of one example, where it is not stored as floats; for the caller to size.
    target_row: Vec<f32>,
}

impl Workspace {
    /// Buffers for this plan.
    pub(crate) fn new(plan: &Plan, max_images: usize, purpose: Purpose) -> Self {
        let scratch = Scratch::of_plan(plan, max_images, purpose);
        Self { scratch, ..Self::without_scratch(plan, max_images, purpose) }
    }

    /// The same without what steps need while they run, which [`Self::swap_scratch`] lends.
    pub(crate) fn without_scratch(plan: &Plan, max_images: usize, purpose: Purpose) -> Self {
        let images = |len: usize| AlignedBuffer::zeroed(max_images * len + SLACK);
        let (gradients, result) = match purpose {
            Purpose::Inference => (Vec::new(), AlignedBuffer::default()),
            Purpose::Training => {
                (plan.gradients.lengths.iter().map(|len| images(*len)).collect(), images(plan.widest_output()))
            }
        };
        Self {
            max_images,
            values: plan.lengths.iter().map(|len| images(*len)).collect(),
            gradients,
            saved: memories(plan, max_images, purpose).map(Saved::new).collect(),
            scratch: Scratch::default(),
            result,
            augment: Vec::new(),
            target_row: Vec::new(),
        }
    }

    /// Takes this scratch memory, and gives back what it had.
    pub(crate) fn swap_scratch(&mut self, scratch: &mut Scratch) {
        std::mem::swap(&mut self.scratch, scratch);
    }

    /// The bytes that [`Self::new`] with these arguments takes, without taking them.
    pub(crate) fn bytes(plan: &Plan, max_images: usize, purpose: Purpose) -> u64 {
        let images = |len: usize| bytes(max_images.saturating_mul(len).saturating_add(SLACK), size_of::<f32>());
        let memories = || memories(plan, max_images, purpose);
        let gradients = match purpose {
            Purpose::Inference => 0,
            Purpose::Training => {
                let lengths = plan.gradients.lengths.iter().copied().chain([plan.widest_output()]);
                lengths.map(images).fold(0, u64::saturating_add)
            }
        };
        let values = plan.lengths.iter().map(|len| images(*len)).fold(gradients, u64::saturating_add);
        let saved = memories().map(Memory::saved_bytes).fold(values, u64::saturating_add);
        saved.saturating_add(memories().fold(Memory::default(), Memory::max).scratch_bytes())
    }

    /// A value: (images, values of one example).
    pub(crate) fn value(&self, value: ValueId) -> &[f32] {
        &self.values[value.0]
    }

    /// The same, mutable.
    pub(crate) fn value_mut(&mut self, value: ValueId) -> &mut [f32] {
        &mut self.values[value.0]
    }

    /// An input: (images, values of one example).
    pub(crate) fn input_mut(&mut self, plan: &Plan, input: usize) -> &mut [f32] {
        let ValueId(value) = plan.inputs[input].value;
        &mut self.values[value]
    }

    /// The first input, and room to augment it.
    pub(crate) fn input_and_augment_mut(&mut self, plan: &Plan) -> (&mut [f32], &mut Vec<f32>) {
        let ValueId(input) = plan.inputs[0].value;
        (&mut self.values[input], &mut self.augment)
    }

    /// The gradient of an input, after a backward pass that has found it: (images, values of one example).
    pub(crate) fn input_gradient(&self, plan: &Plan, input: usize) -> &[f32] {
        let ValueId(input) = plan.inputs[input].value;
        plan.gradients.slot_of[input].map_or(&[], |slot| &self.gradients[slot])
    }

    /// An output, before the output function: (images, values of one example).
    pub(crate) fn output(&self, head: &Head) -> &[f32] {
        &self.values[head.value.0]
    }

    /// The same, mutable.
    pub(crate) fn output_mut(&mut self, head: &Head) -> &mut [f32] {
        &mut self.values[head.value.0]
    }

    /// All that scoring an output needs.
    pub(crate) fn output_buffers(&mut self, plan: &Plan, head: &Head) -> OutputBuffers<'_> {
        let ValueId(output) = head.value;
        let slot = plan.gradients.slot_of[output].and_then(|slot| self.gradients.get_mut(slot));
        OutputBuffers {
            logits: &self.values[output],
            room: &mut self.result,
            target_row: &mut self.target_row,
            gradient: slot.map_or(&mut [], |slot| &mut slot[..]),
            mask: head.mask.map(|ValueId(mask)| &self.values[mask][..]),
        }
    }
}

/// An output, with what scoring it writes.
pub(crate) struct OutputBuffers<'a> {
    /// The output before the output function: (images, values of one example).
    pub(crate) logits: &'a [f32],
    /// Room for what the output function makes of it.
    pub(crate) room: &'a mut [f32],
    /// Room for one example's target.
    pub(crate) target_row: &'a mut Vec<f32>,
    /// The gradient of the output.
    pub(crate) gradient: &'a mut [f32],
    /// Which steps count: (images, steps), of a sequence with a mask.
    pub(crate) mask: Option<&'a [f32]>,
}

impl Scratch {
    /// What the steps of a plan need while they run on so many images.
    pub(crate) fn of_plan(plan: &Plan, max_images: usize, purpose: Purpose) -> Self {
        let memory = memories(plan, max_images, purpose).fold(Memory::default(), Memory::max);
        Self { max_images, ..Self::new(memory) }
    }
}

/// The memory that each step asks for.
fn memories(plan: &Plan, images: usize, purpose: Purpose) -> impl Iterator<Item = Memory> {
    plan.steps.iter().map(move |placed| {
        let lengths = plan.lengths_of(&placed.reads, placed.writes);
        placed.step.memory(Chunk { images, lengths, purpose })
    })
}
