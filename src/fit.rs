//! Training over epochs: the order of examples, batches, validation, and the line that is printed for each epoch.

use crate::data::{Augment, LabelledImages};
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::loss::Tally;
use crate::metrics::Scores;
use crate::model::Model;
use crate::random::{Stream, stream};
use crate::train::Examples;
use rand::seq::SliceRandom;
use std::io::{self, Write};
use std::time::Instant;

/// The arguments of [`Model::fit`], with Keras' names and defaults.
///
/// ```
/// use inkstone::FitConfig;
/// let config = FitConfig::new().epochs(5).batch_size(128);
/// assert_eq!((config.epochs, config.batch_size, config.shuffle, config.verbose), (5, 128, true, 1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FitConfig<'a> {
    /// How often the whole data set is gone through; 1.
    pub epochs: usize,
    /// How many examples make one step of the optimizer; 32. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Whether every epoch has an order of its own; true.
    pub shuffle: bool,
    /// How images are varied at random while training; not at all.
    pub augment: Option<Augment>,
    /// What is scored after each epoch; nothing.
    pub validation_data: Option<LabelledImages<'a>>,
    /// 0 prints nothing; 1 and 2 print a line for each epoch; 1.
    pub verbose: u8,
}

impl Default for FitConfig<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> FitConfig<'a> {
    /// Keras' defaults.
    #[must_use]
    pub fn new() -> Self {
        Self { epochs: 1, batch_size: 32, shuffle: true, augment: None, validation_data: None, verbose: 1 }
    }

    /// Sets how often the whole data set is gone through.
    #[must_use]
    pub fn epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Sets how many examples make one step of the optimizer.
    #[must_use]
    pub fn batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Sets whether every epoch has an order of its own.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        Self { shuffle, ..self }
    }

    /// Sets how images are varied at random while training. Each is drawn anew in each step, from the model's seed.
    #[must_use]
    pub fn augment(self, augment: Augment) -> Self {
        Self { augment: Some(augment), ..self }
    }

    /// Sets what is scored after each epoch: a data set, or a pair of images and labels.
    #[must_use]
    pub fn validation_data(self, data: impl Into<LabelledImages<'a>>) -> Self {
        Self { validation_data: Some(data.into()), ..self }
    }

    /// Sets what is printed: 0 nothing, 1 and 2 a line for each epoch.
    #[must_use]
    pub fn verbose(self, verbose: u8) -> Self {
        Self { verbose, ..self }
    }

    fn check(&self) -> Result<()> {
        let setting =
            |name, expected, received: usize| Error::Setting { name, expected, received: received.to_string() };
        if self.batch_size == 0 {
            return Err(setting("batch_size", "at least 1", 0));
        }
        if self.verbose > 2 {
            return Err(setting("verbose", "0, 1 or 2", usize::from(self.verbose)));
        }
        self.augment.map_or(Ok(()), |augment| augment.check())
    }
}

impl Model {
    /// Trains the model on a data set, or on a pair of images and labels. It may be called again, and goes on where it
    /// stopped.
    ///
    /// It runs in rayon's current thread pool; any number of threads gives the same bits.
    ///
    /// # Errors
    /// [`Error::Data`] if the shape of images or a label does not fit the model, there is not one label for each image, or a
    /// value is NaN or infinite; [`Error::Setting`] for a batch size of 0, a `verbose` above 2, or an
    /// augmentation out of range;
    /// [`Error::Diverged`] if the loss becomes NaN or infinite: training stops, and that step is not taken.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// // Two classes: dark and light.
    /// let images = Array4::from_shape_fn((64, 4, 4, 1), |(n, ..)| if n % 2 == 0 { 0 } else { 255 });
    /// let train = Dataset::from_bytes(images, (0..64).map(|n| n % 2).collect())?;
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .seed(1)
    ///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let history = model.fit(&train, FitConfig::new().epochs(5).verbose(0))?;
    /// assert!(history.losses()[4] < history.losses()[0]);
    /// assert_eq!(model.evaluate(&train)?.accuracy(), 1.0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn fit<'a>(&mut self, data: impl Into<LabelledImages<'a>>, config: FitConfig<'_>) -> Result<History> {
        config.check()?;
        let data = data.into();
        let images = self.check_labelled(&data)?;
        let validation = config.validation_data.map(|data| Ok((self.check_labelled(&data)?, data.labels())));
        let validation = validation.transpose()?;
        let training = Examples::of(&images, data.labels()).augmented(config.augment);
        let validation = validation.as_ref().map(|(images, labels)| Examples::of(images, labels));
        // Inside the pool, handing out work costs a few microseconds less each time.
        rayon::scope(|_| self.fit_checked(&training, validation.as_ref(), &config))
    }

    fn fit_checked(
        &mut self,
        training: &Examples<'_>,
        validation: Option<&Examples<'_>>,
        config: &FitConfig<'_>,
    ) -> Result<History> {
        let mut history = History::default();
        let mut order: Vec<u32> = Vec::with_capacity(training.len());
        let steps = training.len().div_ceil(config.batch_size);
        for epoch in 1..=config.epochs {
            let start = Instant::now();
            order.clear();
            order.extend(0..training.len() as u32);
            if config.shuffle {
                order.shuffle(&mut stream(self.seed(), Stream::Shuffle { epoch: self.epochs }));
            }
            let scores = self.epoch(training, &order, config.batch_size, epoch)?;
            let validation = validation.map(|examples| self.score(examples));
            self.epochs += 1;
            let record = Epoch { training: scores, validation, seconds: start.elapsed().as_secs_f64() };
            if config.verbose > 0 {
                // Not `println!`: a pipe that nobody reads any more must not end a training.
                let _ = writeln!(io::stdout(), "Epoch {epoch}/{}\n{}", config.epochs, line(steps, &record));
            }
            history.epochs.push(record);
        }
        Ok(history)
    }

    /// One epoch in this order; the scores are those of each batch before its step.
    fn epoch(&mut self, training: &Examples<'_>, order: &[u32], batch_size: usize, epoch: usize) -> Result<Scores> {
        let mut total = Tally::default();
        for (step, order) in order.chunks(batch_size).enumerate() {
            let batch = training.ordered(order);
            let tally = self.engine.run_batch(&batch, self.seed(), self.state.step);
            self.check_loss(&tally, epoch, step + 1)?;
            self.engine.update(&self.optimizer, &mut self.state);
            total += tally;
        }
        Ok(self.scores(&total))
    }
}

/// An epoch as Keras prints it.
fn line(steps: usize, epoch: &Epoch) -> String {
    let per_step = epoch.seconds * 1e3 / steps as f64;
    let validation = epoch.validation.as_ref().map(|scores| format!(" - {}", scores.line("val_")));
    let seconds = epoch.seconds;
    format!(
        "{steps}/{steps} - {seconds:.2}s - {per_step:.3}ms/step - {}{}",
        epoch.training,
        validation.unwrap_or_default()
    )
}
