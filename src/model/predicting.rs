//! Predictions for unlabelled examples. The model does not change.

use super::{Model, check_tokens};
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::plan::{Head, Plan};
use crate::shape::{MAX_RANK, Shape};
use crate::train::Examples;
use ndarray::{Array2, ArrayD, IxDyn};
use std::sync::Arc;

/// What a new array is.
const IN_ORDER: &str = "a new array is in memory order";

impl Model {
    /// The model's outputs for images, (N, H, W, C), a table, (N, F), any other [`Inputs`], or a data set: an array of
    /// (N, and the output's shape), probabilities if the model ends with a softmax. Bytes become `x / 255`.
    ///
    /// [`predict_rows`](Self::predict_rows) returns the same as rows, [`predict_all`](Self::predict_all) what a model
    /// with several outputs gives.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if the examples' shape does not fit the model, or a value is NaN or
    /// infinite; [`Error::Model`](crate::Error::Model) if the model has several outputs.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let probabilities = model.predict(&Array4::<f32>::zeros((3, 28, 28, 1)))?;
    /// assert_eq!(probabilities.shape(), [3, 10]);
    /// assert_eq!(probabilities[[0, 9]], 0.1);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<ArrayD<f32>> {
        self.predict_rows(images).map(|rows| shaped_rows(&self.engine.plan, rows))
    }

    /// As [`predict`](Self::predict), with a row for each example: (N, values of the output).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let probabilities = model.predict_rows(&[[0.5, 2.0], [1.0, -1.0]])?;
    /// assert_eq!(probabilities.dim(), (2, 3));
    /// assert!((probabilities.row(0).sum() - 1.0).abs() < 1e-5);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_rows<'a>(&self, images: impl Into<Inputs<'a>>) -> Result<Array2<f32>> {
        let outputs = self.engine.plan.heads.len();
        if outputs > 1 {
            return Err(Error::Model(format!(
                "has {outputs} outputs: call `predict_all`, which returns those of each"
            )));
        }
        self.predict_values(images.into())
    }

    /// What the model gives at each output, in their order, as [`predict`](Self::predict): arrays of (N, and the
    /// output's shape).
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) as [`predict`](Self::predict).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let input = Input::new([4]);
    /// let x = input.apply(Dense::new(8).activation(Relu));
    /// let outputs = [x.apply(Dense::new(3).activation(Softmax)), x.apply(Dense::new(2)).apply(Reshape::new([1, 2]))];
    /// let objectives = [Objective::new(CategoricalCrossentropy::default()), Objective::new(MeanSquaredError)];
    /// let model = Functional::new([&input], &outputs).compile_with(Adam::default(), objectives)?;
    /// let predicted = model.predict_all(&[[0.0; 4]; 5])?;
    /// assert_eq!((predicted[0].shape(), predicted[1].shape()), (&[5, 3][..], &[5, 1, 2][..]));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_all<'a>(&self, inputs: impl Into<Inputs<'a>>) -> Result<Vec<ArrayD<f32>>> {
        self.predict_values(inputs.into()).map(|values| split_outputs(&self.engine.plan, &values))
    }

    /// (N, values of all outputs, one output after the other).
    fn predict_values(&self, inputs: Inputs<'_>) -> Result<Array2<f32>> {
        let count = inputs.len();
        self.check_shapes(&inputs)?;
        let inputs = inputs.checked()?;
        check_tokens(&self.engine.plan, &inputs)?;
        let mut outputs = Array2::zeros((count, self.engine.plan.outputs_len()));
        let out = outputs.as_slice_mut().expect(IN_ORDER);
        self.engine.predict(&Examples::of_images(&inputs), out);
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
        let outputs = self.predict_rows(images)?;
        Ok(outputs.rows().into_iter().map(|row| decision.class(row.as_slice().expect(IN_ORDER))).collect())
    }
}

/// The values of some examples of this shape as an array, without a copy: (N, and the shape).
pub(crate) fn shaped(values: Vec<f32>, examples: usize, shape: Shape) -> ArrayD<f32> {
    let mut axes = [examples; MAX_RANK + 1];
    let rank = shape.axes().len();
    axes[1..=rank].copy_from_slice(shape.axes());
    ArrayD::from_shape_vec(IxDyn(&axes[..=rank]), values).expect("as many values as the shape has")
}

/// The rows of the only output as an array of its shape.
pub(crate) fn shaped_rows(plan: &Plan, rows: Array2<f32>) -> ArrayD<f32> {
    let examples = rows.nrows();
    shaped(rows.into_raw_vec_and_offset().0, examples, plan.head().shape)
}

/// The values of each output as an array of its shape.
///
/// - values: (N, values of all outputs, one output after the other)
pub(crate) fn split_outputs(plan: &Plan, values: &Array2<f32>) -> Vec<ArrayD<f32>> {
    let mut before = 0;
    let output = |(index, head): (usize, &Head)| {
        let len = plan.output_len(index);
        let rows = values.rows().into_iter().flat_map(|row| row.into_iter().skip(before).take(len));
        let output = shaped(rows.copied().collect(), values.nrows(), head.shape);
        before += len;
        output
    };
    plan.heads.iter().enumerate().map(output).collect()
}

/// Whether there is room for just what some examples give.
///
/// # Errors
/// [`Error::Data`] if there is more or less.
pub(crate) fn check_room(examples: usize, expected: usize, found: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Data(format!("an output for {examples} examples has {expected} values, got room for {found}")))
}

/// Whether memory to predict in was made by the predictor that is to use it.
///
/// # Errors
/// [`Error::Data`] if it was made by another.
pub(crate) fn check_scratch<T>(made_for: &Arc<T>, own: &Arc<T>) -> Result<()> {
    if Arc::ptr_eq(made_for, own) {
        return Ok(());
    }
    Err(Error::Data("the scratch was made by another predictor: use this one's `scratch()`".into()))
}

/// Writes what some examples give at one output to its place in their rows.
///
/// - outputs: (examples, values of the output); rows: from the first of these examples on, (N, values of all outputs)
pub(crate) fn write_outputs(plan: &Plan, head: usize, outputs: &[f32], rows: &mut [f32]) {
    let len = plan.output_len(head);
    let before: usize = (0..head).map(|head| plan.output_len(head)).sum();
    let rows = rows.chunks_exact_mut(plan.outputs_len()).zip(outputs.chunks_exact(len));
    rows.for_each(|(row, output)| row[before..before + len].copy_from_slice(output));
}
