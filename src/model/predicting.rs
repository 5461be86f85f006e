//! Predictions for unlabelled examples. The model does not change.

use super::Model;
use crate::data::{Inputs, OrderedImages};
use crate::error::Result;
use crate::train::Examples;
use ndarray::Array2;

/// What a new array is.
const IN_ORDER: &str = "a new array is in memory order";

impl Model {
    /// The model's outputs for images, (N, H, W, C), a table, (N, F), or a data set: (N, outputs), probabilities if the
    /// model ends with a softmax. Bytes become `x / 255`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if the examples' shape does not fit the model, or a value is NaN or
    /// infinite.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let probabilities = model.predict(&Array4::<f32>::zeros((3, 28, 28, 1)))?;
    /// assert_eq!(probabilities.dim(), (3, 10));
    /// assert!((probabilities.row(0).sum() - 1.0).abs() < 1e-5);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Array2<f32>> {
        let images = self.check_images(images.into())?;
        let mut outputs = Array2::zeros((images.len(), self.engine.plan.classes()));
        let out = outputs.as_slice_mut().expect(IN_ORDER);
        self.engine.predict(&Examples::of_images(&images), out);
        Ok(outputs)
    }

    /// The class of each example: the one with the highest output, the first of equals; for a model of one output that
    /// is trained with [`BinaryCrossentropy`](crate::BinaryCrossentropy) or ends with a sigmoid, 1 where the
    /// probability is above one half (where the logit is above 0), 0 elsewhere.
    ///
    /// # Errors
    /// As [`predict`](Self::predict), and [`Error::Model`](crate::Error::Model) if the outputs stand for no class:
    /// numbers that are to be met, or several probabilities that do not exclude each other.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let points = Array4::<f32>::zeros((1, 1, 1, 2));
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(1))
    ///     .compile(Adam::default(), MeanSquaredError, [])?;
    /// let error = model.predict_classes(&points).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the model gives numbers, not probabilities of classes: call `predict`, which returns the numbers"
    /// );
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_classes<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Vec<usize>> {
        let decision = self.engine.decision();
        decision.check()?;
        let outputs = self.predict(images)?;
        Ok(outputs.rows().into_iter().map(|row| decision.class(row.as_slice().expect(IN_ORDER))).collect())
    }

    /// Images of the model's shape, in memory order.
    fn check_images<'a>(&self, images: Inputs<'a>) -> Result<OrderedImages<'a>> {
        self.check_shape(images.shape())?;
        images.checked()
    }
}
