//! A border cut off images.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::padding::{add_inside, crop};
use crate::program::plain::Crop;
use crate::simd::Simd;

impl Run for Crop {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Self { window, channels } = self;
        crop(window, *channels, io.images, io.x[0], io.y);
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Self { window, channels } = self;
        let Backward { images, dy, dx: [mut dx, ..], .. } = io;
        if dx.open(images * window.padded.0 * window.padded.1 * channels) {
            add_inside(window, *channels, images, dy, dx.to);
        }
    }
}
