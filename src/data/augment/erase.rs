//! Random erasing: a rectangle of the image is set to 0.

use super::Erase;
use crate::shape::Shape;
use rand::{Rng, RngExt};
use std::ops::Range;

/// The smallest part of an image that is erased.
const SMALLEST: f64 = 0.02;
/// The most that height and width differ: from a third to three times.
const ASPECT: f64 = 3.0;

/// The rectangle drawn for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Rectangle {
    /// A rectangle within an image of this shape, or `None` for an image that stays whole.
    pub(super) fn draw(erase: &Erase, shape: Shape, random: &mut impl Rng) -> Option<Self> {
        // All numbers are drawn whether they are needed or not: what comes after does not depend on chance.
        let [chance, area, aspect, down, right] = std::array::from_fn(|_| random.random::<f64>());
        if chance >= erase.probability {
            return None;
        }
        let (height, width, _) = shape.as_image();
        let area = (height * width) as f64 * (SMALLEST.min(erase.area) + area * (erase.area - SMALLEST).max(0.0));
        let aspect = ASPECT.powf(aspect * 2.0 - 1.0);
        let rows = range_at((area * aspect).sqrt(), height, down);
        let columns = range_at((area / aspect).sqrt(), width, right);
        Some(Self { rows, columns })
    }

    /// Sets the rectangle of an image, (H, W, C), to 0.
    pub(super) fn erase(&self, shape: Shape, image: &mut [f32]) {
        let (_, width, channels) = shape.as_image();
        for row in image.chunks_exact_mut(width * channels).skip(self.rows.start).take(self.rows.len()) {
            row[self.columns.start * channels..self.columns.end * channels].fill(0.0);
        }
    }
}

/// A range of this many pixels, rounded, on an axis of this length; `place` in 0..1 moves it from start to end.
fn range_at(pixels: f64, len: usize, place: f64) -> Range<usize> {
    let pixels = (pixels.round() as usize).min(len);
    let start = (place * (len - pixels + 1) as f64) as usize;
    start..start + pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_stay_on_their_axis_and_reach_both_ends() {
        assert_eq!(range_at(3.4, 10, 0.0), 0..3);
        assert_eq!(range_at(3.4, 10, 0.999_999), 7..10);
        assert_eq!(range_at(30.0, 10, 0.999_999), 0..10);
        assert_eq!(range_at(0.2, 10, 0.5), 5..5);
    }
}
