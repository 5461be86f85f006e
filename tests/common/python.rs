//! Which Python the tests use that read our files with other programs. A file of its own, as few tests do.

use std::path::PathBuf;

/// The Python interpreter that `INKSTONE_PYTHON` names. Without it tests say that they are skipped, or fail where
/// `INKSTONE_REQUIRE_PYTHON` says that there must be one.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("INKSTONE_PYTHON").filter(|python| !python.is_empty());
    if python.is_none() {
        assert!(
            std::env::var_os("INKSTONE_REQUIRE_PYTHON").is_none(),
            "INKSTONE_REQUIRE_PYTHON is set, so INKSTONE_PYTHON must name a Python interpreter"
        );
        eprintln!("skipped: set INKSTONE_PYTHON to a Python interpreter that has the packages this test reads with");
    }
    python.map(Into::into)
}
