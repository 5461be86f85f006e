//! How much memory a case may take, at its most: what is promised of an input's length, or of a limit.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a case.
///
/// # Panics
/// If it takes more than this many bytes.
pub(crate) fn within<T>(bytes: usize, case: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = case();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= bytes, "expected at most {bytes} bytes of memory, it took {taken}");
    result
}
