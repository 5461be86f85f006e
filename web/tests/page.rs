//! The built page in a real browser, and its program in Node: `page.py` uses it as people do, `train.mjs` trains.
//!
//! `web/build.sh` must have built the page. `INKSTONE_PYTHON` names a Python that has `tests/python/requirements.txt`, and
//! `INKSTONE_CHROMIUM` the browser, otherwise `chromium` is looked for. What is missing is said on standard error; with
//! `INKSTONE_REQUIRE_PAGE=1` that is a failure. `INKSTONE_SCREENSHOTS` names a folder that keeps what the page looks like.

use inkstone::data::{Dataset, idx, synthetic};
use inkstone::ndarray::Array1;
use inkstone::prelude::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The built page, or nothing, which is said.
fn page() -> Option<PathBuf> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist");
    if page.join("inkstone_web.wasm").is_file() {
        return Some(page);
    }
    assert!(
        std::env::var_os("INKSTONE_REQUIRE_PAGE").is_none(),
        "INKSTONE_REQUIRE_PAGE is set: run web/build.sh before"
    );
    eprintln!("skipped: web/build.sh has not built the page");
    None
}

fn on_path(program: &str) -> Option<PathBuf> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("INKSTONE_REQUIRE_PAGE").is_none(),
            "INKSTONE_REQUIRE_PAGE is set, and there is no {program}"
        );
        eprintln!("skipped: there is no {program}");
    }
    found
}

fn assert_success(used: &Output) {
    let said = String::from_utf8_lossy(&used.stdout);
    assert!(used.status.success(), "{said}{}", String::from_utf8_lossy(&used.stderr));
    print!("{said}");
}

/// A data set of drawn digits as the files of MNIST.
fn write_files(folder: &Path, name: &str, dataset: &Dataset) {
    let images = dataset.images().mapv(|value| (value * 255.0).round() as u8).remove_axis(inkstone::ndarray::Axis(3));
    let labels: Array1<u8> = dataset.labels().iter().map(|label| *label as u8).collect();
    idx::write_file(folder.join(format!("{name}-images-idx3-ubyte.gz")), images.view().into_dyn()).unwrap();
    idx::write_file(folder.join(format!("{name}-labels-idx1-ubyte.gz")), labels.view().into_dyn()).unwrap();
}

#[test]
fn the_program_of_the_page_trains_in_node() {
    let (Some(page), Some(node)) = (page(), on_path("node")) else { return };
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/train.mjs");
    assert_success(&Command::new(node).arg(program).arg(page).output().unwrap());
}

#[test]
fn people_watch_a_network_learn_on_the_page() {
    let (Some(page), Some(browser)) = (page(), chromium().or_else(|| on_path("chromium"))) else { return };
    let Some(python) = std::env::var_os("INKSTONE_PYTHON") else {
        assert!(
            std::env::var_os("INKSTONE_REQUIRE_PAGE").is_none(),
            "INKSTONE_REQUIRE_PAGE is set, and INKSTONE_PYTHON is not"
        );
        return eprintln!("skipped: INKSTONE_PYTHON is not set");
    };
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), "train", &synthetic::digits(3000, 1).unwrap());
    write_files(folder.path(), "t10k", &synthetic::digits(500, 2).unwrap());
    // A model of a Rust program.
    let network = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax)).seed(1);
    let model = network.compile(Adam::new(0.001), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    model.save(folder.path().join("rust.safetensors")).unwrap();

    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page.py");
    let screenshots =
        std::env::var_os("INKSTONE_SCREENSHOTS").map_or_else(|| folder.path().join("screenshots"), PathBuf::from);
    let used = Command::new(python)
        .arg(program)
        .args([&browser, &page, &folder.path().to_owned(), &screenshots])
        .output()
        .unwrap();
    assert_success(&used);
    // What the page saved, a Rust program reads.
    let saved = Model::load(folder.path().join("saved.safetensors")).unwrap();
    let test = synthetic::digits(500, 2).unwrap();
    let accuracy = saved.evaluate(&test).unwrap().get("accuracy").unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
}

fn chromium() -> Option<PathBuf> {
    std::env::var_os("INKSTONE_CHROMIUM").map(PathBuf::from)
}
