//! Which Python the tests use that read our files with other programs. A file of its own, as few tests do.

use std::path::PathBuf;
use std::process::Command;

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

/// Fails unless this test, run again without a Python interpreter, says that it is skipped, and fails where there must
/// be one.
pub(crate) fn is_skipped_or_fails_as_the_environment_says(test: &str) {
    let again = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]);
        command.env_remove("INKSTONE_PYTHON").env_remove("INKSTONE_REQUIRE_PYTHON");
        command
    };
    let run = |mut command: Command| {
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (passed, said) = run(again());
    assert!(passed && said.contains("skipped: set INKSTONE_PYTHON to a Python interpreter"), "{said}");
    let mut required = again();
    required.env("INKSTONE_REQUIRE_PYTHON", "1");
    let (passed, said) = run(required);
    assert!(!passed && said.contains("INKSTONE_PYTHON must name a Python interpreter"), "{said}");
}
