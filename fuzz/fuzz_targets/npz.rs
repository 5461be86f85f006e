//! Whatever bytes the reader of NumPy's archives gets.
//!
//! `fuzz/run.sh npz`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;

use libfuzzer_sys::fuzz_target;

/// The reader's own buffers.
const BUFFERS: usize = 1 << 20;
/// What a byte of an array may take, in the data set that is made of it as well.
const OF_A_BYTE: usize = 40;
/// What a packed byte unpacks to at most.
const UNPACKED: usize = 1032;

fuzz_target!(|bytes: &[u8]| {
    memory::within(BUFFERS + bytes.len() * UNPACKED * OF_A_BYTE, || data_check::npz(bytes));
});
