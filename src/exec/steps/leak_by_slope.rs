//! Negative values multiplied by a weight, which values along some axes may share.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::{LeakBySlope, PerAxis};
use crate::simd::Simd;

/// How many slopes' gradients are summed at a time.
const LANES: usize = 16;

impl LeakBySlope {
    /// Adds the gradients of all slopes: in `f64`, as any number of values may share one.
    ///
    /// - x, dy: (images, axes); d_slopes: (slopes)
    #[inline(always)]
    fn add_gradients(&self, images: usize, x: &[f32], dy: &[f32], d_slopes: &mut [f32]) {
        let PerAxis { axes: [.., row_len], numbers: [.., len] } = self.0;
        let product = |(x, dy): (&f32, &f32)| if *x > 0.0 { 0.0 } else { f64::from(*x) * f64::from(*dy) };
        for (place, d_slopes) in d_slopes.chunks_exact_mut(len).enumerate() {
            if len == 1 {
                let mut sum = 0.0;
                self.0.each_row_of(images, place, |start| {
                    let row = start..start + row_len;
                    sum += x[row.clone()].iter().zip(&dy[row]).map(product).sum::<f64>();
                });
                d_slopes[0] += sum as f32;
                continue;
            }
            for (block, d_slopes) in d_slopes.chunks_mut(LANES).enumerate() {
                let mut sums = [0.0_f64; LANES];
                self.0.each_row_of(images, place, |start| {
                    let row = start + block * LANES..start + block * LANES + d_slopes.len();
                    let products = x[row.clone()].iter().zip(&dy[row]).map(product);
                    sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
                });
                d_slopes.iter_mut().zip(sums).for_each(|(d_slope, sum)| *d_slope += sum as f32);
            }
        }
    }
}

/// `values` where `x` is positive, and that times the slope elsewhere.
///
/// - slopes: one for all, or one each
#[inline(always)]
fn leak(x: &[f32], slopes: &[f32], values: &mut [f32]) {
    let values = values.iter_mut().zip(x);
    match slopes {
        [slope] => values.for_each(|(value, x)| *value *= if *x > 0.0 { 1.0 } else { *slope }),
        _ => values.zip(slopes).for_each(|((value, x), slope)| *value *= if *x > 0.0 { 1.0 } else { *slope }),
    }
}

impl Run for LeakBySlope {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, weights, places, .. } = io;
        let PerAxis { axes: [.., row_len], numbers: [.., slopes_len] } = self.0;
        let slopes = &weights.flat[places[0].range.clone()];
        y[..images * len].copy_from_slice(&x[..images * len]);
        simd.vectorize(
            #[inline(always)]
            || {
                self.0.each_row(images, |start, slope| {
                    let row = start..start + row_len;
                    leak(&x[row.clone()], &slopes[slope..][..slopes_len], &mut y[row]);
                });
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, ..], len, dy, dx: [mut dx, ..], weights, places, gradients, .. } = io;
        let PerAxis { axes: [.., row_len], numbers: [.., slopes_len] } = self.0;
        let (slopes, dy) = (&weights.flat[places[0].range.clone()], &mut dy[..images * len]);
        simd.vectorize(
            #[inline(always)]
            || {
                if places[0].is_trained {
                    self.add_gradients(images, x, dy, &mut gradients.summed[places[0].range.clone()]);
                }
                self.0.each_row(images, |start, slope| {
                    let row = start..start + row_len;
                    leak(&x[row.clone()], &slopes[slope..][..slopes_len], &mut dy[row]);
                });
                dx.put(dy.iter());
            },
        );
    }
}
