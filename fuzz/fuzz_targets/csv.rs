//! Whatever text the reader of tables gets, behind a byte that says how it is to be read.
//!
//! `fuzz/run.sh csv`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;

use libfuzzer_sys::fuzz_target;

/// The reader's own buffers.
const BUFFERS: usize = 1 << 20;
/// What a byte of text may take: the name of a column of one letter, in the list of fields, of names and of roles.
const OF_A_BYTE: usize = 200;
/// What a byte of gzip unpacks to at most.
const UNPACKED: usize = 1032;

fuzz_target!(|bytes: &[u8]| {
    let unpacked = if bytes.get(1..3) == Some(&[0x1f, 0x8b]) { UNPACKED } else { 1 };
    memory::within(BUFFERS + bytes.len() * unpacked * OF_A_BYTE, || data_check::csv(bytes));
});
