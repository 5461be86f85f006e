//! Windows cut out of images, put back together, and some of their channels.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::kernels::patches::{cut, put_back};
use crate::kernels::sum::{add, add_rows};
use crate::plan::Flow;
use crate::program::plain::{Cut, PutBack, Slice};
use crate::simd::Simd;

impl Run for Cut {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        cut(simd, &self.of, self.channels, io.images, io.x[0], &mut io.y[..io.images * io.len]);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        let (height, width) = self.of.window.image;
        if dx.open(images * height * width * self.channels) {
            put_back(simd, &self.of, self.channels, images, &dy[..images * len], dx.to);
        }
    }
}

impl Run for PutBack {
    /// Room for input gradients that are to be added to others.
    fn memory(&self, of: Chunk) -> Memory {
        match of.purpose {
            Purpose::Inference => Memory::default(),
            Purpose::Training => Memory { padded_gradient: of.images * of.lengths.x[0], ..Memory::default() },
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let y = &mut io.y[..io.images * io.len];
        match io.places.first() {
            None => y.fill(0.0),
            Some(bias) => {
                let bias = &io.weights.flat[bias.range.clone()];
                y.chunks_exact_mut(self.channels).for_each(|y| y.copy_from_slice(bias));
            }
        }
        put_back(simd, &self.of, self.channels, io.images, io.x[0], y);
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [dx, ..], scratch, places, gradients, .. } = io;
        let dy = &dy[..images * len];
        if let Some(bias) = places.first().filter(|bias| bias.is_trained) {
            add_rows(simd, dy, &mut gradients.summed[bias.range.clone()]);
        }
        let (rows, columns) = self.of.taps;
        let patches = images * self.of.window.out.0 * self.of.window.out.1 * rows * columns * self.channels;
        match dx.flow {
            Flow::Nobody | Flow::InPlace => {}
            Flow::Write => cut(simd, &self.of, self.channels, images, dy, &mut dx.to[..patches]),
            Flow::Add => {
                let room = &mut scratch.padded_gradient[..patches];
                cut(simd, &self.of, self.channels, images, dy, room);
                add(simd, room, &mut dx.to[..patches]);
            }
        }
    }
}

impl Run for Slice {
    fn forward<S: Simd>(&self, _simd: S, io: Forward<'_>) {
        let pixels = io.y[..io.images * io.len].chunks_exact_mut(self.channels);
        for (y, x) in pixels.zip(io.x[0].chunks_exact(self.of)) {
            y.copy_from_slice(&x[self.from..][..self.channels]);
        }
    }

    fn backward<S: Simd>(&self, _simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], .. } = io;
        let pixels = images * len / self.channels;
        if dx.open(pixels * self.of) {
            let pixels = dx.to[..pixels * self.of].chunks_exact_mut(self.of);
            for (dx, dy) in pixels.zip(dy.chunks_exact(self.channels)) {
                dx[self.from..].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
            }
        }
    }
}
