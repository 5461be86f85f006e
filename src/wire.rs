//! Floats on their way to other processes: as bytes, the lowest first.

/// Appends floats.
pub(crate) fn put_floats<'v>(values: impl IntoIterator<Item = &'v f32>, to: &mut Vec<u8>) {
    to.extend(values.into_iter().flat_map(|value| value.to_le_bytes()));
}

/// The floats that came as bytes.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_as_they_went() {
        let (values, mut bytes) = ([1.5, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0], Vec::new());
        put_floats(&values, &mut bytes);
        assert_eq!(bytes[..4], [0, 0, 0xc0, 0x3f]);
        assert!(floats(&bytes).map(f32::to_bits).eq(values.map(f32::to_bits)));
    }
}
