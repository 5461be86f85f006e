//! Decides how sizes are named: the shape of one example between layers, and the geometry of a window that slides over
//! an image. It holds no data and does no arithmetic on pixels.

use serde::{Deserialize, Serialize};
use std::fmt;

/// No tensor may hold more elements than this (1 GiB of `f32`); offsets into one then always fit in a `u32`.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;

/// The shape of one example, the batch axis left out, as layers hand it on.
///
/// ```
/// use inkstone::Shape;
/// assert_eq!(Shape::from([28, 28, 1]).to_string(), "(28, 28, 1)");
/// assert_eq!(Shape::from([28, 28, 1]).len(), Some(784));
/// assert_eq!(Shape::from([784]).to_string(), "(784)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Shape {
    /// An image, channels last: (H, W, C).
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Values per pixel.
        channels: usize,
    },
    /// A vector of features: (F).
    Vector(usize),
}

impl Shape {
    /// How many values one example has; `None` if that is zero, or more than the 2^28 (1 GiB of `f32`) that any
    /// tensor may have.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a shape is never empty: zero is refused here")]
    pub fn len(self) -> Option<usize> {
        let (height, width, channels) = self.as_image();
        let len = height.checked_mul(width)?.checked_mul(channels)?;
        (1..=MAX_ELEMENTS).contains(&len).then_some(len)
    }

    /// The shape as (height, width, channels); a vector is one pixel of that many channels.
    #[must_use]
    pub fn as_image(self) -> (usize, usize, usize) {
        match self {
            Self::Image { height, width, channels } => (height, width, channels),
            Self::Vector(features) => (1, 1, features),
        }
    }
}

impl From<[usize; 3]> for Shape {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Self::Image { height, width, channels }
    }
}

impl From<[usize; 1]> for Shape {
    fn from([features]: [usize; 1]) -> Self {
        Self::Vector(features)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { height, width, channels } => write!(f, "({height}, {width}, {channels})"),
            Self::Vector(features) => write!(f, "({features})"),
        }
    }
}

/// What happens at an image's border, as in [Keras](https://keras.io/api/layers/convolution_layers/convolution2d/).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Padding {
    /// The window stays inside the image.
    #[default]
    #[serde(alias = "valid")]
    Valid,
    /// The image is padded evenly (one more at the bottom and right if need be), so that the output has
    /// `ceil(size / stride)` rows and columns.
    #[serde(alias = "same")]
    Same,
}

/// A window that slides over images of one size: what [`Padding`], kernel size and strides come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window2d {
    /// Rows and columns of the image.
    pub(crate) image: (usize, usize),
    /// Rows and columns of the window.
    pub(crate) size: (usize, usize),
    /// Rows and columns from one window to the next.
    pub(crate) strides: (usize, usize),
    /// Rows above and columns left of the image that padding adds.
    pub(crate) before: (usize, usize),
    /// Rows and columns of the image with its padding.
    pub(crate) padded: (usize, usize),
    /// Rows and columns of windows.
    pub(crate) out: (usize, usize),
}

impl Window2d {
    /// Works the geometry out.
    ///
    /// # Errors
    /// A sentence that says what cannot work: a zero, or a window larger than the image it must stay inside.
    pub(crate) fn new(
        image: (usize, usize),
        size: (usize, usize),
        strides: (usize, usize),
        padding: Padding,
    ) -> Result<Self, String> {
        for (name, (rows, columns)) in [("window", size), ("strides", strides)] {
            if !(1..=MAX_ELEMENTS).contains(&rows) || !(1..=MAX_ELEMENTS).contains(&columns) {
                return Err(format!(
                    "the {name} must be between 1 and {MAX_ELEMENTS} each way, got ({rows}, {columns})"
                ));
            }
        }
        if padding == Padding::Valid && (size.0 > image.0 || size.1 > image.1) {
            return Err(format!(
                "the window ({}, {}) is larger than its input ({}, {}): use a smaller window, less pooling before it, \
                 or `padding(Same)`",
                size.0, size.1, image.0, image.1
            ));
        }
        let rows = Axis::new(image.0, size.0, strides.0, padding);
        let columns = Axis::new(image.1, size.1, strides.1, padding);
        Ok(Self {
            image,
            size,
            strides,
            before: (rows.before, columns.before),
            padded: (rows.padded, columns.padded),
            out: (rows.out, columns.out),
        })
    }

    /// Whether padding changes the image at all.
    pub(crate) fn pads(&self) -> bool {
        self.padded != self.image
    }
}

/// One axis of a [`Window2d`].
struct Axis {
    before: usize,
    padded: usize,
    out: usize,
}

impl Axis {
    fn new(image: usize, size: usize, stride: usize, padding: Padding) -> Self {
        match padding {
            Padding::Valid => Self { before: 0, padded: image, out: (image - size) / stride + 1 },
            Padding::Same => {
                let out = image.div_ceil(stride);
                let added = ((out - 1) * stride + size).saturating_sub(image);
                Self { before: added / 2, padded: image + added, out }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_is_tensorflow_s_even_where_it_is_odd() {
        let window = Window2d::new((5, 6), (2, 3), (2, 2), Padding::Same).unwrap();
        assert_eq!((window.out, window.before, window.padded), ((3, 3), (0, 0), (6, 7)));
        let window = Window2d::new((4, 4), (3, 3), (1, 1), Padding::Same).unwrap();
        assert_eq!((window.out, window.before, window.padded), ((4, 4), (1, 1), (6, 6)));
    }

    #[test]
    fn a_window_that_cannot_slide_is_refused() {
        let error = Window2d::new((2, 2), (3, 3), (1, 1), Padding::Valid).unwrap_err();
        assert!(error.starts_with("the window (3, 3) is larger than its input (2, 2)"), "{error}");
        let error = Window2d::new((2, 2), (1, 1), (0, 1), Padding::Valid).unwrap_err();
        assert!(error.starts_with("the strides must be between 1 and"), "{error}");
    }

    #[test]
    fn absurd_shapes_have_no_length() {
        assert_eq!(Shape::from([usize::MAX, 2, 2]).len(), None);
        assert_eq!(Shape::from([0, 2, 2]).len(), None);
        assert_eq!(Shape::from([MAX_ELEMENTS + 1]).len(), None);
    }
}
