//! The memory that steps ask for.

use crate::aligned::AlignedBuffer;
use crate::kernels::nonzeros::{Nonzero, Nonzeros};

/// How much memory one step needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Floats and indices that the step keeps from the forward pass to the backward pass.
    pub(super) saved_floats: usize,
    pub(super) saved_indices: usize,
    /// What it needs while it runs, which steps share: see [`Scratch`].
    pub(super) forward: usize,
    pub(super) padded: usize,
    pub(super) padded_gradient: usize,
    pub(super) bordered_dy: usize,
    pub(super) small_windows: usize,
    pub(super) lost: usize,
    pub(super) nonzeros: usize,
    pub(super) nonzero_lists: usize,
    pub(super) filter_sets: usize,
    pub(super) cached_weights: usize,
}

/// What one step writes in the forward pass, and reads in the backward pass.
#[derive(Debug)]
pub(crate) struct Saved {
    /// Of a dropout, what each value is multiplied by; of a normalization, its moments; of a depthwise convolution, its
    /// input with a border of zeros.
    pub(super) floats: AlignedBuffer,
    /// For each output of a pooling, which won: of a fused one which window, of one alone which input.
    pub(super) indices: Vec<u32>,
}

/// What steps need while they run, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// How many images it has room for.
    pub(crate) max_images: usize,
    /// What a convolution's forward pass needs on the way: outputs before they are pooled, or transforms.
    pub(super) forward: AlignedBuffer,
    /// The input of a convolution with a border of zeros, copied anew for the backward pass: kept for that, it would
    /// take as much memory as the input, and where chunks meet come from far away.
    pub(super) padded: AlignedBuffer,
    /// The gradient of a padded input.
    pub(super) padded_gradient: AlignedBuffer,
    /// The gradient of the output with a border of zeros.
    pub(super) bordered_dy: AlignedBuffer,
    /// What the weight gradients of small windows need.
    pub(super) small_windows: AlignedBuffer,
    /// What the additions of dense weight gradients have lost.
    pub(super) lost: AlignedBuffer,
    /// The outputs with a gradient.
    pub(super) nonzeros: Nonzeros,
    /// For each pixel, the filters with a gradient.
    pub(super) filter_sets: Vec<u64>,
    /// The weights that the input gradients work with at a time.
    pub(super) cached_weights: AlignedBuffer,
}

impl Memory {
    /// The bytes of what a step keeps.
    pub(super) fn saved_bytes(self) -> u64 {
        bytes(self.saved_floats, size_of::<f32>()).saturating_add(bytes(self.saved_indices, size_of::<u32>()))
    }

    /// The bytes of what steps share.
    pub(super) fn scratch_bytes(self) -> u64 {
        // Each field by its name, so that none is forgotten.
        let Self {
            saved_floats: _,
            saved_indices: _,
            forward,
            padded,
            padded_gradient,
            bordered_dy,
            small_windows,
            lost,
            nonzeros,
            nonzero_lists,
            filter_sets,
            cached_weights,
        } = self;
        let floats = [forward, padded, padded_gradient, bordered_dy, small_windows, lost, cached_weights];
        let floats = floats.map(|floats| bytes(floats, size_of::<f32>()));
        let others = [
            bytes(nonzeros, size_of::<Nonzero>()),
            bytes(nonzero_lists, size_of::<u32>()),
            bytes(filter_sets, size_of::<u64>()),
        ];
        floats.into_iter().chain(others).fold(0, u64::saturating_add)
    }

    /// Enough for either of two steps.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            saved_floats: self.saved_floats.max(other.saved_floats),
            saved_indices: self.saved_indices.max(other.saved_indices),
            forward: self.forward.max(other.forward),
            padded: self.padded.max(other.padded),
            padded_gradient: self.padded_gradient.max(other.padded_gradient),
            bordered_dy: self.bordered_dy.max(other.bordered_dy),
            small_windows: self.small_windows.max(other.small_windows),
            lost: self.lost.max(other.lost),
            nonzeros: self.nonzeros.max(other.nonzeros),
            nonzero_lists: self.nonzero_lists.max(other.nonzero_lists),
            filter_sets: self.filter_sets.max(other.filter_sets),
            cached_weights: self.cached_weights.max(other.cached_weights),
        }
    }
}

/// The bytes of so many values of a size.
pub(super) fn bytes(values: usize, size: usize) -> u64 {
    (values as u64).saturating_mul(size as u64)
}

impl Saved {
    pub(super) fn new(memory: Memory) -> Self {
        Self { floats: AlignedBuffer::zeroed(memory.saved_floats), indices: vec![0; memory.saved_indices] }
    }
}

impl Scratch {
    pub(super) fn new(memory: Memory) -> Self {
        let Memory { forward, padded_gradient, small_windows, nonzeros, nonzero_lists, filter_sets, .. } = memory;
        Self {
            max_images: 0,
            forward: AlignedBuffer::zeroed(forward),
            padded: AlignedBuffer::zeroed(memory.padded),
            padded_gradient: AlignedBuffer::zeroed(padded_gradient),
            bordered_dy: AlignedBuffer::zeroed(memory.bordered_dy),
            small_windows: AlignedBuffer::zeroed(small_windows),
            lost: AlignedBuffer::zeroed(memory.lost),
            nonzeros: Nonzeros::with_room(nonzeros, nonzero_lists),
            filter_sets: vec![0; filter_sets],
            cached_weights: AlignedBuffer::zeroed(memory.cached_weights),
        }
    }
}
