//! Each channel less its mean, by its deviation; or the reverse.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::{Direction, Normalize};
use crate::simd::Simd;

impl Run for Normalize {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let len = io.images * io.len;
        let Self { means, deviations, direction } = self;
        let pixels = io.y[..len].chunks_exact_mut(means.len()).zip(io.x[0].chunks_exact(means.len()));
        simd.vectorize(
            #[inline(always)]
            || {
                for (y, x) in pixels {
                    let values = y.iter_mut().zip(x).zip(means.iter().zip(deviations));
                    match direction {
                        Direction::Forth => values.for_each(|((y, x), (mean, deviation))| *y = (x - mean) / deviation),
                        Direction::Back => values.for_each(|((y, x), (mean, deviation))| *y = x * deviation + mean),
                    }
                }
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, _], .. } = io;
        let dy = &mut dy[..images * len];
        simd.vectorize(
            #[inline(always)]
            || {
                for dy in dy.chunks_exact_mut(self.means.len()) {
                    let values = dy.iter_mut().zip(&self.deviations);
                    match self.direction {
                        Direction::Forth => values.for_each(|(dy, deviation)| *dy /= deviation),
                        Direction::Back => values.for_each(|(dy, deviation)| *dy *= deviation),
                    }
                }
            },
        );
        dx.put(dy.iter());
    }
}
