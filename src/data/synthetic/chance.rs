//! Decides how one image's random numbers are spread. Only sums, products and roots are used here and in the whole
//! drawing, which every machine rounds alike: sines and logarithms are not.

use crate::random::{Stream, stream};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// The random choices of one image.
pub(super) struct Chance(Xoshiro256PlusPlus);

impl Chance {
    pub(super) fn new(seed: u64, example: usize) -> Self {
        Self(stream(seed, Stream::Synthetic { example }))
    }

    /// One of `count`, from 0.
    pub(super) fn one_of(&mut self, count: usize) -> usize {
        self.0.random_range(0..count as u32) as usize
    }

    /// Evenly spread over `low..high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.0.random::<f32>()
    }

    /// Spread like a bell around 0 with this standard deviation, and never beyond 3.5 times that.
    pub(super) fn bell(&mut self, deviation: f32) -> f32 {
        let sum: f32 = (0..4).map(|_| self.0.random::<f32>() - 0.5).sum();
        // Four numbers from an interval of length 1 have the variance 4 / 12.
        sum * deviation * 3_f32.sqrt()
    }

    /// True with this probability.
    pub(super) fn happens(&mut self, probability: f32) -> bool {
        self.0.random::<f32>() < probability
    }
}
