//! Reckons what a plan costs: the memory of its lists, and the arithmetic of a forward pass.

use super::Plan;
use super::step::{ConvStep, InputGradient, Placed, Step};
use crate::aligned::round_up_to_line;
use crate::kernels::conv2d::ConvLayout;
use crate::shape::Window2d;

/// How many multiply-adds take the time in which one value is written to memory. These were measured on one core of a
/// Zen 5 with AVX-512, which takes 0.008 ns for a multiply-add of a large convolution.
const PER_VALUE: u64 = 16;
/// The same, in which an activation computes one value.
const PER_ACTIVATION: u64 = 256;
/// The same, in which a pooling that stands alone turns to the next pixel of a window.
const PER_POOLED_PIXEL: u64 = 256;

impl Plan {
    /// Bytes of the lists of where windows start.
    pub(crate) fn list_bytes(&self) -> u64 {
        let convs = self.steps.iter().filter_map(|placed| placed.step.conv());
        let turned = |conv: &ConvStep| match &conv.input_gradient {
            InputGradient::Turned(turned) => turned.layout.list_len() as u64,
            _ => 0,
        };
        let lens = convs.map(|conv| (conv.layout.list_len() as u64).saturating_add(turned(conv)));
        lens.fold(0_u64, u64::saturating_add).saturating_mul(size_of::<u32>() as u64)
    }

    /// About as many multiply-adds as the forward pass of one example takes.
    pub(crate) fn operations(&self) -> u64 {
        self.steps.iter().map(|placed| self.operations_of(placed)).fold(0, u64::saturating_add)
    }

    fn operations_of(&self, Placed { step, reads, writes, .. }: &Placed) -> u64 {
        let output = self.lengths[writes.0] as u64;
        let read = reads.iter().map(|value| self.lengths[value.0] as u64).fold(output, u64::saturating_add);
        let computed = match step {
            Step::Conv(conv) => convolution(&conv.layout),
            Step::MaxPool(pool) | Step::AveragePool(pool) => pooling(&pool.window, pool.channels),
            Step::Activate(_) | Step::Softmax(_) => product([output, PER_ACTIVATION]),
            Step::Dropout(_) | Step::ZeroPad(_) | Step::Add(_) | Step::Concatenate(_) => 0,
            // What it does is not known: as much as an activation for each value, and one for each weight.
            Step::Custom(custom) => {
                let weights = custom.weights.iter().map(|weight| weight.range.len() as u64).sum();
                product([read, PER_ACTIVATION]).saturating_add(weights)
            }
        };
        product([read, PER_VALUE]).saturating_add(computed)
    }
}

/// Lanes without a filter take as long as those with one; each output is held before it is pooled.
fn convolution(layout: &ConvLayout) -> u64 {
    let columns = round_up_to_line(layout.filters) as u64;
    product([layout.windows.len() as u64, layout.window_len() as u64 + PER_VALUE, columns])
}

/// No window reaches further than the image.
fn pooling(window: &Window2d, channels: usize) -> u64 {
    let compared = |size: usize, image: usize| size.min(image) as u64;
    let window_len = [compared(window.size.0, window.image.0), compared(window.size.1, window.image.1)];
    let pixel = PER_POOLED_PIXEL.saturating_add(product([channels as u64, PER_VALUE]));
    product([window.out.0 as u64, window.out.1 as u64, pixel].into_iter().chain(window_len))
}

fn product(factors: impl IntoIterator<Item = u64>) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}
