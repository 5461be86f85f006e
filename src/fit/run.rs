//! The training loop: epochs, their batches, validation, and the callbacks for each.

use super::backup::Backup;
#[cfg(feature = "privacy")]
use super::private::Private;
use super::progress::Progress;
use super::supply::{self, Given, Source, Supply, Validation};
use super::together::Together;
use super::{FitConfig, of_validation, weights};
use crate::callbacks::Callbacks;
use crate::clock::Instant;
use crate::data::EpochStart;
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use crate::metrics::Scores;
use crate::model::{CallbackState, Model, Position, check_loss};
use crate::train::Examples;
use crate::training::{Logs, Training, Validates};
use std::mem;
use std::ops::ControlFlow;
use std::time::Duration;

/// How long the steps of one training may occupy the pool while other trainings wait.
const POOL_TURN: Duration = Duration::from_millis(3);

/// The name of what private trainings log.
#[cfg(feature = "privacy")]
const EPSILON: &str = "epsilon";

/// How the batches of an epoch ended.
enum Batches {
    Trained,
    /// A callback has ended the training because of it.
    Diverged,
}

/// The state of a call of `fit`.
pub(super) struct Run<'m, 'p, 'c> {
    validation: Option<Validation<'p>>,
    training: Training<'m>,
    callbacks: Callbacks<'c>,
    backup: Option<Box<dyn Backup>>,
    progress: Progress,
    /// The other ranks, if there are any.
    together: Option<Together>,
    shuffle: bool,
    /// How examples are kept private, if they are.
    #[cfg(feature = "privacy")]
    private: Option<Private>,
    /// The current position.
    position: Position,
    /// What callbacks see after a batch.
    batch_logs: Logs,
}

impl<'m, 'p, 'c> Run<'m, 'p, 'c> {
    /// A training that starts from this position.
    ///
    /// - steps: of an epoch, if that is known
    pub(super) fn new(
        model: &'m mut Model,
        validation: Option<Validation<'p>>,
        config: FitConfig<'c>,
        position: Position,
        steps: Option<usize>,
    ) -> Self {
        let FitConfig { initial_epoch, epochs, batch_size, shuffle, backup, verbose, callbacks, interrupt, .. } =
            config;
        let names = model.engine.scoring.names();
        let validates = if validation.is_some() { Validates::Yes } else { Validates::No };
        let log_names = Logs::names(&names, validates);
        let (stops, resumed) = (position.stops, model.ongoing.position.is_some());
        let (claim, history) = (model.ongoing.claim(), History::default());
        let training = Training {
            model,
            initial_epoch,
            epochs,
            steps: steps.unwrap_or(0),
            batch_size,
            log_names,
            declared: 0,
            logged: Vec::new(),
            stops,
            interrupted: false,
            interrupt: interrupt.unwrap_or_default(),
            resumed,
            history,
            claim,
        };
        Self {
            validation,
            training,
            callbacks: Callbacks::new(callbacks),
            backup,
            progress: Progress::new(verbose, steps),
            together: None,
            shuffle,
            #[cfg(feature = "privacy")]
            private: None,
            position,
            batch_logs: Logs::without_values(Logs::names(&names, Validates::No)),
        }
    }

    /// Trains together with other ranks, if there are any.
    pub(super) fn go_together(&mut self, together: Option<Together>) {
        self.together = together;
    }

    /// Waits for the other ranks at this place, and does what any of them asks for.
    fn meet(&mut self, call: Call, examples: usize) -> Result<()> {
        let Self { together, training, .. } = self;
        together.as_ref().map_or(Ok(()), |together| together.meet(call, examples, training))
    }

    /// Keeps its examples private, if they are to be.
    #[cfg(feature = "privacy")]
    pub(super) fn keep_private(&mut self, private: Option<Private>) {
        self.private = private;
    }

    /// Begins, with what callbacks remember of a training that is resumed.
    ///
    /// # Errors
    /// The first one; callbacks have ended then.
    pub(super) fn begin(&mut self, states: &[CallbackState]) -> Result<()> {
        self.training.stand_at(self.position);
        #[cfg(feature = "privacy")]
        if self.private.is_some() {
            self.training.declare(vec![EPSILON.into()])?;
        }
        self.training.declare(self.callbacks.log_names())?;
        let begun = self.callbacks.begin(&mut self.training).and_then(|()| self.callbacks.restore_all(states));
        if begun.is_err() {
            // What it says comes second.
            let _ = self.callbacks.end(&mut self.training);
        }
        begun
    }

    /// Whether the model is the one that `fit` was called on: a callback may have put another one in its place.
    pub(super) fn has_its_model(&self) -> bool {
        self.training.model.ongoing.is_claimed_by(&self.training.claim)
    }

    /// Trains to the end, whatever it is: callbacks end in any case.
    pub(super) fn train(mut self, mut supply: Supply<'_>) -> Result<History> {
        let trained = self.epochs(&mut supply);
        let ended = self.callbacks.end(&mut self.training);
        trained.and(ended)?;
        self.meet(Call::End, 0)?;
        let position = Position { stops: self.training.stops, ..self.position };
        match &self.backup {
            Some(backup) if position.is_over(self.training.epochs) && !self.training.model.follows() => backup.end()?,
            Some(_) | None => {}
        }
        // Rank 0 may have failed just now, and would find nobody to tell.
        self.meet(Call::End, 0)?;
        Ok(self.training.history.clone())
    }

    fn epochs(&mut self, supply: &mut Supply<'_>) -> Result<()> {
        for epoch in self.position.epoch..self.training.epochs {
            self.meet(Call::Epoch, 0)?;
            // An epoch that a callback has stopped is still brought to its end.
            if self.training.is_interrupted() || (self.training.stops && self.position.batches == 0) {
                break;
            }
            self.epoch(epoch, supply)?;
        }
        if self.position.epoch > self.training.initial_epoch || self.position.batches > 0 {
            let Model { engine, state, .. } = &mut *self.training.model;
            engine.finalize_weights(state);
        }
        Ok(())
    }

    /// One epoch, or what is left of it, up to an interruption.
    fn epoch(&mut self, epoch: usize, supply: &mut Supply<'_>) -> Result<()> {
        let start = Instant::now();
        if self.position.batches == 0 {
            self.training.model.reset_states();
            self.callbacks.on_epoch_begin(epoch, &mut self.training)?;
            self.training.model.ongoing.total.reset();
            self.position.learning_rate = self.training.model.learning_rate();
        }
        self.progress.begin_epoch(epoch, self.training.epochs, self.position.batches);
        let ended = self.batches(epoch, supply)?;
        if self.training.is_interrupted() {
            self.progress.interrupt(epoch);
            return self.write_backup();
        }
        match ended {
            Batches::Trained => self.training.check_weights()?,
            Batches::Diverged => {}
        }

        let model = &*self.training.model;
        let scores = model.ongoing.total.scores(&model.engine.scoring);
        let validation = self.validate()?;
        let mut logs = Logs::default();
        logs.add("", &scores);
        validation.iter().for_each(|scores| logs.add("val_", scores));
        #[cfg(feature = "privacy")]
        if let Some(private) = &self.private {
            let epsilon = self.training.model.privacy().epsilon(private.delta)?;
            self.training.log(EPSILON, epsilon)?;
            logs.put(EPSILON, epsilon);
        }
        self.training.model.epochs += 1;
        let (learning_rate, seconds) = (self.position.learning_rate, start.elapsed().as_secs_f64());
        self.progress.end_epoch(seconds, &logs);
        let logged = Vec::new();
        self.training.history.epochs.push(Epoch { training: scores, validation, learning_rate, seconds, logged });
        (self.position.epoch, self.position.batches) = (epoch + 1, 0);
        self.training.stand_at(self.position);
        let called = self.callbacks.on_epoch_end(epoch, &mut logs, &mut self.training);
        let Training { history, logged, .. } = &mut self.training;
        history.epochs.last_mut().into_iter().for_each(|epoch| epoch.logged = mem::take(logged));
        called?;
        self.write_backup()
    }

    /// Writes a checkpoint, if there are any.
    fn write_backup(&self) -> Result<()> {
        let Some(backup) = &self.backup else { return Ok(()) };
        self.training.check_weights()?;
        if self.training.model.follows() {
            return Ok(());
        }
        backup.write(self.training.model, &self.callbacks)
    }

    /// The batches of an epoch that are left, up to an interruption; none if the epoch had been stopped in its middle.
    fn batches(&mut self, epoch: usize, supply: &mut Supply<'_>) -> Result<Batches> {
        if self.training.stops && self.position.batches > 0 {
            return Ok(Batches::Trained);
        }
        let loaded = match supply {
            Supply::Loaded(loaded) => loaded,
            Supply::Source(source) => return self.prepared_batches(epoch, source),
        };
        let given = loaded.epoch(self.training.model, self.shuffle);
        while self.position.batches < self.training.steps {
            if let ControlFlow::Break(ended) = self.turn(epoch, given)? {
                return Ok(ended);
            }
        }
        Ok(Batches::Trained)
    }

    /// The same, of a source.
    fn prepared_batches(&mut self, epoch: usize, source: &mut Source<'_>) -> Result<Batches> {
        let (model, first_batch) = (&*self.training.model, self.position.batches);
        let start = EpochStart {
            seed: model.seed(),
            epoch,
            trained_epochs: model.epochs,
            first_batch,
            shuffle: self.shuffle,
            share: model.share(),
            ..EpochStart::new(self.training.batch_size)
        };
        let Source { batches, steps, augment, class_weight } = source;
        let known = *steps;
        let most = known.map_or(usize::MAX, |steps| steps.saturating_sub(first_batch));
        supply::prepare(*batches, start, most, |prepared| {
            while let Some(batch) = prepared.next() {
                let (batch, number) = (batch?, self.position.batches + 1);
                let name = || format!("batch {number} of epoch {}", epoch + 1);
                let model = &*self.training.model;
                let examples = supply::checked_part(model, &batch, start, name)?;
                model.check_states(batch.whole_len())?;
                let weights = weights::for_training(class_weight, &examples, model.engine.plan.output_len(0))?;
                let examples = Examples::of(&examples).weighted(weights.as_deref()).augmented(*augment);
                let examples = examples.at_places(batch.places().start, batch.whole_len());
                if let ControlFlow::Break(ended) = self.turn(epoch, Given::Batch(examples))? {
                    return Ok(ended);
                }
            }
            let had = self.position.batches;
            let expected = match known {
                Some(steps) if had < steps => format!("{steps}, as `steps_per_epoch` or the source's `examples` says"),
                None if had == 0 => "at least one".to_owned(),
                Some(_) | None => return Ok(Batches::Trained),
            };
            Err(Error::Data(format!(
                "the source of batches ended after {had} batches of epoch {}, expected {expected}",
                epoch + 1
            )))
        })
    }

    /// One turn in the pool, and what callbacks say of it.
    fn turn(&mut self, epoch: usize, given: Given<'_>) -> Result<ControlFlow<Batches>> {
        let batch = self.position.batches;
        self.callbacks.on_train_batch_begin(batch, &mut self.training)?;
        self.meet(Call::Turn, given.len(self.training.batch_size, batch))?;
        if self.training.is_interrupted() {
            return Ok(ControlFlow::Break(Batches::Trained));
        }
        let examples = match given {
            Given::Epoch(..) => self.training.batch_size,
            Given::Batch(examples) => examples.len(),
        };
        let crew = self.training.model.engine.crew_of_step(examples);
        let diverged = crew.run(|| self.steps(epoch, given));
        let Self { training, callbacks, batch_logs, .. } = self;
        if callbacks.any() {
            batch_logs.set(training.model.ongoing.total.values());
            callbacks.on_train_batch_end(batch, batch_logs, training)?;
        }
        self.meet(Call::AfterTurn, 0)?;
        let Self { training, backup, .. } = self;
        // A callback may end a training that diverged; otherwise that is an error.
        if training.stops {
            let ended = if diverged.is_err() { Batches::Diverged } else { Batches::Trained };
            return Ok(ControlFlow::Break(ended));
        }
        diverged?;
        if backup.as_ref().is_some_and(|backup| backup.is_due(training.model)) {
            self.write_backup()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes one or more steps: as many short steps as need no callback in between. They enter the pool together,
    /// because entering costs about as much as a small step.
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::Error::Diverged) after the first whose loss is no finite number.
    fn steps(&mut self, epoch: usize, given: Given<'_>) -> Result<()> {
        let start = Instant::now();
        loop {
            let Self { training, callbacks, backup, progress, position, together, .. } = self;
            #[cfg(feature = "privacy")]
            let private = &mut self.private;
            let first = position.batches * training.batch_size;
            position.batches += 1;
            let at = (epoch + 1, position.batches);
            let batch = match given {
                Given::Epoch(examples, order) => {
                    examples.ordered(&order[first..order.len().min(first + training.batch_size)])
                }
                Given::Batch(examples) => examples,
            };
            #[cfg(feature = "privacy")]
            let outcome = match (private, given) {
                (Some(private), Given::Epoch(examples, order)) => private.step(training.model, &examples, order.len()),
                (_, Given::Epoch(..) | Given::Batch(_)) => step(training.model, &batch, at),
            };
            #[cfg(not(feature = "privacy"))]
            let outcome = step(training.model, &batch, at);
            training.stand_at(*position);
            let Model { ongoing, engine, .. } = &*training.model;
            progress.end_batch(&ongoing.total, &engine.scoring);
            outcome?;
            let over = position.batches == training.steps || training.is_interrupted();
            let over = over || together.is_some() || matches!(given, Given::Batch(_));
            let looked_at = callbacks.any() || backup.as_ref().is_some_and(|backup| backup.is_due(training.model));
            if over || looked_at || start.elapsed() > POOL_TURN {
                return Ok(());
            }
        }
    }

    /// Scores the validation data, if there are any.
    fn validate(&mut self) -> Result<Option<Scores>> {
        let Some(validation) = &mut self.validation else { return Ok(None) };
        self.callbacks.on_test_begin(&mut self.training)?;
        let model = &*self.training.model;
        let scores = match validation {
            Validation::Examples(examples) => model.score_together(examples)?,
            Validation::Source(source) => {
                model.score_source(&mut **source, |examples| model.tally_together(examples)).map_err(of_validation)?
            }
        };
        let mut logs = Logs::default();
        logs.add("", &scores);
        self.callbacks.on_test_end(&logs, &mut self.training)?;
        Ok(Some(scores))
    }
}

/// One step on a batch, whose scores are added to those of the epoch.
///
/// # Errors
/// [`Error::Diverged`](crate::Error::Diverged) with this epoch and step if the loss is no finite number; then the
/// weights stay as they are.
fn step(model: &mut Model, batch: &Examples<'_>, (epoch, step): (usize, usize)) -> Result<()> {
    model.engine.run_batch(batch, model.seed, model.state.step)?;
    model.ongoing.total.merge(model.engine.tally());
    check_loss(model.engine.tally(), epoch, step)?;
    model.engine.update(&model.optimizer, &mut model.state);
    Ok(())
}
