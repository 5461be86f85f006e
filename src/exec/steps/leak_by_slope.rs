//! Negative values multiplied by a weight, which values along some axes may share.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::plain::LeakBySlope;
use crate::simd::Simd;
use std::ops::Range;

/// How many slopes' gradients are summed at a time.
const LANES: usize = 16;

impl LeakBySlope {
    /// Calls `visit` for each row of values, the last axis, of some images: with where it starts, and where its slopes
    /// do.
    #[inline(always)]
    fn each_row(&self, images: usize, mut visit: impl FnMut(usize, usize)) {
        let ([a, b, c, row_len], [of_a, of_b, of_c, len]) = (self.axes, self.slopes);
        // An axis of one slope is stood still on.
        let place = |at: usize, slopes: usize| if slopes == 1 { 0 } else { at };
        let mut start = 0;
        for _ in 0..images {
            for i in 0..a {
                for j in 0..b {
                    for k in 0..c {
                        visit(start, ((place(i, of_a) * of_b + place(j, of_b)) * of_c + place(k, of_c)) * len);
                        start += row_len;
                    }
                }
            }
        }
    }

    /// Calls `visit` with where each row starts that has the slopes of this place.
    #[inline(always)]
    fn each_row_of(&self, images: usize, place: usize, mut visit: impl FnMut(usize)) {
        let ([a, b, c, row_len], [of_a, of_b, of_c, _]) = (self.axes, self.slopes);
        let [i, j, k] = [place / (of_b * of_c) % of_a, place / of_c % of_b, place % of_c];
        let range = |at: usize, slopes: usize, len: usize| if slopes == 1 { 0..len } else { at..at + 1 };
        let [rows_a, rows_b, rows_c]: [Range<usize>; 3] = [range(i, of_a, a), range(j, of_b, b), range(k, of_c, c)];
        for image in 0..images {
            for i in rows_a.clone() {
                for j in rows_b.clone() {
                    rows_c.clone().for_each(|k| visit((((image * a + i) * b + j) * c + k) * row_len));
                }
            }
        }
    }

    /// Adds the gradients of all slopes: in `f64`, as any number of values may share one.
    ///
    /// - x, dy: (images, axes); d_slopes: (slopes)
    #[inline(always)]
    fn add_gradients(&self, images: usize, x: &[f32], dy: &[f32], d_slopes: &mut [f32]) {
        let ([.., row_len], [.., len]) = (self.axes, self.slopes);
        let product = |(x, dy): (&f32, &f32)| if *x > 0.0 { 0.0 } else { f64::from(*x) * f64::from(*dy) };
        for (place, d_slopes) in d_slopes.chunks_exact_mut(len).enumerate() {
            if len == 1 {
                let mut sum = 0.0;
                self.each_row_of(images, place, |start| {
                    let row = start..start + row_len;
                    sum += x[row.clone()].iter().zip(&dy[row]).map(product).sum::<f64>();
                });
                d_slopes[0] += sum as f32;
                continue;
            }
            for (block, d_slopes) in d_slopes.chunks_mut(LANES).enumerate() {
                let mut sums = [0.0_f64; LANES];
                self.each_row_of(images, place, |start| {
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
        let Forward { images, x: [x, _], y, len, weights, places, .. } = io;
        let ([.., row_len], [.., slopes_len]) = (self.axes, self.slopes);
        let slopes = &weights.flat[places[0].range.clone()];
        y[..images * len].copy_from_slice(&x[..images * len]);
        simd.vectorize(
            #[inline(always)]
            || {
                self.each_row(images, |start, slope| {
                    let row = start..start + row_len;
                    leak(&x[row.clone()], &slopes[slope..][..slopes_len], &mut y[row]);
                });
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, _], len, dy, dx: [mut dx, _], weights, places, gradients, .. } = io;
        let ([.., row_len], [.., slopes_len]) = (self.axes, self.slopes);
        let (slopes, dy) = (&weights.flat[places[0].range.clone()], &mut dy[..images * len]);
        simd.vectorize(
            #[inline(always)]
            || {
                if places[0].is_trained {
                    self.add_gradients(images, x, dy, &mut gradients.summed[places[0].range.clone()]);
                }
                self.each_row(images, |start, slope| {
                    let row = start..start + row_len;
                    leak(&x[row.clone()], &slopes[slope..][..slopes_len], &mut dy[row]);
                });
                dx.put(dy.iter());
            },
        );
    }
}
