//! Decodes the floating-point types that weights may have to `f32`.

use safetensors::tensor::Dtype;

/// The types that weights of another origin may have.
pub(super) const FLOATS: &[Dtype] = &[Dtype::F32, Dtype::F64, Dtype::F16, Dtype::BF16];

/// The floats of a tensor, the nearest `f32` to each; `None` if it has another type.
///
/// - bytes: of whole values
pub(super) fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let of_two =
        |value: fn(u16) -> f32| bytes.as_chunks().0.iter().map(|bytes| value(u16::from_le_bytes(*bytes))).collect();
    Some(match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => of_two(half),
        Dtype::BF16 => of_two(brain),
        _ => return None,
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_is_its_sign_times_its_fraction_times_two_to_its_exponent() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF) / 1024.0);
            let magnitude = match exponent {
                0 => fraction * (-14_f64).exp2(),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1.0 + fraction) * f64::from(exponent - 15).exp2(),
            };
            let expected = if bits < 0x8000 { magnitude } else { -magnitude };
            let decoded = decode(Dtype::F16, &bits.to_le_bytes()).unwrap()[0];
            assert!(decoded.is_nan() && expected.is_nan() || f64::from(decoded) == expected, "{bits:#x}: {decoded}");
            assert_eq!(decoded.is_sign_negative(), bits >= 0x8000, "{bits:#x}");
        }
    }

    #[test]
    fn wider_and_shorter_floats_are_the_nearest_f32() {
        let bytes: Vec<u8> = [0.1_f64, -1e-50, 1e300].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(decode(Dtype::F64, &bytes).unwrap(), [0.1, -0.0, f32::INFINITY]);
        let bytes: Vec<u8> = [0x3F80_u16, 0xC049, 0x0001].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(decode(Dtype::BF16, &bytes).unwrap(), [1.0, -3.140_625, f32::from_bits(1 << 16)]);
        assert_eq!(decode(Dtype::I32, &[0; 4]), None);
    }
}
