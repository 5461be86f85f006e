//! Pixels as they are stored, made into what the engine computes with.

use crate::simd::Simd;

/// `x / 255`, as the Keras example scales its images.
pub(crate) fn bytes_to_floats<S: Simd>(simd: S, bytes: &[u8], floats: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || floats.iter_mut().zip(bytes).for_each(|(float, byte)| *float = f32::from(*byte) / 255.0),
    );
}
