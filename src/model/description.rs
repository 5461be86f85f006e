//! What a model is made of, and what is known of its past.

use super::Model;
use crate::layers::Layer;
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::plan::layer_names;
use crate::shape::Shape;
use crate::summary::Summary;

impl Model {
    /// Keras' table of layers, output shapes and parameters; it is printed with `{}`.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::new(&self.network, &self.engine.plan)
    }

    /// The shape of one input: (H, W, C) of an image, (F) of the row of a table.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// assert_eq!(model.input_shape().to_string(), "(28, 28, 1)");
    /// assert_eq!(model.output_shape().to_string(), "(10)");
    /// assert_eq!(model.layer_names(), ["flatten", "dense"]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn input_shape(&self) -> Shape {
        self.engine.plan.input()
    }

    /// The shape of one output.
    #[must_use]
    pub fn output_shape(&self) -> Shape {
        self.engine.plan.output_shape()
    }

    /// Keras' names of the layers, in order, as in the summary and in the names of weights: `dense_1` of
    /// `dense_1/kernel`.
    #[must_use]
    pub fn layer_names(&self) -> Vec<String> {
        layer_names(&self.network.layers)
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.network.layers
    }

    /// What training minimises.
    #[must_use]
    pub fn loss(&self) -> Loss {
        self.engine.scoring.loss().clone()
    }

    /// What is measured beside the loss, in the order given to `compile`.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        self.engine.scoring.metrics()
    }

    /// The seed of initial weights, shuffling and dropout: the one that was given, or the one that was drawn.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many epochs it has been trained, over all calls of [`fit`](Self::fit) and before it was saved. One that is
    /// going on counts when it is over.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// How many steps its optimizer has taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// How many parameters the model has.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.engine.plan.parameter_count()
    }
}
