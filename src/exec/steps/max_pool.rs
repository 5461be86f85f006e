//! A max pooling that could not be fused.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Run};
use crate::kernels::max_pool::{max_pool_backward, max_pool_forward};
use crate::program::plain::MaxPool;
use crate::simd::Simd;

impl MaxPool {
    /// Values of one input.
    fn input_len(&self) -> usize {
        let Self { window, channels } = self;
        window.image.0 * window.image.1 * channels
    }
}

impl Run for MaxPool {
    /// Which input won.
    fn memory(&self, of: Chunk) -> Memory {
        Memory { saved_indices: of.images * of.lengths.y, ..Memory::default() }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Self { window, channels } = self;
        let x = &io.x[0][..io.images * self.input_len()];
        let outputs = io.images * io.len;
        max_pool_forward(simd, window, *channels, x, &mut io.y[..outputs], &mut io.saved.indices[..outputs]);
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], saved, .. } = io;
        let inputs = images * self.input_len();
        if dx.open(inputs) {
            let (dy, winners) = (&dy[..images * len], &saved.indices[..images * len]);
            max_pool_backward(self.input_len(), len, dy, winners, &mut dx.to[..inputs]);
        }
    }
}
