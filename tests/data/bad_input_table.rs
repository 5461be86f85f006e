//! The documentation's table of bad data names tests that there are.

use std::fs;
use std::path::Path;

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_row_names_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = String::new();
    read_all(&root.join("tests"), &mut code);
    read_all(&root.join("src"), &mut code);
    let table = fs::read_to_string(root.join("src/data/bad_input.md")).unwrap();
    let tests: Vec<&str> = table.lines().filter_map(|line| line.strip_suffix("` |")?.rsplit('`').next()).collect();
    assert!(tests.len() >= 40, "only {} rows were found", tests.len());
    for test in tests {
        assert!(
            code.contains(&format!("#[test]\nfn {test}()")) || code.contains(&format!("    fn {test}()")),
            "{test}"
        );
    }
}
