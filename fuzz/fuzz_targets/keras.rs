//! Whatever bytes the importer of `.keras` files gets: an error that names the place, or a model that predicts and trains.
//!
//! `fuzz/run.sh keras`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;
#[path = "../../tests/common/model_check.rs"]
#[expect(dead_code, reason = "files of models are another target")]
mod model_check;
#[path = "../../tests/common/sound_file.rs"]
#[expect(dead_code, reason = "files of models are another target")]
mod sound_file;

use libfuzzer_sys::fuzz_target;

/// The limit of the model, what describes it, and a description that is small and unpacks to more.
const MODEL: usize = 64 << 20;
/// What a byte may take: a hundred that are unpacked, each a part of a description.
const OF_A_BYTE: usize = 4000;

fuzz_target!(|bytes: &[u8]| {
    let model = memory::within(MODEL + bytes.len() * OF_A_BYTE, || data_check::keras(bytes));
    if let Some(model) = model {
        model_check::run(model);
    }
});
