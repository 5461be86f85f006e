//! Makes a description of a network a model.

use super::Functional;
use super::node::PartOfNetwork;
use crate::error::{Error, Result};
use crate::layers::{Network, Source};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::model::Model;
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::plan::Outline;
use crate::pretrained::Pretrained;
use crate::random::fresh_seed;

impl Functional {
    /// Checks every layer, and makes the model ready to be trained. The loss and the metrics are those of every output;
    /// [`compile_with`](Self::compile_with) gives each its own.
    ///
    /// # Errors
    /// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] if an input is
    /// missing or not used, or the model as a whole does not fit the loss or is too large, [`Error::Setting`] for a
    /// setting of the optimizer that makes no sense.
    pub fn compile(
        self,
        optimizer: impl Into<Optimizer>,
        loss: impl Into<Loss>,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<Model> {
        let objective = Objective::new(loss).metrics(metrics);
        let objectives = vec![objective; self.network.outputs.len()];
        self.compile_with(optimizer, objectives)
    }

    /// As [`compile`](Self::compile), with an [`Objective`] for each output, in their order: its loss, how much that
    /// counts, and its metrics.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), and [`Error::Model`] unless there is one for each output.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let input = Input::new([6]);
    /// let x = input.apply(Dense::new(16).activation(Relu));
    /// let (class, size) = (x.apply(Dense::new(3).activation(Softmax)), x.apply(Dense::new(1)));
    /// let objectives = [
    ///     Objective::new(SparseCategoricalCrossentropy::default()).metrics([Accuracy]),
    ///     Objective::new(MeanSquaredError).weight(0.5),
    /// ];
    /// let mut model = Functional::new([&input], [&class, &size]).compile_with(Adam::default(), objectives)?;
    /// let x = [[0.0; 6], [1.0; 6]];
    /// let scores = model.train_on_batch(&x, (&[0_usize, 2], &[0.3, 0.9]))?;
    /// assert_eq!(scores.names(), ["dense_1_accuracy", "dense_1_loss", "dense_2_loss"]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn compile_with(
        self,
        optimizer: impl Into<Optimizer>,
        objectives: impl IntoIterator<Item = Objective>,
    ) -> Result<Model> {
        let Self { network, seed, not_an_input, expected, learned } = self;
        if let Some(kind) = not_an_input {
            return Err(Error::Model(format!(
                "has the output of a {kind} among its inputs: make them with `Input::new`"
            )));
        }
        if !expected.is_empty() {
            check_expected(&network, &expected)?;
        }
        let seed = seed.unwrap_or_else(fresh_seed);
        if !learned.is_empty() {
            return Pretrained::of(network, learned, seed).compile_with(optimizer, objectives);
        }
        Model::new(network, seed, optimizer.into(), objectives.into_iter().collect())
    }
}

/// # Errors
/// [`Error::Model`] for the first part that cannot be applied, or was applied to a value of another shape than its
/// input's.
fn check_expected(network: &Network, expected: &[(Source, PartOfNetwork)]) -> Result<()> {
    for (_, PartOfNetwork { kind, input }) in expected {
        if let Err(problem) = input {
            return Err(Error::Model(format!("has a `{kind}` that {problem}")));
        }
    }
    let Outline { shapes, .. } = Outline::new(network)?;
    let found = |source: &Source| {
        let shape = source.find(&network.inputs, &shapes).copied().expect("the shapes are known of all values");
        let of_call = |call: usize| network.layers[network.calls[call].layer].title();
        match *source {
            Source::Input(index) => (shape, format!("input {index}")),
            Source::Call(call) => (shape, format!("the output of a {}", of_call(call))),
            Source::Output { call, place } => (shape, format!("output {place} of a {}", of_call(call))),
        }
    };
    let wrong = expected.iter().find_map(|(source, PartOfNetwork { kind, input })| {
        let (shape, (found, of)) = (input.as_ref().ok()?, found(source));
        (found != *shape).then_some((kind, shape, found, of))
    });
    match wrong {
        None => Ok(()),
        Some((&kind, shape, found, of)) => {
            let remedy = match kind {
                "Sequential" => "describe it with `Sequential::new` of that shape",
                _ => "apply it to values of its own shape",
            };
            Err(Error::Model(format!(
                "has a `{kind}` for inputs of {shape} that is applied to {of}, which is {found}: {remedy}"
            )))
        }
    }
}
