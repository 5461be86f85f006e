//! What a step owns: the memory it needs, its forward pass, and its backward pass. Each step has a file in `steps`.

use super::Weights;
use super::forward::Pass;
use super::gradients::Gradients;
use super::memory::{Memory, Saved, Scratch};
use crate::plan::{Flow, Step};
use crate::program::plain::with_plain_operations;
use crate::program::{Lengths, MAX_READS, Plain, WeightPlace};
use crate::simd::Simd;

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Inference,
    Training,
}

/// What every step can do.
pub(super) trait Run {
    /// The memory that it needs for a chunk, beside its inputs, its output, and their gradients.
    fn memory(&self, of: Chunk) -> Memory {
        let _ = of;
        Memory::default()
    }

    /// Of a step whose chunks meet before it: finds out about the inputs of one chunk what is summed over the batch.
    fn gather<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let _ = (simd, io);
    }

    /// The same, about the gradients of its outputs.
    fn gather_backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let _ = (simd, io);
    }

    /// Computes its output.
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>);

    /// Adds to the gradients of its parameters, and hands on that of its output.
    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>);
}

/// What memory is asked for.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The most images.
    pub(super) images: usize,
    pub(super) lengths: Lengths,
    pub(super) purpose: Purpose,
}

/// What a forward pass works with. Buffers end with slack behind the images.
pub(super) struct Forward<'a> {
    pub(super) images: usize,
    /// For each value it reads (images, values of one example).
    pub(super) x: [&'a [f32]; MAX_READS],
    /// (images, len).
    pub(super) y: &'a mut [f32],
    /// Values of one example of the output.
    pub(super) len: usize,
    pub(super) saved: &'a mut Saved,
    pub(super) scratch: &'a mut Scratch,
    pub(super) weights: &'a Weights,
    /// Where the weights of a plain step lie.
    pub(super) places: &'a [WeightPlace],
    pub(super) pass: Pass,
}

/// What a backward pass works with. Buffers end with slack behind the images.
pub(super) struct Backward<'a> {
    pub(super) images: usize,
    pub(super) x: [&'a [f32]; MAX_READS],
    pub(super) y: &'a [f32],
    pub(super) len: usize,
    /// The gradient of the output; it may be overwritten.
    pub(super) dy: &'a mut [f32],
    pub(super) dx: [InputGradient<'a>; MAX_READS],
    pub(super) saved: &'a mut Saved,
    pub(super) scratch: &'a mut Scratch,
    pub(super) weights: &'a Weights,
    /// Where the weights of a plain step lie.
    pub(super) places: &'a [WeightPlace],
    /// Those of the trained parameters, to be added to.
    pub(super) gradients: &'a mut Gradients,
}

/// Where the gradient of a value goes, and how.
pub(super) struct InputGradient<'a> {
    pub(super) flow: Flow,
    /// Empty unless it is written or added to.
    pub(super) to: &'a mut [f32],
}

impl Backward<'_> {
    /// The same for a while.
    pub(super) fn reborrow(&mut self) -> Backward<'_> {
        let [first, second, third] = &mut self.dx;
        Backward {
            images: self.images,
            x: self.x,
            y: self.y,
            len: self.len,
            dy: self.dy,
            dx: [first.reborrow(), second.reborrow(), third.reborrow()],
            saved: self.saved,
            scratch: self.scratch,
            weights: self.weights,
            places: self.places,
            gradients: self.gradients,
        }
    }
}

impl InputGradient<'_> {
    fn reborrow(&mut self) -> InputGradient<'_> {
        InputGradient { flow: self.flow, to: self.to }
    }

    /// Writes values, or adds them to what is there.
    #[inline(always)]
    pub(super) fn put<'v>(&mut self, values: impl Iterator<Item = &'v f32>) {
        self.put_each(values.copied());
    }

    /// The same, of values that are computed.
    #[inline(always)]
    pub(super) fn put_each(&mut self, values: impl Iterator<Item = f32>) {
        let pairs = self.to.iter_mut().zip(values);
        match self.flow {
            Flow::Nobody | Flow::InPlace => {}
            Flow::Write => pairs.for_each(|(to, value)| *to = value),
            Flow::Add => pairs.for_each(|(to, value)| *to += value),
        }
    }

    /// Zeros its first values unless they are to be added to; says whether anybody wants it.
    pub(super) fn open(&mut self, len: usize) -> bool {
        match self.flow {
            Flow::Nobody | Flow::InPlace => return false,
            Flow::Write => self.to[..len].fill(0.0),
            Flow::Add => {}
        }
        true
    }
}

impl Run for Step {
    fn memory(&self, of: Chunk) -> Memory {
        match self {
            Self::Conv(conv) => conv.memory(of),
            Self::Plain(plain) => plain.memory(of),
        }
    }

    fn gather<S: Simd>(&self, simd: S, io: Forward<'_>) {
        match self {
            Self::Conv(conv) => conv.gather(simd, io),
            Self::Plain(plain) => plain.gather(simd, io),
        }
    }

    fn gather_backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        match self {
            Self::Conv(conv) => conv.gather_backward(simd, io),
            Self::Plain(plain) => plain.gather_backward(simd, io),
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        match self {
            Self::Conv(conv) => conv.forward(simd, io),
            Self::Plain(plain) => plain.forward(simd, io),
        }
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        match self {
            Self::Conv(conv) => conv.backward(simd, io),
            Self::Plain(plain) => plain.backward(simd, io),
        }
    }
}

/// Runs whichever plain operation it is.
macro_rules! run_each {
    ($($operation:ident,)*) => {
        impl Run for Plain {
            fn memory(&self, of: Chunk) -> Memory {
                match self {
                    $(Self::$operation(operation) => operation.memory(of),)*
                }
            }

            fn gather<S: Simd>(&self, simd: S, io: Forward<'_>) {
                match self {
                    $(Self::$operation(operation) => operation.gather(simd, io),)*
                }
            }

            fn gather_backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
                match self {
                    $(Self::$operation(operation) => operation.gather_backward(simd, io),)*
                }
            }

            fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
                match self {
                    $(Self::$operation(operation) => operation.forward(simd, io),)*
                }
            }

            fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
                match self {
                    $(Self::$operation(operation) => operation.backward(simd, io),)*
                }
            }
        }
    };
}
with_plain_operations!(run_each);
