//! Examples with their targets: how they are stored and read. Parts and orders, scaling and cleaning have files of
//! their own.

use super::checks::{check_labels, check_shape, check_stored};
use super::scaling::Scaling;
use super::values::{StoredValues, Values};
use crate::error::Result;
use crate::shape::Shape;
use ndarray::{Array2, Array4, Axis};
use std::ops::Range;
use std::sync::Arc;

/// Images or the rows of a table, with a class or values for each, never empty. Clones, parts and other orders share
/// the memory of images and rows.
///
/// Images of bytes stay bytes, and become `x / 255` as they are used.
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::ndarray::Array4;
/// let images = Array4::<u8>::zeros((10, 28, 28, 1));
/// let dataset = Dataset::from_bytes(images, vec![3; 10])?;
/// assert_eq!((dataset.len(), dataset.shape().to_string()), (10, "(28, 28, 1)".to_string()));
/// assert_eq!(dataset.take(4)?.labels(), [3, 3, 3, 3]);
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// A table with a target value for each row:
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::ndarray::array;
/// let table = array![[50.0, 2.0], [80.0, 3.0], [120.0, 5.0]];
/// let homes = Dataset::from_table_and_values(table, vec![0.9, 1.4, 2.1])?;
/// assert_eq!((homes.len(), homes.shape().to_string()), (3, "(2)".to_string()));
/// assert_eq!(homes.values(), Some(array![[0.9], [1.4], [2.1]].view()));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    images: StoredInputs,
    /// Of one example.
    shape: Shape,
    /// What is done to every value as it is used, after bytes have become `x / 255`.
    pub(super) scaling: Option<Arc<Scaling>>,
    /// Which of the stored images these are, in this order; all as they are stored if it is `None`.
    order: Option<Arc<[u32]>>,
    /// The class of each, in this order; empty if there are no classes.
    labels: Arc<[usize]>,
    /// The values of each, in this order, if they have some.
    pub(super) values: Option<StoredValues>,
    /// The name of each, in this order; empty if they have none.
    pub(super) ids: Arc<[Arc<str>]>,
    /// The part of order, labels, values and names that belongs to this data set.
    pub(super) range: Range<usize>,
}

/// A table is stored as images of one pixel, sequences as images of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StoredInputs {
    Bytes(Arc<Array4<u8>>),
    Floats(Arc<Array4<f32>>),
}

/// Images one after the other, and what is to be done to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixels<'a> {
    pub(crate) stored: Stored<'a>,
    pub(crate) scaling: Option<&'a Scaling>,
}

/// Images one after the other, as they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

impl Dataset {
    /// A data set of images of bytes, (N, H, W, C), which are scaled to 0.0..=1.0 as they are used.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if there are no images or more than 2^28, an axis is zero, there is not
    /// exactly one label for each image, or a label is 2^28 or more.
    pub fn from_bytes(images: Array4<u8>, labels: Vec<usize>) -> Result<Self> {
        Self::of_images(StoredInputs::bytes(images), Some(labels), None)
    }

    /// A data set of images of floats, (N, H, W, C), which are used as they are.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Data`](crate::Error::Data) if a value is NaN or infinite.
    pub fn from_floats(images: Array4<f32>, labels: Vec<usize>) -> Result<Self> {
        Self::of_images(StoredInputs::floats(images), Some(labels), None)
    }

    /// A data set of images of bytes, as [`from_bytes`](Self::from_bytes), with target values instead of classes.
    ///
    /// - values: for each output, (N, outputs), or of a model of one output for each image, (N); of a model that ends
    ///   with an image, images
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if there are no images or more than 2^28, an axis is zero, there are not
    /// values for each image, or one is NaN or infinite.
    pub fn from_bytes_and_values(images: Array4<u8>, values: impl Into<Values>) -> Result<Self> {
        Self::of_images(StoredInputs::bytes(images), None, Some(values.into()))
    }

    /// A data set of images of floats, as [`from_floats`](Self::from_floats), with target values instead of classes.
    ///
    /// # Errors
    /// As [`from_bytes_and_values`](Self::from_bytes_and_values), and [`Error::Data`](crate::Error::Data) if an image
    /// holds NaN or infinity.
    pub fn from_floats_and_values(images: Array4<f32>, values: impl Into<Values>) -> Result<Self> {
        Self::of_images(StoredInputs::floats(images), None, Some(values.into()))
    }

    /// A data set of the rows of a table, N rows of F features, (N, F), with a class for each.
    ///
    /// # Errors
    /// As [`from_floats`](Self::from_floats).
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// let flowers = Dataset::from_table(array![[5.1, 3.5], [6.2, 2.9]], vec![0, 1])?;
    /// assert_eq!(flowers.shape().to_string(), "(2)");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_table(table: Array2<f32>, labels: Vec<usize>) -> Result<Self> {
        let shape = Shape::from([table.ncols()]);
        Self::new(StoredInputs::table(table), shape, Some(labels), None)
    }

    /// A data set of the rows of a table, (N, F), with target values for each.
    ///
    /// - values: for each output, (N, outputs), or of a model of one output for each row, (N)
    ///
    /// # Errors
    /// As [`from_floats_and_values`](Self::from_floats_and_values).
    pub fn from_table_and_values(table: Array2<f32>, values: impl Into<Values>) -> Result<Self> {
        let shape = Shape::from([table.ncols()]);
        Self::new(StoredInputs::table(table), shape, None, Some(values.into()))
    }

    /// Images with targets of any kind, or none.
    pub(super) fn of_images(images: StoredInputs, labels: Option<Vec<usize>>, values: Option<Values>) -> Result<Self> {
        let (_, height, width, channels) = images.dim();
        Self::new(images, Shape::from([height, width, channels]), labels, values)
    }

    /// - shape: of one example
    pub(super) fn new(
        images: StoredInputs,
        shape: Shape,
        labels: Option<Vec<usize>>,
        values: Option<Values>,
    ) -> Result<Self> {
        let count = images.dim().0;
        check_shape(count, shape)?;
        if let Some(labels) = &labels {
            check_labels(count, labels, shape)?;
        }
        if let StoredInputs::Floats(floats) = &images {
            check_stored(floats, shape)?;
        }
        Self::of_parts(images, shape, labels.unwrap_or_default(), values)
    }

    /// A data set of what has been checked, but for the values.
    pub(super) fn of_parts(
        images: StoredInputs,
        shape: Shape,
        labels: Vec<usize>,
        values: Option<Values>,
    ) -> Result<Self> {
        let range = 0..images.dim().0;
        let (labels, ids) = (labels.into(), Arc::default());
        let whole = Self { images, shape, scaling: None, order: None, labels, values: None, ids, range };
        match values {
            Some(values) => whole.with_values(values),
            None => Ok(whole),
        }
    }

    /// How many examples there are, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The shape of one example: (H, W, C) of an image, (F) of the row of a table, (T, F) of a sequence.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The axes of one example.
    pub(super) fn axes(&self) -> &[usize] {
        self.shape.axes()
    }

    /// The class of each example; empty if they have values alone.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        if self.labels.is_empty() { &[] } else { &self.labels[self.range.clone()] }
    }

    /// A copy of the examples as the model sees them, one after the other: (N, features), where an image has H * W * C
    /// features.
    #[must_use]
    pub fn table(&self) -> Array2<f32> {
        let images = self.images();
        let features = images.len() / images.len_of(Axis(0)).max(1);
        let rows = (self.len(), features);
        images.into_shape_with_order(rows).expect("an array in memory order takes any shape of its length")
    }

    /// A copy of the images as the model sees them: (N, H, W, C); of a table (N, 1, 1, F).
    #[must_use]
    pub fn images(&self) -> Array4<f32> {
        let stored: Vec<usize> = (0..self.len()).map(|example| self.stored(example)).collect();
        let mut images = match &self.images {
            StoredInputs::Bytes(images) => images.select(Axis(0), &stored).mapv(|byte| f32::from(byte) / 255.0),
            StoredInputs::Floats(images) => images.select(Axis(0), &stored),
        };
        self.scaling.iter().for_each(|scaling| scaling.apply(&mut images));
        images
    }

    /// How many examples each class has, from class 0 to the highest that there is; empty if there are no classes.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((3, 2, 2, 1)), vec![2, 0, 2])?;
    /// assert_eq!(dataset.class_counts(), [1, 0, 2]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn class_counts(&self) -> Vec<usize> {
        let classes = self.labels().iter().max().map_or(0, |label| label + 1);
        let mut counts = vec![0; classes];
        self.labels().iter().for_each(|label| counts[*label] += 1);
        counts
    }

    /// These examples, in this order.
    pub(super) fn choose(&self, examples: &[usize]) -> Self {
        let own = self.labels();
        let labels = examples.iter().filter_map(|example| own.get(*example)).copied().collect();
        let values = self.values.as_ref().map(|values| values.choose(&self.range, examples));
        let order = examples.iter().map(|example| self.stored(*example) as u32).collect();
        let ids = match &self.ids[..] {
            [] => Arc::default(),
            ids => examples.iter().map(|example| ids[self.range.start + example].clone()).collect(),
        };
        Self { order: Some(order), range: 0..examples.len(), labels, values, ids, ..self.clone() }
    }

    /// The same targets with these inputs, (N, H, W, C), in place of its own.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if an axis is zero, or a value NaN or infinite.
    pub(super) fn with_inputs(&self, images: Array4<f32>) -> Result<Self> {
        let (count, height, width, channels) = images.dim();
        let shape = match self.shape.axes() {
            [_] if (height, width) == (1, 1) => Shape::from([channels]),
            [_, _] if height == 1 => Shape::from([width, channels]),
            _ => Shape::from([height, width, channels]),
        };
        check_shape(count, shape)?;
        check_stored(&images, shape)?;
        Ok(Self { images: StoredInputs::floats(images), shape, scaling: None, order: None, ..self.rebased() })
    }

    /// The same examples, with a range that begins at 0.
    fn rebased(&self) -> Self {
        if self.range.start == 0 {
            return self.clone();
        }
        let all: Vec<usize> = (0..self.len()).collect();
        self.choose(&all)
    }

    /// The same inputs with these values for each.
    pub(super) fn with_stored(&self, values: StoredValues) -> Self {
        Self { values: Some(values), ..self.rebased() }
    }

    /// The same examples with these names for each.
    pub(super) fn with_names(&self, ids: Arc<[Arc<str>]>) -> Self {
        Self { ids, ..self.rebased() }
    }

    /// The same inputs without targets.
    pub(super) fn without_targets(&self) -> Self {
        Self { labels: Arc::default(), values: None, ..self.clone() }
    }

    /// What is stored of it.
    pub(super) fn stored_images(&self) -> &StoredInputs {
        &self.images
    }

    /// These places of its order and labels.
    pub(super) fn range_of(&self, examples: Range<usize>) -> Self {
        Self { range: self.range.start + examples.start..self.range.start + examples.end, ..self.clone() }
    }

    /// Where an example's image is stored.
    pub(super) fn stored(&self, example: usize) -> usize {
        let place = self.range.start + example;
        self.order.as_ref().map_or(place, |order| order[place] as usize)
    }

    /// For each example, where its image is stored; `None` if [`Self::pixels`] has just these, in this order.
    pub(crate) fn order(&self) -> Option<&[u32]> {
        self.order.as_ref().map(|order| &order[self.range.clone()])
    }

    /// The images, one after the other: all that are stored if there is an [`Self::order`].
    pub(crate) fn pixels(&self) -> Pixels<'_> {
        let (height, width, channels) = self.shape().as_image();
        let len = height * width * channels;
        let of = |all: usize| if self.order.is_some() { 0..all } else { self.range.start * len..self.range.end * len };
        let stored = match &self.images {
            StoredInputs::Bytes(images) => Stored::Bytes(&images.as_slice().expect(IN_ORDER)[of(images.len())]),
            StoredInputs::Floats(images) => Stored::Floats(&images.as_slice().expect(IN_ORDER)[of(images.len())]),
        };
        Pixels { stored, scaling: self.scaling.as_deref() }
    }
}

/// What [`in_memory_order`] sees to.
const IN_ORDER: &str = "a dataset's images are in memory order";

impl StoredInputs {
    pub(super) fn bytes(images: Array4<u8>) -> Self {
        Self::Bytes(Arc::new(in_memory_order(images)))
    }

    pub(super) fn floats(images: Array4<f32>) -> Self {
        Self::Floats(Arc::new(in_memory_order(images)))
    }

    pub(super) fn table(table: Array2<f32>) -> Self {
        Self::floats(table.insert_axis(Axis(1)).insert_axis(Axis(1)))
    }

    fn dim(&self) -> (usize, usize, usize, usize) {
        match self {
            Self::Bytes(images) => images.dim(),
            Self::Floats(images) => images.dim(),
        }
    }
}

/// The images in memory order, copied only if they are not.
fn in_memory_order<T: Clone>(images: Array4<T>) -> Array4<T> {
    if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() }
}
