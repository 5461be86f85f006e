//! Random flips: an image is mirrored left to right, top to bottom, or both.

use crate::shape::Shape;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// The directions in which [`Augment::flip`](super::Augment::flip) mirrors images; the modes of Keras' `RandomFlip`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flip {
    /// Left and right change places: pixel (y, x) becomes (y, width - 1 - x).
    Horizontal,
    /// Top and bottom change places: pixel (y, x) becomes (height - 1 - y, x).
    Vertical,
    /// Each of the two, independently of the other.
    HorizontalAndVertical,
}

/// The flips drawn for one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    horizontal: bool,
    vertical: bool,
}

impl Mirror {
    pub(super) fn draw(flip: Flip, random: &mut impl Rng) -> Self {
        // Both numbers are drawn in every mode: the draws after them do not depend on it.
        let [horizontal, vertical] = std::array::from_fn(|_| random.random::<f64>() < 0.5);
        match flip {
            Flip::Horizontal => Self { horizontal, vertical: false },
            Flip::Vertical => Self { horizontal: false, vertical },
            Flip::HorizontalAndVertical => Self { horizontal, vertical },
        }
    }

    /// Mirrors an image, (H, W, C), in place.
    pub(super) fn apply(self, shape: Shape, image: &mut [f32]) {
        let (_, width, channels) = shape.as_image();
        if self.horizontal {
            image.chunks_exact_mut(width * channels).for_each(|row| reverse_parts(row, channels));
        }
        if self.vertical {
            reverse_parts(image, width * channels);
        }
    }
}

/// Reverses the order of the parts of this length, and keeps the order within each.
fn reverse_parts(values: &mut [f32], part: usize) {
    values.reverse();
    values.chunks_exact_mut(part).for_each(<[f32]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_reversed_and_keep_their_own_order() {
        let mut values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        reverse_parts(&mut values, 2);
        assert_eq!(values, [5.0, 6.0, 3.0, 4.0, 1.0, 2.0]);
    }
}
