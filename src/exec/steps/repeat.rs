//! Runs of values repeated.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::sum::add_rows;
use crate::program::plain::Repeat;
use crate::simd::Simd;

impl Run for Repeat {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, .. } = io;
        for (y, x) in y[..images * len].chunks_exact_mut(self.run * self.times).zip(x.chunks_exact(self.run)) {
            match x {
                [x] => y.fill(*x),
                _ => y.chunks_exact_mut(self.run).for_each(|y| y.copy_from_slice(x)),
            }
        }
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        if dx.open(images * len / self.times) {
            let rows = dy[..images * len].chunks_exact(self.run * self.times);
            rows.zip(dx.to.chunks_exact_mut(self.run)).for_each(|(dy, dx)| add_rows(simd, dy, dx));
        }
    }
}
