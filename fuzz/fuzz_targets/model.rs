//! Whatever bytes the model reader gets: an error that names the place, or a model that is saved as it was loaded, and
//! runs; and the same of checkpoints.
//!
//! What starts with a brace is taken for the description of a model, or of a model and its training, and put into a sound
//! file with the tensors that it needs, their length and a checksum: no fuzzer would find those. Everything else is
//! taken for a file, whose header starts with its length.
//!
//! `cargo +nightly fuzz run model fuzz/corpus/model fuzz/seeds/model -- -max_total_time=600`
#![no_main]

#[path = "../../tests/common/model_check.rs"]
mod model_check;
mod mutate;
#[path = "../../tests/common/sound_file.rs"]
mod sound_file;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| model_check::check(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // One in eight byte by byte, as without this.
    let text = if seed % 8 == 0 { None } else { mutate::mutate(&data[..size], seed) };
    match text.filter(|text| text.len() <= max_size) {
        Some(text) => {
            data[..text.len()].copy_from_slice(text.as_bytes());
            text.len()
        }
        None => fuzzer_mutate(data, size, max_size),
    }
});
