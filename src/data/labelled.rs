//! Decides what `fit` and `evaluate` take: inputs with what they should come out as, and how much each counts.

use super::dataset::Dataset;
use super::inputs::{Inputs, OneOrMore, OrderedImages};
use super::targets::{OrderedTargets, Targets};
use crate::error::{Error, Result};

/// [`Inputs`] with a target for each, as [`fit`](crate::Model::fit) and [`evaluate`](crate::Model::evaluate) take them:
/// a `&Dataset`, a pair of inputs and [`Targets`], such as `(&array, &vec)`, or those and a weight for each, as Keras'
/// `(x, y, sample_weight)`.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::Array4;
/// let images = Array4::from_shape_fn((8, 2, 2, 1), |(n, ..)| if n < 4 { 0_u8 } else { 255 });
/// let labels = vec![0, 0, 0, 0, 1, 1, 1, 1];
/// let mut model = Sequential::new([2, 2, 1])
///     .add(Flatten::new())
///     .add(Dense::new(2).activation(Softmax))
///     .seed(1)
///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit((&images, &labels), FitConfig::new().epochs(20).verbose(0))?;
/// assert_eq!(model.evaluate((&images, &labels))?.accuracy()?, 1.0);
/// // Examples of weight 0 don't count.
/// assert_eq!(model.evaluate((&images, &labels, &[0.0; 8]))?.loss, 0.0);
/// assert_eq!(model.predict_classes(&images)?, labels);
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// A table, with a number for each row:
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::array;
/// let (x, y) = (array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 2.0, 3.0]);
/// let mut model = Sequential::new([2])
///     .add(Dense::new(1))
///     .seed(1)
///     .compile(Adam::new(0.05), MeanSquaredError, [])?;
/// model.fit((&x, &y), FitConfig::new().epochs(400).verbose(0))?;
/// assert!(model.evaluate((&x, &y))?.loss < 0.01);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LabelledInputs<'a> {
    images: Inputs<'a>,
    targets: Targets<'a>,
    sample_weight: Option<&'a [f32]>,
}

/// Inputs, targets and weights that fit each other, in memory order.
#[derive(Debug)]
pub(crate) struct OrderedExamples<'a> {
    /// Those of each input of the model.
    pub(crate) images: OneOrMore<OrderedImages<'a>>,
    /// Those for each output.
    pub(crate) targets: OneOrMore<OrderedTargets<'a>>,
    /// How much each example counts; all alike if there are none.
    pub(crate) weights: Option<Vec<f32>>,
}

impl<'a> From<&'a Dataset> for LabelledInputs<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self { images: dataset.into(), targets: dataset.targets(), sample_weight: None }
    }
}

impl<'a, I: Into<Inputs<'a>>, T: Into<Targets<'a>>> From<(I, T)> for LabelledInputs<'a> {
    fn from((images, targets): (I, T)) -> Self {
        Self { images: images.into(), targets: targets.into(), sample_weight: None }
    }
}

impl<'a, I: Into<Inputs<'a>>, T: Into<Targets<'a>>, W: AsRef<[f32]> + ?Sized> From<(I, T, &'a W)>
    for LabelledInputs<'a>
{
    fn from((images, targets, weights): (I, T, &'a W)) -> Self {
        Self { sample_weight: Some(weights.as_ref()), ..(images, targets).into() }
    }
}

impl<'a> LabelledInputs<'a> {
    pub(crate) fn images(&self) -> &Inputs<'a> {
        &self.images
    }

    pub(crate) fn targets(&self) -> &Targets<'a> {
        &self.targets
    }

    /// All of it in memory order.
    ///
    /// # Errors
    /// [`Error::Data`] unless there are images, a target for each, and if there are weights one for each; and if a
    /// value is NaN or infinite, or a weight less than 0.
    pub(crate) fn checked(self) -> Result<OrderedExamples<'a>> {
        let images = self.images.len();
        let targets = self.targets.lens().find(|targets| *targets != images).unwrap_or(images);
        if images != targets || images == 0 {
            let [target, plural] = self.targets.nouns();
            let [example, examples] = self.images.nouns();
            return Err(Error::Data(format!(
                "there must be at least one {example} and one {target} for each, got {images} {examples} and {targets} {plural}"
            )));
        }
        let mut examples =
            OrderedExamples { images: self.images.checked()?, targets: self.targets.checked()?, weights: None };
        self.sample_weight.map_or(Ok(()), |weights| examples.set_weights(weights))?;
        Ok(examples)
    }
}

impl OrderedExamples<'_> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.images.as_slice().first().map_or(0, OrderedImages::len)
    }

    /// Sets how much each example counts.
    ///
    /// # Errors
    /// [`Error::Data`] unless there is a weight for each, finite and at least 0; [`Error::Setting`] if there are
    /// weights already.
    pub(crate) fn set_weights(&mut self, weights: &[f32]) -> Result<()> {
        if self.weights.is_some() {
            return Err(Error::Setting {
                name: "sample_weight",
                expected: "given once",
                received: "weights with the data and in the configuration".into(),
            });
        }
        let images = self.len();
        if weights.len() != images {
            return Err(Error::Data(format!(
                "there must be one sample weight for each example, got {images} examples and {} weights",
                weights.len()
            )));
        }
        if let Some(index) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            return Err(Error::Data(format!(
                "sample weights must be finite and at least 0, got {} at index {index}",
                weights[index]
            )));
        }
        self.weights = Some(weights.to_vec());
        Ok(())
    }
}
