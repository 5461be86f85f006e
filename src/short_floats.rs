//! Decides what number the bits of a float of sixteen bits stand for.

/// A `bfloat16`: the upper half of an `f32`.
pub(crate) fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// An IEEE 754 `binary16`: a sign, 5 bits of exponent, 10 of the fraction. Each is an `f32`, too.
pub(crate) fn half(bits: u16) -> f32 {
    const SMALLEST: f32 = 1.0 / (1 << 24) as f32;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1F), u32::from(bits & 0x3FF));
    let magnitude = match exponent {
        // Zero, and numbers without a leading one.
        0 => fraction as f32 * SMALLEST,
        // Infinity and NaN.
        0x1F => f32::from_bits(0xFF << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 127 - 15) << 23 | fraction << 13),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}
