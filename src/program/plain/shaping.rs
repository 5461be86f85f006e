//! Values in other places.

use super::{Declare, Lengths, product};
use crate::shape::{MAX_RANK, Window2d};

/// The multiply-adds that take about as long as one value that is read from somewhere else.
const PER_MOVED_VALUE: u64 = 64;

/// A border of zeros around images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ZeroPad {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
}

impl Declare for ZeroPad {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}

/// A border cut off: images made of the padded ones of a window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Crop {
    pub(crate) window: Window2d,
    pub(crate) channels: usize,
}

/// Axes in another order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Permute {
    /// The output's axes; those that there are not are 1, in front.
    pub(crate) axes: [usize; MAX_RANK],
    /// How far apart two values of the input are that are neighbours along an axis of the output.
    pub(crate) strides: [usize; MAX_RANK],
}

/// Each run of so many values repeated: what makes axes of size 1 longer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Repeat {
    /// How many values.
    pub(crate) run: usize,
    pub(crate) times: usize,
}

/// Images with more pixels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UpSample {
    /// Rows and columns of the input.
    pub(crate) image: (usize, usize),
    /// How many rows and columns each becomes.
    pub(crate) size: (usize, usize),
    pub(crate) channels: usize,
    pub(crate) between: Between,
}

/// What a new pixel is that lies between old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// The nearest of them.
    Nearest,
    /// The means of the nearest in both directions, weighted by how near they are.
    Linear,
}

impl Declare for Crop {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}

impl Declare for Permute {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_MOVED_VALUE])
    }
}

impl Declare for Repeat {
    fn operations(&self, _of: Lengths) -> u64 {
        0
    }
}

impl Declare for UpSample {
    fn operations(&self, of: Lengths) -> u64 {
        product([of.y as u64, PER_MOVED_VALUE])
    }
}
