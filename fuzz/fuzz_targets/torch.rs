//! Whatever bytes the reader of PyTorch's weights gets: an error that names the place, or weights that are numbers.
//!
//! `fuzz/run.sh torch`
#![no_main]

#[expect(dead_code, reason = "each target checks one format")]
mod data_check;
mod memory;

use libfuzzer_sys::fuzz_target;

thread_local! {
    /// Read into again and again.
    static MODEL: std::cell::RefCell<inkstone::Model> = data_check::torch_model().into();
}
/// The model's weights, read and turned, and lists of tensors.
const WEIGHTS: usize = 1 << 20;
/// What a byte may take.
const OF_A_BYTE: usize = 100;

fuzz_target!(|bytes: &[u8]| {
    MODEL.with_borrow_mut(|model| {
        memory::within(WEIGHTS + bytes.len() * OF_A_BYTE, || data_check::torch(model, bytes));
    });
});
