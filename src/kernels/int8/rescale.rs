//! Floats made bytes, and bytes made bytes that stand for something on another scale.

use super::{Quantization, to_byte};
use crate::simd::Simd;

/// Makes each float the nearest byte.
pub(crate) fn quantize<S: Simd>(simd: S, to: Quantization, x: &[f32], y: &mut [u8]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let (bounds, Quantization { scale, zero_point }) = (to.bounds(), to);
            // Divided as ONNX does, not multiplied by the reciprocal, which may round a half to the other side.
            x.iter().zip(y).for_each(|(x, y)| *y = to_byte(x / scale, bounds, zero_point));
        },
    );
}

/// Bytes that are added up.
#[derive(Clone, Copy)]
pub(crate) struct Term<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) quantization: Quantization,
}

/// The sum of one or two terms. What lies below the lowest byte becomes it, so to a zero point of 0 it has a ReLU
/// behind it.
pub(crate) fn rescale<S: Simd>(simd: S, first: Term<'_>, second: Option<Term<'_>>, to: Quantization, y: &mut [u8]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let bounds = to.bounds();
            let factor = |term: Term<'_>| (f64::from(term.quantization.scale) / f64::from(to.scale)) as f32;
            // More than any byte stands for is as good as infinity, and times zero a number.
            let factor = |term: Term<'_>| factor(term).min(f32::MAX);
            let zero_point = |term: Term<'_>| f32::from(term.quantization.zero_point);
            let (factor_1, zero_1) = (factor(first), zero_point(first));
            match second {
                None => {
                    first.bytes.iter().zip(y).for_each(|(byte, y)| {
                        *y = to_byte((f32::from(*byte) - zero_1) * factor_1, bounds, to.zero_point);
                    });
                }
                Some(second) => {
                    let (factor_2, zero_2) = (factor(second), zero_point(second));
                    first.bytes.iter().zip(second.bytes).zip(y).for_each(|((byte_1, byte_2), y)| {
                        let (term_1, term_2) = (f32::from(*byte_1) - zero_1, f32::from(*byte_2) - zero_2);
                        *y = to_byte(term_1 * factor_1 + term_2 * factor_2, bounds, to.zero_point);
                    });
                }
            }
        },
    );
}
