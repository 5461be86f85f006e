//! Decides what counts as images: a data set, or plain arrays. Nothing is copied unless an array is not in memory
//! order.

use super::dataset::{Dataset, Pixels, Stored, check_finite};
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ndarray::{Array4, ArrayView4, CowArray, Ix4};

/// Images, (N, H, W, C), as [`predict`](crate::Model::predict) takes them: a `&Dataset`, a `&Array4<f32>`, which is
/// used as it is, or a `&Array4<u8>`, which becomes `x / 255`.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Dataset(&'a Dataset),
    Bytes(ArrayView4<'a, u8>),
    Floats(ArrayView4<'a, f32>),
}

/// Images in memory order.
#[derive(Debug)]
pub(crate) enum OrderedImages<'a> {
    Dataset(&'a Dataset),
    Bytes(CowArray<'a, u8, Ix4>),
    Floats(CowArray<'a, f32, Ix4>),
}

impl<'a> From<&'a Dataset> for Images<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self(Source::Dataset(dataset))
    }
}

impl<'a> From<&'a Array4<u8>> for Images<'a> {
    fn from(images: &'a Array4<u8>) -> Self {
        Self(Source::Bytes(images.view()))
    }
}

impl<'a> From<&'a Array4<f32>> for Images<'a> {
    fn from(images: &'a Array4<f32>) -> Self {
        Self(Source::Floats(images.view()))
    }
}

impl<'a> From<ArrayView4<'a, u8>> for Images<'a> {
    fn from(images: ArrayView4<'a, u8>) -> Self {
        Self(Source::Bytes(images))
    }
}

impl<'a> From<ArrayView4<'a, f32>> for Images<'a> {
    fn from(images: ArrayView4<'a, f32>) -> Self {
        Self(Source::Floats(images))
    }
}

impl<'a> Images<'a> {
    /// How many images there are.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Source::Dataset(dataset) => dataset.len(),
            Source::Bytes(images) => images.dim().0,
            Source::Floats(images) => images.dim().0,
        }
    }

    /// The shape of one image.
    pub(crate) fn shape(&self) -> Shape {
        let (_, height, width, channels) = match &self.0 {
            Source::Dataset(dataset) => return dataset.shape(),
            Source::Bytes(images) => images.dim(),
            Source::Floats(images) => images.dim(),
        };
        Shape::Image { height, width, channels }
    }

    /// Copies of some images as a model sees them: (indices, H, W, C).
    #[cfg(feature = "plot")]
    pub(crate) fn select(&self, indices: &[usize]) -> Array4<f32> {
        match &self.0 {
            Source::Dataset(dataset) => dataset.choose(indices).images(),
            Source::Bytes(images) => images.select(ndarray::Axis(0), indices).mapv(|byte| f32::from(byte) / 255.0),
            Source::Floats(images) => images.select(ndarray::Axis(0), indices),
        }
    }

    /// The images in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] if a value is NaN or infinite, or there are more images than a data set may have.
    pub(crate) fn checked(self) -> Result<OrderedImages<'a>> {
        if self.len() > MAX_ELEMENTS {
            return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} images, got {}", self.len())));
        }
        Ok(match self.0 {
            Source::Dataset(dataset) => OrderedImages::Dataset(dataset),
            Source::Bytes(images) => OrderedImages::Bytes(in_memory_order(images)),
            Source::Floats(images) => {
                check_finite(&images)?;
                OrderedImages::Floats(in_memory_order(images))
            }
        })
    }
}

impl OrderedImages<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Dataset(dataset) => dataset.len(),
            Self::Bytes(images) => images.dim().0,
            Self::Floats(images) => images.dim().0,
        }
    }

    /// The images as they are stored.
    pub(crate) fn pixels(&self) -> Pixels<'_> {
        let in_order = "`checked` gives memory order";
        let stored = match self {
            Self::Dataset(dataset) => return dataset.pixels(),
            Self::Bytes(images) => Stored::Bytes(images.as_slice().expect(in_order)),
            Self::Floats(images) => Stored::Floats(images.as_slice().expect(in_order)),
        };
        Pixels { stored, scaling: None }
    }

    /// Where each image is among the pixels; `None` if they come one after the other.
    pub(crate) fn order(&self) -> Option<&[u32]> {
        match self {
            Self::Dataset(dataset) => dataset.order(),
            Self::Bytes(_) | Self::Floats(_) => None,
        }
    }
}

fn in_memory_order<T: Clone>(images: ArrayView4<'_, T>) -> CowArray<'_, T, Ix4> {
    if images.is_standard_layout() {
        CowArray::from(images)
    } else {
        CowArray::from(images.as_standard_layout().into_owned())
    }
}
