//! A model that can be used: evaluate, take steps, read and write weights. `ongoing` records a training in progress;
//! training over epochs is in `fit`.

mod callback_state;
mod description;
mod distributing;
mod monte_carlo;
mod ongoing;
mod passes;
mod predicting;
mod privacy;
mod states;
mod text;
mod weights;

pub use callback_state::CallbackState;
pub use monte_carlo::DropoutPrediction;
pub(crate) use ongoing::{Ongoing, Position};
pub use passes::{ForwardPass, Gradients, Mode, OutputGradients};
pub(crate) use predicting::{check_room, check_scratch, shaped, shaped_rows, split_outputs, write_outputs};
pub use weights::Weight;
pub(crate) use weights::{named, store};

use crate::accounting::Accountant;
use crate::data::{self, Inputs, LabelledInputs, OneOrMore, OrderedExamples, OrderedImages, Targets, nouns};
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::exec::Weights;
use crate::layers::Network;
use crate::metrics::{Metric, Scores};
use crate::objective::Objective;
use crate::optimizer::{Optimizer, OptimizerState};
use crate::plan::{Plan, Wanted};
use crate::shape::Shape;
use crate::simd::Level;
use crate::train::{Decision, Engine, Examples, Scoring, Tally, Undecided, initial_weights};
use std::collections::HashSet;
use std::sync::Arc;

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
    /// What its private trainings have told of each example.
    pub(crate) privacy: Accountant,
    /// How its tokens are made of texts, if that was said.
    pub(crate) text: Option<Arc<data::TextVectorization>>,
}

impl Model {
    pub(crate) fn new(network: Network, seed: u64, optimizer: Optimizer, objectives: Vec<Objective>) -> Result<Self> {
        let plan = Plan::new(&network, Wanted::OfParameters)?;
        let weights = initial_weights(&plan, seed);
        Self::of_plan(plan, weights, network, seed, optimizer, &objectives)
    }

    /// The model of a plan of this network, with these weights.
    pub(crate) fn of_plan(
        plan: Plan,
        weights: Weights,
        network: Network,
        seed: u64,
        optimizer: Optimizer,
        objectives: &[Objective],
    ) -> Result<Self> {
        check_objectives(&plan, objectives)?;
        optimizer.check()?;
        let variables = plan.parameters.trained().map(|parameter| parameter.range.clone());
        let state = OptimizerState::new(&optimizer, plan.parameters.trained_len, variables);
        let scoring = Scoring::new(&plan, objectives);
        if let always_one @ Decision::Undecided(Undecided::AlwaysOne) = Decision::new(&plan, &scoring) {
            always_one.check()?;
        }
        scoring.check_metrics()?;
        check_score_names(&scoring.names())?;
        let ongoing = Ongoing::new(scoring.tally());
        let inference = plan.for_inference(&network)?;
        let engine = Engine::new(plan, inference, scoring, weights, Level::new());
        Ok(Self { network, seed, optimizer, state, engine, epochs: 0, ongoing, privacy: Accountant::new(), text: None })
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
    /// [`Error::Model`] if all weights are frozen; [`Error::Diverged`] if the loss is no finite number: then no step is
    /// taken.
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
        self.check_trainable()?;
        let data: LabelledInputs<'_> = (images, targets).into();
        self.engine.crew_of_step(data.images().len()).run(|| {
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
        self.engine.keep_moments();
        Ok((scores, named(self.engine.plan.parameters.trained(), self.engine.gradients())))
    }

    fn run_on_batch(&mut self, data: LabelledInputs<'_>) -> Result<Scores> {
        let examples = self.check_labelled(data).inspect_err(|error| self.tell_others(error))?;
        self.check_states(examples.len())?;
        self.meet_others(Call::Step, examples.len())?;
        self.engine.run_batch(&Examples::of(&examples), self.seed, self.state.step)?;
        check_loss(self.engine.tally(), self.epochs + 1, self.state.step as usize + 1)?;
        Ok(self.engine.tally().scores(&self.engine.scoring))
    }

    /// The images with their targets, in memory order, if they fit the model.
    ///
    /// # Errors
    /// [`Error::Data`] if the images' shape, their number, a target or a weight does not fit.
    pub(crate) fn check_labelled<'a>(&self, data: LabelledInputs<'a>) -> Result<OrderedExamples<'a>> {
        self.check_shapes(data.images())?;
        self.check_target_shapes(data.targets())?;
        let examples = data.checked()?;
        check_tokens(&self.engine.plan, &examples.images)?;
        self.engine.scoring.check_targets(examples.targets.as_slice())?;
        Ok(examples)
    }

    /// Whether there is anything to train, if there are weights at all.
    ///
    /// # Errors
    /// [`Error::Model`] if all weights are frozen.
    pub(crate) fn check_trainable(&self) -> Result<()> {
        let parameters = &self.engine.plan.parameters;
        if parameters.all.is_empty() || parameters.trained().next().is_some() {
            return Ok(());
        }
        let weights = parameters.all.len();
        Err(Error::Model(format!(
            "has nothing to train, as all of its {weights} weights are frozen: leave a layer `trainable`, or take the \
             model apart with `pretrained`, and `unfreeze_layers` or `add` one"
        )))
    }

    fn check_shapes(&self, found: &Inputs<'_>) -> Result<()> {
        check_shapes(&self.engine.plan, found)
    }

    /// Whether there are targets for each output, and those with axes of their own have the output's.
    fn check_target_shapes(&self, targets: &Targets<'_>) -> Result<()> {
        let heads = &self.engine.plan.heads;
        let found = targets.shapes();
        if found.len() != heads.len() {
            let (expected, found) = (heads.len(), found.len());
            return Err(Error::Data(format!(
                "the model has {expected} output{}, got targets for {found}{}",
                if expected == 1 { "" } else { "s" },
                if found < expected { ": give a tuple or a vector of targets" } else { "" }
            )));
        }
        heads.iter().zip(found).try_for_each(|(head, found)| check_target_shape(head.shape, found))
    }
}

/// Whether targets of these axes, or classes, can be compared with an output of this shape.
fn check_target_shape(output: Shape, found: Option<&[usize]>) -> Result<()> {
    let (Some(&last), Some(len)) = (output.axes().last(), output.len()) else { return Ok(()) };
    match found {
        // Behind a single pixel or step a class is as good as anywhere.
        None if len == last => Ok(()),
        None => Err(Error::Data(format!(
            "targets must have the output's shape, {output}, got labels: give arrays of that shape, or a data set with such values; \
             of an autoencoder they are its inputs, `dataset.with_values(&dataset)`"
        ))),
        Some(axes) if axes.len() <= 1 || axes == output.axes() => Ok(()),
        Some(axes) => {
            let found: Vec<String> = axes.iter().map(usize::to_string).collect();
            Err(Error::Data(format!("targets must have the output's shape, {output}, got ({})", found.join(", "))))
        }
    }
}

/// # Errors
/// [`Error::Diverged`] unless the loss is finite.
pub(crate) fn check_loss(tally: &Tally, epoch: usize, step: usize) -> Result<()> {
    let loss = tally.mean_loss();
    if loss.is_finite() { Ok(()) } else { Err(Error::Diverged { epoch, step, loss }) }
}

/// Whether there is an objective for each output, and it can be met.
///
/// # Errors
/// [`Error::Model`] or [`Error::Setting`] for the first that cannot.
pub(crate) fn check_objectives(plan: &Plan, objectives: &[Objective]) -> Result<()> {
    let (outputs, found) = (plan.heads.len(), objectives.len());
    if found != outputs {
        return Err(Error::Model(format!("has {outputs} outputs, got {found} objectives: give one for each output")));
    }
    for (index, (head, Objective { loss, weight, .. })) in plan.heads.iter().zip(objectives).enumerate() {
        let is_regularized = plan.activities.iter().any(|(value, _)| *value == head.value);
        let check = || {
            loss.check(head.function).map_err(|error| match error {
            Error::Model(fault) if is_regularized => Error::Model(format!(
                "{fault}; an activity_regularizer on a last softmax or sigmoid hides it from the loss: leave it out there"
            )),
            other => other,
        })
        };
        loss.check_shape(head.shape).and_then(|()| check()).map_err(|error| match error {
            Error::Model(fault) if outputs > 1 => {
                Error::Model(format!("has the output {index}, {}, which {fault}", head.name))
            }
            other => other,
        })?;
        if !(weight.is_finite() && *weight >= 0.0) {
            let (expected, received) = ("finite and at least 0", weight.to_string());
            return Err(Error::Setting { name: "weight", expected, received });
        }
    }
    let metrics = objectives.iter().zip(&plan.heads);
    Metric::check_all(metrics.map(|(objective, head)| (&objective.metrics[..], head.scored_len())))
}

/// Whether every score has a name of its own in logs, where those of validation data begin with `val_`.
///
/// # Errors
/// [`Error::Model`] for the first that has not.
fn check_score_names(names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    let logged = names.iter().cloned().chain(names.iter().map(|name| format!("val_{name}")));
    match logged.into_iter().find(|name| !seen.insert(name.clone())) {
        None => Ok(()),
        Some(name) => Err(Error::Model(format!(
            "has two scores that logs would call {name}: give the layers of its outputs other names"
        ))),
    }
}

/// Whether examples fit a model's inputs.
///
/// # Errors
/// [`Error::Data`] if they do not.
pub(crate) fn check_shapes(plan: &Plan, found: &Inputs<'_>) -> Result<()> {
    let found = found.shapes();
    let (expected, count) = (plan.inputs.len(), found.len());
    if count != expected {
        return Err(Error::Data(format!(
            "the model has {expected} input{}, got {count}{}",
            if expected == 1 { "" } else { "s" },
            if count < expected { ": give a tuple or a vector of inputs" } else { "" }
        )));
    }
    for (index, (input, found)) in plan.input_shapes().zip(found).enumerate() {
        let fits = match found {
            Some(found) => check_shape(input, found),
            None => Err(Error::Data(format!(
                "the model expects examples of {input} behind the axis of the batch, got an array that has not two to five axes"
            ))),
        };
        fits.map_err(|error| match error {
            Error::Data(fault) if expected > 1 => Error::Data(format!("input {index}: {fault}")),
            other => other,
        })?;
    }
    Ok(())
}

/// Whether inputs that hold tokens hold those that the model's tables have rows for.
///
/// # Errors
/// [`Error::Data`] for the first that does not.
pub(crate) fn check_tokens(plan: &Plan, inputs: &OneOrMore<OrderedImages<'_>>) -> Result<()> {
    let lens = (0..plan.inputs.len()).map(|input| plan.input_len(input));
    data::check_tokens(inputs.as_slice(), &plan.token_limits, lens)
}

/// Whether images fit a model's input.
///
/// # Errors
/// [`Error::Data`] if they do not.
fn check_shape(input: Shape, found: Shape) -> Result<()> {
    let is_pixel = matches!((input.axes(), found.axes()), ([_], [1, 1, _]));
    if found == input || is_pixel && found.channels() == input.channels() {
        return Ok(());
    }
    Err(Error::Data(match (input.axes(), found.axes()) {
        ([_, _, _], [_, _, _]) => format!("the model expects images of {input}, got {found}"),
        ([height, width, channels], [features]) => format!(
            "the model expects images of {input}, an array of (N, {height}, {width}, {channels}), got a table with rows of {features} \
             features"
        ),
        ([expected], [1, 1, features] | [features]) => format!(
            "the model expects rows of {expected} features, a table of (N, {expected}), got rows of {features} features"
        ),
        ([expected], [height, width, channels]) => format!(
            "the model expects rows of {expected} features, a table of (N, {expected}), got images of {found}: add `Flatten`, as in \
             `Sequential::new([{height}, {width}, {channels}]).add(Flatten::new())`"
        ),
        (_, _) => format!("the model expects {} of {input}, got {} of {found}", nouns(input)[1], nouns(found)[1]),
    }))
}
