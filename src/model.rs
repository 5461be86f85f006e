//! A model that can be used: evaluate, take steps, read and write weights. Training over epochs is in `fit`.

mod description;
mod predicting;
mod weights;

pub(crate) use weights::{named, store};

use crate::data::{Inputs, LabelledInputs, OrderedExamples, Targets};
use crate::error::{Error, Result};
use crate::fit::Ongoing;
use crate::layers::Network;
use crate::loss::Loss;
use crate::metrics::{Metric, Scores};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::plan::{Plan, Wanted};
use crate::shape::Shape;
use crate::simd::Level;
use crate::train::{Decision, Engine, Examples, Scoring, Tally, Undecided, in_pool};
use ndarray::ArrayD;
use std::fmt;

/// A compiled model. [`Sequential::compile`](crate::Sequential::compile) makes it.
///
/// `{:?}` names its layers and settings; it leaves out the weights, which [`get_weights`](Self::get_weights) has.
///
/// A clone has weights, optimizer and all else of its own. [`predict`](Self::predict) and [`evaluate`](Self::evaluate)
/// change nothing, so threads may call them on one model at the same time; [`Predictor`](crate::Predictor) is for many
/// small calls.
#[derive(Clone)]
pub struct Model {
    pub(crate) network: Network,
    pub(crate) seed: u64,
    pub(crate) optimizer: Optimizer,
    pub(crate) state: OptimizerState,
    pub(crate) engine: Engine,
    /// Epochs of training so far, over all calls of `fit`.
    pub(crate) epochs: usize,
    pub(crate) ongoing: Ongoing,
}

/// A kernel or bias, or the gradient of one, under Keras' name and in Keras' layout: a convolution's kernel is
/// (kernel height, kernel width, channels, filters), a dense layer's (features, units).
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// As in `conv2d_1/kernel`.
    pub name: String,
    /// The numbers.
    pub values: ArrayD<f32>,
}

impl Model {
    pub(crate) fn new(
        network: Network,
        seed: u64,
        optimizer: Optimizer,
        loss: Loss,
        metrics: Vec<Metric>,
    ) -> Result<Self> {
        let plan = Plan::new(&network, Wanted::OfParameters)?;
        Self::of_plan(plan, network, seed, optimizer, loss, metrics)
    }

    /// The model of a plan of this network.
    pub(crate) fn of_plan(
        plan: Plan,
        network: Network,
        seed: u64,
        optimizer: Optimizer,
        loss: Loss,
        metrics: Vec<Metric>,
    ) -> Result<Self> {
        loss.check(plan.head().function)?;
        optimizer.check()?;
        let variables = plan.parameters.trained().map(|parameter| parameter.range.clone());
        let state = OptimizerState::new(&optimizer, plan.parameters.trained_len, variables);
        Metric::check_all(&metrics, plan.classes())?;
        let scoring = Scoring::new(&plan, loss, &metrics);
        if let always_one @ Decision::Undecided(Undecided::AlwaysOne) = Decision::new(&plan, &scoring) {
            always_one.check()?;
        }
        scoring.check_metrics()?;
        let ongoing = Ongoing::new(scoring.tally());
        let engine = Engine::new(plan, scoring, seed, Level::new());
        Ok(Self { network, seed, optimizer, state, engine, epochs: 0, ongoing })
    }

    /// The optimizer's rate for the next step.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// assert_eq!(model.learning_rate(), 0.5);
    /// model.set_learning_rate(0.25)?;
    /// assert_eq!(model.learning_rate(), 0.25);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn learning_rate(&self) -> f32 {
        self.optimizer.learning_rate().at(self.state.step)
    }

    /// Sets the optimizer's rate for the steps from now on.
    ///
    /// # Errors
    /// [`Error::Setting`] if the rate is negative, NaN or infinite, or the optimizer follows a schedule.
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        self.optimizer.set_learning_rate(rate)
    }

    /// The loss and metrics on a data set, or on images with their [`Targets`]; nothing is changed. Weights of examples
    /// go into the loss alone.
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape or a target does not fit the model, there is not one target for each image,
    /// or a value is NaN or infinite.
    pub fn evaluate<'a>(&self, data: impl Into<LabelledInputs<'a>>) -> Result<Scores> {
        let examples = self.check_labelled(data.into())?;
        Ok(self.score(&Examples::of(&examples)))
    }

    pub(crate) fn score(&self, examples: &Examples<'_>) -> Scores {
        self.engine.score(examples).scores(&self.engine.scoring)
    }

    /// One step of the optimizer on one batch; the scores are those before the step.
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape or a label does not fit the model, or a value is NaN or infinite;
    /// [`Error::Diverged`] if the loss is no finite number: then no step is taken.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let points = Array4::from_shape_vec((2, 1, 1, 2), vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    /// let before = model.train_on_batch(&points, &[0, 1])?;
    /// let after = model.train_on_batch(&points, &[0, 1])?;
    /// assert!(after.loss < before.loss);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn train_on_batch<'a>(
        &mut self,
        images: impl Into<Inputs<'a>>,
        targets: impl Into<Targets<'a>>,
    ) -> Result<Scores> {
        let data = (images, targets).into();
        in_pool(|| {
            let scores = self.run_on_batch(data)?;
            self.engine.update(&self.optimizer, &mut self.state);
            Ok(scores)
        })
    }

    /// The scores of one batch, and the gradients of its mean loss with respect to every weight; nothing is changed.
    /// Dropout drops as it would in the next step.
    ///
    /// # Errors
    /// As [`train_on_batch`](Self::train_on_batch).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// let mut model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let points = Array4::from_shape_vec((2, 1, 1, 2), vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    /// let (_, gradients) = model.gradients(&points, &[0, 1])?;
    /// assert_eq!(gradients[0].name, "dense/kernel");
    /// // A step of plain gradient descent is the learning rate times the gradient.
    /// let before = model.get_weights();
    /// model.train_on_batch(&points, &[0, 1])?;
    /// let step = &before[0].values - &model.get_weights()[0].values;
    /// assert!((step - &gradients[0].values * 0.5).iter().all(|difference| difference.abs() < 1e-6));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn gradients<'a>(
        &mut self,
        images: impl Into<Inputs<'a>>,
        targets: impl Into<Targets<'a>>,
    ) -> Result<(Scores, Vec<Weight>)> {
        let scores = self.run_on_batch((images, targets).into())?;
        self.engine.sum_gradients();
        Ok((scores, named(self.engine.plan.parameters.trained(), self.engine.gradients())))
    }

    fn run_on_batch(&mut self, data: LabelledInputs<'_>) -> Result<Scores> {
        let examples = self.check_labelled(data)?;
        self.engine.run_batch(&Examples::of(&examples), self.seed, self.state.step);
        check_loss(self.engine.tally(), self.epochs + 1, self.state.step as usize + 1)?;
        Ok(self.engine.tally().scores(&self.engine.scoring))
    }

    /// The images with their targets, in memory order, if they fit the model.
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape, their number, a target or a weight does not fit.
    pub(crate) fn check_labelled<'a>(&self, data: LabelledInputs<'a>) -> Result<OrderedExamples<'a>> {
        self.check_shape(data.images().shape())?;
        let examples = data.checked()?;
        self.engine.scoring.check_targets(&examples.targets)?;
        Ok(examples)
    }

    fn check_shape(&self, found: Shape) -> Result<()> {
        check_shape(self.engine.plan.input(), found)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, seed, optimizer, epochs, state: _, engine: _, ongoing: _ } = self;
        let mut model = f.debug_struct("Model");
        model.field("layers", &network.layers).field("seed", seed);
        model.field("loss", &self.loss()).field("metrics", &self.metrics());
        model.field("optimizer", optimizer).field("epochs", epochs).finish_non_exhaustive()
    }
}

/// # Errors
/// [`Error::Diverged`] unless the loss is finite.
pub(crate) fn check_loss(tally: &Tally, epoch: usize, step: usize) -> Result<()> {
    let loss = tally.mean_loss();
    if loss.is_finite() { Ok(()) } else { Err(Error::Diverged { epoch, step, loss }) }
}

/// Whether images fit a model's input.
///
/// # Errors
/// [`Error::Data`] if they do not.
pub(crate) fn check_shape(input: Shape, found: Shape) -> Result<()> {
    if found.as_image() == input.as_image() {
        return Ok(());
    }
    let (height, width, channels) = found.as_image();
    Err(Error::Data(match (input, found) {
        (Shape::Image { .. }, Shape::Image { .. }) => format!("the model expects images of {input}, got {found}"),
        (Shape::Image { height, width, channels }, Shape::Vector(features)) => format!(
            "the model expects images of {input}, an array of (N, {height}, {width}, {channels}), got a table with rows of {features} \
             features"
        ),
        (Shape::Vector(expected), Shape::Image { height: 1, width: 1, channels: features })
        | (Shape::Vector(expected), Shape::Vector(features)) => format!(
            "the model expects rows of {expected} features, a table of (N, {expected}), got rows of {features} features"
        ),
        (Shape::Vector(expected), Shape::Image { .. }) => format!(
            "the model expects rows of {expected} features, a table of (N, {expected}), got images of {found}: add `Flatten`, as in \
             `Sequential::new([{height}, {width}, {channels}]).add(Flatten::new())`"
        ),
    }))
}
