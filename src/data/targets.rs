//! Decides what a model's outputs may be compared with: a class for each example, or a value for each output.

use super::checks::{all_finite, first_not_finite};
use super::dataset::Dataset;
use super::image_targets::{ImageRows, StoredRows};
use super::inputs::{OneOrMore, in_memory_order};
use crate::error::{Error, Result};
use ndarray::{
    Array1, Array2, Array3, Array4, ArrayD, ArrayView1, ArrayView2, ArrayView3, ArrayView4, ArrayViewD, Axis,
};
use std::borrow::Cow;

/// What examples should come out as:
///
/// - a class for each, (N): a slice, vector or array of `usize`,
/// - a value for each output, (N, outputs), such as one-hot rows: a `&Array2<f32>`, or arrays of fixed length,
/// - of a model of one output a value for each example, (N): a slice, vector or array of `f32`,
/// - values in the output's own shape, such as images, (N, H, W, C): a `&Array3<f32>`, `&Array4<f32>` or
///   `&ArrayD<f32>`, a `&Array4<u8>`, which becomes `x / 255`, or the examples of a data set
///   ([`Dataset::as_targets`](crate::Dataset::as_targets)),
/// - of a model with several outputs a tuple of these, one for each, or a vector of `Targets`,
///
/// and views of arrays.
///
/// ```
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([1])
///     .add(Dense::new(1))
///     .seed(1)
///     .compile(Sgd::new(0.1), MeanSquaredError, [])?;
/// // Three numbers, and twice as much for each.
/// let (x, y) = ([[-1.0], [0.0], [1.0]], [-2.0, 0.0, 2.0]);
/// model.fit((&x, &y), FitConfig::new().epochs(100).verbose(0))?;
/// assert!((model.predict(&x)?[[2, 0]] - 2.0).abs() < 0.01);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Targets<'a>(OneOrMore<Source<'a>>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Classes(ArrayView1<'a, usize>),
    /// (N, and any axes).
    Values(ArrayViewD<'a, f32>),
    /// (N, H, W, C).
    Bytes(ArrayView4<'a, u8>),
    Images(Cow<'a, Dataset>),
}

/// What one example should have come out as, as [losses](crate::custom::CustomLoss) and
/// [metrics](crate::custom::CustomMetric) see it.
///
/// ```
/// use inkstone::custom::Target;
/// // A class of four stands for its one-hot row.
/// assert_eq!([0, 1, 2, 3].map(|output| Target::Class(2).value(output, 4)), [0.0, 0.0, 1.0, 0.0]);
/// // Values stand for the class of the largest.
/// assert_eq!(Target::Values(&[0.1, 0.7, 0.2]).class(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// This class. It stands for its one-hot row; for a single output it is the value itself.
    Class(usize),
    /// These values, one for each output.
    Values(&'a [f32]),
}

/// Targets in memory order.
#[derive(Debug)]
pub(crate) enum OrderedTargets<'a> {
    Classes(Cow<'a, [usize]>),
    Values(Rows<'a>),
    /// The examples of a data set, which are not copied.
    Images(ImageRows<'a>),
}

/// A row of values for each example.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    values: Cow<'a, [f32]>,
    count: usize,
    len: usize,
}

/// Targets, to be read one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TargetRows<'a> {
    Classes(&'a [usize]),
    Values { values: &'a [f32], outputs: usize },
    Images(StoredRows<'a>),
}

impl<'a> From<ArrayView1<'a, usize>> for Targets<'a> {
    fn from(classes: ArrayView1<'a, usize>) -> Self {
        Self::one(Source::Classes(classes))
    }
}

impl<'a> From<ArrayView1<'a, f32>> for Targets<'a> {
    fn from(values: ArrayView1<'a, f32>) -> Self {
        values.insert_axis(Axis(1)).into()
    }
}

macro_rules! from_values {
    ($($view:ident),*) => {$(
        impl<'a> From<$view<'a, f32>> for Targets<'a> {
            fn from(values: $view<'a, f32>) -> Self {
                Self::one(Source::Values(values.into_dyn()))
            }
        }
    )*};
}
from_values!(ArrayView2, ArrayView3, ArrayView4, ArrayViewD);

impl<'a> From<ArrayView4<'a, u8>> for Targets<'a> {
    fn from(images: ArrayView4<'a, u8>) -> Self {
        Self::one(Source::Bytes(images))
    }
}

/// What owns an array is viewed; what looks at one is copied.
macro_rules! from_views {
    ($($array:ident, $view:ident, $element:ty;)*) => {$(
        impl<'a> From<&'a $array<$element>> for Targets<'a> {
            fn from(array: &'a $array<$element>) -> Self {
                array.view().into()
            }
        }

        impl<'a> From<&$view<'a, $element>> for Targets<'a> {
            fn from(view: &$view<'a, $element>) -> Self {
                view.clone().into()
            }
        }
    )*};
}
from_views! {
    Array1, ArrayView1, usize;
    Array1, ArrayView1, f32;
    Array2, ArrayView2, f32;
    Array3, ArrayView3, f32;
    Array4, ArrayView4, f32;
    Array4, ArrayView4, u8;
    ArrayD, ArrayViewD, f32;
}

/// Slices, vectors and arrays of fixed length. There are none of `u8`: `&[0, 1]` could then be bytes or classes, and
/// would not compile.
macro_rules! from_slices {
    ($($element:ty, $view:ident, [$($of:ident)?];)*) => {$(
        impl<'a $(, const $of: usize)?> From<&'a [$element]> for Targets<'a> {
            fn from(targets: &'a [$element]) -> Self {
                $view::from(targets).into()
            }
        }

        impl<'a $(, const $of: usize)?> From<&'a Vec<$element>> for Targets<'a> {
            fn from(targets: &'a Vec<$element>) -> Self {
                targets.as_slice().into()
            }
        }

        impl<'a $(, const $of: usize)?, const N: usize> From<&'a [$element; N]> for Targets<'a> {
            fn from(targets: &'a [$element; N]) -> Self {
                targets.as_slice().into()
            }
        }
    )*};
}
from_slices! {
    usize, ArrayView1, [];
    f32, ArrayView1, [];
    [f32; OUTPUTS], ArrayView2, [OUTPUTS];
}

impl<'a, A: Into<Self>, B: Into<Self>> From<(A, B)> for Targets<'a> {
    /// Those of a model with two outputs.
    fn from((first, second): (A, B)) -> Self {
        Self(first.into().0.and(second.into().0))
    }
}

impl<'a, A: Into<Self>, B: Into<Self>, C: Into<Self>> From<(A, B, C)> for Targets<'a> {
    /// Those of a model with three outputs.
    fn from((first, second, third): (A, B, C)) -> Self {
        Self(first.into().0.and(second.into().0).and(third.into().0))
    }
}

impl<'a> From<Vec<Self>> for Targets<'a> {
    /// Those of a model with as many outputs.
    fn from(all: Vec<Self>) -> Self {
        all.into_iter().fold(Self(OneOrMore::More(Vec::new())), |before, next| Self(before.0.and(next.0)))
    }
}

impl<'a> Targets<'a> {
    fn one(source: Source<'a>) -> Self {
        Self(OneOrMore::One(source))
    }

    /// The examples of a data set.
    pub(super) fn images(dataset: Cow<'a, Dataset>) -> Self {
        Self::one(Source::Images(dataset))
    }

    /// For how many examples, those of each output.
    pub(crate) fn lens(&self) -> impl ExactSizeIterator<Item = usize> {
        self.0.as_slice().iter().map(Source::len)
    }

    /// The shape of one example's values for each output; `None` for classes.
    pub(crate) fn shapes(&self) -> impl ExactSizeIterator<Item = Option<&[usize]>> {
        self.0.as_slice().iter().map(|source| match source {
            Source::Classes(_) => None,
            Source::Values(values) => values.shape().get(1..),
            Source::Bytes(images) => images.shape().get(1..),
            Source::Images(dataset) => Some(dataset.axes()),
        })
    }

    /// What people call one of them, and several.
    pub(crate) fn nouns(&self) -> [&'static str; 2] {
        match self.0.as_slice() {
            [Source::Classes(_)] => ["label", "labels"],
            [Source::Values(_)] => ["row of targets", "rows of targets"],
            [Source::Bytes(_) | Source::Images(_)] => ["target image", "target images"],
            _ => ["target", "targets"],
        }
    }

    /// The targets in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] if a value is NaN or infinite.
    pub(crate) fn checked(self) -> Result<OneOrMore<OrderedTargets<'a>>> {
        self.0.try_map(Source::checked)
    }
}

impl<'a> Source<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.shape().first().copied().unwrap_or(0),
            Self::Bytes(images) => images.dim().0,
            Self::Images(dataset) => dataset.len(),
        }
    }

    fn checked(self) -> Result<OrderedTargets<'a>> {
        match self {
            Self::Classes(classes) => Ok(OrderedTargets::Classes(
                classes.to_slice().map_or_else(|| Cow::Owned(classes.to_vec()), Cow::Borrowed),
            )),
            Self::Values(values) => {
                let count = values.shape().first().copied().unwrap_or(0);
                let rows = Rows::new(in_memory_order(values), count);
                rows.check_finite()?;
                Ok(OrderedTargets::Values(rows))
            }
            Self::Bytes(images) => {
                let values = images.iter().map(|byte| f32::from(*byte) / 255.0).collect();
                Ok(OrderedTargets::Values(Rows::new(values, images.dim().0)))
            }
            Self::Images(dataset) => Ok(OrderedTargets::Images(ImageRows::new(dataset))),
        }
    }
}

impl<'a> Rows<'a> {
    /// So many rows, one after the other.
    pub(super) fn new(values: Cow<'a, [f32]>, count: usize) -> Self {
        let len = values.len() / count.max(1);
        Self { values, count, len }
    }

    /// How many there are, and how many values each has.
    pub(crate) fn dim(&self) -> (usize, usize) {
        (self.count, self.len)
    }

    /// Each cut into so many, one after the other: an example's values into those of its steps.
    pub(crate) fn cut(&self, parts: usize) -> Rows<'_> {
        Rows { values: Cow::Borrowed(&self.values), count: self.count * parts, len: self.len / parts }
    }

    /// The first value that does not pass, with its place: example and output.
    pub(crate) fn find(&self, fails: impl Fn(f32) -> bool) -> Option<((usize, usize), f32)> {
        let index = self.values.iter().position(|value| fails(*value))?;
        Some(((index / self.len, index % self.len), self.values[index]))
    }

    fn check_finite(&self) -> Result<()> {
        if all_finite(&self.values) {
            return Ok(());
        }
        self.find(|value| !value.is_finite()).map_or(Ok(()), |(place, value)| Err(not_finite(place, value)))
    }
}

fn not_finite(place: (usize, usize), value: f32) -> Error {
    Error::Data(format!("targets must be finite, got {value} at {place:?} (N, outputs)"))
}

/// # Errors
/// [`Error::Data`] for the first value that is NaN or infinite.
pub(super) fn check_values(values: &ArrayView2<'_, f32>) -> Result<()> {
    match first_not_finite(values) {
        None => Ok(()),
        Some((index, value)) => Err(not_finite((index[0], index[1]), value)),
    }
}

impl OrderedTargets<'_> {
    /// For how many examples.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(rows) => rows.count,
            Self::Images(images) => images.dim().0,
        }
    }

    /// The targets, to be read one by one.
    pub(crate) fn rows(&self) -> TargetRows<'_> {
        match self {
            Self::Classes(classes) => TargetRows::Classes(classes),
            Self::Values(rows) => TargetRows::Values { values: &rows.values, outputs: rows.len },
            Self::Images(images) => TargetRows::Images(images.rows()),
        }
    }
}

impl<'a> TargetRows<'a> {
    /// What this example should have come out as. An image that is not stored as the model sees it is written to `row`.
    pub(crate) fn at<'r>(self, example: usize, row: &'r mut Vec<f32>) -> Target<'r>
    where
        'a: 'r,
    {
        match self {
            Self::Classes(classes) => Target::Class(classes[example]),
            Self::Values { values, outputs } => Target::Values(&values[example * outputs..][..outputs]),
            Self::Images(images) => Target::Values(images.at(example, row)),
        }
    }
}

impl Target<'_> {
    /// The class of the largest value; of a single one, whether it is nearer to 1 than to 0.
    #[must_use]
    pub fn class(&self) -> usize {
        match self {
            Self::Class(class) => *class,
            Self::Values([value]) => usize::from(*value > 0.5),
            Self::Values(values) => {
                let larger = |best: usize, place: usize| if values[place] > values[best] { place } else { best };
                (0..values.len()).fold(0, larger)
            }
        }
    }

    /// What this output should have been; there are `outputs` of them.
    ///
    /// # Panics
    /// If the target has values, and none for this output.
    #[must_use]
    pub fn value(&self, output: usize, outputs: usize) -> f32 {
        match self {
            Self::Class(class) if outputs == 1 => *class as f32,
            Self::Class(class) => f32::from(u8::from(*class == output)),
            Self::Values(values) => values[output],
        }
    }
}
