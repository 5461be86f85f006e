//! Images with their labels: how they are stored and read. Parts and orders, scaling and cleaning have files of their
//! own.

use super::scaling::Scaling;
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ndarray::{Array4, ArrayView4, Axis};
use std::ops::Range;
use std::sync::Arc;

/// Images and a class for each, never empty. Clones, parts and other orders share the images' memory.
///
/// Images of bytes stay bytes, and become `x / 255` as they are used.
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::ndarray::Array4;
/// let images = Array4::<u8>::zeros((10, 28, 28, 1));
/// let dataset = Dataset::from_bytes(images, vec![3; 10])?;
/// assert_eq!((dataset.len(), dataset.shape().to_string()), (10, "(28, 28, 1)".to_string()));
/// assert_eq!(dataset.take(4).labels(), [3, 3, 3, 3]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    images: Images,
    /// What is done to every value as it is used, after bytes have become `x / 255`.
    pub(super) scaling: Option<Arc<Scaling>>,
    /// Which of the stored images these are, in this order; all as they are stored if it is `None`.
    order: Option<Arc<[u32]>>,
    /// The class of each, in this order.
    labels: Arc<[usize]>,
    /// The part of order and labels that belongs to this data set.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug)]
enum Images {
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
    /// [`Error::Data`] if there are no images or more than 2^28, an axis is zero, there is not exactly one label for each
    /// image, or a label is 2^28 or more.
    pub fn from_bytes(images: Array4<u8>, labels: Vec<usize>) -> Result<Self> {
        check(images.dim(), &labels)?;
        Ok(Self::new(Images::Bytes(Arc::new(in_memory_order(images))), labels))
    }

    /// A data set of images of floats, (N, H, W, C), which are used as they are.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Data`] if a value is NaN or infinite.
    pub fn from_floats(images: Array4<f32>, labels: Vec<usize>) -> Result<Self> {
        check(images.dim(), &labels)?;
        check_finite(&images.view())?;
        Ok(Self::new(Images::Floats(Arc::new(in_memory_order(images))), labels))
    }

    fn new(images: Images, labels: Vec<usize>) -> Self {
        Self { images, scaling: None, order: None, range: 0..labels.len(), labels: labels.into() }
    }

    /// How many images there are, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The shape of one image: (H, W, C).
    #[must_use]
    pub fn shape(&self) -> Shape {
        let (_, height, width, channels) = match &self.images {
            Images::Bytes(images) => images.dim(),
            Images::Floats(images) => images.dim(),
        };
        Shape::Image { height, width, channels }
    }

    /// The class of each image.
    #[must_use]
    pub fn labels(&self) -> &[usize] {
        &self.labels[self.range.clone()]
    }

    /// A copy of the images as the model sees them: (N, H, W, C).
    #[must_use]
    pub fn images(&self) -> Array4<f32> {
        let stored: Vec<usize> = (0..self.len()).map(|example| self.stored(example)).collect();
        let mut images = match &self.images {
            Images::Bytes(images) => images.select(Axis(0), &stored).mapv(|byte| f32::from(byte) / 255.0),
            Images::Floats(images) => images.select(Axis(0), &stored),
        };
        self.scaling.iter().for_each(|scaling| scaling.apply(&mut images));
        images
    }

    /// How many images each class has, from class 0 to the highest that there is.
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
        let labels: Arc<[usize]> = examples.iter().map(|example| self.labels()[*example]).collect();
        let order = examples.iter().map(|example| self.stored(*example) as u32).collect();
        Self { order: Some(order), range: 0..labels.len(), labels, ..self.clone() }
    }

    /// These places of its order and labels.
    pub(super) fn range_of(&self, examples: Range<usize>) -> Self {
        Self { range: self.range.start + examples.start..self.range.start + examples.end, ..self.clone() }
    }

    /// Where an example's image is stored.
    fn stored(&self, example: usize) -> usize {
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
            Images::Bytes(images) => Stored::Bytes(&images.as_slice().expect(IN_ORDER)[of(images.len())]),
            Images::Floats(images) => Stored::Floats(&images.as_slice().expect(IN_ORDER)[of(images.len())]),
        };
        Pixels { stored, scaling: self.scaling.as_deref() }
    }
}

/// What [`in_memory_order`] sees to.
const IN_ORDER: &str = "a dataset's images are in memory order";

/// The images in memory order, copied only if they are not.
fn in_memory_order<T: Clone>(images: Array4<T>) -> Array4<T> {
    if images.is_standard_layout() { images } else { images.as_standard_layout().into_owned() }
}

/// # Errors
/// [`Error::Data`] for the first value that is NaN or infinite.
pub(crate) fn check_finite(images: &ArrayView4<'_, f32>) -> Result<()> {
    // Nearly always all there is to do; indices, which cost more, are for the error.
    if images.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    match images.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, value)) => {
            Err(Error::Data(format!("images must be finite, got {value} at {index:?} (N, H, W, C)")))
        }
        None => Ok(()),
    }
}

fn check((count, height, width, channels): (usize, usize, usize, usize), labels: &[usize]) -> Result<()> {
    if count == 0 || height == 0 || width == 0 || channels == 0 {
        return Err(Error::Data(format!(
            "images must have at least one value on every axis (N, H, W, C), got ({count}, {height}, {width}, {channels})"
        )));
    }
    if count != labels.len() {
        return Err(Error::Data(format!(
            "there must be one label for each image, got {count} images and {} labels",
            labels.len()
        )));
    }
    if count > MAX_ELEMENTS {
        return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} images, got {count}")));
    }
    match labels.iter().position(|label| *label >= MAX_ELEMENTS) {
        None => Ok(()),
        Some(index) => Err(Error::Data(format!(
            "labels must be from 0 to {}, got {} at index {index}",
            MAX_ELEMENTS - 1,
            labels[index]
        ))),
    }
}
