//! What a model is made of, and what is known of its past.

use super::Model;
use crate::layers::Layer;
use crate::loss::Loss;
use crate::metrics::Metric;
use crate::objective::Objective;
use crate::plan::layer_names;
use crate::shape::Shape;
use crate::summary::Summary;
use std::fmt;

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

    /// The shapes of all inputs; [`input_shape`](Self::input_shape) is the first.
    #[must_use]
    pub fn input_shapes(&self) -> Vec<Shape> {
        self.engine.plan.input_shapes().collect()
    }

    /// The shapes of all outputs; [`output_shape`](Self::output_shape) is the first.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let (image, age) = (Input::new([8, 8, 1]), Input::new([1]));
    /// let x = Concatenate::of([&image.apply(Flatten::new()), &age]);
    /// let outputs = [x.apply(Dense::new(3)), x.apply(Dense::new(1))];
    /// let model = Functional::new([&image, &age], &outputs).compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(model.input_shapes(), [[8, 8, 1].into(), [1].into()]);
    /// assert_eq!(model.output_shapes(), [[3].into(), [1].into()]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn output_shapes(&self) -> Vec<Shape> {
        self.engine.plan.heads.iter().map(|head| head.shape).collect()
    }

    /// The shape of one output.
    #[must_use]
    pub fn output_shape(&self) -> Shape {
        self.engine.plan.head().shape
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

    /// What each output is trained for, in their order.
    #[must_use]
    pub fn objectives(&self) -> Vec<Objective> {
        self.engine.scoring.objectives().collect()
    }

    /// What training minimises: the loss of the first output.
    #[must_use]
    pub fn loss(&self) -> Loss {
        self.engine.scoring.head().loss().clone()
    }

    /// What is measured of the first output beside the loss, in the order given to `compile`.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        self.engine.scoring.head().metrics()
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

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, seed, optimizer, epochs, state: _, engine: _, ongoing: _, privacy: _, text: _ } = self;
        let mut model = f.debug_struct("Model");
        model.field("layers", &network.layers).field("seed", seed);
        model.field("objectives", &self.engine.scoring.objectives().collect::<Vec<_>>());
        model.field("optimizer", optimizer).field("epochs", epochs).finish_non_exhaustive()
    }
}
