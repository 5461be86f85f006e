//! Whatever bytes the importer of ONNX files gets: an error that names the place, or a model that predicts and trains.
//!
//! `fuzz/run.sh onnx`
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

/// What is taken beside the bytes: the limit of the model, and what describes it.
const MODEL: usize = 32 << 20;
/// What a byte may take: a message of two bytes is a node of several lists.
const OF_A_BYTE: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    let model = memory::within(MODEL + bytes.len() * OF_A_BYTE, || data_check::onnx(bytes));
    if let Some(model) = model {
        model_check::run(model);
    }
});
