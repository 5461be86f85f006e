//! Two models that are trained against each other: what they must be, and what they generate. `step` has a step of
//! both, `fit` the loop, `checkpoint` the file.

mod checkpoint;
mod config;
mod fit;
mod history;
mod loss;
mod position;
mod step;

pub use config::GanConfig;
pub use history::{GanEpoch, GanHistory, GanWarning};
pub use loss::GanLoss;
pub use step::GanScores;

use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::model::Model;
use crate::random::{Stream, fresh_seed, normal, stream};
use crate::shape::Shape;
use ndarray::{Array2, ArrayD};
use position::Position;
use serde::{Deserialize, Serialize};
use step::Room;

/// A generative adversarial network: a generator, which makes images of vectors of random numbers, and a
/// discriminator, which tells them from real ones. [The chapter on generative networks](crate::generative) explains
/// them, and has the loop that [`fit`](Self::fit) is.
///
/// - The generator takes a latent vector, numbers of the normal distribution of mean 0 and deviation 1, and gives what
///   the data has: images, (H, W, C), or rows, (F).
/// - The discriminator takes that, and gives one number, its score, without an activation.
/// - If both take a label as their second input, it is the image's class: an input of one value gets its number, as
///   an [`Embedding`](crate::layers::Embedding) takes it, one of several gets it one-hot. Generated images get the
///   labels of the step's real ones.
///
/// Each model is compiled with its own optimizer, whose moving average of the weights, if it keeps one, replaces them
/// when `fit` ends, but for one that is interrupted. The losses that they are compiled with are not used: [`GanLoss`] has what they are trained for.
/// Normalization over the batch takes real and generated images apart, and moving statistics of the discriminator
/// follow its own steps alone. Dropout drops the same of the real and of the generated example at one place of a batch.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::{Gan, GanConfig, GanLoss};
/// use inkstone::ndarray::Array2;
/// // Points on a circle.
/// let angle = |n: usize| n as f32 * 0.1;
/// let points = Array2::from_shape_fn((256, 2), |(n, axis)| if axis == 0 { angle(n).cos() } else { angle(n).sin() });
/// let data = Dataset::from_table(points, vec![0; 256])?;
/// let generator = Sequential::new([4])
///     .add(Dense::new(16).activation(Relu))
///     .add(Dense::new(2))
///     .seed(1)
///     .compile(Adam::new(0.002).beta_1(0.5), MeanSquaredError, [])?;
/// let discriminator = Sequential::new([2])
///     .add(Dense::new(16).activation(LeakyRelu))
///     .add(Dense::new(1))
///     .seed(2)
///     .compile(Adam::new(0.002).beta_1(0.5), MeanSquaredError, [])?;
///
/// let mut gan = Gan::new(generator, discriminator, GanLoss::NonSaturating)?.seed(3);
/// let history = gan.fit(&data, GanConfig::new().epochs(5).batch_size(32).verbose(0))?;
/// assert_eq!(history.generator_losses().len(), 5);
/// let latent = gan.latent_vectors(10, 7);
/// assert_eq!(gan.generate(&latent, &[])?.shape(), [10, 2]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gan {
    generator: Model,
    discriminator: Model,
    settings: Settings,
    position: Position,
    /// Whether the weights are their moving averages, if the optimizers keep some, as behind the last epoch of a `fit`.
    is_averaged: bool,
    room: Room,
}

/// How the models are trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    loss: GanLoss,
    label_smoothing: f32,
    /// Its deviation in the first epoch, and the epoch in which there is none any more.
    instance_noise: (f32, usize),
    discriminator_steps: u64,
    seed: u64,
}

impl Gan {
    /// Two models that are to be trained against each other.
    ///
    /// # Errors
    /// [`Error::Model`] if what the generator gives is not what the discriminator takes, the discriminator does not end
    /// with one number without an activation, not both or neither take a label, or one has regularizers, which this
    /// training does not know.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::{Gan, GanLoss};
    /// let generator = Sequential::new([8]).add(Dense::new(64)).add(Reshape::new([8, 8, 1]));
    /// let discriminator = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(1));
    /// let generator = generator.compile(Adam::default(), MeanSquaredError, [])?;
    /// let discriminator = discriminator.compile(Adam::default(), MeanSquaredError, [])?;
    /// assert_eq!(
    ///     Gan::new(generator, discriminator, GanLoss::Hinge).unwrap_err().to_string(),
    ///     "the model that generates gives (8, 8, 1), but the discriminator expects (28, 28, 1): give both the shape of \
    ///      the data"
    /// );
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn new(generator: Model, discriminator: Model, loss: GanLoss) -> Result<Self> {
        check_models(&generator, &discriminator)?;
        let settings = Settings {
            loss,
            label_smoothing: 0.0,
            instance_noise: (0.0, 0),
            discriminator_steps: 1,
            seed: fresh_seed(),
        };
        Ok(Self {
            generator,
            discriminator,
            settings,
            position: Position::default(),
            is_averaged: false,
            room: Room::default(),
        })
    }

    /// Sets the seed of latent vectors, of the order of the data and of instance noise; another one for each `Gan`. The
    /// models have their own, for their initial weights and for dropout. With the same seeds a training gives the same
    /// bits on any number of threads.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Sets how far the label of real images is moved from 1 towards 0, for the losses `NonSaturating` and
    /// `LeastSquares`; 0. A tenth keeps a discriminator from being too sure ([Salimans et al.,
    /// 2016](https://arxiv.org/abs/1606.03498)).
    #[must_use]
    pub fn label_smoothing(mut self, label_smoothing: f32) -> Self {
        self.settings.label_smoothing = label_smoothing;
        self
    }

    /// Adds noise of the normal distribution to all images that the discriminator sees, real and generated: of this
    /// deviation in the first epoch, then less, and none from epoch number `epochs` on, counted from 0. It keeps a
    /// discriminator from telling all images apart ([Sønderby et al., 2016](https://arxiv.org/abs/1610.04490)).
    #[must_use]
    pub fn instance_noise(mut self, deviation: f32, epochs: usize) -> Self {
        self.settings.instance_noise = (deviation, epochs);
        self
    }

    /// Sets how many steps of the discriminator, each on a batch of its own, come with one of the generator; 1.
    #[must_use]
    pub fn discriminator_steps(mut self, steps: u64) -> Self {
        self.settings.discriminator_steps = steps;
        self
    }

    /// The generator.
    #[must_use]
    pub fn generator(&self) -> &Model {
        &self.generator
    }

    /// The generator, to set its learning rate or weights.
    #[must_use]
    pub fn generator_mut(&mut self) -> &mut Model {
        &mut self.generator
    }

    /// The discriminator.
    #[must_use]
    pub fn discriminator(&self) -> &Model {
        &self.discriminator
    }

    /// The discriminator, to set its learning rate or weights.
    #[must_use]
    pub fn discriminator_mut(&mut self) -> &mut Model {
        &mut self.discriminator
    }

    /// Both models, generator first.
    #[must_use]
    pub fn into_models(self) -> (Model, Model) {
        (self.generator, self.discriminator)
    }

    /// Completed epochs of training.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.position.epochs
    }

    /// Latent vectors for [`generate`](Self::generate), the same for the same seed: (count, latent numbers).
    #[must_use]
    pub fn latent_vectors(&self, count: usize, seed: u64) -> Array2<f32> {
        self.draw_latent(count, seed, u64::MAX)
    }

    /// What the generator makes of latent vectors: (N, and the shape of its output).
    ///
    /// - latent: (N, latent numbers); labels: the class of each, none for a generator that takes no label
    ///
    /// # Errors
    /// [`Error::Data`] if there is not a label for each vector or one is out of range, or the vectors have another
    /// length than the generator's input.
    pub fn generate(&self, latent: &Array2<f32>, labels: &[usize]) -> Result<ArrayD<f32>> {
        let latent = latent.view().into_dyn().into_owned();
        let labels = label_rows(&self.generator, labels, latent.shape()[0])?;
        self.generator.predict(inputs(&latent, labels.as_ref()))
    }

    /// One vector for each example of a step.
    fn draw_latent(&self, count: usize, seed: u64, step: u64) -> Array2<f32> {
        let len = self.generator.engine.plan.input_len(0);
        let mut latent = Array2::zeros((count, len));
        for (example, mut row) in latent.rows_mut().into_iter().enumerate() {
            let mut random = stream(seed, Stream::Latent { step, example });
            row.iter_mut().for_each(|value| *value = normal(&mut random));
        }
        latent
    }

    /// Whether the models take labels.
    fn is_conditional(&self) -> bool {
        self.generator.engine.plan.inputs.len() > 1
    }
}

impl Settings {
    /// # Errors
    /// [`Error::Setting`] for a number out of range.
    fn check(&self) -> Result<()> {
        self.loss.check(self.label_smoothing)?;
        let setting = |name, expected, received| Err(Error::Setting { name, expected, received });
        if !(self.instance_noise.0.is_finite() && self.instance_noise.0 >= 0.0) {
            return setting("instance_noise", "finite and at least 0", self.instance_noise.0.to_string());
        }
        if self.discriminator_steps == 0 {
            return setting("discriminator_steps", "at least 1", "0".into());
        }
        Ok(())
    }

    /// The deviation of what is added to images in an epoch.
    fn noise_in(&self, epoch: usize) -> f32 {
        let (deviation, epochs) = self.instance_noise;
        if epoch >= epochs { 0.0 } else { deviation * (epochs - epoch) as f32 / epochs as f32 }
    }
}

/// # Errors
/// [`Error::Model`] unless the two can be trained against each other.
fn check_models(generator: &Model, discriminator: &Model) -> Result<()> {
    let fault = |fault| Err(Error::Model(fault));
    let (making, judging) = (&generator.engine.plan, &discriminator.engine.plan);
    let counts = [making, judging].map(|plan| (plan.inputs.len(), plan.heads.len()));
    let [of_generator, of_discriminator] = counts;
    if !matches!(counts, [(1, 1), (1, 1)] | [(2, 1), (2, 1)]) {
        return fault(format!(
            "that generates has {} inputs and {} outputs, and the discriminator {} and {}: both must have one output, and either one \
             input or, as the second, a label",
            of_generator.0, of_generator.1, of_discriminator.0, of_discriminator.1
        ));
    }
    let shape = |plan: &crate::plan::Plan, input: usize| plan.input_shapes().nth(input);
    let (made, expected) = (making.head().shape, judging.input());
    if made != expected {
        return fault(format!(
            "that generates gives {made}, but the discriminator expects {expected}: give both the shape of the data"
        ));
    }
    if shape(making, 0).is_none_or(|latent| latent.axes().len() != 1) {
        return fault(format!("that generates expects {}, expected a vector of latent numbers", making.input()));
    }
    for plan in [making, judging] {
        if let Some(label) = shape(plan, 1).filter(|label| label.axes().len() != 1) {
            return fault(format!("expects {label} as its second input, expected a vector for the label"));
        }
        if plan.parameters.add_penalties() || !plan.activities.is_empty() {
            return fault("has regularizers, which the training of a GAN does not know: use `weight_decay`".into());
        }
    }
    let head = judging.head();
    if head.shape != Shape::from([1]) || head.function != OutputFunction::Linear {
        let end = match head.function {
            OutputFunction::Linear => "",
            OutputFunction::Softmax => " and a softmax",
            OutputFunction::Sigmoid => " and a sigmoid",
        };
        return fault(format!(
            "that discriminates ends with {}{end}, expected one number without an activation: end it with `Dense::new(1)`",
            head.shape
        ));
    }
    Ok(())
}

/// The labels as the second input of a model, if it has one: (N, values of that input).
///
/// # Errors
/// [`Error::Data`] if there is not one label for each of `count` examples, or one that is too large; or if there are
/// labels and no input for them.
fn label_rows(model: &Model, labels: &[usize], count: usize) -> Result<Option<Array2<f32>>> {
    let Some(width) = model.engine.plan.input_shapes().nth(1).map(|shape| shape.axes()[0]) else {
        if labels.is_empty() {
            return Ok(None);
        }
        let found = labels.len();
        return Err(Error::Data(format!("the generator takes no label, got {found} labels: give none, as in `&[]`")));
    };
    if labels.len() != count {
        let found = labels.len();
        return Err(Error::Data(format!(
            "the models take a label for each example, got {count} examples and {found} labels"
        )));
    }
    if width == 1 {
        return Ok(Some(Array2::from_shape_fn((count, 1), |(n, _)| labels[n] as f32)));
    }
    if let Some((index, label)) = labels.iter().enumerate().find(|(_, label)| **label >= width) {
        return Err(Error::Data(format!(
            "labels must be from 0 to {}, as the models have an input of {width} values for them, got {label} at index {index}",
            width - 1
        )));
    }
    Ok(Some(Array2::from_shape_fn((count, width), |(n, class)| f32::from(u8::from(labels[n] == class)))))
}

fn inputs<'a>(first: &'a ArrayD<f32>, labels: Option<&'a Array2<f32>>) -> Inputs<'a> {
    match labels {
        Some(labels) => (first, labels).into(),
        None => first.into(),
    }
}
