//! Decides what a model's inputs may be: a data set, images or a table. Nothing is copied unless an array is not in
//! memory order.

use super::checks::check_finite;
use super::dataset::{Dataset, Pixels, Stored};
use super::tokens::check_most;
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ndarray::{Array2, Array3, Array4, ArrayD, ArrayView2, ArrayView3, ArrayView4, ArrayViewD};
use std::borrow::Cow;

/// What a model works on, as [`predict`](crate::Model::predict) takes it:
///
/// - a `&Dataset`,
/// - images, (N, H, W, C): a `&Array4<f32>`, which is used as it is, or a `&Array4<u8>`, which becomes `x / 255`,
/// - a table, N rows of F features, (N, F): a `&Array2<f32>`, or arrays of fixed length, as in `&[[0.5, 2.0]]`,
/// - sequences, (N, T, F): a `&Array3<f32>`, and examples of any rank up to four: a `&ArrayD<f32>`,
/// - tokens, (N, T), for an [`Embedding`](crate::layers::Embedding): a `&Array2<u32>`, or whole numbers in a table,
/// - of a model with several inputs a tuple of these, one for each, or a vector of `Inputs`,
///
/// and views of arrays. There are no other tables of integers.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array2, array};
/// let model = Sequential::new([2])
///     .add(Dense::new(3).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let predictor = model.into_predictor();
/// let table: Array2<f32> = array![[0.5, 2.0], [1.5, -1.0]];
/// assert_eq!(predictor.predict(&table)?.shape(), [2, 3]);
/// assert_eq!(predictor.predict_rows(&[[0.5, 2.0]])?.row(0), predictor.predict_rows(&table)?.row(0));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inputs<'a>(OneOrMore<Source<'a>>);

/// Something for each input or output of a model. Nearly all models have one, which takes no memory of its own.
#[derive(Clone, Debug)]
pub(crate) enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(all) => all,
        }
    }

    /// All of these in one list, `self` first.
    pub(super) fn and(self, other: Self) -> Self {
        let list = |part| match part {
            Self::One(one) => vec![one],
            Self::More(all) => all,
        };
        let mut all = list(self);
        all.append(&mut list(other));
        Self::More(all)
    }

    pub(super) fn try_map<U>(self, map: impl FnMut(T) -> Result<U>) -> Result<OneOrMore<U>> {
        let mut map = map;
        match self {
            Self::One(one) => map(one).map(OneOrMore::One),
            Self::More(all) => all.into_iter().map(map).collect::<Result<_>>().map(OneOrMore::More),
        }
    }
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Dataset(&'a Dataset),
    Bytes(ArrayViewD<'a, u8>),
    Floats(ArrayViewD<'a, f32>),
    Tokens(ArrayViewD<'a, u32>),
}

/// One input's examples in memory order.
#[derive(Debug)]
pub(crate) enum OrderedImages<'a> {
    Dataset(&'a Dataset),
    Bytes { values: Cow<'a, [u8]>, count: usize },
    Floats { values: Cow<'a, [f32]>, count: usize },
}

impl<'a> From<&'a Dataset> for Inputs<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self::one(Source::Dataset(dataset))
    }
}

macro_rules! from_arrays {
    ($($array:ident, $view:ident, $element:ty => $source:ident;)*) => {$(
        impl<'a> From<&'a $array<$element>> for Inputs<'a> {
            fn from(array: &'a $array<$element>) -> Self {
                Self::one(Source::$source(array.view().into_dyn()))
            }
        }

        impl<'a> From<$view<'a, $element>> for Inputs<'a> {
            fn from(view: $view<'a, $element>) -> Self {
                Self::one(Source::$source(view.into_dyn()))
            }
        }

        impl<'a> From<&$view<'a, $element>> for Inputs<'a> {
            fn from(view: &$view<'a, $element>) -> Self {
                view.clone().into()
            }
        }
    )*};
}
from_arrays! {
    Array4, ArrayView4, u8 => Bytes;
    Array4, ArrayView4, f32 => Floats;
    Array3, ArrayView3, f32 => Floats;
    Array2, ArrayView2, f32 => Floats;
    Array2, ArrayView2, u32 => Tokens;
    ArrayD, ArrayViewD, f32 => Floats;
}

impl<'a, const F: usize> From<&'a [[f32; F]]> for Inputs<'a> {
    fn from(rows: &'a [[f32; F]]) -> Self {
        ArrayView2::from(rows).into()
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

impl<'a, A: Into<Self>, B: Into<Self>> From<(A, B)> for Inputs<'a> {
    /// Those of a model with two inputs.
    fn from((first, second): (A, B)) -> Self {
        Self(first.into().0.and(second.into().0))
    }
}

impl<'a, A: Into<Self>, B: Into<Self>, C: Into<Self>> From<(A, B, C)> for Inputs<'a> {
    /// Those of a model with three inputs.
    fn from((first, second, third): (A, B, C)) -> Self {
        Self(first.into().0.and(second.into().0).and(third.into().0))
    }
}

impl<'a> From<Vec<Self>> for Inputs<'a> {
    /// Those of a model with as many inputs.
    fn from(all: Vec<Self>) -> Self {
        all.into_iter().fold(Self(OneOrMore::More(Vec::new())), |before, next| Self(before.0.and(next.0)))
    }
}

impl<'a> Inputs<'a> {
    fn one(source: Source<'a>) -> Self {
        Self(OneOrMore::One(source))
    }

    /// How many examples there are: of the first input, for [`checked`](Self::checked) to compare.
    pub(crate) fn len(&self) -> usize {
        self.0.as_slice().first().map_or(0, Source::len)
    }

    /// The shape of one example of each input; `None` where there is none that a model could have.
    pub(crate) fn shapes(&self) -> impl ExactSizeIterator<Item = Option<Shape>> {
        self.0.as_slice().iter().map(Source::shape)
    }

    /// What people call one of the first input's examples, and several.
    pub(crate) fn nouns(&self) -> [&'static str; 2] {
        match self.0.as_slice() {
            [one] => one.shape().map_or(["example", "examples"], nouns),
            _ => ["example", "examples"],
        }
    }

    /// Copies of some images of the first input as a model sees them: (indices, H, W, C), of a table (indices, 1, 1,
    /// F).
    #[cfg(feature = "plot")]
    pub(crate) fn select(&self, indices: &[usize]) -> Array4<f32> {
        let selected = match &self.0.as_slice()[0] {
            Source::Dataset(dataset) => return dataset.choose(indices).images(),
            Source::Bytes(images) => images.select(ndarray::Axis(0), indices).mapv(|byte| f32::from(byte) / 255.0),
            Source::Floats(images) => images.select(ndarray::Axis(0), indices),
            Source::Tokens(tokens) => tokens.select(ndarray::Axis(0), indices).mapv(|token| token as f32),
        };
        let (height, width, channels) = Shape::new(&selected.shape()[1..]).map_or((0, 0, 0), Shape::as_image);
        let shape = (indices.len(), height, width, channels);
        selected.into_shape_with_order(shape).expect("the same values, as images")
    }

    /// The inputs in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] if a value is NaN or infinite, there are more examples than a data set may have, or one input
    /// has another number of them than the first.
    pub(crate) fn checked(self) -> Result<OneOrMore<OrderedImages<'a>>> {
        let count = self.len();
        if count > MAX_ELEMENTS {
            let [_, plural] = self.nouns();
            return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} {plural}, got {count}")));
        }
        if let Some(index) = self.0.as_slice().iter().position(|source| source.len() != count) {
            let found = self.0.as_slice()[index].len();
            return Err(Error::Data(format!(
                "all inputs must have the same number of examples, got {count} of input 0 and {found} of input {index}"
            )));
        }
        self.0.try_map(|source| {
            Ok(match source {
                Source::Dataset(dataset) => OrderedImages::Dataset(dataset),
                Source::Bytes(images) => OrderedImages::Bytes { values: in_memory_order(images), count },
                Source::Floats(images) => {
                    check_finite(&images)?;
                    OrderedImages::Floats { values: in_memory_order(images), count }
                }
                Source::Tokens(tokens) => {
                    check_most(tokens.indexed_iter().map(|(at, token)| ([at[0], at[1]], *token)))?;
                    OrderedImages::Floats { values: tokens.iter().map(|token| *token as f32).collect(), count }
                }
            })
        })
    }
}

impl Source<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Dataset(dataset) => dataset.len(),
            Self::Bytes(images) => images.shape().first().copied().unwrap_or(0),
            Self::Floats(images) => images.shape().first().copied().unwrap_or(0),
            Self::Tokens(tokens) => tokens.shape().first().copied().unwrap_or(0),
        }
    }

    fn shape(&self) -> Option<Shape> {
        let axes = match self {
            Self::Dataset(dataset) => return Some(dataset.shape()),
            Self::Bytes(images) => images.shape(),
            Self::Floats(images) => images.shape(),
            Self::Tokens(tokens) => tokens.shape(),
        };
        axes.get(1..).and_then(Shape::new)
    }
}

impl OrderedImages<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Dataset(dataset) => dataset.len(),
            Self::Bytes { count, .. } | Self::Floats { count, .. } => *count,
        }
    }

    /// The values as they are stored.
    pub(crate) fn pixels(&self) -> Pixels<'_> {
        let stored = match self {
            Self::Dataset(dataset) => return dataset.pixels(),
            Self::Bytes { values, .. } => Stored::Bytes(values),
            Self::Floats { values, .. } => Stored::Floats(values),
        };
        Pixels { stored, scaling: None }
    }

    /// Where each example is among the values; `None` if they come one after the other.
    pub(crate) fn order(&self) -> Option<&[u32]> {
        match self {
            Self::Dataset(dataset) => dataset.order(),
            Self::Bytes { .. } | Self::Floats { .. } => None,
        }
    }
}

/// What people call one example of a shape, and several.
pub(crate) fn nouns(shape: Shape) -> [&'static str; 2] {
    match shape.axes() {
        [_] => ["row", "rows"],
        [_, _] => ["sequence", "sequences"],
        [_, _, _] => ["image", "images"],
        _ => ["example", "examples"],
    }
}

/// The values in memory order, copied if they lie in another.
pub(super) fn in_memory_order<A: Clone>(array: ArrayViewD<'_, A>) -> Cow<'_, [A]> {
    array.to_slice().map_or_else(|| Cow::Owned(array.iter().cloned().collect()), Cow::Borrowed)
}
