//! Images with more pixels.

use crate::exec::memory::Memory;
use crate::exec::run::{Backward, Chunk, Forward, Purpose, Run};
use crate::kernels::sum::{SHORT, add_one_compensated};
use crate::program::plain::{Between, UpSample};
use crate::simd::Simd;

/// Why there is a next pixel.
const AS_MANY: &str = "as many as the output has";

/// What a row or column of the output is made of: two of the input, which may be the same, and the share of the second.
#[derive(Clone, Copy)]
struct Mix {
    first: usize,
    second: usize,
    share: f32,
}

impl Mix {
    /// - place: of the output; len: rows or columns of the input, each of which becomes `size`
    fn new(between: Between, place: usize, len: usize, size: usize) -> Self {
        match between {
            Between::Nearest => Self { first: place / size, second: place / size, share: 0.0 },
            Between::Linear => {
                // The middle of the output's pixel, on the input, measured from the middle of the first one.
                let middle = (place as f64 + 0.5) / size as f64 - 0.5;
                let middle = middle.clamp(0.0, (len - 1) as f64);
                let first = middle as usize;
                Self { first, second: (first + 1).min(len - 1), share: (middle - first as f64) as f32 }
            }
        }
    }

    /// The shares of both.
    fn shares(self) -> [(usize, f32); 2] {
        [(self.first, 1.0 - self.share), (self.second, self.share)]
    }
}

impl UpSample {
    fn input_len(&self) -> usize {
        self.image.0 * self.image.1 * self.channels
    }

    /// Whether a pixel's gradient is the sum of more than a running sum may take.
    fn has_long_sums(&self) -> bool {
        let outputs = self.size.0.saturating_mul(self.size.1);
        let outputs = match self.between {
            Between::Nearest => outputs,
            Between::Linear => outputs.saturating_mul(4),
        };
        outputs > SHORT
    }

    /// Calls `visit` for each pixel of the output, in order: with the pixels of the input that it is made of, by where
    /// they start, and their shares.
    #[inline(always)]
    fn each_pixel(&self, images: usize, mut visit: impl FnMut([(usize, f32); 4])) {
        let ((height, width), size) = (self.image, self.size);
        for image in 0..images {
            for row in 0..height * size.0 {
                let rows = Mix::new(self.between, row, height, size.0).shares();
                for column in 0..width * size.1 {
                    let columns = Mix::new(self.between, column, width, size.1).shares();
                    let corner = |(row, of_row): (usize, f32), (column, of_column): (usize, f32)| {
                        (((image * height + row) * width + column) * self.channels, of_row * of_column)
                    };
                    visit([
                        corner(rows[0], columns[0]),
                        corner(rows[0], columns[1]),
                        corner(rows[1], columns[0]),
                        corner(rows[1], columns[1]),
                    ]);
                }
            }
        }
    }
}

impl Run for UpSample {
    fn memory(&self, of: Chunk) -> Memory {
        match of.purpose {
            Purpose::Training if self.has_long_sums() => {
                Memory { lost: of.images * of.lengths.x[0], ..Memory::default() }
            }
            Purpose::Training | Purpose::Inference => Memory::default(),
        }
    }

    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, .. } = io;
        let mut pixels = y[..images * len].chunks_exact_mut(self.channels);
        simd.vectorize(
            #[inline(always)]
            || {
                self.each_pixel(images, |corners| {
                    let y = pixels.next().expect(AS_MANY);
                    let [a, b, c, d] = corners.map(|(start, _)| &x[start..][..y.len()]);
                    match self.between {
                        Between::Nearest => y.copy_from_slice(a),
                        Between::Linear => {
                            let shares = corners.map(|(_, share)| share);
                            let corners = a.iter().zip(b).zip(c.iter().zip(d));
                            for (y, ((a, b), (c, d))) in y.iter_mut().zip(corners) {
                                *y = a * shares[0] + b * shares[1] + c * shares[2] + d * shares[3];
                            }
                        }
                    }
                });
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], scratch, .. } = io;
        let inputs = images * self.input_len();
        if !dx.open(inputs) {
            return;
        }
        let corners = match self.between {
            Between::Nearest => 1,
            Between::Linear => 4,
        };
        let mut pixels = dy[..images * len].chunks_exact(self.channels);
        if self.has_long_sums() {
            let lost = &mut scratch.lost[..inputs];
            lost.fill(0.0);
            self.each_pixel(images, |all| {
                let dy = pixels.next().expect(AS_MANY);
                for (start, share) in &all[..corners] {
                    let sums = dx.to[*start..].iter_mut().zip(&mut lost[*start..]);
                    dy.iter().zip(sums).for_each(|(dy, (dx, lost))| add_one_compensated(dy * share, dx, lost));
                }
            });
            return;
        }
        simd.vectorize(
            #[inline(always)]
            || {
                self.each_pixel(images, |all| {
                    let dy = pixels.next().expect(AS_MANY);
                    for (start, share) in &all[..corners] {
                        dx.to[*start..].iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy * share);
                    }
                });
            },
        );
    }
}
