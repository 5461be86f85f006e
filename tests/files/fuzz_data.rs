//! What fuzzing of the readers of data starts from, which `fuzz/make_seeds.py` writes, and what it has found: each case
//! passes what the targets check.
#![cfg(all(feature = "csv", feature = "image", feature = "keras", feature = "numpy", feature = "onnx"))]

#[path = "../../fuzz/fuzz_targets/data_check.rs"]
mod data_check;

use crate::fuzz_seeds::model_check;
use std::fs;
use std::path::PathBuf;

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files.map(|file| (file.file_name().to_string_lossy().into_owned(), fs::read(file.path()).unwrap())).collect()
}

fn check(target: &str, least: usize, mut check: impl FnMut(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= least, "{target} has only {} seeds", seeds.len());
    for (name, bytes) in seeds {
        eprintln!("{target}/{name}");
        check(&bytes);
    }
}

/// A seed changed in some places: bytes that are others, left out, repeated, or taken from another seed.
fn changed(seeds: &[(String, Vec<u8>)], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    const BYTES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b',', b'\n', b'9'];
    let mut bytes = seeds[random(seeds.len())].1.clone();
    for _ in 0..=random(4) {
        let (start, len) = (random(bytes.len() + 1), 1 + random(16));
        let end = (start + len).min(bytes.len());
        match random(6) {
            0 | 1 if start < end => bytes[start] ^= 1 << random(8),
            2 if start < end => bytes[start] = BYTES[random(BYTES.len())],
            3 => drop(bytes.drain(start..end)),
            4 => bytes.splice(start..start, bytes[start..end].to_vec()).for_each(drop),
            _ => {
                let other = &seeds[random(seeds.len())].1;
                let from = random(other.len() + 1);
                bytes.splice(start..end, other[from..(from + len).min(other.len())].to_vec()).for_each(drop);
            }
        }
    }
    bytes
}

/// Checks so many changed seeds, or as many as `INKSTONE_CASES` says.
fn check_changed(target: &str, cases: usize, mut check: impl FnMut(&[u8])) {
    let cases = std::env::var("INKSTONE_CASES").map_or(cases, |cases| cases.parse().unwrap());
    let seeds = seeds(target);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % end
    };
    for case in 0..cases {
        let bytes = changed(&seeds, &mut random);
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bytes)));
        if checked.is_err() {
            let path = std::env::temp_dir().join(format!("{target}-{case}"));
            fs::write(&path, &bytes).unwrap();
            panic!("{target}, case {case}: {}", path.display());
        }
    }
}

#[test]
fn changed_seeds_of_data_pass_what_the_fuzz_targets_check() {
    check_changed("csv", 3000, data_check::csv);
    check_changed("npy", 3000, data_check::npy);
    check_changed("npz", 1000, data_check::npz);
    check_changed("picture", 1000, data_check::picture);
    let mut model = data_check::torch_model();
    check_changed("torch", 1000, |bytes| data_check::torch(&mut model, bytes));
    check_changed("onnx", 1000, |bytes| {
        if let Some(model) = data_check::onnx(bytes) {
            model_check::run(model);
        }
    });
    check_changed("keras", 500, |bytes| {
        if let Some(model) = data_check::keras(bytes) {
            model_check::run(model);
        }
    });
}

#[test]
fn the_seeds_of_data_pass_what_the_fuzz_targets_check() {
    check("csv", 15, data_check::csv);
    check("npy", 22, data_check::npy);
    check("npz", 5, data_check::npz);
    check("picture", 16, data_check::picture);
    let mut model = data_check::torch_model();
    check("torch", 6, |bytes| data_check::torch(&mut model, bytes));
    let mut models = 0;
    check("onnx", 62, |bytes| {
        if let Some(model) = data_check::onnx(bytes) {
            models += 1;
            model_check::run(model);
        }
    });
    assert!(models >= 40, "only {models} of the seeds are models");
    let mut models = 0;
    check("keras", 27, |bytes| {
        if let Some(model) = data_check::keras(bytes) {
            models += 1;
            model_check::run(model);
        }
    });
    assert!(models >= 4, "only {models} of the seeds are models");
}
