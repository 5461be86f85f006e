//! What several test files use.

use std::path::Path;

/// A fixture that is too large to be compiled in.
pub(crate) fn large_fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails unless `|a - b| <= atol + rtol * |b|` for every pair.
#[track_caller]
pub(crate) fn assert_close<'a>(
    what: &str,
    actual: impl IntoIterator<Item = &'a f32>,
    expected: impl IntoIterator<Item = &'a f32>,
    rtol: f32,
    atol: f32,
) {
    let (actual, expected): (Vec<_>, Vec<_>) = (actual.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    for (index, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!((*a - b).abs() <= atol + rtol * b.abs(), "{what}[{index}]: {a}, expected {b}");
    }
}
