//! Decides what a model's outputs may be compared with: a class for each example, or a value for each output.

use crate::error::{Error, Result};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};
use std::borrow::Cow;

/// What examples should come out as:
///
/// - a class for each, (N): a slice, vector or array of `usize`,
/// - a value for each output, (N, outputs), such as one-hot rows: a `&Array2<f32>`, or arrays of fixed length,
/// - of a model of one output a value for each example, (N): a slice, vector or array of `f32`,
///
/// and views of arrays.
///
/// ```
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([1])
///     .add(Dense::new(1))
///     .compile(Sgd::new(0.1), MeanSquaredError, [])?;
/// // Three numbers, and twice as much for each.
/// let (x, y) = ([[-1.0], [0.0], [1.0]], [-2.0, 0.0, 2.0]);
/// model.fit((&x, &y), FitConfig::new().epochs(100).verbose(0))?;
/// assert!((model.predict(&x)?[[2, 0]] - 2.0).abs() < 0.01);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Classes(ArrayView1<'a, usize>),
    Values(ArrayView2<'a, f32>),
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
    Values(CowArray<'a, f32, Ix2>),
}

/// The same, to be read one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TargetRows<'a> {
    Classes(&'a [usize]),
    Values { values: &'a [f32], outputs: usize },
}

impl<'a> From<ArrayView1<'a, usize>> for Targets<'a> {
    fn from(classes: ArrayView1<'a, usize>) -> Self {
        Self(Source::Classes(classes))
    }
}

impl<'a> From<ArrayView1<'a, f32>> for Targets<'a> {
    fn from(values: ArrayView1<'a, f32>) -> Self {
        Self(Source::Values(values.insert_axis(Axis(1))))
    }
}

impl<'a> From<ArrayView2<'a, f32>> for Targets<'a> {
    fn from(values: ArrayView2<'a, f32>) -> Self {
        Self(Source::Values(values))
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
                (*view).into()
            }
        }
    )*};
}
from_views! {
    Array1, ArrayView1, usize;
    Array1, ArrayView1, f32;
    Array2, ArrayView2, f32;
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

impl<'a> Targets<'a> {
    /// For how many examples.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Source::Classes(classes) => classes.len(),
            Source::Values(values) => values.nrows(),
        }
    }

    /// What people call one of them, and several.
    pub(crate) fn nouns(&self) -> [&'static str; 2] {
        match &self.0 {
            Source::Classes(_) => ["label", "labels"],
            Source::Values(_) => ["row of targets", "rows of targets"],
        }
    }

    /// The targets in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] if a value is NaN or infinite.
    pub(crate) fn checked(self) -> Result<OrderedTargets<'a>> {
        match self.0 {
            Source::Classes(classes) => Ok(OrderedTargets::Classes(
                classes.to_slice().map_or_else(|| Cow::Owned(classes.to_vec()), Cow::Borrowed),
            )),
            Source::Values(values) => {
                check_values(&values)?;
                let in_order = values.is_standard_layout();
                let values = if in_order { values.into() } else { values.as_standard_layout().into_owned().into() };
                Ok(OrderedTargets::Values(values))
            }
        }
    }
}

/// # Errors
/// [`Error::Data`] for the first value that is NaN or infinite.
pub(super) fn check_values(values: &ArrayView2<'_, f32>) -> Result<()> {
    match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((place, value)) => {
            Err(Error::Data(format!("targets must be finite, got {value} at {place:?} (N, outputs)")))
        }
    }
}

impl OrderedTargets<'_> {
    /// For how many examples.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.nrows(),
        }
    }

    /// The targets, to be read one by one.
    pub(crate) fn rows(&self) -> TargetRows<'_> {
        match self {
            Self::Classes(classes) => TargetRows::Classes(classes),
            Self::Values(values) => TargetRows::Values {
                values: values.as_slice().expect("`checked` gives memory order"),
                outputs: values.ncols(),
            },
        }
    }
}

impl<'a> TargetRows<'a> {
    /// What this example should have come out as.
    pub(crate) fn at(self, example: usize) -> Target<'a> {
        match self {
            Self::Classes(classes) => Target::Class(classes[example]),
            Self::Values { values, outputs } => Target::Values(&values[example * outputs..][..outputs]),
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
