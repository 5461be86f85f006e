//! A plan with everything decided that predicting on bytes needs, and one chunk's way through it.

use super::forms::{Form, Forms, Way};
use super::ranges::{Range, quantizations};
use super::weights::Int8Weights;
use crate::aligned::{Aligned, AlignedBuffer};
use crate::exec::{Purpose, Weights, Workspace, infer_step, pack_kernel};
use crate::kernels::activation::activate;
use crate::kernels::conv2d::SLACK;
use crate::kernels::int8::{Int8Kernel, Output, Quantization, Term, band_len, conv, max_pool, quantize, rescale};
use crate::kernels::padding::pad_with;
use crate::plan::{ConvStep, Parameter, Placed, Plan, Step};
use crate::program::plain::MaxPool;
use crate::program::{Plain, ValueId};
use crate::simd::{Level, Simd, dispatch};
use std::sync::Arc;

/// A plan, how its steps run, and their weights.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) plan: Arc<Plan>,
    pub(crate) forms: Forms,
    /// What the bytes of each value stand for.
    pub(crate) quantizations: Vec<Quantization>,
    /// For each step that runs on bytes.
    kernels: Vec<Option<Int8Kernel>>,
    /// What steps on floats read.
    pub(crate) weights: Weights,
    pub(super) level: Level,
}

/// The memory that one thread predicts in.
#[derive(Debug)]
pub(super) struct Room {
    /// The values as floats.
    pub(super) workspace: Workspace,
    /// Each value that is read as bytes: (images, values of one example).
    bytes: Vec<Aligned<u8>>,
    /// The input of a convolution with a border.
    padded: Aligned<u8>,
    /// The sums of some pixels.
    band: Aligned<i32>,
}

impl Program {
    /// - kernels: one for each step that runs as a convolution of bytes; flat: all weights, of which those are read that
    ///   [`parameters_read`] names
    pub(crate) fn new(plan: Arc<Plan>, ranges: &[Range], kernels: &[Option<Int8Weights>], flat: &[f32]) -> Self {
        let level = Level::new();
        let forms = Forms::new(&plan);
        let quantizations = quantizations(&plan, &forms, ranges);
        let pack = |(placed, (way, weights)): (&Placed, (&Way, &Option<Int8Weights>))| {
            let (conv, weights) = (placed.step.conv()?, weights.as_ref()?);
            let output = match way {
                Way::Conv(Form::Bytes) => quantizations[placed.writes.0].scale,
                Way::Conv(Form::Floats) | Way::MaxPool | Way::Copy | Way::Rescale | Way::Floats => 1.0,
            };
            Some(weights.pack(&conv.layout, quantizations[placed.reads[0].0], output))
        };
        let kernels = plan.steps.iter().zip(forms.ways.iter().zip(kernels)).map(pack).collect();
        let mut weights = Weights { flat: AlignedBuffer::default(), packed: AlignedBuffer::default() };
        if parameters_read(&plan, &forms).next().is_some() {
            weights = Weights::zeroed(&plan);
            for parameter in parameters_read(&plan, &forms) {
                weights.flat[parameter.range.clone()].copy_from_slice(&flat[parameter.range.clone()]);
            }
            for conv in convs_on_floats(&plan, &forms) {
                let packed = &mut weights.packed[conv.packed.clone()];
                dispatch!(level, simd => pack_kernel(simd, conv, &weights.flat, packed));
            }
        }
        Self { plan, forms, quantizations, kernels, weights, level }
    }

    pub(super) fn room(&self, images: usize) -> Room {
        let values = self.plan.lengths.iter().zip(&self.forms.as_bytes);
        let on_bytes = || self.plan.steps.iter().zip(&self.kernels).filter(|(_, kernel)| kernel.is_some());
        let convs = || on_bytes().filter_map(|(placed, _)| placed.step.conv());
        let padded = convs().filter(|conv| conv.border.is_some()).map(|conv| images * conv.layout.image_len + SLACK);
        let band = convs().map(|conv| band_len(&conv.layout));
        Room {
            workspace: Workspace::new(&self.plan, images, Purpose::Inference),
            bytes: values
                .map(|(len, as_bytes)| if *as_bytes { images * len + SLACK } else { 0 })
                .map(Aligned::zeroed)
                .collect(),
            padded: Aligned::zeroed(padded.max().unwrap_or_default()),
            band: Aligned::zeroed(band.max().unwrap_or_default()),
        }
    }

    /// Runs every step on the first `images` examples of the workspace's inputs.
    pub(super) fn forward<S: Simd>(&self, simd: S, room: &mut Room, images: usize) {
        for input in &self.plan.inputs {
            self.make_bytes(simd, input.value, room, images);
        }
        for (index, (placed, way)) in self.plan.steps.iter().zip(&self.forms.ways).enumerate() {
            match (way, &placed.step, &self.kernels[index]) {
                (Way::Conv(form), Step::Conv(step), Some(kernel)) => {
                    self.convolve(simd, (step, kernel, *form), placed, room, images);
                }
                (Way::MaxPool, Step::Plain(Plain::MaxPool(MaxPool { window, channels })), _) => {
                    self.on_bytes(placed, room, images, |[x, _], y| max_pool(simd, window, *channels, x, y));
                }
                (Way::Copy, ..) => self.on_bytes(placed, room, images, |[x, _], y| y.copy_from_slice(x)),
                (Way::Rescale, ..) => {
                    let of = |ValueId(value): ValueId| self.quantizations[value];
                    self.on_bytes(placed, room, images, |[x, z], y| {
                        let first = Term { bytes: x, quantization: of(placed.reads[0]) };
                        let second = placed.reads.get(1).map(|read| Term { bytes: z, quantization: of(*read) });
                        rescale(simd, first, second, of(placed.writes), y);
                    });
                }
                (Way::Floats | Way::Conv(_) | Way::MaxPool, ..) => {
                    infer_step(simd, &self.plan, index, &self.weights, &mut room.workspace, images);
                    self.make_bytes(simd, placed.writes, room, images);
                }
            }
        }
    }

    /// Makes a value that was written as floats bytes, if a step reads it so.
    fn make_bytes<S: Simd>(&self, simd: S, ValueId(value): ValueId, room: &mut Room, images: usize) {
        if self.forms.as_bytes[value] {
            let len = images * self.plan.lengths[value];
            let floats = &room.workspace.value(ValueId(value))[..len];
            quantize(simd, self.quantizations[value], floats, &mut room.bytes[value][..len]);
        }
    }

    /// Runs a step from bytes to bytes.
    fn on_bytes(&self, placed: &Placed, room: &mut Room, images: usize, run: impl FnOnce([&[u8]; 2], &mut [u8])) {
        let Placed { reads, writes: ValueId(writes), .. } = placed;
        // Taken out while it is written, so that the others can be read.
        let mut y = std::mem::take(&mut room.bytes[*writes]);
        let mut x = [&[][..]; 2];
        for (x, ValueId(read)) in x.iter_mut().zip(reads) {
            *x = &room.bytes[*read][..images * self.plan.lengths[*read]];
        }
        run(x, &mut y[..images * self.plan.lengths[*writes]]);
        room.bytes[*writes] = y;
    }

    fn convolve<S: Simd>(
        &self,
        simd: S,
        (step, kernel, form): (&ConvStep, &Int8Kernel, Form),
        placed: &Placed,
        room: &mut Room,
        images: usize,
    ) {
        let (ValueId(read), ValueId(writes)) = (placed.reads[0], placed.writes);
        let Room { workspace, bytes, padded, band } = room;
        let mut y = std::mem::take(&mut bytes[writes]);
        let x = match &step.border {
            Some((window, channels)) => {
                let zero = self.quantizations[read].zero_point;
                pad_with(zero, window, *channels, images, &bytes[read], padded);
                &padded[..]
            }
            None => &bytes[read][..],
        };
        let len = images * self.plan.lengths[writes];
        match form {
            Form::Bytes => {
                let zero_point = self.quantizations[writes].zero_point;
                let output = Output::Bytes { y: &mut y[..len], zero_point };
                conv(simd, &step.layout, kernel, (images, x), band, output);
            }
            Form::Floats => {
                let floats = &mut workspace.value_mut(placed.writes)[..len];
                conv(simd, &step.layout, kernel, (images, x), band, Output::Floats { y: floats });
                activate(simd, step.activation, floats);
            }
        }
        bytes[writes] = y;
        match form {
            Form::Bytes => {}
            Form::Floats => self.make_bytes(simd, placed.writes, room, images),
        }
    }
}

/// The parameters that steps on floats read.
pub(crate) fn parameters_read<'a>(plan: &'a Plan, forms: &'a Forms) -> impl Iterator<Item = &'a Parameter> {
    let on_floats = move || on_floats(plan, forms);
    plan.parameters.all.iter().filter(move |parameter| {
        on_floats().any(|placed| {
            let conv = placed.step.conv();
            let norm = conv.and_then(|conv| conv.norm.as_ref()).map_or(&[][..], |folded| &folded.weights[..]);
            let of_conv = conv.into_iter().flat_map(|conv| [&conv.weights, &conv.biases]);
            let plain = placed.weights.iter().chain(norm).map(|weight| &weight.range);
            let (start, end) = (parameter.range.start, parameter.range.end);
            of_conv.chain(plain).any(|range| range.start < end && start < range.end)
        })
    })
}

fn on_floats<'a>(plan: &'a Plan, forms: &'a Forms) -> impl Iterator<Item = &'a Placed> {
    let steps = plan.steps.iter().zip(&forms.ways);
    steps.filter(|(_, way)| matches!(way, Way::Floats)).map(|(placed, _)| placed)
}

fn convs_on_floats<'a>(plan: &'a Plan, forms: &'a Forms) -> impl Iterator<Item = &'a ConvStep> {
    on_floats(plan, forms).filter_map(|placed| placed.step.conv())
}
