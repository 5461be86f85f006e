//! What several test files use.

use std::path::Path;

/// A fixture that the published package leaves out for its size; none in a package.
pub(crate) fn large_fixture(name: &str) -> Option<Vec<u8>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // `cargo package` puts this file into every package.
    if package.join("Cargo.toml.orig").exists() {
        eprintln!("skipped: {name} is in the repository alone");
        return None;
    }
    let path = package.join("tests/fixtures").join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
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
