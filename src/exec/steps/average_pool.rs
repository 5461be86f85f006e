//! The mean of each window.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::average_pool::{average_pool_backward, average_pool_forward};
use crate::plan::Pooling;
use crate::simd::Simd;

/// The mean of each window, without what padding adds.
pub(crate) struct AveragePool<'a>(pub(crate) &'a Pooling);

impl Run for AveragePool<'_> {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Pooling { window, channels } = self.0;
        average_pool_forward(simd, window, *channels, io.x[0], &mut io.y[..io.images * io.len]);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Pooling { window, channels } = self.0;
        let Backward { images, len, dy, dx: [mut dx, _], .. } = io;
        if dx.open(images * window.image.0 * window.image.1 * channels) {
            average_pool_backward(simd, window, *channels, &dy[..images * len], dx.to);
        }
    }
}
