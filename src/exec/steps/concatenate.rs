//! The channels of one value behind those of another, pixel by pixel.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::Concatenate;
use crate::simd::Simd;

impl Run for Concatenate {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let [first, second] = self.channels;
        let pixels = io.y[..io.images * io.len].chunks_exact_mut(first + second);
        let [left, right] = [io.x[0].chunks_exact(first), io.x[1].chunks_exact(second)];
        for ((y, left), right) in pixels.zip(left).zip(right) {
            let (y_left, y_right) = y.split_at_mut(first);
            y_left.copy_from_slice(left);
            y_right.copy_from_slice(right);
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let [first, second] = self.channels;
        let pixels = || io.dy[..io.images * io.len].chunks_exact(first + second);
        let [mut left, mut right, _] = io.dx;
        left.put(pixels().flat_map(|dy| &dy[..first]));
        right.put(pixels().flat_map(|dy| &dy[first..]));
    }
}
