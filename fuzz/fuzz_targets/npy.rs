//! Whatever bytes the reader of NumPy's arrays gets.
//!
//! `fuzz/run.sh npy`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;

use libfuzzer_sys::fuzz_target;

/// The reader's own buffers.
const BUFFERS: usize = 1 << 18;
/// What a byte may take, in the data set that is made of the array as well: integers of one byte become such of eight, and floats.
const OF_A_BYTE: usize = 40;

fuzz_target!(|bytes: &[u8]| {
    memory::within(BUFFERS + bytes.len() * OF_A_BYTE, || data_check::npy(bytes));
});
