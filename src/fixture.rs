//! What other programs have computed for unit tests. The published package leaves those files out.

use std::fs::read_to_string;
use std::path::Path;

/// A file of `tests/fixtures`; `None` in the published package, whose tests that need it pass without it.
///
/// # Panics
/// If there are such files, but not this one.
pub(crate) fn fixture(name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    if !folder.is_dir() {
        eprintln!("skipped: the package has no tests/fixtures, the repository has");
        return None;
    }
    let path = folder.join(name);
    Some(read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
