//! Decides how sizes are named: the shape of one example between layers, and the geometry of a window that slides over
//! an image. It holds no data and does no arithmetic on pixels.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// No tensor may hold more elements than this (1 GiB of `f32`); offsets into one then always fit in a `u32`.
pub(crate) const MAX_ELEMENTS: usize = 1 << 28;

/// The most axes that one example has.
pub(crate) const MAX_RANK: usize = 4;

/// The shape of one example, the batch axis left out, as layers hand it on: one to four axes, the last of which counts
/// features or channels. `[features]` is a vector, `[steps, features]` a sequence, `[height, width, channels]` an
/// image.
///
/// ```
/// use inkstone::Shape;
/// let image = Shape::from([28, 28, 1]);
/// assert_eq!(image.to_string(), "(28, 28, 1)");
/// assert_eq!(image.axes(), [28, 28, 1]);
/// assert_eq!(image.len(), Some(784));
/// assert_eq!(Shape::from([784]).to_string(), "(784)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Those behind the rank are 0.
    axes: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The shape of these axes; `None` unless there are one to four.
    ///
    /// ```
    /// use inkstone::Shape;
    /// assert_eq!(Shape::new(&[7, 3]), Some(Shape::from([7, 3])));
    /// assert_eq!(Shape::new(&[]), None);
    /// ```
    #[must_use]
    pub fn new(axes: &[usize]) -> Option<Self> {
        let rank = axes.len();
        if !(1..=MAX_RANK).contains(&rank) {
            return None;
        }
        let mut all = [0; MAX_RANK];
        all[..rank].copy_from_slice(axes);
        Some(Self { axes: all, rank })
    }

    /// The axes, in order.
    #[must_use]
    pub fn axes(&self) -> &[usize] {
        &self.axes[..self.rank]
    }

    /// The last axis: features of a vector or sequence, channels of an image.
    #[must_use]
    pub fn channels(self) -> usize {
        self.axes[self.rank - 1]
    }

    /// How many values one example has; `None` if that is zero, or more than the 2^28 (1 GiB of `f32`) that any
    /// tensor may have.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a shape is never empty: zero is refused here")]
    pub fn len(self) -> Option<usize> {
        let len = self.axes().iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis))?;
        (1..=MAX_ELEMENTS).contains(&len).then_some(len)
    }

    /// The shape as (height, width, channels): a vector is one pixel of that many channels, a sequence one row of
    /// pixels, and of four axes the first two are rows.
    #[must_use]
    pub fn as_image(self) -> (usize, usize, usize) {
        match *self.axes() {
            [features] => (1, 1, features),
            [steps, features] => (1, steps, features),
            [height, width, channels] => (height, width, channels),
            [depth, height, width, channels] => (depth.saturating_mul(height), width, channels),
            _ => unreachable!("a shape has one to four axes"),
        }
    }

    /// The shape with another last axis.
    #[must_use]
    pub(crate) fn with_channels(mut self, channels: usize) -> Self {
        self.axes[self.rank - 1] = channels;
        self
    }
}

macro_rules! from_arrays {
    ($($rank:literal),*) => {$(
        impl From<[usize; $rank]> for Shape {
            fn from(axes: [usize; $rank]) -> Self {
                let mut all = [0; MAX_RANK];
                all[..$rank].copy_from_slice(&axes);
                Self { axes: all, rank: $rank }
            }
        }
    )*};
}
from_arrays!(1, 2, 3, 4);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self.axes().iter().map(usize::to_string).collect();
        write!(f, "({})", axes.join(", "))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.axes().fmt(f)
    }
}

impl Serialize for Shape {
    /// The list of its axes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.axes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shape {
    /// The list of its axes; or, where the format says what it holds, the form of older versions, `{"Vector": 784}`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(ShapeVisitor)
        } else {
            deserializer.deserialize_seq(ShapeVisitor)
        }
    }
}

struct ShapeVisitor;

/// How older versions wrote a shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Named {
    Image { height: usize, width: usize, channels: usize },
    Vector(usize),
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a shape of one to four axes, as [height, width, channels] or [features]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut axes = [0; MAX_RANK];
        let mut count = 0;
        while let Some(axis) = list.next_element()? {
            // More are counted, and not kept.
            if let Some(place) = axes.get_mut(count) {
                *place = axis;
            }
            count += 1;
        }
        axes.get(..count).and_then(Shape::new).ok_or_else(|| A::Error::invalid_length(count, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        Named::deserialize(MapAccessDeserializer::new(map)).map(|named| match named {
            Named::Image { height, width, channels } => Shape::from([height, width, channels]),
            Named::Vector(features) => Shape::from([features]),
        })
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
        assert_eq!(Shape::from([usize::MAX; 4]).len(), None);
    }
}
