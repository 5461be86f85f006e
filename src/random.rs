//! Decides where every random number comes from: one seed, and a stream of its own for each use of it, so that neither
//! the number of threads nor the order of work changes what is drawn.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// The initial values of a weight: of the layer with this index, at this place among its weights.
    Weights { layer: usize, place: usize },
    /// The order of the examples in this epoch.
    Shuffle { epoch: usize },
    /// The order of the examples that are in memory together in this epoch, of those that are read from a file.
    Window { epoch: usize, window: usize },
    /// The order or the parts of a data set.
    Dataset,
    /// One drawn digit.
    Synthetic { example: usize },
    /// How one example of one step is varied.
    Augment { step: u64, example: usize },
    /// What a call of a dropout layer drops of one example of one step.
    Dropout { call: usize, step: u64, example: usize },
    /// What a call of a recurrent layer drops of the states of one example of one step.
    RecurrentDropout { call: usize, step: u64, example: usize },
    /// What a generator makes one example of one step of.
    Latent { step: u64, example: usize },
    /// What is added to one example that a discriminator sees in one of the passes of a step.
    InstanceNoise { pass: usize, step: u64, example: usize },
    /// Which examples the two shadow models of a pair are trained on.
    ShadowModels { pair: usize },
    /// Which canaries are among the examples.
    Canaries,
}

/// The generator for one use of a seed.
pub(crate) fn stream(seed: u64, stream: Stream) -> Xoshiro256PlusPlus {
    let words = match stream {
        Stream::Dataset => [4, 0, 0, 0],
        Stream::Weights { layer, place } => [1, layer as u64, place as u64, 0],
        Stream::Shuffle { epoch } => [2, epoch as u64, 0, 0],
        Stream::Synthetic { example } => [5, example as u64, 0, 0],
        Stream::Augment { step, example } => [6, step, example as u64, 0],
        Stream::Dropout { call, step, example } => [3, call as u64, step, example as u64],
        Stream::RecurrentDropout { call, step, example } => [7, call as u64, step, example as u64],
        Stream::Latent { step, example } => [8, step, example as u64, 0],
        Stream::InstanceNoise { pass, step, example } => [9, pass as u64, step, example as u64],
        Stream::ShadowModels { pair } => [10, pair as u64, 0, 0],
        Stream::Canaries => [11, 0, 0, 0],
        Stream::Window { epoch, window } => [12, epoch as u64, window as u64, 0],
    };
    Xoshiro256PlusPlus::seed_from_u64(words.iter().fold(seed, |state, &word| mix(state ^ mix(word))))
}

/// A number of the normal distribution of mean 0 and deviation 1, by Box and Muller's method.
pub(crate) fn normal(random: &mut impl Rng) -> f32 {
    // From 0 excluded to 1 included, so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

/// A seed nobody chose, from the randomness that the standard library gives its hash maps.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // A process that has been forked from another one has that one's keys.
    RandomState::new().hash_one(std::process::id())
}

/// A seed nobody chose, from the browser: the standard library's hash maps are the same there at every load of a page.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) fn fresh_seed() -> u64 {
    // A host without randomness gives the seed that the standard library would.
    getrandom::u64().unwrap_or(0)
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

    #[test]
    fn streams_repeat_and_differ() {
        let first = |seed, use_| stream(seed, use_).next_u64();
        let streams = [
            first(0, Stream::Weights { layer: 0, place: 0 }),
            first(0, Stream::Weights { layer: 1, place: 0 }),
            first(0, Stream::Weights { layer: 0, place: 1 }),
            first(1, Stream::Weights { layer: 0, place: 0 }),
            first(0, Stream::Shuffle { epoch: 0 }),
            first(0, Stream::Dataset),
            first(0, Stream::Synthetic { example: 0 }),
            first(0, Stream::Synthetic { example: 1 }),
            first(0, Stream::Augment { step: 0, example: 1 }),
            first(0, Stream::Augment { step: 1, example: 0 }),
            first(0, Stream::Dropout { call: 0, step: 0, example: 1 }),
            first(0, Stream::Dropout { call: 0, step: 1, example: 0 }),
            first(0, Stream::RecurrentDropout { call: 0, step: 1, example: 0 }),
            first(0, Stream::Latent { step: 0, example: 1 }),
            first(0, Stream::Latent { step: 1, example: 0 }),
            first(0, Stream::InstanceNoise { pass: 0, step: 1, example: 0 }),
            first(0, Stream::InstanceNoise { pass: 1, step: 1, example: 0 }),
            first(0, Stream::ShadowModels { pair: 0 }),
            first(0, Stream::ShadowModels { pair: 1 }),
            first(0, Stream::Canaries),
            first(0, Stream::Window { epoch: 0, window: 1 }),
            first(0, Stream::Window { epoch: 1, window: 0 }),
        ];
        for (i, a) in streams.iter().enumerate() {
            assert!(streams[i + 1..].iter().all(|b| a != b), "stream {i} repeats another");
        }
        assert_eq!(streams[0], first(0, Stream::Weights { layer: 0, place: 0 }));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut random = stream(1, Stream::Dataset);
        let numbers: Vec<f32> = (0..100_000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
        let variance = numbers.iter().map(|number| number * number).sum::<f32>() / numbers.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        assert!(numbers.iter().all(|number| number.is_finite()));
    }

    #[test]
    fn fresh_seeds_differ() {
        assert_ne!(fresh_seed(), fresh_seed());
    }
}
