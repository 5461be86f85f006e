//! Images with their labels.

use crate::error::{Error, Result};
use crate::shape::Shape;
use ndarray::{Array4, ArrayView4, Axis, Slice};
use std::ops::Range;
use std::sync::Arc;

/// Images and a class for each, never empty. Clones and parts share the images' memory.
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
    labels: Arc<[usize]>,
    range: Range<usize>,
}

#[derive(Clone, Debug)]
enum Images {
    Bytes(Arc<Array4<u8>>),
    Floats(Arc<Array4<f32>>),
}

/// Images one after the other, as they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pixels<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

impl Dataset {
    /// A data set of images of bytes, (N, H, W, C), which are scaled to 0.0..=1.0 as they are used.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no images, an axis is zero, or there is not exactly one label for each image.
    pub fn from_bytes(images: Array4<u8>, labels: Vec<usize>) -> Result<Self> {
        check(images.dim(), labels.len())?;
        Ok(Self::new(Images::Bytes(Arc::new(in_memory_order(images))), labels))
    }

    /// A data set of images of floats, (N, H, W, C), which are used as they are.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Data`] if a value is NaN or infinite.
    pub fn from_floats(images: Array4<f32>, labels: Vec<usize>) -> Result<Self> {
        check(images.dim(), labels.len())?;
        check_finite(&images.view())?;
        Ok(Self::new(Images::Floats(Arc::new(in_memory_order(images))), labels))
    }

    fn new(images: Images, labels: Vec<usize>) -> Self {
        Self { images, range: 0..labels.len(), labels: labels.into() }
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
        let range = Slice::from(self.range.clone());
        match &self.images {
            Images::Bytes(images) => images.slice_axis(Axis(0), range).mapv(|byte| f32::from(byte) / 255.0),
            Images::Floats(images) => images.slice_axis(Axis(0), range).to_owned(),
        }
    }

    /// The first `count` images, at least 1; all if there are fewer.
    #[must_use]
    pub fn take(&self, count: usize) -> Self {
        let end = self.range.start + count.clamp(1, self.len());
        Self { range: self.range.start..end, ..self.clone() }
    }

    /// The images, one after the other.
    pub(crate) fn pixels(&self) -> Pixels<'_> {
        let (height, width, channels) = self.shape().as_image();
        let len = height * width * channels;
        let range = self.range.start * len..self.range.end * len;
        match &self.images {
            Images::Bytes(images) => Pixels::Bytes(&images.as_slice().expect(IN_ORDER)[range]),
            Images::Floats(images) => Pixels::Floats(&images.as_slice().expect(IN_ORDER)[range]),
        }
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

fn check((count, height, width, channels): (usize, usize, usize, usize), labels: usize) -> Result<()> {
    if count == 0 || height == 0 || width == 0 || channels == 0 {
        return Err(Error::Data(format!(
            "images must have at least one value on every axis (N, H, W, C), got ({count}, {height}, {width}, {channels})"
        )));
    }
    if count != labels {
        return Err(Error::Data(format!(
            "there must be one label for each image, got {count} images and {labels} labels"
        )));
    }
    Ok(())
}
