//! A border of zeros around images.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::padding::{add_cropped, pad};
use crate::program::plain::ZeroPad;
use crate::simd::Simd;

impl Run for ZeroPad {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Self { window, channels } = self;
        // Each time: of a model's output, a predictor turns each value into a probability.
        io.y.fill(0.0);
        pad(window, *channels, io.images, io.x[0], io.y);
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Self { window, channels } = self;
        let Backward { images, dy, dx: [mut dx, ..], .. } = io;
        if dx.open(images * window.image.0 * window.image.1 * channels) {
            add_cropped(window, *channels, images, dy, dx.to);
        }
    }
}
