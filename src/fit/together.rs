//! Training by several ranks: how a model becomes one of theirs, what they compare before they begin, and what they ask of each
//! other between two steps.

use super::FitConfig;
use super::supply::{Supply, Validation};
use crate::distributed::{Call, Communicator, Group, Signals, SumOrder};
#[cfg(feature = "privacy")]
use crate::error::Error;
use crate::error::Result;
use crate::model::{Model, Position};
use crate::saving::{CustomObjects, LoadLimits, LoadOptions};
use crate::train::Exchange;
use crate::training::{Interrupt, Training};
use crate::wire::put_floats;
use std::sync::Arc;

impl Model {
    /// Makes this model one of those that several processes train together, each on a part of every batch; see
    /// [`distributed`](crate::distributed). All ranks call it, with a model of the same layers, optimizer, losses, metrics and
    /// seed; all get the weights and the state of training that rank 0 has. From then on all of them call
    /// [`fit`](Self::fit) and the like together. A clone is one of the same ranks.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank has another model, version of the crate or instruction set, or cannot be reached;
    /// [`Error::Model`](crate::Error::Model) for a model with stateful layers; those of [`checkpoint_to_bytes`](Self::checkpoint_to_bytes).
    ///
    /// # Panics
    /// If the communicator's rank is not less than its size.
    pub fn distribute(&mut self, communicator: Arc<dyn Communicator>, order: SumOrder) -> Result<()> {
        let (rank, size) = (communicator.rank(), communicator.size());
        assert!(rank < size, "a rank is less than the number of ranks, got {rank} of {size}");
        let group = Group::new(communicator, order);
        if let Err(error) = self.ongoing.check_free().and_then(|()| self.check_distributable()) {
            group.fail(&error);
            return Err(error);
        }
        group.meet(Call::Join, [0, 0], Signals::default())?;
        group.agree(&[
            ("the version", env!("CARGO_PKG_VERSION").into()),
            ("the order of sums", format!("{order:?}")),
            ("the instruction set", self.engine.level_name()),
            ("the seed", self.seed.to_string()),
            ("the layers", format!("{:?}", self.network)),
            ("the optimizer", format!("{:?}", self.optimizer)),
            ("the losses and metrics", format!("{:?}", self.engine.scoring.objectives().collect::<Vec<_>>())),
        ])?;
        self.engine.exchange = Some(Exchange::new(group, &self.engine.plan));
        self.become_that_of_first()
    }

    /// Takes the weights and the state of training from rank 0.
    ///
    /// # Errors
    /// Those of a checkpoint's bytes; [`Error::Distributed`] if a rank has failed.
    pub(super) fn become_that_of_first(&mut self) -> Result<()> {
        let Some(group) = self.group().cloned() else { return Ok(()) };
        let own = if group.rank() == 0 { self.checkpoint_to_bytes() } else { Ok(Vec::new()) };
        let own = own.inspect_err(|error| group.fail(error))?;
        group.meet(Call::Join, [0, 0], Signals::default())?;
        let bytes = group.of_first(own)?;
        if group.rank() > 0 {
            let options = LoadOptions::new().limits(LoadLimits::unlimited()).custom_objects(CustomObjects::of(self));
            let mut found = Self::resume_from_bytes_with(&bytes, options).inspect_err(|error| group.fail(error))?;
            found.engine.exchange = self.engine.exchange.take();
            *self = found;
        }
        Ok(())
    }
}

/// What a training asks of the other ranks, and they of it.
pub(super) struct Together {
    group: Group,
    /// Of this rank alone: it interrupts all.
    interrupt: Interrupt,
    /// Whether any rank has callbacks, which may stop the training.
    has_callbacks: bool,
}

impl Together {
    /// Compares what all ranks are about to do.
    ///
    /// - examples: of an epoch, if that is known
    ///
    /// # Errors
    /// [`Error::Distributed`] if they are not about to do the same.
    pub(super) fn begin(
        model: &Model,
        config: &mut FitConfig<'_>,
        position: &Position,
        examples: Option<usize>,
        (supply, validation): (&Supply<'_>, Option<&Validation<'_>>),
    ) -> Result<Option<Self>> {
        let Some(group) = model.group().cloned() else { return Ok(None) };
        let signals = Signals { has_callbacks: !config.callbacks.is_empty(), ..Signals::default() };
        let all = group.meet(Call::Begin, [0, 0], signals)?;
        let number = |examples: Option<usize>| examples.map_or("an unknown number".into(), |n| n.to_string());
        let checksum = |sum: Option<u32>| sum.map_or("none".into(), |sum| format!("{sum:08x}"));
        let plan = &model.engine.plan;
        let mut weights = Vec::new();
        put_floats(model.engine.weights.flat.iter(), &mut weights);
        group.agree(&[
            ("the number of examples", number(examples)),
            ("the number of validation examples", number(validation.and_then(Validation::examples))),
            ("the batch size", config.batch_size.to_string()),
            ("the steps of an epoch", format!("{:?}", config.steps_per_epoch)),
            ("the number of epochs", config.epochs.to_string()),
            ("the shuffling", config.shuffle.to_string()),
            ("the augmentation", format!("{:?}", config.augment)),
            ("the class weights", format!("{:?}", config.class_weight)),
            ("the checksum of the stored examples", checksum(supply.checksum(plan))),
            (
                "the checksum of the stored validation examples",
                checksum(validation.and_then(|data| data.checksum(plan))),
            ),
            ("the backup", format!("{:?}", config.backup)),
            ("the position", format!("{position:?}, after {} steps and {} epochs", model.state.step, model.epochs)),
            ("the optimizer", format!("{:?}", model.optimizer)),
            ("the weights' checksum", format!("{:08x}", crc32fast::hash(&weights))),
        ])?;
        if group.rank() > 0 {
            config.verbose = 0;
        }
        // It is looked at where all ranks do.
        let interrupt = config.interrupt.take().unwrap_or_default();
        Ok(Some(Self { group, interrupt, has_callbacks: all.has_callbacks }))
    }

    /// Waits for the others at this place of an epoch, and does what any of them asks for.
    ///
    /// # Errors
    /// [`Error::Distributed`] if one has failed, or is elsewhere.
    pub(super) fn meet(&self, call: Call, examples: usize, training: &mut Training<'_>) -> Result<()> {
        if call == Call::AfterTurn && !self.has_callbacks {
            return Ok(());
        }
        let interrupts = training.is_interrupted() || self.interrupt.is_interrupted();
        let signals = Signals { stops: training.stops, interrupts, has_callbacks: false };
        let all = self.group.meet(call, [training.model.state.step, examples as u64], signals)?;
        if all.interrupts {
            training.interrupt();
        }
        if all.stops {
            training.stop_training();
        }
        Ok(())
    }
}

/// # Errors
/// [`Error::Model`] for private training by several ranks.
#[cfg(feature = "privacy")]
pub(super) fn check_private(model: &Model) -> Result<()> {
    if model.group().is_none() {
        return Ok(());
    }
    Err(Error::Model(
        "is one of several ranks, which cannot train privately: leave `differential_privacy` out, or do not call `distribute`".into(),
    ))
}
