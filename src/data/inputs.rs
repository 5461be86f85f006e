//! Decides what a model's inputs may be: a data set, images or a table. Nothing is copied unless an array is not in
//! memory order.

use super::checks::check_finite;
use super::dataset::{Dataset, Pixels, Stored};
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ndarray::{Array2, Array4, ArrayView, ArrayView2, ArrayView4, CowArray, Dimension, Ix2, Ix4};

/// What a model works on, as [`predict`](crate::Model::predict) takes it:
///
/// - a `&Dataset`,
/// - images, (N, H, W, C): a `&Array4<f32>`, which is used as it is, or a `&Array4<u8>`, which becomes `x / 255`,
/// - a table, N rows of F features, (N, F): a `&Array2<f32>`, or arrays of fixed length, as in `&[[0.5, 2.0]]`,
///
/// and views of arrays. There are no tables of integers: `array![[0, 1]]` would be bytes, which become `x / 255`.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array2, array};
/// let model = Sequential::new([2])
///     .add(Dense::new(3).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let predictor = model.into_predictor();
/// let table: Array2<f32> = array![[0.5, 2.0], [1.5, -1.0]];
/// assert_eq!(predictor.predict(&table)?.dim(), (2, 3));
/// assert_eq!(predictor.predict(&[[0.5, 2.0]])?.row(0), predictor.predict(&table)?.row(0));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Dataset(&'a Dataset),
    Bytes(ArrayView4<'a, u8>),
    Floats(ArrayView4<'a, f32>),
    Table(ArrayView2<'a, f32>),
}

/// Inputs in memory order.
#[derive(Debug)]
pub(crate) enum OrderedImages<'a> {
    Dataset(&'a Dataset),
    Bytes(CowArray<'a, u8, Ix4>),
    Floats(CowArray<'a, f32, Ix4>),
    Table(CowArray<'a, f32, Ix2>),
}

impl<'a> From<&'a Dataset> for Inputs<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self(Source::Dataset(dataset))
    }
}

macro_rules! from_arrays {
    ($($array:ident, $view:ident, $element:ty => $source:ident;)*) => {$(
        impl<'a> From<&'a $array<$element>> for Inputs<'a> {
            fn from(array: &'a $array<$element>) -> Self {
                Self(Source::$source(array.view()))
            }
        }

        impl<'a> From<$view<'a, $element>> for Inputs<'a> {
            fn from(view: $view<'a, $element>) -> Self {
                Self(Source::$source(view))
            }
        }

        impl<'a> From<&$view<'a, $element>> for Inputs<'a> {
            fn from(view: &$view<'a, $element>) -> Self {
                Self(Source::$source(*view))
            }
        }
    )*};
}
from_arrays! {
    Array4, ArrayView4, u8 => Bytes;
    Array4, ArrayView4, f32 => Floats;
    Array2, ArrayView2, f32 => Table;
}

impl<'a, const F: usize> From<&'a [[f32; F]]> for Inputs<'a> {
    fn from(rows: &'a [[f32; F]]) -> Self {
        Self(Source::Table(ArrayView2::from(rows)))
    }
}

impl<'a, const F: usize, const N: usize> From<&'a [[f32; F]; N]> for Inputs<'a> {
    fn from(rows: &'a [[f32; F]; N]) -> Self {
        rows.as_slice().into()
    }
}

impl<'a, const F: usize> From<&'a Vec<[f32; F]>> for Inputs<'a> {
    fn from(rows: &'a Vec<[f32; F]>) -> Self {
        rows.as_slice().into()
    }
}

impl<'a> Inputs<'a> {
    /// How many examples there are.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Source::Dataset(dataset) => dataset.len(),
            Source::Bytes(images) => images.dim().0,
            Source::Floats(images) => images.dim().0,
            Source::Table(table) => table.nrows(),
        }
    }

    /// The shape of one example.
    pub(crate) fn shape(&self) -> Shape {
        let (_, height, width, channels) = match &self.0 {
            Source::Dataset(dataset) => return dataset.shape(),
            Source::Table(table) => return Shape::Vector(table.ncols()),
            Source::Bytes(images) => images.dim(),
            Source::Floats(images) => images.dim(),
        };
        Shape::Image { height, width, channels }
    }

    /// What people call one of them, and several.
    pub(crate) fn nouns(&self) -> [&'static str; 2] {
        nouns(self.shape())
    }

    /// Copies of some images as a model sees them: (indices, H, W, C), of a table (indices, 1, 1, F).
    #[cfg(feature = "plot")]
    pub(crate) fn select(&self, indices: &[usize]) -> Array4<f32> {
        match &self.0 {
            Source::Dataset(dataset) => dataset.choose(indices).images(),
            Source::Bytes(images) => images.select(ndarray::Axis(0), indices).mapv(|byte| f32::from(byte) / 255.0),
            Source::Floats(images) => images.select(ndarray::Axis(0), indices),
            Source::Table(table) => {
                let rows = table.select(ndarray::Axis(0), indices);
                rows.insert_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1))
            }
        }
    }

    /// The inputs in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] if a value is NaN or infinite, or there are more examples than a data set may have.
    pub(crate) fn checked(self) -> Result<OrderedImages<'a>> {
        if self.len() > MAX_ELEMENTS {
            let [_, plural] = self.nouns();
            return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} {plural}, got {}", self.len())));
        }
        Ok(match self.0 {
            Source::Dataset(dataset) => OrderedImages::Dataset(dataset),
            Source::Bytes(images) => OrderedImages::Bytes(in_memory_order(images)),
            Source::Floats(images) => {
                check_finite(&images)?;
                OrderedImages::Floats(in_memory_order(images))
            }
            Source::Table(table) => {
                check_finite(&table)?;
                OrderedImages::Table(in_memory_order(table))
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
            Self::Table(table) => table.nrows(),
        }
    }

    /// The values as they are stored.
    pub(crate) fn pixels(&self) -> Pixels<'_> {
        let in_order = "`checked` gives memory order";
        let stored = match self {
            Self::Dataset(dataset) => return dataset.pixels(),
            Self::Bytes(images) => Stored::Bytes(images.as_slice().expect(in_order)),
            Self::Floats(images) => Stored::Floats(images.as_slice().expect(in_order)),
            Self::Table(table) => Stored::Floats(table.as_slice().expect(in_order)),
        };
        Pixels { stored, scaling: None }
    }

    /// Where each example is among the values; `None` if they come one after the other.
    pub(crate) fn order(&self) -> Option<&[u32]> {
        match self {
            Self::Dataset(dataset) => dataset.order(),
            Self::Bytes(_) | Self::Floats(_) | Self::Table(_) => None,
        }
    }
}

/// What people call one example of a shape, and several.
pub(crate) fn nouns(shape: Shape) -> [&'static str; 2] {
    match shape {
        Shape::Image { .. } => ["image", "images"],
        Shape::Vector(_) => ["row", "rows"],
    }
}

fn in_memory_order<A: Clone, D: Dimension>(array: ArrayView<'_, A, D>) -> CowArray<'_, A, D> {
    if array.is_standard_layout() {
        CowArray::from(array)
    } else {
        CowArray::from(array.as_standard_layout().into_owned())
    }
}
