//! The page to draw on, in a real browser: `page.py` uses it as people do.
//!
//! `INKSTONE_PYTHON` names a Python that has `tests/python/requirements.txt`, and `INKSTONE_CHROMIUM` the browser, otherwise
//! `chromium` is looked for. Without them nothing is tested, which is said on standard error; with
//! `INKSTONE_REQUIRE_PYTHON=1` and `INKSTONE_REQUIRE_CHROMIUM=1` that is a failure. `INKSTONE_SCREENSHOTS` names a folder that
//! keeps what the page looks like.

mod common;

use common::Server;
use image::{GrayImage, Luma};
use inkstone::Model;
use inkstone::data::{Dataset, synthetic};
use inkstone::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const HOSTILE: &str = "<img src=x onerror=\"window.hacked = 1\"><script>window.hacked = 2</script>\u{202e}";

/// What a variable names; nothing, which is said, or a failure where it is required.
fn tool(variable: &str, required: &str, otherwise: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let found = named.or_else(otherwise);
    if found.is_none() {
        assert!(std::env::var_os(required).is_none(), "{required} is set, and {variable} is not");
        eprintln!("skipped: {variable} is not set");
    }
    found
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A network that has learned to read drawn digits, and how well.
fn trained(test: &Dataset) -> (Model, f64) {
    let network = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax));
    let loss = SparseCategoricalCrossentropy::default();
    let mut model = network.seed(1).compile(Adam::new(0.003), loss, [Accuracy]).unwrap();
    let config = FitConfig::new().epochs(4).batch_size(32).verbose(0);
    model.fit(&synthetic::digits(6000, 1).unwrap(), config).unwrap();
    let accuracy = model.evaluate(test).unwrap().get("accuracy").unwrap();
    (model, accuracy)
}

/// A digit of this class that the model reads, dark on light, on a sheet of its own.
fn sheet(model: &Model, test: &Dataset, class: usize) -> GrayImage {
    let said = model.predict_classes(test).unwrap();
    let index = (0..test.len()).find(|index| test.labels()[*index] == class && said[*index] == class).unwrap();
    let (images, scale) = (test.images(), 10);
    GrayImage::from_fn(28 * scale, 28 * scale, |x, y| {
        let ink = images[[index, (y / scale) as usize, (x / scale) as usize, 0]];
        Luma([250 - (ink * 220.0) as u8])
    })
}

fn write_card(model: &Path, card: &serde_json::Value) {
    fs::write(model.with_extension("safetensors.card.json"), card.to_string()).unwrap();
}

#[test]
fn people_draw_on_the_page_and_see_what_the_model_says() {
    let Some(python) = tool("INKSTONE_PYTHON", "INKSTONE_REQUIRE_PYTHON", || None) else { return };
    let browser = tool("INKSTONE_CHROMIUM", "INKSTONE_REQUIRE_CHROMIUM", || on_path("chromium"));
    let Some(browser) = browser else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);

    let test = synthetic::digits(1000, 2).unwrap();
    let (model, accuracy) = trained(&test);
    assert!(accuracy > 0.9, "{accuracy}");
    let models = place("models");
    let digits = models.join("digits.safetensors");
    for version in ["1", "2"] {
        fs::create_dir_all(models.join("many").join(version)).unwrap();
    }
    model.save(&digits).unwrap();
    let description = "Reads one handwritten digit. It learned from drawn digits, and takes every picture for a digit.";
    write_card(&digits, &json!({ "classes": NAMES, "accuracy": accuracy, "description": description }));
    fs::copy(&digits, models.join("many/1/m.safetensors")).unwrap();
    fs::write(models.join("many/2/m.safetensors"), "no model").unwrap();
    let scores = Sequential::new([4]).add(Dense::new(3).activation(Softmax));
    let scores = scores.seed(1).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
    let path = models.join("scores.safetensors");
    scores.save(&path).unwrap();
    write_card(&path, &json!({ "classes": [HOSTILE, "b", "c"], "description": HOSTILE }));

    sheet(&model, &test, 3).save(place("three.png")).unwrap();
    sheet(&model, &test, 0).save(place("zero.jpg")).unwrap();
    GrayImage::from_pixel(100, 100, Luma([255])).save(place("blank.png")).unwrap();

    let made = Command::new(env!("CARGO_BIN_EXE_inkstone-serve")).args(["key", "ada"]).output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let (key, line) = made.split_once('\n').unwrap();
    fs::write(place("keys"), line).unwrap();

    let open = Server::start([&models]);
    let keyed = Server::start([&digits, Path::new("--keys"), &place("keys")]);
    open.wait_until_ready();
    keyed.wait_until_ready();
    let screenshots = std::env::var_os("INKSTONE_SCREENSHOTS").map_or_else(|| place("screenshots"), PathBuf::from);
    let sha256: String = Sha256::digest(fs::read(&digits).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let cases = json!({
        "open": open.url,
        "keyed": keyed.url,
        "key": key,
        "pictures": [
            { "path": place("three.png"), "class": "three" },
            { "path": place("zero.jpg"), "class": "zero" },
        ],
        "blank": place("blank.png"),
        "accuracy": format!("{:.1} %", 100.0 * accuracy),
        "parameters": "5,258",
        "sha256": sha256,
        "hostile": HOSTILE,
        "screenshots": screenshots,
    });
    fs::write(place("cases.json"), cases.to_string()).unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page.py");
    let used = Command::new(python).arg(program).arg(browser).arg(place("cases.json")).output().unwrap();
    let said = String::from_utf8_lossy(&used.stdout);
    assert!(used.status.success(), "{said}{}", String::from_utf8_lossy(&used.stderr));
}
