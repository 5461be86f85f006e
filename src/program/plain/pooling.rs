//! Poolings.

use super::{Declare, Lengths, product};
use crate::shape::Window2d;

/// The multiply-adds that take as long as a pooling that stands alone takes to turn to the next pixel of a window.
const PER_POOLED_PIXEL: u64 = 256;
/// The same, to take up one of its values.
const PER_VALUE: u64 = 16;

/// The maximum of each window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MaxPool {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
}

/// The mean of each window, without what padding adds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AveragePool {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
}

impl Declare for MaxPool {
    fn operations(&self, _of: Lengths) -> u64 {
        pooling(&self.window, self.channels)
    }

    fn reads_sparsely(&self) -> bool {
        true
    }
}

impl Declare for AveragePool {
    fn operations(&self, _of: Lengths) -> u64 {
        pooling(&self.window, self.channels)
    }
}

/// No window reaches further than the image.
fn pooling(window: &Window2d, channels: usize) -> u64 {
    let compared = |size: usize, image: usize| size.min(image) as u64;
    let window_len = [compared(window.size.0, window.image.0), compared(window.size.1, window.image.1)];
    let pixel = PER_POOLED_PIXEL.saturating_add(product([channels as u64, PER_VALUE]));
    product([window.out.0 as u64, window.out.1 as u64, pixel].into_iter().chain(window_len))
}
