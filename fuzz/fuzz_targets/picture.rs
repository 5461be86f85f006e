//! Whatever bytes the decoder of PNG and JPEG pictures gets.
//!
//! `fuzz/run.sh picture`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;

use libfuzzer_sys::fuzz_target;

/// What is taken beside: tables of the decoders, and what blocks of a narrow picture have beyond its border.
const BUFFERS: usize = 8 << 20;

fuzz_target!(|bytes: &[u8]| {
    let most = 4 * (data_check::PICTURE_MEMORY as usize + bytes.len()) + BUFFERS;
    memory::within(most, || data_check::picture(bytes));
});
