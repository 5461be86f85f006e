//! The sum of two values.

use crate::exec::run::{Backward, Forward, Run};
use crate::plan::Add;
use crate::simd::Simd;

impl Run for Add {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let len = io.images * io.len;
        let ([left, right], y) = (io.x, &mut io.y[..len]);
        simd.vectorize(
            #[inline(always)]
            || y.iter_mut().zip(left).zip(right).for_each(|((y, left), right)| *y = left + right),
        );
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let dy = &io.dy[..io.images * io.len];
        for mut dx in io.dx {
            dx.put(dy.iter());
        }
    }
}
