//! An activation that could not be fused, or a copy.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::activation::{Derivative, activate, activate_backward};
use crate::program::plain::Activate;
use crate::simd::Simd;

impl Run for Activate {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let y = &mut io.y[..io.images * io.len];
        y.copy_from_slice(&io.x[0][..io.images * io.len]);
        activate(simd, self.0, y);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, x: [x, ..], y, dy, dx: [mut dx, ..], .. } = io;
        let dy = &mut dy[..images * len];
        let values = match self.0.derivative() {
            Derivative::OfOutput => y,
            Derivative::OfInput => x,
        };
        activate_backward(simd, self.0, &values[..images * len], dy);
        dx.put(dy.iter());
    }
}
