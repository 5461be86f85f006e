//! Values dropped at random while training. Each example draws from a stream of its own, so that chunks may run in any
//! order.

use crate::exec::forward::Pass;
use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::program::plain::Dropout;
use crate::random::{Stream, stream};
use crate::simd::Simd;
use rand::RngExt;

impl Run for Dropout {
    /// What each value is multiplied by.
    fn memory(&self, of: Chunk) -> Memory {
        let saved_floats = match of.purpose {
            Purpose::Inference => 0,
            Purpose::Training => of.images * of.lengths.y,
        };
        Memory { saved_floats, ..Memory::default() }
    }

    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let Forward { images, len, pass, .. } = io;
        let y = &mut io.y[..images * len];
        y.copy_from_slice(&io.x[0][..images * len]);
        let Pass::Training { seed, step, first_example } = pass else { return };
        let kept = 1.0 / (1.0 - self.rate);
        let examples = y.chunks_exact_mut(len).zip(io.saved.floats.chunks_exact_mut(len));
        for (image, (y, mask)) in examples.enumerate() {
            let mut random = stream(seed, Stream::Dropout { call: self.call, step, example: first_example + image });
            for (value, factor) in y.iter_mut().zip(mask) {
                *factor = if random.random::<f32>() < self.rate { 0.0 } else { kept };
                *value *= *factor;
            }
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], saved, .. } = io;
        let dy = &mut dy[..images * len];
        dy.iter_mut().zip(&saved.floats[..]).for_each(|(dy, factor)| *dy *= factor);
        dx.put(dy.iter());
    }
}
