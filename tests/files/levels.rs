//! Imports point down only: each file of the crate may use its own level and those below it.

use std::fs;
use std::path::Path;

/// The levels of ARCHITECTURE.md, from the ground up; a folder counts as the file of its name.
const LEVELS: [&[&str]; 10] = [
    &["error", "random", "setters", "shape", "user_object"],
    &["aligned", "data", "simd", "whole_file"],
    &["kernels", "ops"],
    &["program"],
    &["layers"],
    &["plan"],
    &["exec", "loss", "optimizer"],
    &["history", "metrics", "train"],
    &["callbacks", "evaluation", "fit", "model", "onnx", "predictor", "report", "saving", "sequential", "summary"],
    &["custom", "lib", "prelude"],
];

fn level(module: &str) -> usize {
    let found = LEVELS.iter().position(|modules| modules.contains(&module));
    found.unwrap_or_else(|| panic!("`{module}` has no level: add it to tests/files/levels.rs and ARCHITECTURE.md"))
}

fn check(folder: &Path, module: Option<&str>, checked: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = module.unwrap_or(&stem);
        if path.is_dir() {
            check(&path, Some(module), checked);
        } else if stem != "tests" && path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            // What macros name on their users' side is no import.
            let code = code.map(|line| line.replace("$crate::", ""));
            let code: Vec<String> = code.collect();
            for import in code.iter().flat_map(|line| line.split("crate::").skip(1)) {
                let target = import.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                assert!(!target.is_empty(), "{}: one `use crate::` line for each module", path.display());
                *checked += 1;
                assert!(
                    level(target) <= level(module),
                    "{} (level {}) uses crate::{target} (level {}): imports point down only",
                    path.display(),
                    level(module),
                    level(target)
                );
            }
        }
    }
}

#[test]
fn no_file_imports_from_a_higher_level() {
    let mut checked = 0;
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut checked);
    assert!(checked > 100, "only {checked} imports were found: does the test still read the code?");
}
