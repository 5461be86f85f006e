//! Masks, and what reads them.

use crate::exec::run::{Backward, Forward, Run};
use crate::kernels::sum::sum_rows;
use crate::program::plain::{FindMask, MaskedMean, MaskedSteps};
use crate::simd::Simd;

impl Run for FindMask {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let steps = io.x[0].chunks_exact(self.features);
        // A NaN is no value, so a step with one counts.
        let counts = |step: &[f32]| step.iter().any(|value| *value != self.value);
        io.y[..io.images * io.len].iter_mut().zip(steps).for_each(|(y, step)| *y = f32::from(u8::from(counts(step))));
    }

    /// It has none: `plan` wants no gradient of a mask.
    fn backward<S: Simd>(&self, _simd: S, _io: Backward<'_>) {}
}

impl Run for MaskedSteps {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let [mask, x, _] = io.x;
        let steps = io.y[..io.images * io.len].chunks_exact_mut(self.features).zip(x.chunks_exact(self.features));
        for ((y, x), counts) in steps.zip(mask) {
            // Not a product, so that nothing is left of what a masked step held.
            if *counts == 0.0 { y.fill(0.0) } else { y.copy_from_slice(x) }
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let ([mask, ..], [_, mut dx, _]) = (io.x, io.dx);
        let dy = &mut io.dy[..io.images * io.len];
        for (dy, counts) in dy.chunks_exact_mut(self.features).zip(mask) {
            if *counts == 0.0 {
                dy.fill(0.0);
            }
        }
        dx.put(dy.iter());
    }
}

impl Run for MaskedMean {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let [masks, x, _] = io.x;
        let examples = io.y[..io.images * io.len].chunks_exact_mut(io.len);
        let reads = masks.chunks_exact(self.steps).zip(x.chunks_exact(self.steps * self.features));
        for (y, (mask, x)) in examples.zip(reads) {
            mean_of_counted(x, mask, y);
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let ([masks, ..], [_, mut dx, _]) = (io.x, io.dx);
        let len = self.steps * self.features;
        if !dx.open(io.images * len) {
            return;
        }
        let examples = dx.to[..io.images * len].chunks_exact_mut(len).zip(masks.chunks_exact(self.steps));
        for ((dx, mask), dy) in examples.zip(io.dy.chunks_exact(io.len)) {
            let share = share(mask);
            for (dx, _) in dx.chunks_exact_mut(self.features).zip(mask).filter(|(_, counts)| **counts != 0.0) {
                dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy * share);
            }
        }
    }
}

/// The mean of the steps that count, summed in `f64`; zeros if none does.
///
/// - x: (steps, features); mask: (steps); means: (features)
fn mean_of_counted(x: &[f32], mask: &[f32], means: &mut [f32]) {
    let count = counted(mask).max(1) as f64;
    let steps = x.chunks_exact(means.len()).zip(mask).filter(|(_, counts)| **counts != 0.0);
    sum_rows(steps.map(|(step, _)| step), means, |mean, total| *mean = (total / count) as f32);
}

fn counted(mask: &[f32]) -> usize {
    mask.iter().filter(|counts| **counts != 0.0).count()
}

/// What each step that counts is of their mean.
fn share(mask: &[f32]) -> f32 {
    match counted(mask) {
        0 => 0.0,
        count => (1.0 / count as f64) as f32,
    }
}
