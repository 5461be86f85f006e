//! Normalization over a batch. In training its chunks meet: each gathers the moments of its own values, and later the
//! sums of its own gradients; what they come to together is written back to each ([`crate::exec::Meeting`]).

use crate::exec::forward::Pass;
use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Run};
use crate::kernels::moments::moments;
use crate::kernels::normalize::{Correction, Scaling, correct_gradient, gradient_sums, normalize, room_len};
use crate::kernels::sum::add;
use crate::program::WeightPlace;
use crate::program::plain::{BatchNorm, Statistics};
use crate::simd::Simd;

/// What a chunk keeps, all of as many values as there are channels. Before a meeting the first two of its direction are
/// the chunk's own.
pub(in crate::exec) struct Kept<'a> {
    /// The mean, and the sum of the squares of what differs from it; after the meeting the reciprocal of the standard
    /// deviation.
    pub(in crate::exec) forward: [&'a mut [f32]; 2],
    /// The sum of the gradients, and of their products with the distance from the mean; after the meeting the means of
    /// both, the second times the square of the reciprocal.
    pub(in crate::exec) backward: [&'a mut [f32]; 2],
    /// The scale and the offset of the forward pass.
    scaling: [&'a mut [f32]; 2],
}

/// What a normalization with moving statistics does to one channel: `x * scale + offset`.
pub(in crate::exec) struct MovingScaling {
    pub(in crate::exec) scale: f32,
    pub(in crate::exec) offset: f32,
}

impl BatchNorm {
    /// What it does to each channel of sums that a bias is still to be added to.
    ///
    /// - flat: all weights; bias: (channels), or empty if there is none
    pub(in crate::exec) fn moving_scalings<'a>(
        &self,
        flat: &'a [f32],
        places: &[WeightPlace],
        bias: &'a [f32],
    ) -> impl Iterator<Item = MovingScaling> + use<'a> {
        let weights = self.weights(places);
        let read = |place: &WeightPlace| &flat[place.range.clone()];
        let (mean, variance) = (read(weights.mean), read(weights.variance));
        let (gamma, beta, epsilon) = (weights.gamma.map(read), weights.beta.map(read), self.epsilon);
        (0..self.channels).map(move |channel| {
            let scale = gamma.map_or(1.0, |gamma| gamma[channel]) / (variance[channel] + epsilon).sqrt();
            let bias = bias.get(channel).copied().unwrap_or_default();
            let offset = (bias - mean[channel]) * scale + beta.map_or(0.0, |beta| beta[channel]);
            MovingScaling { scale, offset }
        })
    }

    pub(in crate::exec) fn kept<'a>(&self, saved: &'a mut [f32]) -> Kept<'a> {
        let mut parts = saved.chunks_exact_mut(self.channels);
        let mut next = || parts.next().expect("memory for six numbers a channel");
        Kept { forward: [next(), next()], backward: [next(), next()], scaling: [next(), next()] }
    }

    /// Writes what each channel is multiplied by, and what is added.
    fn set_scaling(&self, flat: &[f32], places: &[WeightPlace], kept: &mut Kept<'_>) {
        let weights = self.weights(places);
        let [_, reciprocal] = &kept.forward;
        let [scale, offset] = &mut kept.scaling;
        match weights.gamma {
            Some(gamma) => {
                let gamma = &flat[gamma.range.clone()];
                scale.iter_mut().zip(gamma).zip(reciprocal.iter()).for_each(|((scale, gamma), r)| *scale = gamma * r);
            }
            None => scale.copy_from_slice(reciprocal),
        }
        match weights.beta {
            Some(beta) => offset.copy_from_slice(&flat[beta.range.clone()]),
            None => offset.fill(0.0),
        }
    }

    /// The moving statistics take the batch's place.
    fn take_moving(&self, flat: &[f32], places: &[WeightPlace], kept: &mut Kept<'_>) {
        let weights = self.weights(places);
        let [mean, reciprocal] = &mut kept.forward;
        mean.copy_from_slice(&flat[weights.mean.range.clone()]);
        let variances = &flat[weights.variance.range.clone()];
        let of = |variance: &f32| 1.0 / (variance + self.epsilon).sqrt();
        reciprocal.iter_mut().zip(variances).for_each(|(reciprocal, variance)| *reciprocal = of(variance));
    }
}

impl Run for BatchNorm {
    fn memory(&self, _of: Chunk) -> Memory {
        Memory { saved_floats: 6 * self.channels, forward: room_len(self.channels), ..Memory::default() }
    }

    fn gather<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let x = &io.x[0][..io.images * io.len];
        let [mean, deviations] = self.kept(&mut io.saved.floats).forward;
        moments(simd, x, mean, deviations, &mut io.scratch.forward);
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, saved, scratch, weights, places, pass } = io;
        let mut kept = self.kept(&mut saved.floats);
        match (pass, self.statistics) {
            (Pass::Training { .. }, Statistics::Batch { .. }) => {}
            (Pass::Inference, _) | (_, Statistics::Moving) => self.take_moving(&weights.flat, places, &mut kept),
        }
        self.set_scaling(&weights.flat, places, &mut kept);
        let [mean, _] = kept.forward;
        let [scale, offset] = kept.scaling;
        let of = Scaling { mean, scale, offset };
        normalize(simd, of, self.then, &x[..images * len], &mut y[..images * len], &mut scratch.forward);
    }

    fn gather_backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, x: [x, ..], len, dy, saved, scratch, places, gradients, .. } = io;
        let values = images * len;
        let Kept { forward: [mean, reciprocal], backward, scaling: [scale, offset] } = self.kept(&mut saved.floats);
        let [sums, products] = backward;
        let (of, flows) = (Scaling { mean, scale, offset }, (&x[..values], &mut dy[..values]));
        gradient_sums(simd, of, self.then, flows, (sums, products), &mut scratch.forward);
        let weights = self.weights(places);
        if let Some(beta) = weights.beta.filter(|beta| beta.is_trained) {
            add(simd, sums, &mut gradients.summed[beta.range.clone()]);
        }
        if let Some(gamma) = weights.gamma.filter(|gamma| gamma.is_trained) {
            let to = &mut gradients.summed[gamma.range.clone()];
            let of_chunk = products.iter().zip(reciprocal.iter());
            to.iter_mut().zip(of_chunk).for_each(|(to, (product, reciprocal))| *to += product * reciprocal);
        }
    }

    fn backward<S: Simd>(&self, simd: S, mut io: Backward<'_>) {
        let values = io.images * io.len;
        let statistics = self.statistics;
        match statistics {
            Statistics::Batch { .. } => {}
            // The sums are those of the weights alone: moving statistics depend on no input.
            Statistics::Moving => self.gather_backward(simd, io.reborrow()),
        }
        let Backward { x: [x, ..], dy, dx: [mut dx, ..], saved, scratch, .. } = io;
        let Kept { forward: [mean, _], backward: [offset, slope], scaling: [scale, _] } = self.kept(&mut saved.floats);
        match statistics {
            Statistics::Batch { .. } => {}
            Statistics::Moving => {
                offset.fill(0.0);
                slope.fill(0.0);
            }
        }
        let of = Correction { mean, scale, offset, slope };
        let dy = &mut dy[..values];
        correct_gradient(simd, of, &x[..values], dy, &mut scratch.forward);
        dx.put(dy.iter());
    }
}
