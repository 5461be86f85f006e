//! The states of stateful layers, which go from each batch that is trained on to the next.

use super::Model;
use crate::error::{Error, Result};

impl Model {
    /// Makes stateful layers start from zeros in the next batch, as Keras' `reset_states`: to be called where the
    /// batches of other series begin. Each epoch of [`fit`](Self::fit) begins so by itself.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array3;
    /// let mut model = Sequential::new([4, 1])
    ///     .add(GRU::new(8).stateful(true))
    ///     .add(Dense::new(1))
    ///     .compile(Adam::default(), MeanSquaredError, [])?;
    /// // Two series, in pieces of four steps.
    /// let (piece, next) = (Array3::<f32>::ones((2, 4, 1)), [1.0, 1.0]);
    /// for _ in 0..3 {
    ///     model.train_on_batch(&piece, &next)?;
    /// }
    /// // Three other series.
    /// model.reset_states();
    /// model.train_on_batch(&Array3::<f32>::ones((3, 4, 1)), &[1.0, 1.0, 1.0])?;
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn reset_states(&mut self) {
        self.engine.states.reset();
    }

    /// Whether stateful layers, if there are any, can go on with so many examples.
    ///
    /// # Errors
    /// [`Error::Data`] if their states are of another number.
    pub(crate) fn check_states(&self, examples: usize) -> Result<()> {
        if self.engine.plan.carried.is_empty() { Ok(()) } else { self.engine.states.check(examples) }
    }

    /// Whether `fit` can go through so many examples so, if there are stateful layers.
    ///
    /// # Errors
    /// [`Error::Setting`] if it shuffles, [`Error::Data`] if the last batch of an epoch is smaller than the others.
    pub(crate) fn check_stateful_fit(&self, examples: usize, batch_size: usize, shuffle: bool) -> Result<()> {
        if self.engine.plan.carried.is_empty() {
            return Ok(());
        }
        if shuffle {
            let expected = "false, as stateful layers go on from the batch before, example by example";
            return Err(Error::Setting { name: "shuffle", expected, received: "true".into() });
        }
        if !examples.is_multiple_of(batch_size) {
            return Err(Error::Data(format!(
                "the model has stateful layers, whose batches are all of one size, got {examples} examples in batches of \
                 {batch_size}: give a multiple of that"
            )));
        }
        Ok(())
    }
}
