//! A file four times larger than the memory that a process may have is trained on and evaluated.
#![cfg(target_os = "linux")]

use inkstone::data::FileBatches;
use inkstone::prelude::*;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

/// The most address space, as `ulimit -v` counts it.
const LIMIT_KIB: usize = 80 << 10;
/// One image has 64 x 64 floats.
const SIDE: usize = 64;
const EXAMPLES: usize = 4 * LIMIT_KIB * 1024 / (4 * SIDE * SIDE);

/// An IDX file of zeros, of which the disk stores nothing, but for the first element of every tenth example.
fn write(path: &Path, element: u8, shape: &[usize], every_tenth: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(&[0, 0, element, shape.len() as u8]).unwrap();
    shape.iter().for_each(|axis| file.write_all(&(*axis as u32).to_be_bytes()).unwrap());
    let (start, len) = (4 + 4 * shape.len(), every_tenth.len() * shape[1..].iter().product::<usize>());
    file.set_len((start + shape[0] * len) as u64).unwrap();
    for example in (0..shape[0]).step_by(10) {
        file.seek(SeekFrom::Start((start + example * len) as u64)).unwrap();
        file.write_all(every_tenth).unwrap();
    }
}

/// What the process with little memory does.
fn train(folder: &Path) {
    let mut source = FileBatches::open(folder.join("images"), folder.join("labels")).unwrap();
    assert_eq!(source.len(), EXAMPLES);
    let mut model = Sequential::new([SIDE, SIDE, 1])
        // What there is to see is in a corner.
        .add(Cropping2D::asymmetric((0, SIDE - 4), (0, SIDE - 4)))
        .add(Flatten::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Adam::new(0.03), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let history = model.fit_batches(&mut source, FitConfig::new().epochs(1).batch_size(64).verbose(0)).unwrap();
    assert!(history.losses()[0] < 0.7);
    assert_eq!(model.evaluate_batches(&mut source).unwrap().accuracy().unwrap(), 1.0);
}

#[test]
fn a_file_of_four_times_the_memory_is_trained_on() {
    const FOLDER: &str = "INKSTONE_TEST_BATCHES";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return train(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("images"), 0x0d, &[EXAMPLES, SIDE, SIDE, 1], &1_f32.to_be_bytes());
    write(&folder.path().join("labels"), 0x08, &[EXAMPLES], &[1]);
    let name = "memory::a_file_of_four_times_the_memory_is_trained_on";
    let limited = format!("ulimit -v {LIMIT_KIB}; exec \"$0\" --exact {name} --nocapture");
    let run = Command::new("sh")
        .args(["-c", &limited])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        // Each of the allocator's arenas takes 64 MiB of address space.
        .envs([("MALLOC_ARENA_MAX", "1"), ("RAYON_NUM_THREADS", "2")])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
