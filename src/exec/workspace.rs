//! The memory that one chunk needs on its way through a plan and back. Made once, used for every chunk.

use crate::aligned::AlignedBuffer;
use crate::kernels::conv2d::SLACK;
use crate::kernels::conv2d_backward_small::{has_small_windows, scratch_len};
use crate::kernels::conv2d_input_gradient::{CACHED_WEIGHTS, sets_len};
use crate::kernels::nonzeros::{ListSizes, Nonzero, Nonzeros};
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
        Self::of(&Sizes::new(plan, max_images), plan, max_images)
    }

    /// Buffers for forward passes of [`Pass::Inference`](super::Pass::Inference) alone.
    pub(crate) fn for_inference(plan: &Plan, max_images: usize) -> Self {
        Self::of(&Sizes::for_inference(plan, max_images), plan, max_images)
    }

    fn of(sizes: &Sizes, plan: &Plan, max_images: usize) -> Self {
        Self {
            max_images,
            input: AlignedBuffer::zeroed(sizes.input),
            steps: plan.steps.iter().map(|step| StepMemory::new(&StepSizes::new(step, max_images))).collect(),
            scratch: AlignedBuffer::zeroed(sizes.scratch),
            gradients: std::array::from_fn(|_| AlignedBuffer::zeroed(sizes.gradient)),
            room: AlignedBuffer::zeroed(sizes.room),
            padded_gradient: AlignedBuffer::zeroed(sizes.padded_gradient),
            small_windows: AlignedBuffer::zeroed(sizes.small_windows),
            nonzeros: Nonzeros::new(sizes.nonzeros),
            filter_sets: vec![0; sizes.filter_sets],
            augment: Vec::new(),
            cached_weights: AlignedBuffer::zeroed(sizes.cached_weights),
        }
    }

    /// The bytes that [`Self::new`] with these arguments takes, without taking them.
    pub(crate) fn bytes(plan: &Plan, max_images: usize) -> u64 {
        let steps = plan.steps.iter().map(|step| StepSizes::new(step, max_images).bytes());
        steps.fold(Sizes::new(plan, max_images).bytes(), u64::saturating_add)
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
    fn new(sizes: &StepSizes) -> Self {
        Self {
            output: AlignedBuffer::zeroed(sizes.output),
            padded: AlignedBuffer::zeroed(sizes.padded),
            winners: vec![0; sizes.winners],
            mask: vec![0.0; sizes.mask],
        }
    }
}

/// How many values each buffer of a [`Workspace`] has that is not a step's.
#[derive(Debug)]
struct Sizes {
    input: usize,
    scratch: usize,
    gradient: usize,
    room: usize,
    padded_gradient: usize,
    small_windows: usize,
    nonzeros: ListSizes,
    filter_sets: usize,
    cached_weights: usize,
}

impl Sizes {
    fn new(plan: &Plan, max_images: usize) -> Self {
        let convs = || plan.steps.iter().filter_map(Step::conv);
        let (inner, first): (Vec<&Step>, Vec<&Step>) = plan.steps.iter().partition(|step| step.needs_input_gradient);
        let small = first.into_iter().filter_map(Step::conv).map(|conv| &conv.layout);
        let small = small.filter(|layout| has_small_windows(layout)).map(scratch_len);
        let sets = inner.into_iter().filter_map(Step::conv).map(|conv| sets_len(&conv.layout, max_images));
        let images = |len: usize| max_images * len + SLACK;
        Self {
            gradient: images(plan.widest()),
            room: images(plan.classes()),
            padded_gradient: convs().map(|conv| padded_len(conv, max_images)).max().unwrap_or(0),
            small_windows: small.max().unwrap_or(0),
            nonzeros: ListSizes::new(convs().map(|conv| &conv.layout), max_images),
            filter_sets: sets.max().unwrap_or(0),
            cached_weights: CACHED_WEIGHTS,
            ..Self::for_inference(plan, max_images)
        }
    }

    fn for_inference(plan: &Plan, max_images: usize) -> Self {
        let scratch = plan.steps.iter().filter_map(Step::conv).map(|conv| conv.layout.scratch_len(max_images));
        Self {
            input: max_images * plan.input_len() + SLACK,
            scratch: scratch.max().unwrap_or(0),
            gradient: 0,
            room: 0,
            padded_gradient: 0,
            small_windows: 0,
            nonzeros: ListSizes::default(),
            filter_sets: 0,
            cached_weights: 0,
        }
    }

    fn bytes(&self) -> u64 {
        let Self {
            input,
            scratch,
            gradient,
            room,
            padded_gradient,
            small_windows,
            nonzeros,
            filter_sets,
            cached_weights,
        } = self;
        let floats = [input, scratch, gradient, gradient, room, padded_gradient, small_windows, cached_weights];
        let lists = [(nonzeros.places, size_of::<Nonzero>()), (nonzeros.filters, size_of::<u32>())];
        let sets = (*filter_sets, size_of::<u64>());
        sum_of_bytes(floats.map(|len| (*len, size_of::<f32>())).into_iter().chain(lists).chain([sets]))
    }
}

/// How many values each buffer of a [`StepMemory`] has.
#[derive(Debug)]
struct StepSizes {
    output: usize,
    padded: usize,
    winners: usize,
    mask: usize,
}

impl StepSizes {
    fn new(step: &Step, max_images: usize) -> Self {
        let outputs = max_images * step.output_len;
        let sizes = Self { output: outputs + SLACK, padded: 0, winners: 0, mask: 0 };
        match &step.kind {
            StepKind::Conv(conv) => {
                let winners = if conv.layout.pool > 1 { outputs + SLACK } else { 0 };
                Self { padded: padded_len(conv, max_images), winners, ..sizes }
            }
            StepKind::MaxPool { .. } => Self { winners: outputs, ..sizes },
            StepKind::Dropout { .. } => Self { mask: outputs, ..sizes },
            StepKind::Activate(_) | StepKind::Softmax { .. } => sizes,
        }
    }

    fn bytes(&self) -> u64 {
        let Self { output, padded, winners, mask } = *self;
        sum_of_bytes([output, padded, winners, mask].map(|len| (len, size_of::<f32>())))
    }
}

/// The bytes of buffers of so many values of a size.
fn sum_of_bytes(buffers: impl IntoIterator<Item = (usize, usize)>) -> u64 {
    buffers.into_iter().fold(0, |sum, (len, size)| sum.saturating_add((len as u64).saturating_mul(size as u64)))
}

/// Floats of a chunk's padded input; 0 without padding.
fn padded_len(conv: &ConvStep, max_images: usize) -> usize {
    if conv.border.is_some() { max_images * conv.layout.image_len + SLACK } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::ActivationFunction::{Relu, Sigmoid, Softmax, Tanh};
    use crate::layers::{Activation, Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D};
    use crate::shape::Padding::Same;

    /// Steps of every kind: fused and plain convolutions, Winograd's, with and without padding, and all that stands alone.
    fn plan() -> Plan {
        let layers: [Layer; 12] = [
            Conv2D::new(16, (3, 3)).padding(Same).activation(Relu).into(),
            MaxPooling2D::new((2, 2)).into(),
            Conv2D::new(32, (3, 3)).padding(Same).into(),
            MaxPooling2D::new((3, 3)).strides((1, 1)).into(),
            Activation::new(Tanh).into(),
            Conv2D::new(5, (2, 2)).into(),
            MaxPooling2D::new((2, 2)).into(),
            Activation::new(Softmax).into(),
            Dropout::new(0.5).into(),
            Flatten::new().into(),
            Dense::new(70).activation(Sigmoid).into(),
            Dense::new(10).into(),
        ];
        Plan::new([24, 24, 3].into(), &layers).unwrap()
    }

    #[test]
    fn a_workspace_takes_the_bytes_that_were_reckoned() {
        let plan = plan();
        for max_images in [1, 3, 8] {
            let Workspace {
                max_images: _,
                input,
                steps,
                scratch,
                gradients: [first, second],
                room,
                padded_gradient,
                small_windows,
                nonzeros,
                filter_sets,
                augment,
                cached_weights,
            } = Workspace::new(&plan, max_images);
            let floats = [&input, &scratch, &first, &second, &room, &padded_gradient, &small_windows, &cached_weights];
            let steps = steps.iter().map(|step| {
                size_of_val(&step.output[..])
                    + size_of_val(&step.padded[..])
                    + size_of_val(&step.winners[..])
                    + size_of_val(&step.mask[..])
            });
            let floats = floats.iter().map(|floats| size_of_val(&floats[..]));
            let others = nonzeros.bytes() + size_of_val(&filter_sets[..]) + size_of_val(&augment[..]);
            let taken = steps.chain(floats).sum::<usize>() + others;
            assert_eq!(Workspace::bytes(&plan, max_images), taken as u64);
        }
    }
}
