//! The target values of a data set: rows of numbers, or images.

use super::Dataset;
use super::dataset::StoredInputs;
use super::inputs::nouns;
use super::sequences;
use super::targets::{Targets, check_values};
use crate::error::{Error, Result};
use crate::shape::Shape;
use ndarray::{Array1, Array2, Array3, Array4, ArrayView2, Axis, Slice};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Owned target values:
///
/// - for each output, (N, outputs), from an `Array2<f32>`; of a model of one output for each example, (N), from an
///   `Array1<f32>` or a `Vec<f32>`,
/// - of a model that ends with an image, (N, H, W, C), from an `Array4<f32>`, or an `Array4<u8>`, which becomes `x / 255`
///   as it is used; with a sequence, (N, T, F), from an `Array3<f32>`,
/// - the examples of another data set, from a `&Dataset`, whose memory they share.
///
/// ```
/// use inkstone::data::Values;
/// use inkstone::ndarray::array;
/// assert_eq!(Values::from(vec![1.0, 2.0]), Values::from(array![[1.0], [2.0]]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Values(Source);

#[derive(Clone, Debug)]
enum Source {
    Rows(Array2<f32>),
    Arrays(StoredInputs, Shape),
    Examples(Box<Dataset>),
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rows(rows), Self::Rows(others)) => rows == others,
            (Self::Arrays(stored, shape), Self::Arrays(others, other)) => (stored, shape) == (others, other),
            (Self::Examples(examples), Self::Examples(others)) => {
                (examples.shape(), examples.images()) == (others.shape(), others.images())
            }
            (Self::Rows(_) | Self::Arrays(..) | Self::Examples(_), _) => false,
        }
    }
}

impl From<Array2<f32>> for Values {
    fn from(values: Array2<f32>) -> Self {
        Self(Source::Rows(values))
    }
}

impl From<Array1<f32>> for Values {
    fn from(values: Array1<f32>) -> Self {
        values.insert_axis(Axis(1)).into()
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Array1::from(values).into()
    }
}

impl From<Array3<f32>> for Values {
    fn from(sequences: Array3<f32>) -> Self {
        let shape = sequences::shape_of(&sequences);
        Self(Source::Arrays(sequences::stored(sequences), shape))
    }
}

impl From<Array4<f32>> for Values {
    fn from(images: Array4<f32>) -> Self {
        let (_, height, width, channels) = images.dim();
        Self(Source::Arrays(StoredInputs::floats(images), Shape::from([height, width, channels])))
    }
}

impl From<Array4<u8>> for Values {
    fn from(images: Array4<u8>) -> Self {
        let (_, height, width, channels) = images.dim();
        Self(Source::Arrays(StoredInputs::bytes(images), Shape::from([height, width, channels])))
    }
}

impl From<&Dataset> for Values {
    fn from(dataset: &Dataset) -> Self {
        Self(Source::Examples(Box::new(dataset.without_targets())))
    }
}

/// Target values as a data set has them.
#[derive(Clone, Debug)]
pub(super) enum StoredValues {
    /// (N, outputs).
    Rows(Arc<Array2<f32>>),
    /// The examples of a data set without targets.
    Images(Arc<Dataset>),
}

impl StoredValues {
    /// Those of these examples of a part, in this order.
    pub(super) fn choose(&self, part: &Range<usize>, examples: &[usize]) -> Self {
        match self {
            Self::Rows(rows) => Self::Rows(Arc::new(of_part(rows, part).select(Axis(0), examples))),
            Self::Images(images) => Self::Images(Arc::new(images.range_of(part.clone()).choose(examples))),
        }
    }
}

fn of_part<'a>(rows: &'a Array2<f32>, part: &Range<usize>) -> ArrayView2<'a, f32> {
    rows.slice_axis(Axis(0), Slice::from(part.clone()))
}

impl Dataset {
    /// The data set with these target values. Classes are kept, for [`split`](Self::split) and
    /// [`labels`](Self::labels), but models are trained and scored on the values.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not values for each example, or one is NaN or infinite.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::to_categorical;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
    /// let one_hot = dataset.with_values(to_categorical(dataset.labels(), 2)?)?;
    /// assert_eq!(one_hot.shuffle(1).values().unwrap().dim(), (4, 2));
    ///
    /// // An autoencoder gives back what it gets; no pixel is copied.
    /// let same = dataset.with_values(&dataset)?;
    /// // One that removes noise gets images that have some, and gives back those without.
    /// let noisy = same.map(|image| image.mapv(|value| value + 0.1))?;
    /// assert_eq!(noisy.target_images().unwrap().images(), dataset.images());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn with_values(&self, values: impl Into<Values>) -> Result<Self> {
        let values = match values.into().0 {
            Source::Rows(rows) => self.rows(rows)?,
            Source::Arrays(stored, shape) => self.images_like(Self::new(stored, shape, None, None)?)?,
            Source::Examples(examples) => self.images_like(*examples)?,
        };
        Ok(self.with_stored(values))
    }

    fn rows(&self, rows: Array2<f32>) -> Result<StoredValues> {
        let (count, outputs) = rows.dim();
        if count != self.len() || outputs == 0 {
            let [noun, plural] = nouns(self.shape());
            return Err(Error::Data(format!(
                "there must be a row of at least one value for each {noun}, got {} {plural} and values of ({count}, {outputs})",
                self.len()
            )));
        }
        check_values(&rows.view())?;
        let rows = if rows.is_standard_layout() { rows } else { rows.as_standard_layout().into_owned() };
        Ok(StoredValues::Rows(Arc::new(rows)))
    }

    fn images_like(&self, images: Self) -> Result<StoredValues> {
        if images.len() == self.len() {
            return Ok(StoredValues::Images(Arc::new(images)));
        }
        let ([noun, plural], [target, targets]) = (nouns(self.shape()), nouns(images.shape()));
        Err(Error::Data(format!(
            "there must be one target {target} for each {noun}, got {} {plural} of {} and {} target {targets} of {}",
            self.len(),
            self.shape(),
            images.len(),
            images.shape()
        )))
    }

    /// The target values, (N, outputs); `None` if models are trained on the classes, or on [images](Self::target_images).
    #[must_use]
    pub fn values(&self) -> Option<ArrayView2<'_, f32>> {
        match self.values.as_ref()? {
            StoredValues::Rows(rows) => Some(of_part(rows, &self.range)),
            StoredValues::Images(_) => None,
        }
    }

    /// The images that models are to give, as a data set without classes; `None` if the targets are no images. They may
    /// be sequences as well.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let (small, large) = (Array4::<u8>::zeros((4, 7, 7, 1)), Array4::<u8>::zeros((4, 14, 14, 1)));
    /// let dataset = Dataset::from_bytes_and_values(small, large)?;
    /// assert_eq!(dataset.take(2)?.target_images().unwrap().shape().to_string(), "(14, 14, 1)");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn target_images(&self) -> Option<Self> {
        match self.values.as_ref()? {
            StoredValues::Rows(_) => None,
            StoredValues::Images(images) => Some(images.range_of(self.range.clone())),
        }
    }

    /// The targets that models are trained and evaluated on: the values if there are any, otherwise the classes.
    #[must_use]
    pub fn targets(&self) -> Targets<'_> {
        match &self.values {
            None => self.labels().into(),
            Some(StoredValues::Rows(rows)) => of_part(rows, &self.range).into(),
            Some(StoredValues::Images(images)) => Targets::images(Cow::Owned(images.range_of(self.range.clone()))),
        }
    }
}
