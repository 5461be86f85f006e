//! The mean of each window.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::average_pool::{average_pool_backward, average_pool_forward};
use crate::program::plain::AveragePool;
use crate::simd::Simd;

impl Run for AveragePool {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Self { window, channels } = self;
        average_pool_forward(simd, window, *channels, io.x[0], &mut io.y[..io.images * io.len]);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Self { window, channels } = self;
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        if dx.open(images * window.image.0 * window.image.1 * channels) {
            average_pool_backward(simd, window, *channels, &dy[..images * len], dx.to);
        }
    }
}
