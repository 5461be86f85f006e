//! Predicting on series that come piece by piece: each call goes on from the states behind the last.

use super::Predictor;
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::model::{check_shapes, check_tokens, shaped_rows, split_outputs, write_outputs};
use crate::train::{Examples, Inference, States};
use ndarray::{Array2, ArrayD};
use std::fmt;

/// Predictions on series that come piece by piece, for models with stateful layers: each call goes on from the states
/// behind the call before, example by example. [`Predictor::stream`] makes it; any number of streams share a
/// predictor's weights, and each has states of its own.
///
/// A model has a fixed number of steps. One that is to be fed step by step is compiled for one step, and gets the
/// weights of the one that was trained:
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::ndarray::{Array3, Axis};
/// let describe = |steps: usize| {
///     Sequential::new([steps, 2]).add(LSTM::new(8).stateful(true)).add(Dense::new(1)).seed(1)
/// };
/// let trained = describe(20).compile(Adam::default(), MeanSquaredError, [])?;
/// let mut model = describe(1).compile(Adam::default(), MeanSquaredError, [])?;
/// model.set_weights(&trained.get_weights())?;
///
/// let series = Array3::from_shape_fn((1, 20, 2), |(_, step, feature)| ((step + feature) as f32).sin());
/// let mut stream = model.into_predictor().stream()?;
/// let mut last = None;
/// for step in series.axis_chunks_iter(Axis(1), 1) {
///     last = Some(stream.predict(&step.to_owned())?);
/// }
/// // What the whole series gives.
/// assert_eq!(last.unwrap(), trained.predict(&series)?);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Stream {
    inference: Inference,
    states: States,
}

impl Predictor {
    /// Predictions that go on from call to call, starting from zeros.
    ///
    /// # Errors
    /// [`Error::Model`] if no layer is stateful.
    pub fn stream(&self) -> Result<Stream> {
        if self.inference.plan.carried.is_empty() {
            return Err(Error::Model(
                "has no stateful layer that goes on from call to call: add one, as in `LSTM::new(8).stateful(true)`"
                    .into(),
            ));
        }
        Ok(Stream { inference: self.inference.clone(), states: States::default() })
    }
}

impl Stream {
    /// As [`Predictor::predict`], from the states behind the last call on, which was on as many examples.
    ///
    /// # Errors
    /// As [`Predictor::predict`], and [`Error::Data`] for another number of examples than in the last call. The states
    /// are then as they were.
    pub fn predict<'a>(&mut self, inputs: impl Into<Inputs<'a>>) -> Result<ArrayD<f32>> {
        let outputs = self.inference.plan.heads.len();
        if outputs > 1 {
            return Err(Error::Model(format!(
                "has {outputs} outputs: call `predict_all`, which returns those of each"
            )));
        }
        let rows = self.predict_values(inputs.into())?;
        Ok(shaped_rows(&self.inference.plan, rows))
    }

    /// As [`predict`](Self::predict), of a model with several outputs.
    ///
    /// # Errors
    /// [`Error::Data`] as [`predict`](Self::predict).
    pub fn predict_all<'a>(&mut self, inputs: impl Into<Inputs<'a>>) -> Result<Vec<ArrayD<f32>>> {
        let values = self.predict_values(inputs.into())?;
        Ok(split_outputs(&self.inference.plan, &values))
    }

    /// Makes the next call start from zeros, on any number of examples.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array3;
    /// let model = Sequential::new([1, 2]).add(GRU::new(4).stateful(true));
    /// let mut stream = model.compile(Adam::default(), MeanSquaredError, [])?.into_predictor().stream()?;
    /// let step = Array3::<f32>::ones((1, 1, 2));
    /// let first = stream.predict(&step)?;
    /// assert_ne!(stream.predict(&step)?, first);
    /// stream.reset_states();
    /// assert_eq!(stream.predict(&step)?, first);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn reset_states(&mut self) {
        self.states.reset();
    }

    fn predict_values(&mut self, inputs: Inputs<'_>) -> Result<Array2<f32>> {
        let Self { inference, states } = self;
        let plan = &*inference.plan;
        check_shapes(plan, &inputs)?;
        let (count, all) = (inputs.len(), plan.outputs_len());
        states.check(count)?;
        let inputs = inputs.checked()?;
        check_tokens(plan, &inputs)?;
        let mut outputs = Array2::zeros((count, all));
        let out = outputs.as_slice_mut().expect("a new array is in memory order");
        let mut workspace = inference.take_workspace(count);
        let (before, behind) = states.open(plan, count);
        let examples = Examples::of_images(&inputs).starting_from(before);
        inference.run_on(&examples, &mut workspace, behind, |first, head, outputs| {
            write_outputs(plan, head, outputs, &mut out[first * all..]);
        });
        inference.put_back(workspace);
        states.go_on();
        Ok(outputs)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("input", &self.inference.plan.input()).finish_non_exhaustive()
    }
}
