//! A factor and a summand for all values.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::Affine;
use crate::simd::Simd;

impl Run for Affine {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let len = io.images * io.len;
        let (x, y) = (&io.x[0][..len], &mut io.y[..len]);
        let Self { scale, offset } = *self;
        simd.vectorize(
            #[inline(always)]
            || y.iter_mut().zip(x).for_each(|(y, x)| *y = x * scale + offset),
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        let dy = &mut dy[..images * len];
        simd.vectorize(
            #[inline(always)]
            || dy.iter_mut().for_each(|dy| *dy *= self.scale),
        );
        dx.put(dy.iter());
    }
}
