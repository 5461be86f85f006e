//! Random crops: an image is padded with zeros, and a window of its own size is cut out.

use crate::shape::Shape;
use rand::{Rng, RngExt};

/// The window drawn for one image, as the move of the image within it, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    down: isize,
    right: isize,
}

impl Window {
    /// One of the (2 * padding + 1)² windows, each as likely as the others.
    pub(super) fn draw(padding: usize, random: &mut impl Rng) -> Self {
        let windows = (2 * padding + 1) as f64;
        let [down, right] = std::array::from_fn(|_| (random.random::<f64>() * windows) as isize - padding as isize);
        Self { down, right }
    }

    /// Crops an image, (H, W, C), in place.
    pub(super) fn apply(self, shape: Shape, image: &mut [f32]) {
        let (_, width, channels) = shape.as_image();
        move_by(image, self.down, width * channels);
        image.chunks_exact_mut(width * channels).for_each(|row| move_by(row, self.right, channels));
    }
}

/// Moves values towards the end by this many parts of this length; a negative number moves them towards the start.
/// Zeros take the places left.
fn move_by(values: &mut [f32], parts: isize, part: usize) {
    let moved = parts.unsigned_abs().saturating_mul(part).min(values.len());
    let kept = values.len() - moved;
    if parts >= 0 {
        values.copy_within(..kept, moved);
        values[..moved].fill(0.0);
    } else {
        values.copy_within(moved.., 0);
        values[kept..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_move_both_ways_and_out() {
        let cases = [
            (0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (1, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]),
            (-2, [5.0, 6.0, 0.0, 0.0, 0.0, 0.0]),
            (3, [0.0; 6]),
            (isize::MAX, [0.0; 6]),
            (isize::MIN, [0.0; 6]),
        ];
        for (parts, expected) in cases {
            let mut values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            move_by(&mut values, parts, 2);
            assert_eq!(values, expected, "{parts} parts");
        }
    }
}
