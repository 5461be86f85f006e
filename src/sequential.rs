//! Describing a model: a list of layers, nothing computed.

mod written;

use crate::error::{Error, Result};
use crate::layers::{Layer, Network};
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::model::Model;
use crate::objective::Objective;
use crate::optimizer::Optimizer;
use crate::plan::{Plan, Wanted};
use crate::random::fresh_seed;
use crate::shape::Shape;
use serde::{Deserialize, Serialize};

/// A model as a list of layers, as [Keras' `Sequential`](https://keras.io/api/models/sequential/). [`compile`] checks
/// it and makes it a [`Model`], which can be trained.
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(32, (3, 3)).activation(Relu))
///     .add(MaxPooling2D::new((2, 2)))
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .seed(42)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.parameter_count(), 3 * 3 * 32 + 32 + 13 * 13 * 32 * 10 + 10);
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// It is plain data: [`to_json`](Sequential::to_json) and [`from_json`](Sequential::from_json) write and read it, or
/// any other format of [serde](https://serde.rs).
///
/// [`compile`]: Sequential::compile
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    input: Shape,
    #[serde(deserialize_with = "written::layers")]
    layers: Vec<Layer>,
    #[serde(default)]
    seed: Option<u64>,
}

impl Sequential {
    /// A model without layers on inputs of this shape: `[height, width, channels]` or `[features]`.
    #[must_use]
    pub fn new(input: impl Into<Shape>) -> Self {
        Self { input: input.into(), layers: Vec::new(), seed: None }
    }

    /// Adds a layer behind the others.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the name of Keras' method")]
    pub fn add(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// Fixes initial weights, shuffling and dropout: training is then repeatable to the bit on machines with the same
    /// instruction set, whatever the number of threads. Without it every model gets a seed of its own, which
    /// [`Model::seed`] tells.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The shape of one input.
    #[must_use]
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether every layer has one output, or a sentence without its subject that says which has not.
    pub(crate) fn check_outputs(&self) -> std::result::Result<(), String> {
        let several = self.layers.iter().enumerate().find_map(|(index, layer)| {
            let count = 1 + layer.describe().further_outputs([1].into()).len();
            (count > 1).then(|| (index, layer.title(), count))
        });
        match several {
            None => Ok(()),
            Some((index, layer, count)) => Err(format!(
                "expects layers with one output, and layer {index} ({layer}) has {count}: leave `return_state` and \
                 `MergeMode::None` out, or use a `Functional` network"
            )),
        }
    }

    pub(crate) fn layers_mut(&mut self) -> &mut [Layer] {
        &mut self.layers
    }

    /// How many parameters the model will have, before any of them takes memory.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), for the layers.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10));
    /// assert_eq!(described.parameter_count()?, 7850);
    /// let large = Sequential::new([1 << 13]).add(Dense::new(1 << 13));
    /// assert_eq!(large.parameter_count()?, (1 << 26) + (1 << 13));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn parameter_count(&self) -> Result<usize> {
        self.check()?;
        let network = Network::chain(self.input, self.layers.clone());
        Ok(Plan::new(&network, Wanted::OfParameters)?.parameter_count())
    }

    fn check(&self) -> Result<()> {
        self.check_outputs().map_err(|problem| Error::Model(format!("has a `Sequential` that {problem}")))
    }

    /// Checks every layer, and makes the model ready to be trained.
    ///
    /// # Errors
    /// [`Error::Layer`](crate::Error::Layer) for the first layer that cannot work on what the layers before it give,
    /// [`Error::Model`](crate::Error::Model) if the model as a whole does not fit the loss or is too large,
    /// [`Error::Setting`](crate::Error::Setting) for a setting of the optimizer that makes no sense.
    pub fn compile(
        self,
        optimizer: impl Into<Optimizer>,
        loss: impl Into<Loss>,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> Result<Model> {
        self.check()?;
        let seed = self.seed.unwrap_or_else(fresh_seed);
        let objective = Objective::new(loss).metrics(metrics);
        Model::new(Network::chain(self.input, self.layers), seed, optimizer.into(), vec![objective])
    }
}
