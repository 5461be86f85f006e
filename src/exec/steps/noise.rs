//! Values changed at random while training. As in a dropout, each example draws from a stream of its own.

use crate::exec::forward::Pass;
use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::kernels::activation::SELU;
use crate::program::plain::{Chance, Noise};
use crate::random::{Stream, normal, stream};
use crate::simd::Simd;
use rand::{Rng, RngExt};

/// What SELU's values are for far negative inputs: what an alpha dropout puts in the place of a value.
const SATURATED: f64 = -SELU.0 * SELU.1;

impl Noise {
    /// Changes one example, and notes what the gradient of each value is multiplied by.
    ///
    /// - y: (pixels, channels); factors: the same, for an addition empty
    fn change(&self, random: &mut impl Rng, y: &mut [f32], factors: &mut [f32]) {
        match self.chance {
            Chance::Channels { rate } => {
                let kept = 1.0 / (1.0 - rate);
                let (first, others) = factors.split_at_mut(self.channels);
                first.iter_mut().for_each(|factor| *factor = if random.random::<f32>() < rate { 0.0 } else { kept });
                others.chunks_exact_mut(self.channels).for_each(|pixel| pixel.copy_from_slice(first));
                y.iter_mut().zip(factors).for_each(|(y, factor)| *y *= *factor);
            }
            Chance::Add { deviation } => y.iter_mut().for_each(|y| *y += deviation * normal(random)),
            Chance::Multiply { deviation } => {
                for (y, factor) in y.iter_mut().zip(factors) {
                    *factor = 1.0 + deviation * normal(random);
                    *y *= *factor;
                }
            }
            Chance::Saturate { rate } => {
                let rate_64 = f64::from(rate);
                // What keeps mean and variance.
                let scale = ((1.0 - rate_64) * (1.0 + rate_64 * SATURATED * SATURATED)).sqrt().recip();
                let offset = -scale * SATURATED * rate_64;
                let (kept, saturated) = (scale as f32, (scale * SATURATED + offset) as f32);
                for (y, factor) in y.iter_mut().zip(factors) {
                    let is_kept = random.random::<f32>() >= rate;
                    *factor = if is_kept { kept } else { 0.0 };
                    *y = if is_kept { *y * kept + offset as f32 } else { saturated };
                }
            }
        }
    }
}

impl Run for Noise {
    /// What the gradient of each value is multiplied by.
    fn memory(&self, of: Chunk) -> Memory {
        let saved_floats = match (of.purpose, self.chance) {
            (Purpose::Inference, _) | (Purpose::Training, Chance::Add { .. }) => 0,
            (Purpose::Training, Chance::Channels { .. } | Chance::Multiply { .. } | Chance::Saturate { .. }) => {
                of.images * of.lengths.y
            }
        };
        Memory { saved_floats, ..Memory::default() }
    }

    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, len, pass, .. } = io;
        let y = &mut io.y[..images * len];
        y.copy_from_slice(&io.x[0][..images * len]);
        let Pass::Training { seed, step, first_example } = pass else { return };
        for (image, y) in y.chunks_exact_mut(len).enumerate() {
            let mut random = stream(seed, Stream::Dropout { call: self.call, step, example: first_example + image });
            let factors = io.saved.floats.get_mut(image * len..(image + 1) * len).unwrap_or_default();
            self.change(&mut random, y, factors);
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], saved, .. } = io;
        let dy = &mut dy[..images * len];
        match self.chance {
            Chance::Add { .. } => {}
            Chance::Channels { .. } | Chance::Multiply { .. } | Chance::Saturate { .. } => {
                dy.iter_mut().zip(&saved.floats[..]).for_each(|(dy, factor)| *dy *= factor);
            }
        }
        dx.put(dy.iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance.
    fn moments(values: &[f32]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        (mean, values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count)
    }

    /// An example of so many pixels changed, and the factors of its gradients.
    fn changed(chance: Chance, x: &[f32], channels: usize) -> (Vec<f32>, Vec<f32>) {
        let (mut y, mut factors) = (x.to_vec(), vec![f32::NAN; x.len()]);
        let mut random = stream(5, Stream::Dropout { call: 1, step: 2, example: 3 });
        Noise { chance, call: 1, channels }.change(&mut random, &mut y, &mut factors);
        (y, factors)
    }

    /// Fails unless two figures of a hundred thousand draws agree.
    #[track_caller]
    fn assert_near((mean, variance): (f64, f64), expected: (f64, f64)) {
        assert!((mean - expected.0).abs() < 0.02, "mean {mean}, expected {}", expected.0);
        assert!((variance - expected.1).abs() < 0.03, "variance {variance}, expected {}", expected.1);
    }

    #[test]
    fn added_noise_has_mean_0_and_its_deviation() {
        let (y, _) = changed(Chance::Add { deviation: 0.5 }, &[2.0; 100_000], 1);
        assert_near(moments(&y), (2.0, 0.25));
    }

    #[test]
    fn multiplied_noise_has_mean_1_and_its_deviation_and_is_the_gradient() {
        let (y, factors) = changed(Chance::Multiply { deviation: 0.75 }, &[-1.0; 100_000], 1);
        assert_near(moments(&y), (-1.0, 0.5625));
        assert!(y.iter().zip(&factors).all(|(y, factor)| *y == -factor));
    }

    #[test]
    fn an_alpha_dropout_keeps_mean_0_and_variance_1() {
        let mut random = stream(1, Stream::Dataset);
        let x: Vec<f32> = (0..100_000).map(|_| normal(&mut random)).collect();
        for rate in [0.1, 0.5] {
            let (y, factors) = changed(Chance::Saturate { rate }, &x, 1);
            assert_near(moments(&y), (0.0, 1.0));
            let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
            assert!((dropped as f32 / 100_000.0 - rate).abs() < 0.01, "{dropped} of 100000 at {rate}");
        }
    }

    #[test]
    fn whole_channels_are_dropped_and_the_others_scaled() {
        let (y, factors) = changed(Chance::Channels { rate: 0.25 }, &vec![1.0; 9 * 10_000], 10_000);
        assert_eq!(y, factors);
        for pixel in y.chunks_exact(10_000) {
            assert_eq!(pixel, &y[..10_000], "each pixel has the same channels");
        }
        assert!(y.iter().all(|y| *y == 0.0 || *y == 1.0 / 0.75));
        assert_near(moments(&y), (1.0, 1.0 / 3.0));
    }
}
