//! The arithmetic of constraints: weights of one norm after the other, and weights without a sign.

use super::clip::sum_of_squares;
use crate::simd::Simd;

/// Keras' `epsilon`, which is added to norms that are divided by.
const EPSILON: f32 = 1e-7;
/// The most values whose squares are summed in one go; such sums are added in `f64`.
const SUMMED: usize = 8192;

/// What norms are brought to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NormBounds {
    pub(crate) min: f32,
    pub(crate) max: f32,
    /// How much of the way is gone, from 0 to 1.
    pub(crate) rate: f32,
}

/// Some axes of a weight in memory: how long each is, and how far its values are apart.
pub(crate) type Strides = [(usize, usize)];

impl NormBounds {
    /// What values are multiplied by whose squares have this sum.
    fn factor(self, squares: f64) -> f32 {
        let norm = squares.sqrt() as f32;
        let desired = self.rate * norm.clamp(self.min, self.max) + (1.0 - self.rate) * norm;
        desired / (EPSILON + norm)
    }
}

/// Brings the norm of each group of weights into bounds.
///
/// - groups: the axes along which there is a group at each place; members: those along which the members of a group lie
pub(crate) fn bound_norms<S: Simd>(
    simd: S,
    bounds: NormBounds,
    groups: &Strides,
    members: &Strides,
    weights: &mut [f32],
) {
    each_offset(groups, 0, &mut |start| {
        if let [(len, 1)] = *members {
            let group = &mut weights[start..start + len];
            let squares = group.chunks(SUMMED).map(|values| sum_of_squares(simd, values)).sum();
            let factor = bounds.factor(squares);
            return simd.vectorize(
                #[inline(always)]
                || group.iter_mut().for_each(|weight| *weight *= factor),
            );
        }
        let mut squares = 0.0;
        each_offset(members, start, &mut |at| squares += f64::from(weights[at]) * f64::from(weights[at]));
        let factor = bounds.factor(squares);
        each_offset(members, start, &mut |at| weights[at] *= factor);
    });
}

/// Makes negative weights 0; NaN stays NaN.
pub(crate) fn clear_negative<S: Simd>(simd: S, weights: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || weights.iter_mut().for_each(|weight| *weight = if *weight < 0.0 { 0.0 } else { *weight }),
    );
}

/// Goes to every place along some axes.
fn each_offset(axes: &Strides, start: usize, work: &mut impl FnMut(usize)) {
    match axes {
        [] => work(start),
        [(len, stride), inner @ ..] => {
            for index in 0..*len {
                each_offset(inner, start + index * stride, work);
            }
        }
    }
}
