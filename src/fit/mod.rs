//! Training over epochs. This file checks the arguments and splits the examples; `run` is the training loop, `supply` says
//! where its batches come from, `batches` has what works on sources of batches, `weights` computes example weights, `backup`
//! writes checkpoints, and `progress` prints.

mod backup;
#[cfg(feature = "progress")]
mod bar;
mod batches;
mod config;
mod notes;
#[cfg(feature = "privacy")]
mod private;
mod progress;
mod run;
mod supply;
mod together;
mod weights;

pub use config::FitConfig;

use crate::data::LabelledInputs;
use crate::error::{Error, Result};
use crate::history::History;
use crate::model::Model;
#[cfg(feature = "privacy")]
use crate::model::Position;
use crate::train::Examples;
use crate::training::say;
use run::Run;
use std::mem;
use supply::{Loaded, Supply, Validation};
use together::Together;

impl Model {
    /// Trains the model on a data set, or on inputs with their [`Targets`](crate::Targets). Called again, it continues
    /// from the current weights.
    ///
    /// The first `fit` of a model that was [resumed](Self::resume) continues the one during which the checkpoint was
    /// written: given the same arguments, it starts at the same epoch and batch, and ends where that one would have
    /// ended. [`FitConfig::backup`] writes checkpoints and resumes automatically.
    ///
    /// An optimizer that keeps a moving average of the weights gives it to the model at the end, after the last
    /// validation.
    ///
    /// The loop and the callbacks run on the calling thread; each step is handed to rayon's current thread pool, with
    /// validation and [`predict`](Self::predict) between them. So any number of trainings may share a pool, and their
    /// callbacks may wait for each other. This does not hold for a call from one of the pool's own threads, as inside
    /// `ThreadPool::install`, `rayon::spawn` or a parallel iterator: the whole training is a piece of work of the pool
    /// then, which another of its threads may run while it waits for something else. Call `fit` from threads of your
    /// own (`std::thread::scope`), or give each training a pool of its own. Any number of threads gives the same bits.
    ///
    /// # Errors
    /// [`Error::Data`] if the shape of images or a target does not fit the model, there is not one target for each
    /// image, or a value is NaN or infinite; [`Error::Model`] if the model is being trained already, a callback
    /// replaced it, or all weights are frozen; [`Error::Setting`] for a batch size of 0, a `verbose` above 2, or
    /// another argument out of range; [`Error::Diverged`] if the loss becomes NaN or infinite: training stops, and that
    /// step is not taken; [`Error::WeightDiverged`] if a weight does; [`Error::Distributed`] if other ranks take part, and one fails; [`Error::NotWritten`] if another training writes
    /// its checkpoints to the folder of this one's; and whatever a callback returns; for checkpoints, what
    /// [`save_checkpoint`](Self::save_checkpoint) and [`resume`](Self::resume) do.
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
    ///     .seed(1)
    ///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let history = model.fit(&train, FitConfig::new().epochs(5).verbose(0))?;
    /// assert!(history.losses()[4] < history.losses()[0]);
    /// assert_eq!(model.evaluate(&train)?.accuracy()?, 1.0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn fit<'a>(&mut self, data: impl Into<LabelledInputs<'a>>, config: FitConfig<'_>) -> Result<History> {
        self.ongoing.check_free()?;
        let trained = self.fit_examples(data.into(), config);
        trained.inspect_err(|error| self.tell_others(error))
    }

    fn fit_examples(&mut self, data: LabelledInputs<'_>, mut config: FitConfig<'_>) -> Result<History> {
        self.check_trainable()?;
        config.check()?;
        let mut examples = self.check_labelled(data)?;
        config.sample_weight.map_or(Ok(()), |weights| examples.set_weights(weights))?;
        let validation =
            config.validation_data.clone().map(|data| self.check_labelled(data).map_err(of_validation)).transpose()?;
        if let Some(steps) = config.steps_per_epoch {
            let expected = "left out, as an epoch has all examples: it is for `fit_batches`";
            return Err(Error::Setting { name: "steps_per_epoch", expected, received: steps.to_string() });
        }
        let weights = weights::for_training(&config.class_weight, &examples, self.engine.plan.output_len(0))?;
        let weights = weights.as_deref();
        let all = examples.len();
        let source = config.validation_batches.take();
        let trained = match validation {
            Some(_) => all,
            None if source.is_some() => all,
            None => (all as f64 * (1.0 - config.validation_split)).floor() as usize,
        };
        if trained == 0 {
            return Err(Error::Data(format!(
                "a validation split of {} leaves none of {all} images to train on",
                config.validation_split
            )));
        }
        self.check_stateful_fit(trained, config.batch_size, config.shuffle)?;
        if config.verbose > 0 && !self.follows() {
            notes::notes(&self.engine.plan, &examples, trained).for_each(|line| say(&line));
        }
        let held_back: Vec<u32> = (trained as u32..all as u32).collect();
        let validation = match &validation {
            Some(validation) => Some(Validation::Examples(Box::new(Examples::of(validation)))),
            None if held_back.is_empty() => source.map(Validation::Source),
            None => Some(Validation::Examples(Box::new(Examples::of(&examples).ordered(&held_back)))),
        };
        let training = Examples::of(&examples).weighted(weights).augmented(config.augment);
        let steps = trained.div_ceil(config.batch_size);
        self.train_on(Supply::Loaded(Loaded::new(training, trained)), Some(trained), Some(steps), validation, config)
    }

    /// Trains on what has been checked.
    ///
    /// - examples: of an epoch, if that is known; steps: of an epoch, the same
    fn train_on(
        &mut self,
        supply: Supply<'_>,
        examples: Option<usize>,
        steps: Option<usize>,
        validation: Option<Validation<'_>>,
        mut config: FitConfig<'_>,
    ) -> Result<History> {
        // One rank alone has the folder.
        let backup = config.backup.as_ref().filter(|_| !self.follows());
        let _lock = backup.map(|backup| backup.lock()).transpose()?;
        if let Some(backup) = &config.backup {
            backup.restore(self, config.epochs, config.verbose)?;
        }
        let start = self.ongoing.start(config.beginning(examples, self.state.step))?;
        let data = (&supply, validation.as_ref());
        let together = Together::begin(self, &mut config, &start, examples, data)?;
        #[cfg(feature = "privacy")]
        let private = self.private_training(&config, examples.unwrap_or(0), start)?;
        let (resumed, states) = (self.ongoing.position, mem::take(&mut self.ongoing.callbacks));
        let history = self.ongoing.history.clone();
        let mut run = Run::new(self, validation, config, start, steps);
        run.go_together(together);
        #[cfg(feature = "privacy")]
        run.keep_private(private);
        match run.begin(&states) {
            Ok(()) => run.train(supply),
            Err(error) => {
                let replaced = !run.has_its_model();
                drop(run);
                if !replaced {
                    self.ongoing.stay_resumed(resumed, states, history);
                }
                Err(error)
            }
        }
    }

    /// How a training from this position keeps its examples private, if it is to; it says what is no guarantee.
    #[cfg(feature = "privacy")]
    fn private_training(
        &mut self,
        config: &FitConfig<'_>,
        trained: usize,
        start: Position,
    ) -> Result<Option<private::Private>> {
        let Some(settings) = &config.differential_privacy else { return Ok(None) };
        together::check_private(self)?;
        let behind = (start.epoch, start.batches);
        let private = private::Private::new(settings, self, (trained, config.batch_size), config.epochs, behind)?;
        self.engine.reserve_clipped(private.most_at_once());
        if config.verbose > 0 {
            say(&private.to_string());
        }
        Ok(Some(private))
    }

    /// The completed epochs of the last [`fit`](Self::fit), even if it ended with an error or a panic of a callback.
    /// They are not saved with the model.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// # use inkstone::callbacks::LambdaCallback;
    /// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
    /// # let mut model = Sequential::new([2, 2, 1])
    /// #     .add(Flatten::new())
    /// #     .add(Dense::new(2).activation(Softmax))
    /// #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let fails = LambdaCallback::new().on_epoch_begin(|epoch, _| match epoch {
    ///     3 => Err(inkstone::Error::Callback("the disk is full".into())),
    ///     _ => Ok(()),
    /// });
    /// assert!(model.fit(&train, FitConfig::new().epochs(5).callback(fails).verbose(0)).is_err());
    /// assert_eq!(model.history().epochs.len(), 3);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn history(&self) -> &History {
        &self.ongoing.history
    }
}

/// Marks an error as one of the validation data.
fn of_validation(error: Error) -> Error {
    match error {
        Error::Data(fault) => Error::Data(format!("in the validation data: {fault}")),
        other => other,
    }
}
