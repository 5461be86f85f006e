//! Decides where every random number comes from: one seed, and a stream of its own for each use of it, so that neither
//! the number of threads nor the order of work changes what is drawn.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use std::hash::{BuildHasher, RandomState};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// The initial weights of the layer with this index.
    Weights { layer: usize },
    /// The order of the examples in this epoch.
    Shuffle { epoch: usize },
    /// The order or the parts of a data set.
    Dataset,
    /// What the dropout layer drops of one example of one step.
    Dropout { layer: usize, step: u64, example: usize },
}

/// The generator for one use of a seed.
pub(crate) fn stream(seed: u64, stream: Stream) -> Xoshiro256PlusPlus {
    let words = match stream {
        Stream::Dataset => [4, 0, 0, 0],
        Stream::Weights { layer } => [1, layer as u64, 0, 0],
        Stream::Shuffle { epoch } => [2, epoch as u64, 0, 0],
        Stream::Dropout { layer, step, example } => [3, layer as u64, step, example as u64],
    };
    Xoshiro256PlusPlus::seed_from_u64(words.iter().fold(seed, |state, &word| mix(state ^ mix(word))))
}

/// A seed nobody chose, from the randomness that the standard library gives its hash maps.
pub(crate) fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0_u64)
}

/// One step of [SplitMix64](https://prng.di.unimi.it/splitmix64.c): neighbouring inputs give unrelated outputs.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_repeat_and_differ() {
        let first = |seed, use_| stream(seed, use_).next_u64();
        let streams = [
            first(0, Stream::Weights { layer: 0 }),
            first(0, Stream::Weights { layer: 1 }),
            first(1, Stream::Weights { layer: 0 }),
            first(0, Stream::Shuffle { epoch: 0 }),
            first(0, Stream::Dataset),
            first(0, Stream::Dropout { layer: 0, step: 0, example: 1 }),
            first(0, Stream::Dropout { layer: 0, step: 1, example: 0 }),
        ];
        for (i, a) in streams.iter().enumerate() {
            assert!(streams[i + 1..].iter().all(|b| a != b), "stream {i} repeats another");
        }
        assert_eq!(streams[0], first(0, Stream::Weights { layer: 0 }));
    }

    #[test]
    fn fresh_seeds_differ() {
        assert_ne!(fresh_seed(), fresh_seed());
    }
}
