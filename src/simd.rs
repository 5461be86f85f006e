//! Decides how code reaches the CPU's vector instructions: through `fearless_simd` alone, whose tokens prove at run
//! time that an instruction set is there. Kernels are written once, generic over the token [`Simd`], and every kernel
//! that computes with vectors opens with [`Simd::vectorize`], which compiles its body for that instruction set.

#[cfg(any(test, not(target_arch = "x86_64")))]
pub(crate) use fearless_simd::dispatch;
pub(crate) use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, SimdMask, f32x4};

/// Runs code with the token of a level. On x86-64 this leaves out SSE4.2, which adds nothing to SSE2 here: a kernel
/// less to compile and to carry. Tests run every level there is.
#[cfg(all(not(test), target_arch = "x86_64"))]
macro_rules! dispatch {
    ($level:expr, $simd:ident => $work:expr) => {{
        let level: $crate::simd::Level = $level;
        if let Some(token) = level.as_avx512() {
            ::fearless_simd::Simd::vectorize(token, || {
                let $simd = token;
                $work
            })
        } else if let Some(token) = level.as_avx2() {
            ::fearless_simd::Simd::vectorize(token, || {
                let $simd = token;
                $work
            })
        } else {
            let token = level.as_sse2().expect("every x86-64 has SSE2");
            ::fearless_simd::Simd::vectorize(token, || {
                let $simd = token;
                $work
            })
        }
    }};
}
#[cfg(all(not(test), target_arch = "x86_64"))]
pub(crate) use dispatch;

/// Whether this instruction set has 32 vector registers; the others have 16.
pub(crate) const fn has_32_registers<S: Simd>() -> bool {
    S::f32s::LEN == 16 || cfg!(target_arch = "aarch64")
}

/// Every level this machine has, the scalar one included.
#[cfg(test)]
pub(crate) fn all_levels() -> Vec<Level> {
    let best = Level::new();
    let mut levels = vec![best, Level::fallback()];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        levels.extend(best.as_sse2().map(Level::Sse2));
    }
    levels
}
