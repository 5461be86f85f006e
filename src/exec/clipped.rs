//! The gradient of one example among those of a shard: how long it is, and how much of it counts. Where a kernel's
//! gradient is found over the whole batch at once, nothing but its factors is there: the square of its length is the
//! product of theirs ("ghost clipping": Li et al., 2022, <https://arxiv.org/abs/2110.05679>), and to scale one factor
//! scales it.

use super::gradients::{Gradients, stride};
use crate::aligned::AlignedBuffer;
use crate::kernels::clip::sum_of_squares;
use crate::kernels::sum::add_scaled;
use crate::plan::{OverBatch, Plan};
use crate::simd::Simd;

/// How much larger the square of a length may be than it is reckoned to be: sums of squares lose some of their last
/// digits, in runs of [`RUN`] values less than this.
const ROUNDING: f64 = 1e-4;
/// Values whose squares are summed up in floats.
const RUN: usize = 4096;

impl Gradients {
    /// Makes room for the gradient of the next example alone.
    pub(crate) fn open_example(&mut self) {
        self.summed.fill(0.0);
    }

    /// Adds the gradient of the last example to `total`, shortened if it is longer than the bound; one that is no number
    /// counts as zero. Of those that are found over the whole batch the factors are scaled where they are.
    ///
    /// - total: as [`Gradients::summed`]
    pub(crate) fn add_clipped<S: Simd>(&mut self, simd: S, plan: &Plan, bound: f32, total: &mut AlignedBuffer) {
        let norm = (self.square_norm(simd, plan) * (1.0 + ROUNDING)).sqrt();
        let factor = if !norm.is_finite() {
            0.0
        } else if norm > f64::from(bound) {
            (f64::from(bound) / norm) as f32
        } else {
            1.0
        };
        let last = self.examples - 1;
        if factor > 0.0 {
            add_scaled(simd, factor, &self.summed, total);
        }
        for (kept, OverBatch { inputs, filters, .. }) in self.kept.iter_mut().zip(&plan.over_batch) {
            scale(factor, &mut kept.dy[last * stride(*filters)..][..*filters]);
            if factor == 0.0 {
                // Zero times what is no number would be none.
                kept.x[last * stride(*inputs)..][..*inputs].fill(0.0);
            }
        }
        self.looked_up.iter_mut().for_each(|looked_up| scale(factor, looked_up.gradients_of(last)));
    }

    /// The square of the length of the last example's gradient, over all trained parameters.
    fn square_norm<S: Simd>(&mut self, simd: S, plan: &Plan) -> f64 {
        let last = self.examples - 1;
        let runs = self.summed.chunks(RUN);
        let mut square: f64 = runs.map(|run| sum_of_squares(simd, run)).sum();
        for (kept, OverBatch { inputs, filters, biases, .. }) in self.kept.iter().zip(&plan.over_batch) {
            let of_x = exact_square(&kept.x[last * stride(*inputs)..][..*inputs]);
            let of_dy = exact_square(&kept.dy[last * stride(*filters)..][..*filters]);
            let of_biases = if biases.is_empty() { 0.0 } else { of_dy };
            square += of_x * of_dy + of_biases;
        }
        square + self.looked_up.iter_mut().map(|looked_up| looked_up.square_norm(last)).sum::<f64>()
    }
}

/// The square of a length. One factor of a product may be as small as the other is large, so this takes `f64`.
fn exact_square(values: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    for group in values.chunks(sums.len()) {
        sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*value));
    }
    sums.iter().sum()
}

/// Multiplies values; zero times what is no number is zero here.
fn scale(factor: f32, values: &mut [f32]) {
    if factor == 0.0 {
        values.fill(0.0);
    } else if factor < 1.0 {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}
