//! Whatever bytes the model reader gets: an error that names the place, or a model that is saved as it was loaded; and
//! the same of checkpoints.
//!
//! What starts with a brace is taken for the description of a model, and put into a sound file, with its length and
//! checksum: no fuzzer would find those. If it starts with a step it is taken for the state of a training, and put into
//! a sound checkpoint. Everything else is taken for a file, whose header starts with its length.
//!
//! `cargo +nightly fuzz run model fuzz/corpus/model fuzz/seeds/model -- -runs=1000000`
#![no_main]

use inkstone::{Error, Model};
use libfuzzer_sys::fuzz_target;
use safetensors::tensor::{Dtype, TensorView};

fuzz_target!(|bytes: &[u8]| {
    let built;
    let file = match std::str::from_utf8(bytes) {
        Ok(training) if training.starts_with("{\"step\"") => {
            built = checkpoint_around(training);
            &built[..]
        }
        Ok(description) if description.starts_with('{') => {
            built = around(description);
            &built[..]
        }
        _ => bytes,
    };
    match Model::resume_from_bytes(file) {
        Err(error) => check(&error),
        Ok(model) => {
            let saved = model.checkpoint_to_bytes().expect("what was loaded can be saved");
            let again = Model::resume_from_bytes(&saved).expect("what was saved can be loaded");
            assert_eq!(again.checkpoint_to_bytes().unwrap(), saved);
            assert!(Model::from_bytes(file).is_ok(), "a checkpoint is a model");
        }
    }
    match Model::from_bytes(file) {
        Err(error) => check(&error),
        Ok(model) => {
            let saved = model.to_bytes().expect("what was loaded can be saved");
            let again = Model::from_bytes(&saved).expect("what was saved can be loaded");
            assert_eq!(again.to_bytes().unwrap(), saved);
            assert_eq!(format!("{again:?}"), format!("{model:?}"));
        }
    }
});

fn check(error: &Error) {
    assert!(matches!(error, Error::ModelFile { .. }), "{error}");
    assert!(error.to_string().starts_with("the bytes: expected "), "{error}");
}

/// The description of the seeds' model.
const DESCRIPTION: &str = include_str!("../seeds/model/description-adam");

/// Its weights.
const WEIGHTS: [(&str, &[usize]); 4] =
    [("conv2d/bias", &[2]), ("conv2d/kernel", &[3, 3, 1, 2]), ("dense/bias", &[3]), ("dense/kernel", &[8, 3])];

/// A sound file with this description and the weights of the seeds' model.
fn around(description: &str) -> Vec<u8> {
    file(&format!(r#""model":{description}"#), 1, &[description], &[""])
}

/// A sound checkpoint of the seeds' model, in the middle of an epoch, with weights that a callback remembers.
fn checkpoint_around(training: &str) -> Vec<u8> {
    let entries = format!(r#""model":{DESCRIPTION},"training":{training}"#);
    let folders = ["", "callbacks/0/", "optimizer/momentum/", "optimizer/velocity/"];
    file(&entries, 2, &[DESCRIPTION, training], &folders)
}

fn file(entries: &str, version: u64, texts: &[&str], folders: &[&str]) -> Vec<u8> {
    let zeros = [0; 8 * 36];
    let tensor = |dtype: Dtype, shape: &[usize]| {
        let len = dtype.bitsize() / 8 * shape.iter().product::<usize>();
        TensorView::new(dtype, shape.to_vec(), &zeros[..len]).unwrap()
    };
    let weights = folders.iter().flat_map(|folder| WEIGHTS.map(|(name, shape)| (format!("{folder}{name}"), shape)));
    let mut tensors: Vec<_> = weights.map(|(name, shape)| (name, tensor(Dtype::F32, shape))).collect();
    if folders.len() > 1 {
        // The loss, and what the accuracy adds up.
        tensors.push(("training/scores".to_owned(), tensor(Dtype::F64, &[3])));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sum = crc32fast::Hasher::new();
    texts.iter().for_each(|text| sum.update(text.as_bytes()));
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    let sum = sum.finalize();
    let entry = format!(r#"{{"format_version":{version},"library":"0.1.0","crc32":"{sum:08x}",{entries}}}"#);
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}
