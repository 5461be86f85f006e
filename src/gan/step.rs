//! One step of the discriminator, and one of the generator.

use super::loss::{Judged, ScoreLoss};
use super::{Gan, inputs, label_rows};
use crate::data::first_not_finite;
use crate::error::{Error, Result};
use crate::model::{ForwardPass, Model};
use crate::random::{Stream, normal, stream};
use crate::train::{Moments, PassGradients};
use ndarray::{Array2, ArrayD, ArrayView1};
use std::borrow::Cow;

/// The losses of a batch, as [`Gan::train_on_batch`] returns them: those before its steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GanScores {
    /// The sum of the mean losses of real and of generated images.
    pub discriminator_loss: f64,
    /// The generator's mean loss, through the discriminator behind its step; `None` if the generator took none.
    pub generator_loss: Option<f64>,
    /// The share of real images that the discriminator takes for real.
    pub real_accuracy: f64,
    /// The share of generated images that it does not take for real.
    pub generated_accuracy: f64,
}

/// What a batch's scores cost: the mean loss with its gradient, (N), and the share of images that is taken for real.
struct Judgement {
    loss: f64,
    gradient: Vec<f32>,
    taken_for_real: f64,
}

/// Room for the gradients of a step's backward passes.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    of_real: PassGradients,
    of_generated: PassGradients,
    of_images: PassGradients,
    of_generator: PassGradients,
}

/// The passes of a step that see an image, each with noise of its own.
#[derive(Clone, Copy)]
enum Pass {
    Real,
    Generated,
    OfGenerator,
}

impl Gan {
    /// One step of the discriminator on these images and what the generator makes of these latent vectors, then one of
    /// the generator, unless the discriminator is to take [several](Self::discriminator_steps).
    ///
    /// - images: (N, and the discriminator's input); labels: the class of each, none for models that take no label;
    ///   latent: (N, latent numbers)
    ///
    /// # Errors
    /// [`Error::Data`] if they don't fit the models or each other; [`Error::Diverged`] if a loss or a generated image is
    /// NaN or infinite, [`Error::WeightDiverged`] if a gradient is: then that model takes no step.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::{Gan, GanLoss};
    /// use inkstone::ndarray::{Array2, ArrayD};
    /// # let generator = Sequential::new([2]).add(Dense::new(3)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// # let discriminator = Sequential::new([3]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// let mut gan = Gan::new(generator, discriminator, GanLoss::LeastSquares)?;
    /// let latent = gan.latent_vectors(4, 0);
    /// let scores = gan.train_on_batch(&ArrayD::ones(vec![4, 3]), &[], &latent)?;
    /// assert!(scores.discriminator_loss > 0.0 && scores.generator_loss.is_some());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn train_on_batch(
        &mut self,
        images: &ArrayD<f32>,
        labels: &[usize],
        latent: &Array2<f32>,
    ) -> Result<GanScores> {
        self.settings.check()?;
        let count = images.shape().first().copied().unwrap_or(0);
        if count == 0 || latent.nrows() != count {
            return Err(Error::Data(format!(
                "there must be at least one image and a latent vector for each, got {count} images and {} vectors",
                latent.nrows()
            )));
        }
        let latent = latent.view().into_dyn().into_owned();
        let rows = label_rows(&self.generator, labels, count)?;
        let generated = self.generator.forward_to_train(inputs(&latent, rows.as_ref()))?;
        if let Some((_, value)) = first_not_finite(&generated.output().view()) {
            self.finite(f64::from(value))?;
        }
        self.is_averaged = false;
        let rows = label_rows(&self.discriminator, labels, count)?;
        let mut scores = self.step_of_discriminator(images, generated.output(), rows.as_ref())?;
        self.position.steps += 1;
        if self.position.steps.is_multiple_of(self.settings.discriminator_steps) {
            scores.generator_loss = Some(self.step_of_generator(generated, rows.as_ref())?);
        }
        Ok(scores)
    }

    /// - labels: (N, values of the discriminator's second input)
    fn step_of_discriminator(
        &mut self,
        real: &ArrayD<f32>,
        generated: &ArrayD<f32>,
        labels: Option<&Array2<f32>>,
    ) -> Result<GanScores> {
        let (loss, smoothing) = (self.settings.loss, self.settings.label_smoothing);
        let model = &self.discriminator;
        let judge = |images: &ArrayD<f32>, pass, judged| -> Result<(ForwardPass, Judgement)> {
            let pass = model.forward_to_train(inputs(&self.noised(images, pass), labels))?;
            let of_score = |score| loss.of_discriminator(score, judged, smoothing);
            let judgement = Judgement::of(pass.output(), loss.threshold(), of_score);
            Ok((pass, judgement))
        };
        let (pass_of_real, real) = judge(real, Pass::Real, Judged::Real)?;
        let (pass_of_generated, generated) = judge(generated, Pass::Generated, Judged::Generated)?;
        let discriminator_loss = self.finite(real.loss + generated.loss)?;
        let mut room = std::mem::take(&mut self.room);
        let model = &self.discriminator;
        model.backward_flat(pass_of_real, &real.gradient, Moments::TakenUp, &mut room.of_real);
        model.backward_flat(pass_of_generated, &generated.gradient, Moments::TakenUp, &mut room.of_generated);
        let sum = &mut room.of_real.parameters;
        sum.iter_mut().zip(room.of_generated.parameters.iter()).for_each(|(sum, other)| *sum += other);
        if let Err(error) = self.check_gradients(model, sum) {
            self.discriminator.engine.drop_moments();
            return Err(error);
        }
        self.discriminator.apply_flat(sum);
        self.room = room;
        if let Some(limit) = loss.clip() {
            self.discriminator.clip_weights(limit);
        }
        let (real_accuracy, generated_accuracy) = (real.taken_for_real, 1.0 - generated.taken_for_real);
        Ok(GanScores { discriminator_loss, generator_loss: None, real_accuracy, generated_accuracy })
    }

    /// The loss of the generator, through the discriminator, and its step.
    fn step_of_generator(&mut self, generated: ForwardPass, labels: Option<&Array2<f32>>) -> Result<f64> {
        let loss = self.settings.loss;
        let images = self.noised(generated.output(), Pass::OfGenerator);
        let pass = self.discriminator.forward_to_see_through(inputs(&images, labels))?;
        let judged = Judgement::of(pass.output(), loss.threshold(), |score| loss.of_generator(score));
        let generator_loss = self.finite(judged.loss)?;
        let mut room = std::mem::take(&mut self.room);
        let Room { of_images, of_generator, .. } = &mut room;
        self.discriminator.backward_flat(pass, &judged.gradient, Moments::LeftOut, of_images);
        self.generator.backward_flat(generated, &of_images.inputs[0], Moments::TakenUp, of_generator);
        if let Err(error) = self.check_gradients(&self.generator, &of_generator.parameters) {
            self.generator.engine.drop_moments();
            return Err(error);
        }
        self.generator.apply_flat(&of_generator.parameters);
        self.room = room;
        Ok(generator_loss)
    }

    /// Images with noise added, if there is to be any in this epoch.
    fn noised<'a>(&self, images: &'a ArrayD<f32>, pass: Pass) -> Cow<'a, ArrayD<f32>> {
        let deviation = self.settings.noise_in(self.position.epochs);
        if deviation == 0.0 {
            return Cow::Borrowed(images);
        }
        let mut noised = images.as_standard_layout().into_owned();
        let (seed, step) = (self.settings.seed, self.position.steps);
        for (example, mut image) in noised.outer_iter_mut().enumerate() {
            let mut random = stream(seed, Stream::InstanceNoise { pass: pass as usize, step, example });
            image.iter_mut().for_each(|value| *value += deviation * normal(&mut random));
        }
        Cow::Owned(noised)
    }

    /// # Errors
    /// [`Error::Diverged`] unless a loss, or a value of an image that has been generated, is finite.
    fn finite(&self, loss: f64) -> Result<f64> {
        if loss.is_finite() {
            return Ok(loss);
        }
        Err(Error::Diverged { epoch: self.position.epochs + 1, step: self.position.batches + 1, loss })
    }

    /// # Errors
    /// [`Error::WeightDiverged`] unless all gradients are finite.
    fn check_gradients(&self, model: &Model, gradients: &[f32]) -> Result<()> {
        let Some((place, value)) = first_not_finite(&ArrayView1::from(gradients)) else { return Ok(()) };
        let mut trained = model.engine.plan.parameters.trained();
        let name =
            trained.find(|parameter| parameter.range.contains(&place[0])).map(|parameter| parameter.name.as_str());
        let name = format!("the gradient of {}", name.unwrap_or_default());
        Err(Error::WeightDiverged { epoch: self.position.epochs + 1, name, value })
    }
}

impl Judgement {
    /// - scores: (N, 1)
    fn of(scores: &ArrayD<f32>, threshold: f32, loss: impl Fn(f32) -> ScoreLoss) -> Self {
        let share = 1.0 / scores.len() as f64;
        let found: Vec<ScoreLoss> = scores.iter().map(|score| loss(*score)).collect();
        let taken_for_real = scores.iter().filter(|score| **score > threshold).count();
        Self {
            loss: found.iter().map(|score| score.loss).sum::<f64>() * share,
            gradient: found.iter().map(|score| (f64::from(score.derivative) * share) as f32).collect(),
            taken_for_real: taken_for_real as f64 * share,
        }
    }
}
