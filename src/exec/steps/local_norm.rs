//! Normalization within an example.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Run};
use crate::kernels::local_norm::{Learned, LearnedGradients, local_norm_backward, local_norm_forward};
use crate::program::WeightPlace;
use crate::program::plain::LocalNorm;
use crate::simd::Simd;

impl Run for LocalNorm {
    /// The means, and the reciprocals of the deviations; room for sums.
    fn memory(&self, of: Chunk) -> Memory {
        Memory { saved_floats: of.images * self.of.moments(), forward: 2 * self.of.pixel_len(), ..Memory::default() }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, saved, weights, places, .. } = io;
        let (scale, offset) = self.learned.scale_and_offset(places);
        let read = |place: &WeightPlace| &weights.flat[place.range.clone()];
        let learned = Learned { scale: scale.map(read), offset: offset.map(read) };
        let values = images * len;
        let kept = &mut saved.floats[..images * self.of.moments()];
        local_norm_forward(simd, &self.of, images, self.epsilon, learned, (&x[..values], &mut y[..values], kept));
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward {
            images, x: [x, ..], len, dy, dx: [mut dx, ..], saved, scratch, weights, places, gradients, ..
        } = io;
        let (scale, offset) = self.learned.scale_and_offset(places);
        let is_trained = |place: &&WeightPlace| place.is_trained;
        // The scale lies before the offset.
        let of_both = match (scale.filter(is_trained), offset.filter(is_trained)) {
            (Some(scale), Some(offset)) => {
                let (before, after) = gradients.summed.split_at_mut(offset.range.start);
                let offset = &mut after[..offset.range.len()];
                LearnedGradients { scale: Some(&mut before[scale.range.clone()]), offset: Some(offset) }
            }
            (scale, offset) => match scale.or(offset) {
                Some(place) => {
                    let sums = &mut gradients.summed[place.range.clone()];
                    if scale.is_some() {
                        LearnedGradients { scale: Some(sums), offset: None }
                    } else {
                        LearnedGradients { scale: None, offset: Some(sums) }
                    }
                }
                None => LearnedGradients { scale: None, offset: None },
            },
        };
        let values = images * len;
        let dy = &mut dy[..values];
        let kept = &saved.floats[..images * self.of.moments()];
        let scale = scale.map(|place| &weights.flat[place.range.clone()]);
        local_norm_backward(simd, &self.of, images, scale, of_both, (&x[..values], kept, dy, &mut scratch.forward));
        dx.put(dy.iter());
    }
}
