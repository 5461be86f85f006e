//! Each value less its mean, by its deviation; or the reverse.

use crate::exec::run::{Backward, Forward, Run};
use crate::program::WeightPlace;
use crate::program::plain::{Direction, Normalize, Numbers, PerAxis};
use crate::simd::Simd;

/// Means, and the numbers from which deviations are made.
#[derive(Clone, Copy)]
struct Moments<'a> {
    means: &'a [f32],
    deviations: &'a [f32],
}

impl Normalize {
    /// - flat: all weights
    fn moments<'a>(&'a self, flat: &'a [f32], places: &[WeightPlace]) -> Moments<'a> {
        match &self.numbers {
            Numbers::Given { means, deviations } => Moments { means, deviations },
            Numbers::Weights => {
                Moments { means: &flat[places[0].range.clone()], deviations: &flat[places[1].range.clone()] }
            }
        }
    }

    /// `y`, which is `x`, in place, row by row.
    ///
    /// - deviation: makes one of its number
    #[inline(always)]
    fn forth_and_back(&self, images: usize, y: &mut [f32], of: Moments<'_>, deviation: impl Fn(f32) -> f32) {
        let PerAxis { axes: [.., row_len], numbers: [.., len] } = self.of;
        self.of.each_row(images, |start, number| {
            let row = &mut y[start..start + row_len];
            match (&of.means[number..number + len], &of.deviations[number..number + len], self.direction) {
                ([mean], [number], Direction::Forth) => {
                    let deviation = deviation(*number);
                    row.iter_mut().for_each(|y| *y = (*y - mean) / deviation);
                }
                ([mean], [number], Direction::Back) => {
                    let deviation = deviation(*number);
                    row.iter_mut().for_each(|y| *y = *y * deviation + mean);
                }
                (means, numbers, Direction::Forth) => {
                    let values = row.iter_mut().zip(means.iter().zip(numbers));
                    values.for_each(|(y, (mean, number))| *y = (*y - mean) / deviation(*number));
                }
                (means, numbers, Direction::Back) => {
                    let values = row.iter_mut().zip(means.iter().zip(numbers));
                    values.for_each(|(y, (mean, number))| *y = *y * deviation(*number) + mean);
                }
            }
        });
    }

    /// The gradient of the output turned into that of the input in place, row by row.
    #[inline(always)]
    fn back(&self, images: usize, dy: &mut [f32], numbers: &[f32], deviation: impl Fn(f32) -> f32) {
        let PerAxis { axes: [.., row_len], numbers: [.., len] } = self.of;
        self.of.each_row(images, |start, number| {
            let row = &mut dy[start..start + row_len];
            match (&numbers[number..number + len], self.direction) {
                ([number], Direction::Forth) => {
                    let deviation = deviation(*number);
                    row.iter_mut().for_each(|dy| *dy /= deviation);
                }
                ([number], Direction::Back) => {
                    let deviation = deviation(*number);
                    row.iter_mut().for_each(|dy| *dy *= deviation);
                }
                (numbers, Direction::Forth) => {
                    row.iter_mut().zip(numbers).for_each(|(dy, number)| *dy /= deviation(*number));
                }
                (numbers, Direction::Back) => {
                    row.iter_mut().zip(numbers).for_each(|(dy, number)| *dy *= deviation(*number));
                }
            }
        });
    }
}

impl Run for Normalize {
    fn forward<S: Simd>(&self, simd: S, io: Forward<'_>) {
        let Forward { images, x: [x, ..], y, len, weights, places, .. } = io;
        let of = self.moments(&weights.flat, places);
        let y = &mut y[..images * len];
        y.copy_from_slice(&x[..images * len]);
        simd.vectorize(
            #[inline(always)]
            || match self.numbers {
                Numbers::Given { .. } => self.forth_and_back(images, y, of, |deviation| deviation),
                Numbers::Weights => self.forth_and_back(images, y, of, Self::deviation),
            },
        );
    }

    fn backward<S: Simd>(&self, simd: S, io: Backward<'_>) {
        let Backward { images, len, dy, dx: [mut dx, ..], weights, places, .. } = io;
        let Moments { deviations, .. } = self.moments(&weights.flat, places);
        let dy = &mut dy[..images * len];
        simd.vectorize(
            #[inline(always)]
            || match self.numbers {
                Numbers::Given { .. } => self.back(images, dy, deviations, |deviation| deviation),
                Numbers::Weights => self.back(images, dy, deviations, Self::deviation),
            },
        );
        dx.put(dy.iter());
    }
}
