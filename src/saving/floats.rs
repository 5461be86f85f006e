//! Decodes the floating-point types that weights may have to `f32`.

use crate::short_floats::{brain, half};
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
