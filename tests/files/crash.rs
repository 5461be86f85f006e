//! A process killed at any moment while it saves leaves the old model or the new one, whole.
#![cfg(unix)]

use inkstone::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Says where to save, in the child process.
const FOLDER: &str = "INKSTONE_TEST_CRASH_FOLDER";
const KILLS: usize = 300;
/// Fewer kills on a machine so slow that this is not enough.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two models of different sizes, so that a mixture of the two would be no whole file either.
fn models() -> [Model; 2] {
    [40, 80].map(|units| {
        Sequential::new([28, 28, 1])
            .add(Flatten::new())
            .add(Dense::new(units).activation(Relu))
            .add(Dense::new(10).activation(Softmax))
            .seed(units as u64)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
            .unwrap()
    })
}

fn path(folder: &Path) -> PathBuf {
    folder.join("model.safetensors")
}

/// The child process: it saves both models in turn until it is killed. Without the variable it is no child, and does
/// nothing.
#[test]
fn child_that_saves_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let path = path(Path::new(&folder));
    let models = models();
    println!("\nready");
    for model in models.iter().cycle() {
        model.save(&path).unwrap();
    }
}

#[test]
fn after_each_of_hundreds_of_kills_the_file_is_one_of_the_two_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(folder.path());
    let models = models();
    models[0].save(&path).unwrap();
    let expected = models.each_ref().map(|model| model.to_bytes().unwrap());
    let weights = models.each_ref().map(Model::get_weights);
    let start = Instant::now();
    let (mut kills, mut found, mut unfinished) = (0, [0, 0], 0);
    while kills < KILLS && start.elapsed() < PATIENCE {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_saves_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.lines().any(|line| line.unwrap() == "ready"), "the child started");
        // Any moment of the first saves: steps of an irrational part, which never fall into step with the saving.
        let moment = (kills as f64 * 0.618_033_988_749_895).fract();
        std::thread::sleep(Duration::from_secs_f64(moment * 0.04));
        assert!(child.try_wait().unwrap().is_none(), "the child still saves");
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;

        let bytes = fs::read(&path).unwrap();
        let which = expected.iter().position(|expected| *expected == bytes);
        let which = which.unwrap_or_else(|| panic!("after kill {kills} the file is neither model"));
        assert_eq!(Model::load(&path).unwrap().get_weights(), weights[which]);
        found[which] += 1;
        for entry in fs::read_dir(folder.path()).unwrap() {
            let other = entry.unwrap().path();
            if other != path {
                unfinished += 1;
                fs::remove_file(other).unwrap();
            }
        }
    }
    eprintln!(
        "{kills} kills in {:.1} s: the file was the one model {} times, the other {} times; {unfinished} kills came in the \
         middle of a file",
        start.elapsed().as_secs_f64(),
        found[0],
        found[1]
    );
    assert!(kills >= 50, "only {kills} kills");
    assert!(found.iter().all(|count| *count > 0), "both models were saved: {found:?}");
    assert!(unfinished > 0, "no kill came in the middle of a file");
}
