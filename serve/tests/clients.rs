//! Clients of both protocols that others have written, and whether the server is as it describes itself.

mod common;

use common::{Server, digits};
use inkstone::Model;
use inkstone::ndarray::{Array2, ArrayD, IxDyn};
use inkstone::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

/// A model of four numbers and three classes, untrained.
fn iris(seed: u64) -> Model {
    let described = Sequential::new([4]).add(Dense::new(8).activation(Tanh)).add(Dense::new(3).activation(Softmax));
    described.seed(seed).compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap()
}

/// A server, a key to it, and what it should predict.
struct Served {
    folder: tempfile::TempDir,
    server: Server,
    key: String,
    cases: Vec<Value>,
}

impl Served {
    /// Of two versions of `iris` and one of `digits`, as far as they are named.
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        let mut cases = Vec::new();
        for (name, version, model, shape) in
            [("iris", 1, iris(1), &[4][..]), ("iris", 2, iris(2), &[4][..]), ("digits", 1, digits(3), &[28, 28, 1][..])]
        {
            if !names.contains(&name) {
                continue;
            }
            let place = models.join(name).join(version.to_string());
            fs::create_dir_all(&place).unwrap();
            model.save(place.join("model.safetensors")).unwrap();
            cases.push(case(name, version, model, shape));
        }
        let made =
            Command::new(env!("CARGO_BIN_EXE_inkstone-serve")).args(["key", "tests", "--metrics"]).output().unwrap();
        let made = String::from_utf8(made.stdout).unwrap();
        let (key, line) = made.trim_end().split_once('\n').expect("a key and its line");
        let keys = folder.path().join("keys");
        fs::write(&keys, line).unwrap();
        let server = Server::of(&models, &["--keys", keys.to_str().unwrap()]);
        Self { folder, server, key: key.to_owned(), cases }
    }

    fn asked(&self) -> Value {
        json!({ "url": self.server.url, "key": self.key, "cases": self.cases })
    }
}

/// Five inputs, and what the model itself predicts for them.
fn case(name: &str, version: u64, model: Model, axes: &[usize]) -> Value {
    let shape: Vec<usize> = std::iter::once(5).chain(axes.iter().copied()).collect();
    let len = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..len).map(|at| (at * 7919 % 1009) as f32 / 1009.0).collect();
    let predictor = model.into_predictor();
    let outputs: Array2<f32> = match shape[..] {
        [n, width] => predictor.predict_rows(Array2::from_shape_vec((n, width), values.clone()).unwrap().view()),
        [n, h, w, c] => predictor
            .predict_rows(inkstone::ndarray::Array4::from_shape_vec((n, h, w, c), values.clone()).unwrap().view()),
        _ => unreachable!("models of vectors and pictures"),
    }
    .unwrap();
    let inputs = ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap();
    json!({ "model": name, "version": version.to_string(), "inputs": nested(&inputs), "outputs": nested(&outputs.into_dyn()) })
}

fn nested(array: &ArrayD<f32>) -> Value {
    match array.ndim() {
        0 => json!(array.first()),
        _ => array.outer_iter().map(|row| nested(&row.to_owned())).collect(),
    }
}

/// The Python of the tests; `None` if there is none.
fn python(what: &str) -> Option<Command> {
    let Some(python) = std::env::var_os("INKSTONE_PYTHON") else {
        assert!(std::env::var_os("INKSTONE_REQUIRE_PYTHON").is_none(), "INKSTONE_PYTHON is not set");
        eprintln!("NOT TESTED with {what}: INKSTONE_PYTHON is not set");
        return None;
    };
    let mut command = Command::new(python);
    command.current_dir(TESTS);
    Some(command)
}

/// Runs `clients.py`.
fn ask_with(client: &str) {
    let Some(mut python) = python(client) else { return };
    let served = Served::new(&["iris", "digits"]);
    let mut child = python.args(["clients.py", client]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(served.asked().to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", served.server.logs());
}

#[test]
fn the_client_of_triton_gets_what_the_models_predict() {
    ask_with("triton");
}

#[test]
fn clients_of_tensorflow_serving_get_what_the_models_predict() {
    ask_with("tensorflow");
}

#[test]
fn the_binary_tells_whether_a_server_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let health = |address: &str| {
        let mut health = Command::new(env!("CARGO_BIN_EXE_inkstone-serve"));
        health.args(["health", address]).output().unwrap()
    };
    let server = Server::start([folder.path()]);
    let output = health(server.address());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("it is not ready: 503"), "{said}");
    digits(1).save(folder.path().join("digits.safetensors")).unwrap();
    server.wait_until_ready();
    assert!(health(server.address()).status.success());
}

/// Runs Schemathesis with one model that is served, and on some of the addresses.
fn schemathesis(model: &str, addresses: [&str; 2]) {
    let Some(mut python) = python("Schemathesis") else { return };
    let served = Served::new(&[model]);
    // It keeps what it finds in the folder that it runs in.
    python.current_dir(served.folder.path()).env("PYTHONPATH", TESTS).env("PYTHONDONTWRITEBYTECODE", "1");
    python.env("SCHEMATHESIS_HOOKS", "openapi_hooks").env("INKSTONE_MODEL", model);
    let authorization = format!("Authorization: Bearer {}", served.key);
    python.args(["-m", "schemathesis.cli", "run", &served.server.at("/openapi.json"), "--header", &authorization]);
    python.args(addresses).args([
        "--checks",
        "all",
        "--max-examples",
        "20",
        "--seed",
        "1",
        "--max-response-time",
        "20",
    ]);
    python.args(["--generation-database", "none", "--no-color", "--suppress-health-check", "all"]);
    let output = python.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", served.server.logs());
    println!("{said}");
}

#[test]
fn schemathesis_finds_the_server_as_it_describes_itself() {
    schemathesis("iris", ["--exclude-path-regex", ":classify$"]);
}

#[test]
fn schemathesis_finds_pictures_classified_as_described() {
    schemathesis("digits", ["--include-path-regex", ":classify$"]);
}
