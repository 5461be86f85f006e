//! Pixels as they are stored, made into what the engine computes with.

use crate::simd::Simd;

/// `x / 255`, as the Keras example scales its images.
pub(crate) fn bytes_to_floats<S: Simd>(simd: S, bytes: &[u8], floats: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || floats.iter_mut().zip(bytes).for_each(|(float, byte)| *float = f32::from(*byte) / 255.0),
    );
}

/// `x * factor + offset`, with a factor and an offset for each channel.
///
/// - pixels: (..., channels)
pub(crate) fn scale<S: Simd>(simd: S, factors: &[f32], offsets: &[f32], pixels: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || match (factors, offsets) {
            (&[factor], &[offset]) => pixels.iter_mut().for_each(|value| *value = *value * factor + offset),
            _ => pixels.chunks_exact_mut(factors.len()).for_each(|pixel| {
                let channels = pixel.iter_mut().zip(factors).zip(offsets);
                channels.for_each(|((value, factor), offset)| *value = *value * factor + offset);
            }),
        },
    );
}
