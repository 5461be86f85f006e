//! Axes in another order.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::Permute;
use crate::simd::Simd;

impl Permute {
    /// Calls `visit` with where each row of the output, its last axis, starts in the output and in the input.
    ///
    /// - len: the values of one example
    #[inline(always)]
    fn each_row(&self, images: usize, len: usize, mut visit: impl FnMut(usize, usize)) {
        let [a, b, c, row] = self.axes;
        let mut to = 0;
        for image in 0..images {
            for i in 0..a {
                for j in 0..b {
                    for k in 0..c {
                        visit(to, image * len + i * self.strides[0] + j * self.strides[1] + k * self.strides[2]);
                        to += row;
                    }
                }
            }
        }
    }
}

impl Run for Permute {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, .. } = io;
        let [.., row] = self.axes;
        let [.., stride] = self.strides;
        self.each_row(images, len, |to, from| {
            let values = x[from..].iter().step_by(stride);
            y[to..][..row].iter_mut().zip(values).for_each(|(y, x)| *y = *x);
        });
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        let [.., row] = self.axes;
        let [.., stride] = self.strides;
        if dx.open(images * len) {
            self.each_row(images, len, |to, from| {
                let values = dx.to[from..].iter_mut().step_by(stride);
                values.zip(&dy[to..][..row]).for_each(|(dx, dy)| *dx += dy);
            });
        }
    }
}
