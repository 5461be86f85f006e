//! The examples of a data set as targets: of a model that ends with an image, what it should look like. They are read
//! as inputs are, so that bytes stay bytes.

use super::Dataset;
use super::dataset::{Pixels, Stored};
use super::targets::{Rows, Targets};
use std::borrow::Cow;

/// The examples of a data set as rows of values.
#[derive(Debug)]
pub(crate) struct ImageRows<'a>(Cow<'a, Dataset>);

/// The same, to be read one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredRows<'a> {
    pixels: Pixels<'a>,
    /// Where each is among the pixels; `None` if they come one after the other.
    order: Option<&'a [u32]>,
    /// Values of one.
    len: usize,
}

impl Dataset {
    /// The examples as [`Targets`] of others, without a copy: `(&noisy, clean.as_targets())` is what trains a model to
    /// remove noise. Labels and values of the data set are left out. [`with_values`](Self::with_values) makes such
    /// targets a part of a data set.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let images = Array4::from_shape_fn((6, 4, 4, 1), |(n, y, x, _)| ((n + y) * x) as u8);
    /// let dataset = Dataset::from_bytes(images, vec![0; 6])?;
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Conv2D::new(8, (3, 3)).padding(Same).activation(Relu))
    ///     .add(Conv2D::new(1, (3, 3)).padding(Same).activation(Sigmoid))
    ///     .seed(1)
    ///     .compile(Adam::new(0.01), BinaryCrossentropy::default(), [])?;
    /// let before = model.evaluate((&dataset, dataset.as_targets()))?.loss;
    /// model.fit((&dataset, dataset.as_targets()), FitConfig::new().epochs(20).verbose(0))?;
    /// assert!(model.evaluate((&dataset, dataset.as_targets()))?.loss < 0.8 * before);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn as_targets(&self) -> Targets<'_> {
        Targets::images(Cow::Borrowed(self))
    }
}

impl<'a> ImageRows<'a> {
    pub(super) fn new(dataset: Cow<'a, Dataset>) -> Self {
        Self(dataset)
    }

    /// How many there are, and how many values each has.
    pub(crate) fn dim(&self) -> (usize, usize) {
        (self.0.len(), self.0.axes().iter().product())
    }

    /// The examples, to be read one by one.
    pub(super) fn rows(&self) -> StoredRows<'_> {
        StoredRows { pixels: self.0.pixels(), order: self.0.order(), len: self.dim().1 }
    }

    /// The first value that does not pass, with its place: example and output.
    pub(crate) fn find(&self, fails: impl Fn(f32) -> bool) -> Option<((usize, usize), f32)> {
        let (rows, mut room) = (self.rows(), Vec::new());
        (0..self.0.len()).find_map(|example| {
            let row = rows.at(example, &mut room);
            row.iter().position(|value| fails(*value)).map(|output| ((example, output), row[output]))
        })
    }

    /// A copy of all values, row by row.
    pub(crate) fn to_rows(&self) -> Rows<'static> {
        let values = self.0.table().into_raw_vec_and_offset().0;
        Rows::new(Cow::Owned(values), self.0.len())
    }
}

impl<'a> StoredRows<'a> {
    /// The values of one as a model would see them; written to `room` if they are not stored so.
    pub(super) fn at<'r>(self, example: usize, room: &'r mut Vec<f32>) -> &'r [f32]
    where
        'a: 'r,
    {
        let start = self.order.map_or(example, |order| order[example] as usize) * self.len;
        room.clear();
        match self.pixels.stored {
            Stored::Floats(floats) if self.pixels.scaling.is_none() => return &floats[start..][..self.len],
            Stored::Floats(floats) => room.extend_from_slice(&floats[start..][..self.len]),
            Stored::Bytes(bytes) => room.extend(bytes[start..][..self.len].iter().map(|byte| f32::from(*byte) / 255.0)),
        }
        if let Some(scaling) = self.pixels.scaling {
            room.iter_mut().enumerate().for_each(|(place, value)| *value = scaling.of(place, *value));
        }
        room
    }
}
