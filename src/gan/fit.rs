//! The training loop: epochs, their batches, and what is measured and said after each.

use super::config::{BatchCallback, EpochCallback};
use super::position::Sums;
use super::{Gan, GanConfig, GanEpoch, GanHistory};
use crate::clock::Instant;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::random::{Stream, stream};
use crate::training::{Interrupt, say};
use ndarray::{ArrayD, Axis};
use rand::Rng;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// How many images the diversity is measured on.
const SAMPLED: usize = 64;

/// How the batches of an epoch ended.
enum Batches {
    Trained,
    Interrupted,
}

impl Gan {
    /// Trains both models on a data set's images, and on its classes if the models take labels. It goes on where an
    /// earlier call or the checkpoint that the models come from has ended.
    ///
    /// After each epoch it measures how much the generator's images differ, and warns of a discriminator that tells all
    /// images apart and of a generator that makes nearly one image alone: in the history and, unless `verbose` is 0, in
    /// what it prints.
    ///
    /// It allocates in each step: what the models give.
    ///
    /// # Errors
    /// [`Error::Data`] if the data does not fit the models, or has no classes and they take labels; [`Error::Setting`]
    /// for a number out of range; [`Error::Diverged`] or [`Error::WeightDiverged`] if a loss or a gradient becomes NaN
    /// or infinite: then that model takes no step; what the callback returns, and what writing a checkpoint does.
    pub fn fit(&mut self, data: &Dataset, config: GanConfig<'_>) -> Result<GanHistory> {
        config.check()?;
        self.settings.check()?;
        let GanConfig { epochs, batch_size, checkpoint, interrupt, verbose, mut on_batch_end, mut on_epoch_end } =
            config;
        self.open(data, batch_size)?;
        let (interrupt, mut history) = (interrupt.unwrap_or_default(), GanHistory::default());
        let mut has_ended = self.position.epochs >= epochs;
        while !has_ended {
            let start = Instant::now();
            // A callback may have put another `Gan` in place of this one.
            self.open(data, batch_size)?;
            if let Batches::Interrupted = self.batches(data, &interrupt, &mut on_batch_end)? {
                self.write(checkpoint.as_ref())?;
                return Ok(history);
            }
            let mut epoch = self.measure(data)?;
            epoch.seconds = start.elapsed().as_secs_f64();
            if verbose > 0 {
                tell(&epoch, epochs);
            }
            let wish = end_epoch(&mut on_epoch_end, &epoch, self)?;
            history.epochs.push(epoch);
            self.write(checkpoint.as_ref())?;
            has_ended = wish.is_break() || self.position.epochs >= epochs;
        }
        self.put_averages_in_place();
        Ok(history)
    }

    /// Makes the moving averages of the weights the weights, once: a checkpoint of a training that was complete has
    /// those behind its last step.
    fn put_averages_in_place(&mut self) {
        if self.is_averaged || self.position.steps == 0 {
            return;
        }
        for model in [&mut self.generator, &mut self.discriminator] {
            model.engine.finalize_weights(&model.state);
        }
        // The average is one of weights before they were clipped.
        if let Some(limit) = self.settings.loss.clip() {
            self.discriminator.clip_weights(limit);
        }
        self.is_averaged = true;
    }

    /// Makes sure that the data fits, that an epoch goes on with the batches that it was begun with, and that it trains
    /// both models.
    fn open(&mut self, data: &Dataset, batch_size: usize) -> Result<()> {
        self.check_data(data)?;
        self.position.check(data.len(), batch_size)?;
        let batches = data.len().div_ceil(batch_size) as u64;
        if self.settings.discriminator_steps > batches {
            return Err(Error::Setting {
                name: "discriminator_steps",
                expected: "at most the batches of an epoch, so that the generator takes a step in it",
                received: format!("{} with {batches} batches", self.settings.discriminator_steps),
            });
        }
        (self.position.batch_size, self.position.examples) = (batch_size, data.len());
        Ok(())
    }

    /// # Errors
    /// [`Error::Data`] if the data does not fit the models.
    fn check_data(&self, data: &Dataset) -> Result<()> {
        let (expected, found) = (self.discriminator.engine.plan.input(), data.shape());
        if expected != found {
            return Err(Error::Data(format!("the models are for examples of {expected}, got data of {found}")));
        }
        if self.is_conditional() && data.labels().is_empty() {
            return Err(Error::Data(
                "the models take labels, but the data has none: give classes, or models without a second input".into(),
            ));
        }
        Ok(())
    }

    /// The batches of the epoch that are left, up to an interruption.
    fn batches(
        &mut self,
        data: &Dataset,
        interrupt: &Interrupt,
        call: &mut Option<BatchCallback<'_>>,
    ) -> Result<Batches> {
        let seed = self.settings.seed;
        let order = data.shuffle(stream(seed, Stream::Shuffle { epoch: self.position.epochs }).next_u64());
        let size = self.position.batch_size;
        while self.position.batches < data.len().div_ceil(size) {
            if interrupt.is_interrupted() {
                return Ok(Batches::Interrupted);
            }
            let batch = order.skip(self.position.batches * size)?.take(size)?;
            let latent = self.draw_latent(batch.len(), seed, self.position.steps);
            let scores = self.train_on_batch(&images_of(&batch), self.labels_of(&batch), &latent)?;
            self.position.sums.count(&scores, batch.len());
            self.position.batches += 1;
            if let Some(call) = call {
                call(self.position.batches - 1, &scores, self)?;
            }
        }
        Ok(Batches::Trained)
    }

    /// Ends the epoch with what is to be told of it.
    fn measure(&mut self, data: &Dataset) -> Result<GanEpoch> {
        [&self.generator, &self.discriminator]
            .into_iter()
            .try_for_each(|model| model.check_weights(self.epochs() + 1))?;
        let means = self.position.sums.means();
        let mut epoch = GanEpoch {
            epoch: self.position.epochs,
            generator_loss: means.generator_loss.unwrap_or(0.0),
            discriminator_loss: means.discriminator_loss,
            real_accuracy: means.real_accuracy,
            generated_accuracy: means.generated_accuracy,
            diversity: self.diversity(data)?,
            seconds: 0.0,
            warnings: Vec::new(),
        };
        epoch.examine(self.settings.loss, self.settings.label_smoothing);
        (self.position.epochs, self.position.batches, self.position.sums) = (epoch.epoch + 1, 0, Sums::default());
        self.generator.epochs += 1;
        self.discriminator.epochs += 1;
        Ok(epoch)
    }

    /// How much images differ that the generator makes of different vectors and the same label, relative to the data.
    /// Half the mean squared difference of two is the variance.
    fn diversity(&self, data: &Dataset) -> Result<f64> {
        // Data may lie in the order of its classes.
        let some = data.shuffle(self.settings.seed).take(SAMPLED)?;
        let labels = self.labels_of(&some);
        let latent = self.latent_vectors(2 * some.len(), self.settings.seed);
        let (first, second) = latent.view().split_at(Axis(0), some.len());
        let [first, second] = [first, second].map(|latent| self.generate(&latent.to_owned(), labels));
        let (first, second) = (first?, second?);
        let squares = first.iter().zip(&second).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let of_data = variance(&images_of(&some));
        // Data without variance asks for none.
        Ok(if of_data > 0.0 { squares / (2.0 * first.len() as f64) / of_data } else { 1.0 })
    }

    fn labels_of<'d>(&self, data: &'d Dataset) -> &'d [usize] {
        if self.is_conditional() { data.labels() } else { &[] }
    }

    fn write(&self, checkpoint: Option<&PathBuf>) -> Result<()> {
        checkpoint.map_or(Ok(()), |path| self.save_checkpoint(path))
    }
}

fn end_epoch(call: &mut Option<EpochCallback<'_>>, epoch: &GanEpoch, gan: &mut Gan) -> Result<ControlFlow<()>> {
    call.as_mut().map_or(Ok(ControlFlow::Continue(())), |call| call(epoch, gan))
}

/// The images or rows of a data set: (N, and the shape of one).
fn images_of(data: &Dataset) -> ArrayD<f32> {
    let axes: Vec<usize> = [data.len()].iter().chain(data.shape().axes()).copied().collect();
    data.images().into_shape_with_order(axes).expect("the same values, with the axes of an example")
}

/// The mean variance of a value over examples: (N, ...).
fn variance(images: &ArrayD<f32>) -> f64 {
    let count = images.len_of(Axis(0)) as f64;
    let values = images.lanes(Axis(0)).into_iter().map(|values| {
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0)
    });
    values.sum::<f64>() / (images.len() as f64 / count)
}

fn tell(epoch: &GanEpoch, epochs: usize) {
    say(&format!("Epoch {}/{epochs} - {:.1}s - {epoch}", epoch.epoch + 1, epoch.seconds));
    epoch.warnings.iter().for_each(|warning| say(&format!("Warning: {warning}")));
}
