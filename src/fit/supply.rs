//! Decides where the batches of an epoch come from: examples that are all there, or a source whose next batch is prepared on
//! a thread of its own while one is trained on.

use crate::data::{Augment, Batch, BatchSource, EpochStart, OrderedExamples};
#[cfg(not(target_family = "wasm"))]
use crate::error::Error;
use crate::error::Result;
use crate::model::Model;
use crate::plan::Plan;
use crate::random::{Stream, stream};
use crate::train::Examples;
use rand::seq::SliceRandom;
#[cfg(not(target_family = "wasm"))]
use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread::{Builder, ScopedJoinHandle, scope},
};

/// How many batches wait, besides the one that is trained on and the one that is prepared.
#[cfg(not(target_family = "wasm"))]
const WAITING: usize = 2;

/// Where the batches of a training come from.
pub(super) enum Supply<'a> {
    Loaded(Loaded<'a>),
    Source(Source<'a>),
}

/// What is evaluated after each epoch.
pub(super) enum Validation<'a> {
    Examples(Box<Examples<'a>>),
    Source(Box<dyn BatchSource + 'a>),
}

impl Supply<'_> {
    /// What the examples are told apart by, if they are all there.
    pub(super) fn checksum(&self, plan: &Plan) -> Option<u32> {
        match self {
            Self::Loaded(Loaded { examples, .. }) => Some(examples.checksum(plan)),
            Self::Source(_) => None,
        }
    }
}

impl Validation<'_> {
    /// How many examples there are, if that is known.
    pub(super) fn examples(&self) -> Option<usize> {
        match self {
            Self::Examples(examples) => Some(examples.len()),
            Self::Source(source) => source.examples(),
        }
    }

    /// What the examples are told apart by, if they are all there.
    pub(super) fn checksum(&self, plan: &Plan) -> Option<u32> {
        match self {
            Self::Examples(examples) => Some(examples.checksum(plan)),
            Self::Source(_) => None,
        }
    }
}

/// Examples that are all there.
pub(super) struct Loaded<'a> {
    examples: Examples<'a>,
    /// How many of them are trained on: the first ones.
    trained: usize,
    /// The examples in the order of this epoch.
    order: Vec<u32>,
}

/// A source, and what is done with its batches.
pub(super) struct Source<'a> {
    pub(super) batches: &'a mut dyn BatchSource,
    /// How many of an epoch are trained on, if that is known.
    pub(super) steps: Option<usize>,
    pub(super) augment: Option<Augment>,
    pub(super) class_weight: Vec<(usize, f32)>,
}

/// What there is for the next turn in the pool.
#[derive(Clone, Copy)]
pub(super) enum Given<'g> {
    /// All that are trained on, in the order of the epoch.
    Epoch(Examples<'g>, &'g [u32]),
    Batch(Examples<'g>),
}

impl Given<'_> {
    /// How many examples there are for the next step.
    ///
    /// - batch: its number in the epoch
    pub(super) fn len(&self, batch_size: usize, batch: usize) -> usize {
        match self {
            Self::Epoch(_, order) => order.len().saturating_sub(batch * batch_size).min(batch_size),
            Self::Batch(examples) => examples.len(),
        }
    }
}

impl<'a> Loaded<'a> {
    /// The first `trained` of these examples.
    pub(super) fn new(examples: Examples<'a>, trained: usize) -> Self {
        Self { examples, trained, order: Vec::with_capacity(trained) }
    }

    /// The model's next epoch, whose order depends on nothing but its seed and how many it has had.
    pub(super) fn epoch(&mut self, model: &Model, shuffle: bool) -> Given<'_> {
        self.order.clear();
        self.order.extend(0..self.trained as u32);
        if shuffle {
            self.order.shuffle(&mut stream(model.seed(), Stream::Shuffle { epoch: model.epochs }));
        }
        Given::Epoch(self.examples, &self.order)
    }
}

/// The batches of an epoch, which are prepared one after the other.
pub(super) struct Prepared<'s> {
    #[cfg(not(target_family = "wasm"))]
    batches: Receiver<Result<Batch>>,
    /// Who prepares them; nobody when that has ended.
    #[cfg(not(target_family = "wasm"))]
    preparing: Option<ScopedJoinHandle<'s, ()>>,
    /// Where there are no threads, they are prepared as they are asked for.
    #[cfg(target_family = "wasm")]
    batches: Box<dyn Iterator<Item = Result<Batch>> + 's>,
}

impl Prepared<'_> {
    /// The next batch; `None` behind the last one.
    ///
    /// # Panics
    /// If the source has.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn next(&mut self) -> Option<Result<Batch>> {
        if let Ok(batch) = self.batches.recv() {
            return Some(batch);
        }
        match self.preparing.take()?.join() {
            Ok(()) => None,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    #[cfg(target_family = "wasm")]
    pub(super) fn next(&mut self) -> Option<Result<Batch>> {
        self.batches.next()
    }
}

/// What a source gives for an epoch, up to so many batches and the first error.
fn batches(
    source: &mut dyn BatchSource,
    start: EpochStart,
    most: usize,
) -> impl Iterator<Item = Result<Batch>> + use<'_> {
    let (mut begun, mut ended) = (false, false);
    let next = move || {
        if ended {
            return None;
        }
        let began = if begun { Ok(()) } else { source.begin(start) };
        begun = true;
        let batch = match began {
            Ok(()) => source.next_batch(),
            Err(error) => Some(Err(error)),
        };
        ended = !matches!(batch, Some(Ok(_)));
        batch
    };
    std::iter::from_fn(next).take(most)
}

/// Works on the batches of an epoch, or what is left of it, while a thread prepares the next ones. The thread has ended when this
/// returns, or unwinds.
///
/// - most: how many batches
///
/// # Errors
/// Those of `work`; [`Error::Io`] if there can be no thread.
#[cfg(not(target_family = "wasm"))]
pub(super) fn prepare<T>(
    source: &mut dyn BatchSource,
    start: EpochStart,
    most: usize,
    work: impl FnOnce(&mut Prepared<'_>) -> Result<T>,
) -> Result<T> {
    scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let give = move || {
            // Up to the end, or until nobody waits for batches any more.
            let _ = batches(source, start, most).all(|batch| sender.send(batch).is_ok());
        };
        let preparing = Builder::new().name("inkstone-batches".into()).spawn_scoped(scope, give);
        let preparing =
            preparing.map_err(|source| Error::Io { place: "the thread that prepares batches".into(), source })?;
        // Dropped before the scope waits for the thread, which ends when it cannot send.
        let mut prepared = Prepared { batches: receiver, preparing: Some(preparing) };
        work(&mut prepared)
    })
}

#[cfg(target_family = "wasm")]
pub(super) fn prepare<T>(
    source: &mut dyn BatchSource,
    start: EpochStart,
    most: usize,
    work: impl FnOnce(&mut Prepared<'_>) -> Result<T>,
) -> Result<T> {
    work(&mut Prepared { batches: Box::new(batches(source, start, most)) })
}

/// The examples of a batch that is trained on, if they fit the model, and all that it needs are there.
///
/// - start: of the epoch; name: of the batch, for errors
///
/// # Errors
/// [`Error::Data`] or [`Error::Setting`] otherwise.
pub(super) fn checked_part<'b>(
    model: &Model,
    batch: &'b Batch,
    start: EpochStart,
    name: impl Fn() -> String,
) -> Result<OrderedExamples<'b>> {
    // A callback may have put another model in the place of the one that the epoch was begun with.
    let start = EpochStart { share: model.share(), ..start };
    let places = batch.check_places(|whole| start.needed(whole));
    places.map_err(|error| batch.locate(error, &name(), |_| Ok(())))?;
    checked(model, batch, name)
}

/// The examples of a batch, if they fit the model.
///
/// - name: of the batch, for errors
///
/// # Errors
/// [`Error::Data`] or [`Error::Setting`] if they do not.
pub(super) fn checked<'b>(model: &Model, batch: &'b Batch, name: impl Fn() -> String) -> Result<OrderedExamples<'b>> {
    let check = |batch: &Batch| model.check_labelled(batch.labelled()).map(drop);
    model.check_labelled(batch.labelled()).map_err(|error| batch.locate(error, &name(), check))
}
