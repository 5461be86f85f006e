//! Whatever bytes the model reader gets: an error that names the place, or a model that is saved as it was loaded.
//!
//! What starts with a brace is taken for the description of a model, and put into a sound file, with its length and checksum: no
//! fuzzer would find those. Everything else is taken for a file, whose header starts with its length.
//!
//! `cargo +nightly fuzz run model fuzz/corpus/model fuzz/seeds/model -- -runs=1000000`
#![no_main]

use inkstone::{Error, Model};
use libfuzzer_sys::fuzz_target;
use safetensors::tensor::{Dtype, TensorView};

fuzz_target!(|bytes: &[u8]| {
    let built;
    let file = match std::str::from_utf8(bytes) {
        Ok(description) if description.starts_with('{') => {
            built = around(description);
            &built[..]
        }
        _ => bytes,
    };
    match Model::from_bytes(file) {
        Err(error) => {
            assert!(matches!(error, Error::ModelFile { .. }), "{error}");
            assert!(error.to_string().starts_with("the bytes: expected "), "{error}");
        }
        Ok(model) => {
            let saved = model.to_bytes().expect("what was loaded can be saved");
            let again = Model::from_bytes(&saved).expect("what was saved can be loaded");
            assert_eq!(again.to_bytes().unwrap(), saved);
            assert_eq!(format!("{again:?}"), format!("{model:?}"));
        }
    }
});

/// A sound file with this description and the weights of the seeds' model.
fn around(description: &str) -> Vec<u8> {
    let zeros = [0; 4 * 36];
    let tensor = |shape: &[usize]| {
        let len = 4 * shape.iter().product::<usize>();
        TensorView::new(Dtype::F32, shape.to_vec(), &zeros[..len]).unwrap()
    };
    let tensors = [
        ("conv2d/bias", tensor(&[2])),
        ("conv2d/kernel", tensor(&[3, 3, 1, 2])),
        ("dense/bias", tensor(&[3])),
        ("dense/kernel", tensor(&[8, 3])),
    ];
    let mut sum = crc32fast::Hasher::new();
    sum.update(description.as_bytes());
    tensors.iter().for_each(|(_, tensor)| sum.update(tensor.data()));
    let sum = sum.finalize();
    let entry = format!(r#"{{"format_version":1,"library":"0.1.0","crc32":"{sum:08x}","model":{description}}}"#);
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).unwrap()
}
