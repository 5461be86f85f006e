//! The memory that one chunk needs on its way through a plan and back. Made once, used for every chunk.

use crate::aligned::AlignedBuffer;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward_small::{has_small_windows, scratch_len};
use crate::kernels::conv2d_input_gradient::{CACHED_WEIGHTS, sets_len};
use crate::kernels::nonzeros::Nonzeros;
use crate::plan::{ConvStep, Plan, Step, StepKind};

/// Buffers for a chunk of at most `max_images` images.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// How many images it has room for.
    pub(crate) max_images: usize,
    /// (images, input): what the caller fills before the forward pass.
    pub(crate) input: AlignedBuffer,
    /// What each step keeps.
    pub(crate) steps: Vec<StepMemory>,
    /// What a convolution's forward pass needs on the way: outputs before they are pooled, or transforms.
    pub(crate) scratch: AlignedBuffer,
    /// The gradient of the last step's output, which the caller fills before the backward pass, and then of each
    /// step's in turn: a step reads one and writes the other.
    pub(crate) gradients: [AlignedBuffer; 2],
    /// (images, outputs): for what is made of the last step's output.
    pub(crate) room: AlignedBuffer,
    /// The gradient of a padded input.
    pub(crate) padded_gradient: AlignedBuffer,
    /// What the weight gradients of small windows need.
    pub(crate) small_windows: AlignedBuffer,
    /// The outputs with a gradient, of one convolution after the other.
    pub(crate) nonzeros: Nonzeros,
    /// For each pixel of one convolution after the other, the filters with a gradient.
    pub(crate) filter_sets: Vec<u64>,
    /// What it takes to augment an image; for the caller to size.
    pub(crate) augment: Vec<f32>,
    /// The weights that the input gradients work with at a time.
    pub(crate) cached_weights: AlignedBuffer,
}

/// What one step writes in the forward pass, and reads in the backward pass. What a step has no use for is empty.
#[derive(Debug)]
pub(crate) struct StepMemory {
    /// (images, output).
    pub(crate) output: AlignedBuffer,
    /// The input with its border of zeros.
    pub(crate) padded: AlignedBuffer,
    /// For each output of a pooling, which won: of a fused one which window, of one alone which input.
    pub(crate) winners: Vec<u32>,
    /// For a dropout: what each value is multiplied by.
    pub(crate) mask: Vec<f32>,
}

impl Workspace {
    /// Buffers for this plan.
    pub(crate) fn new(plan: &Plan, max_images: usize) -> Self {
        let convs = || plan.steps.iter().filter_map(Step::conv);
        let widest = plan.widest();
        let widest_padded = convs().map(|conv| padded_len(conv, max_images)).max().unwrap_or(0);
        let scratch = convs().map(|conv| conv.layout.scratch_len());
        let (inner, first): (Vec<&Step>, Vec<&Step>) = plan.steps.iter().partition(|step| step.needs_input_gradient);
        let small = first.into_iter().filter_map(Step::conv).map(|conv| &conv.layout);
        let small = small.filter(|layout| has_small_windows(layout)).map(scratch_len);
        let sets = inner.into_iter().filter_map(Step::conv).map(|conv| sets_len(&conv.layout, max_images));
        let images = |len: usize| AlignedBuffer::zeroed(max_images * len + SLACK);
        Self {
            max_images,
            input: images(plan.input_len()),
            steps: plan.steps.iter().map(|step| StepMemory::new(step, max_images)).collect(),
            scratch: AlignedBuffer::zeroed(scratch.max().unwrap_or(0)),
            gradients: [images(widest), images(widest)],
            room: images(plan.classes()),
            padded_gradient: AlignedBuffer::zeroed(widest_padded),
            small_windows: AlignedBuffer::zeroed(small.max().unwrap_or(0)),
            nonzeros: Nonzeros::new(convs().map(|conv| &conv.layout), max_images),
            augment: Vec::new(),
            filter_sets: vec![0; sets.max().unwrap_or(0)],
            cached_weights: AlignedBuffer::zeroed(CACHED_WEIGHTS),
        }
    }

    /// Buffers for forward passes of [`Pass::Inference`](super::Pass::Inference) alone.
    pub(crate) fn for_inference(plan: &Plan, max_images: usize) -> Self {
        let scratch = plan.steps.iter().filter_map(Step::conv).map(|conv| conv.layout.scratch_len());
        let empty = || AlignedBuffer::zeroed(0);
        Self {
            max_images,
            input: AlignedBuffer::zeroed(max_images * plan.input_len() + SLACK),
            steps: plan.steps.iter().map(|step| StepMemory::new(step, max_images)).collect(),
            scratch: AlignedBuffer::zeroed(scratch.max().unwrap_or(0)),
            gradients: [empty(), empty()],
            room: empty(),
            padded_gradient: empty(),
            small_windows: empty(),
            nonzeros: Nonzeros::new(std::iter::empty(), 0),
            filter_sets: Vec::new(),
            augment: Vec::new(),
            cached_weights: empty(),
        }
    }

    /// The outputs of the last step: (images, classes).
    pub(crate) fn output(&self) -> &[f32] {
        self.steps.last().map_or(&self.input, |step| &step.output)
    }

    /// The same, with room for what is made of it, and where its gradient goes.
    pub(crate) fn output_room_and_gradient(&mut self) -> (&[f32], &mut [f32], &mut [f32]) {
        let output = self.steps.last().map_or(&self.input, |step| &step.output);
        (output, &mut self.room, &mut self.gradients[0])
    }

    /// The same, to go on with in place.
    pub(crate) fn output_mut(&mut self) -> &mut [f32] {
        self.steps.last_mut().map_or(&mut self.input, |step| &mut step.output)
    }
}

impl StepMemory {
    fn new(step: &Step, max_images: usize) -> Self {
        let outputs = max_images * step.output_len;
        let mut memory = Self {
            output: AlignedBuffer::zeroed(outputs + SLACK),
            padded: AlignedBuffer::zeroed(0),
            winners: Vec::new(),
            mask: Vec::new(),
        };
        match &step.kind {
            StepKind::Conv(conv) => {
                memory.padded = AlignedBuffer::zeroed(padded_len(conv, max_images));
                memory.winners = vec![0; if conv.layout.pool > 1 { outputs + SLACK } else { 0 }];
            }
            StepKind::MaxPool { .. } => memory.winners = vec![0; outputs],
            StepKind::Dropout { .. } => memory.mask = vec![0.0; outputs],
            StepKind::Activate(_) | StepKind::Softmax { .. } => {}
        }
        memory
    }
}

/// Floats of a chunk's padded input; 0 without padding.
fn padded_len(conv: &ConvStep, max_images: usize) -> usize {
    if conv.border.is_some() { max_images * conv.layout.image_len + SLACK } else { 0 }
}
