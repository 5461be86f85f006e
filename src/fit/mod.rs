//! Training over epochs: the order of examples, batches, validation, and who is told of it. How much examples count, and what is
//! printed, is decided beside.

mod backup;
#[cfg(feature = "progress")]
mod bar;
mod config;
mod logs;
mod ongoing;
mod progress;
mod training;
mod weights;

pub use backup::BackupAndRestore;
pub use config::FitConfig;
pub use logs::Logs;
use logs::Validates;
pub(crate) use ongoing::{Ongoing, Position};
pub(crate) use progress::say;
pub use training::Training;
pub(crate) use training::monitored;

use crate::callbacks::{Callback, Callbacks};
use crate::data::LabelledImages;
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::model::{Model, check_loss};
use crate::random::{Stream, stream};
use crate::train::Examples;
use progress::Progress;
use rand::seq::SliceRandom;
use std::time::Instant;

/// The examples of one `fit`.
struct Parts<'a> {
    training: Examples<'a>,
    /// How many of them are trained on: the first ones.
    trained: usize,
    validation: Option<Examples<'a>>,
}

impl Model {
    /// Trains the model on a data set, or on images with their [`Targets`](crate::Targets). It may be called again, and goes on
    /// where it stopped.
    ///
    /// The first `fit` of a model that was [resumed](Self::resume) is the one that was going on when the checkpoint was written:
    /// given the same arguments, it starts with the epoch and batch where that stood, and ends where that would have ended.
    /// [`FitConfig::backup`] writes checkpoints and resumes by itself.
    ///
    /// An optimizer that keeps a moving average of the weights gives it to the model at the end, after the last validation.
    ///
    /// It runs in rayon's current thread pool; any number of threads gives the same bits.
    ///
    /// # Errors
    /// [`Error::Data`] if the shape of images or a target does not fit the model, there is not one target for each image, or a
    /// value is NaN or infinite; [`Error::Setting`] for a batch size of 0, a `verbose` above 2, or another argument out of range;
    /// [`Error::Diverged`] if the loss becomes NaN or infinite: training stops, and that step is not taken; and whatever a
    /// callback returns; for checkpoints, what [`save_checkpoint`](Self::save_checkpoint) and [`resume`](Self::resume) do.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// // Bright images are class 1, dark ones class 0.
    /// let images = Array4::from_shape_fn((64, 4, 4, 1), |(n, ..)| if n % 2 == 0 { 0 } else { 200 });
    /// let train = Dataset::from_bytes(images, (0..64).map(|n| n % 2).collect())?;
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let history = model.fit(&train, FitConfig::new().epochs(5).verbose(0))?;
    /// assert!(history.losses()[4] < history.losses()[0]);
    /// assert_eq!(model.evaluate(&train)?.accuracy(), 1.0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn fit<'a>(&mut self, data: impl Into<LabelledImages<'a>>, config: FitConfig<'_>) -> Result<History> {
        config.check()?;
        let mut examples = self.check_labelled(data.into())?;
        config.sample_weight.map_or(Ok(()), |weights| examples.set_weights(weights))?;
        let validation = config.validation_data.map(|data| self.check_labelled(data)).transpose()?;
        let weights = weights::for_training(&config, &examples, self.engine.plan.classes())?;
        let weights = weights.as_deref();
        let all = examples.images.len();
        let trained = match validation {
            Some(_) => all,
            None => (all as f64 * (1.0 - config.validation_split)).floor() as usize,
        };
        if trained == 0 {
            return Err(Error::Data(format!(
                "a validation split of {} leaves none of {all} images to train on",
                config.validation_split
            )));
        }
        let held_back: Vec<u32> = (trained as u32..all as u32).collect();
        let parts = Parts {
            training: Examples::of(&examples).weighted(weights).augmented(config.augment),
            trained,
            validation: match &validation {
                Some(validation) => Some(Examples::of(validation)),
                None if held_back.is_empty() => None,
                None => Some(Examples::of(&examples).ordered(&held_back)),
            },
        };
        if let Some(backup) = &config.backup {
            backup.restore(self, config.verbose)?;
        }
        let start = self.ongoing.start(parts.trained, self.state.step, &config)?;
        // Inside the pool, handing out work costs a few microseconds less each time.
        rayon::scope(move |_| {
            let history = self.fit_parts(&parts, config, start);
            self.ongoing.end();
            history
        })
    }

    fn fit_parts(&mut self, parts: &Parts<'_>, config: FitConfig<'_>, mut position: Position) -> Result<History> {
        let FitConfig { initial_epoch, epochs, batch_size, backup, .. } = config;
        let mut callbacks = Callbacks::new(config.callbacks);
        let steps = parts.trained.div_ceil(config.batch_size);
        let names = self.engine.scoring.names();
        let mut batch_logs = Logs::without_values(Logs::names(&names, Validates::No));
        let log_names = Logs::names(&names, if parts.validation.is_some() { Validates::Yes } else { Validates::No });
        let mut order: Vec<u32> = Vec::with_capacity(parts.trained);
        let mut progress = Progress::new(config.verbose, steps);
        let mut history = History::default();
        let (stops, resumed) = (position.stops, self.ongoing.position.is_some());
        let states = std::mem::take(&mut self.ongoing.callbacks);
        let mut training =
            Training { model: self, initial_epoch, epochs, steps, batch_size, log_names, stops, resumed };
        training.stand_at(position);
        callbacks.on_train_begin(&mut training)?;
        callbacks.restore_all(&states)?;
        for epoch in position.epoch..epochs {
            if training.stops && position.batches == 0 {
                break;
            }
            // An epoch that had been stopped when the checkpoint was written has no batches left.
            let done = if training.stops { steps } else { position.batches };
            let start = Instant::now();
            order.clear();
            order.extend(0..parts.trained as u32);
            if config.shuffle {
                let model = &*training.model;
                order.shuffle(&mut stream(model.seed(), Stream::Shuffle { epoch: model.epochs }));
            }
            if position.batches == 0 {
                callbacks.on_epoch_begin(epoch, &mut training)?;
                training.model.ongoing.total.reset();
                position.learning_rate = training.model.learning_rate();
            }
            progress.begin_epoch(epoch, epochs, position.batches);
            for (batch, order) in order.chunks(batch_size).enumerate().skip(done) {
                callbacks.on_train_batch_begin(batch, &mut training)?;
                let diverged = training.model.run_step(&parts.training.ordered(order), (epoch + 1, batch + 1));
                position.batches = batch + 1;
                training.stand_at(position);
                let Ongoing { total, .. } = &training.model.ongoing;
                progress.end_batch(total, &training.model.engine.scoring);
                if callbacks.any() {
                    batch_logs.set(total.values());
                    callbacks.on_train_batch_end(batch, &batch_logs, &mut training)?;
                }
                // A callback may end a training that diverged; otherwise that is an error.
                if training.stops {
                    break;
                }
                diverged?;
                if let Some(backup) = &backup {
                    backup.after_batch(training.model, &callbacks)?;
                }
            }
            let mut logs = Logs::default();
            let scores = training.model.ongoing.total.scores(&training.model.engine.scoring);
            logs.add("", &scores);
            let validation = match &parts.validation {
                None => None,
                Some(examples) => {
                    callbacks.on_test_begin(&mut training)?;
                    let scores = training.model.score(examples);
                    let mut test_logs = Logs::default();
                    test_logs.add("", &scores);
                    callbacks.on_test_end(&test_logs, &mut training)?;
                    logs.add("val_", &scores);
                    Some(scores)
                }
            };
            training.model.epochs += 1;
            let seconds = start.elapsed().as_secs_f64();
            progress.end_epoch(seconds, &logs);
            history.epochs.push(Epoch { training: scores, validation, learning_rate: position.learning_rate, seconds });
            (position.epoch, position.batches) = (epoch + 1, 0);
            training.stand_at(position);
            callbacks.on_epoch_end(epoch, &logs, &mut training)?;
            if let Some(backup) = &backup {
                backup.write(training.model, &callbacks)?;
            }
        }
        if position.epoch > initial_epoch {
            let Model { engine, state, .. } = &mut *training.model;
            engine.finalize_weights(state);
        }
        callbacks.on_train_end(&mut training)?;
        backup.map_or(Ok(()), |backup| backup.end())?;
        Ok(history)
    }

    /// One step on a batch, whose scores are added to those of the epoch.
    ///
    /// # Errors
    /// [`Error::Diverged`] with this epoch and step if the loss is no finite number; then the weights stay as they are.
    fn run_step(&mut self, batch: &Examples<'_>, (epoch, step): (usize, usize)) -> Result<()> {
        self.engine.run_batch(batch, self.seed(), self.state.step);
        self.ongoing.total.merge(self.engine.tally());
        check_loss(self.engine.tally(), epoch, step)?;
        self.engine.update(&self.optimizer, &mut self.state);
        Ok(())
    }
}
