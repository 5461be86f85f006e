//! A program that is killed at random moments while it trains, and started again each time, leaves the file of one that
//! ran through, byte for byte.
#![cfg(unix)]

use inkstone::callbacks::{CsvLogger, SaveFreq};
use inkstone::data::{Augment, synthetic};
use inkstone::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Says where to work, in the child process.
const FOLDER: &str = "INKSTONE_TEST_RESUME_FOLDER";
/// It is left alone after so many kills, or when this is not enough.
const KILLS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(12);
/// What the program leaves behind.
const FILES: [&str; 3] = ["final.safetensors", "best.safetensors", "log.csv"];

/// The child process: a program as a user writes it. Without the variable it is no child, and does nothing.
#[test]
fn child_that_trains_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let (train, validation) = (synthetic::digits(1000, 1).unwrap(), synthetic::digits(100, 2).unwrap());
    let mut model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dropout::new(0.3))
        .add(Dense::new(10).activation(Softmax))
        .seed(11)
        .compile(Nadam::new(0.002).use_ema(true), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    println!("\nready");
    let config = FitConfig::new()
        .epochs(12)
        .augment(Augment::new().shift(2).rotate(10.0))
        .validation_data(&validation)
        .callback(ReduceLROnPlateau::new("val_loss").patience(1))
        .callback(EarlyStopping::new("val_loss").patience(8).restore_best_weights(true))
        .callback(ModelCheckpoint::new(folder.join(FILES[1])).save_best_only(true))
        .callback(CsvLogger::new(folder.join(FILES[2])))
        .backup(BackupAndRestore::new(folder.join("backup")).save_freq(SaveFreq::Batches(5)))
        .verbose(0);
    model.fit(&train, config).unwrap();
    model.save(folder.join(FILES[0])).unwrap();
}

/// Starts the program, and waits until it is about to train.
fn start(folder: &Path) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume_killed::child_that_trains_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child started");
    }
    // What it says later goes to nobody.
    std::thread::spawn(move || output.lines().for_each(drop));
    child
}

#[test]
fn killed_dozens_of_times_it_ends_with_the_files_of_an_undisturbed_run() {
    let undisturbed = tempfile::tempdir().unwrap();
    let before = Instant::now();
    assert!(start(undisturbed.path()).wait().unwrap().success());
    let straight = before.elapsed();

    let folder = tempfile::tempdir().unwrap();
    let start_of_all = Instant::now();
    let mut kills = 0;
    loop {
        let mut child = start(folder.path());
        if kills < KILLS && start_of_all.elapsed() < PATIENCE {
            // Any moment of a life: steps of an irrational part.
            let moment = (f64::from(kills as u32) * 0.618_033_988_749_895).fract();
            std::thread::sleep(straight.min(Duration::from_secs(2)).mul_f64(0.03 * moment));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                continue;
            }
        }
        assert!(child.wait().unwrap().success());
        break;
    }
    eprintln!(
        "{kills} kills; undisturbed it took {:.1} s, with them {:.1} s",
        straight.as_secs_f64(),
        start_of_all.elapsed().as_secs_f64()
    );
    assert!(kills >= 24, "only {kills} kills");
    for name in FILES {
        let [expected, found] = [&undisturbed, &folder].map(|folder| fs::read(folder.path().join(name)).unwrap());
        assert!(found == expected, "{name} is another");
    }
}
