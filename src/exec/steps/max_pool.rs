//! A max pooling that could not be fused.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Forward, Purpose, Run};
use crate::kernels::max_pool::{max_pool_backward, max_pool_forward};
use crate::plan::Pooling;
use crate::simd::Simd;

/// The maximum of each window.
pub(crate) struct MaxPool<'a>(pub(crate) &'a Pooling);

impl MaxPool<'_> {
    /// Values of one input.
    fn input_len(&self) -> usize {
        let Pooling { window, channels } = self.0;
        window.image.0 * window.image.1 * channels
    }
}

impl Run for MaxPool<'_> {
    /// Which input won.
    fn memory(&self, images: usize, _purpose: Purpose) -> Memory {
        let Pooling { window, channels } = self.0;
        Memory { saved_indices: images * window.out.0 * window.out.1 * channels, ..Memory::default() }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Pooling { window, channels } = self.0;
        let x = &io.x[0][..io.images * self.input_len()];
        let outputs = io.images * io.len;
        max_pool_forward(simd, window, *channels, x, &mut io.y[..outputs], &mut io.saved.indices[..outputs]);
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, _], saved, .. } = io;
        let inputs = images * self.input_len();
        if dx.open(inputs) {
            let (dy, winners) = (&dy[..images * len], &saved.indices[..images * len]);
            max_pool_backward(self.input_len(), len, dy, winners, &mut dx.to[..inputs]);
        }
    }
}
