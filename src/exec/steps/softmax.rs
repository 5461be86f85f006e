//! A softmax inside a model.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::softmax::{softmax, softmax_backward};
use crate::program::plain::Softmax;
use crate::simd::Simd;

impl Run for Softmax {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let y = &mut io.y[..io.images * io.len];
        y.copy_from_slice(&io.x[0][..io.images * io.len]);
        softmax(y, self.classes);
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, y, dy, dx: [mut dx, ..], .. } = io;
        let dy = &mut dy[..images * len];
        softmax_backward(&y[..images * len], dy, self.classes);
        dx.put(dy.iter());
    }
}
