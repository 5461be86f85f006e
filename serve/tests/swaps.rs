//! Models that come, change and go while they are asked.

mod common;

use common::{Server, digits};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Puts a model's file in place as a careful program does: written elsewhere, then renamed.
fn put(folder: &Path, name: &str, seed: u64) {
    let part = folder.join(".part");
    digits(seed).save(&part).unwrap();
    let place = folder.join(name);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::rename(part, place).unwrap();
}

/// What a model predicts for an image of ones, as JSON has it.
fn expected(seed: u64) -> Vec<f32> {
    digits(seed).predict(&inkstone::ndarray::Array4::<f32>::ones((1, 28, 28, 1))).unwrap().iter().copied().collect()
}

fn body() -> String {
    format!("{{\"instances\":[[{}]]}}", vec!["[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"; 28].join(","))
}

fn ask(server: &Server, model: &str) -> Result<Vec<f32>, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent
        .post(server.at(&format!("/v1/models/{model}:predict")))
        .send(body())
        .map_err(|error| error.to_string())?;
    let text = response.body_mut().read_to_string().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let Some(row) = answer["predictions"][0].as_array() else { return Err(text) };
    Ok(row.iter().map(|value| value.as_f64().unwrap() as f32).collect())
}

#[test]
fn swaps_lose_no_request() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "digits.safetensors", 1);
    let server = Server::of(folder.path(), &[]);
    let all = [1, 2, 3].map(expected);
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let found = ask(&server, "digits").unwrap();
                    assert!(all.contains(&found), "{found:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for seed in [2, 3] {
            put(folder.path(), "digits.safetensors", seed);
            let new = expected(seed);
            server.wait_for("the new model", || ask(&server, "digits").as_ref() == Ok(&new));
        }
        // One that is damaged leaves the old one, and says why.
        fs::write(folder.path().join(".part"), "no model").unwrap();
        fs::rename(folder.path().join(".part"), folder.path().join("digits.safetensors")).unwrap();
        server.wait_for_log("not loaded; what was served before, if anything, is served still");
        assert_eq!(ask(&server, "digits").unwrap(), all[2]);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 100);
    let status = ureq::get(server.at("/v1/models/digits")).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(status.contains("AVAILABLE") && status.contains("it is damaged, or no safetensors file"), "{status}");
    // It is ready still; what is put in its place next is served.
    assert!(ureq::get(server.at("/v2/health/ready")).call().is_ok());
    put(folder.path(), "digits.safetensors", 1);
    server.wait_for("the mended model", || ask(&server, "digits").as_ref() == Ok(&all[0]));
}

#[test]
fn a_server_that_is_killed_in_a_swap_starts_with_one_model_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "digits.safetensors", 1);
    let all = [1, 2].map(expected);
    for round in 0..4 {
        let server = Server::of(folder.path(), &[]);
        assert!(all.contains(&ask(&server, "digits").unwrap()));
        std::thread::scope(|scope| {
            scope.spawn(|| (0..20).for_each(|seed| put(folder.path(), "digits.safetensors", 1 + seed % 2)));
            std::thread::sleep(std::time::Duration::from_millis(200 * round));
            // Dropped, it is killed as it stands.
            drop(server);
        });
    }
    assert!(all.contains(&ask(&Server::of(folder.path(), &[]), "digits").unwrap()));
}

#[test]
fn versions_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "digits/1/model.safetensors", 1);
    let server = Server::of(folder.path(), &[]);
    put(folder.path(), "digits/2/model.safetensors", 2);
    server.wait_for("the second version", || ask(&server, "digits").as_ref() == Ok(&expected(2)));
    assert_eq!(ask(&server, "digits/versions/1").unwrap(), expected(1));
    put(folder.path(), "other.safetensors", 3);
    server.wait_for("another model", || ask(&server, "other").as_ref() == Ok(&expected(3)));
    fs::remove_dir_all(folder.path().join("digits/2")).unwrap();
    server.wait_for("the first version again", || ask(&server, "digits").as_ref() == Ok(&expected(1)));
    assert_eq!(
        ask(&server, "digits/versions/2").unwrap_err(),
        r#"{"error":"there is no version 2 of the model `digits`"}"#
    );
    fs::remove_file(folder.path().join("other.safetensors")).unwrap();
    server.wait_for("one model less", || ask(&server, "other").is_err());
    assert_eq!(ask(&server, "other").unwrap_err(), r#"{"error":"there is no model `other`"}"#);
}

#[test]
fn a_server_without_its_model_says_so_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits.safetensors");
    let server = Server::start([&path]);
    server.wait_for_log("there is no such file");
    assert!(ureq::get(server.at("/v2/health/live")).call().is_ok());
    assert!(ureq::get(server.at("/v2/health/ready")).call().is_err());
    let error = ask(&server, "digits").unwrap_err();
    assert!(error.contains("the model `digits` is not served: ") && error.contains("there is no such file"), "{error}");
    put(folder.path(), "digits.safetensors", 1);
    server.wait_until_ready();
    assert_eq!(ask(&server, "digits").unwrap(), expected(1));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_keeps_its_models_and_a_fault_that_passes_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    put(&models_made(&models), "digits.safetensors", 1);
    let server = Server::of(&models, &[]);
    // Moved away for a while, as a share of the network goes.
    let away = folder.path().join("away");
    fs::rename(&models, &away).unwrap();
    server.wait_for_log("No such file");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(ask(&server, "digits").unwrap(), expected(1));
    fs::rename(&away, &models).unwrap();
    put(&models, "digits.safetensors", 2);
    server.wait_for("the new model", || ask(&server, "digits").as_ref() == Ok(&expected(2)));
    // A model that comes and does not load takes nothing from those that are served.
    fs::write(models.join("broken.safetensors"), "no model").unwrap();
    server.wait_for_log("not loaded; what was served before");
    assert!(ureq::get(server.at("/v2/health/ready")).call().is_ok());
}

fn models_made(folder: &Path) -> std::path::PathBuf {
    fs::create_dir(folder).unwrap();
    folder.to_owned()
}
