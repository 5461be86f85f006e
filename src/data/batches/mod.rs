//! Decides what a source of batches is: examples that are given batch by batch, as they do not all fit in memory, or are
//! made as they are needed. `fit` trains on them, `files` reads them from files.

mod array_file;
mod epochs;
mod files;
#[cfg(test)]
mod tests;
mod window;

pub use epochs::{batches_of_epochs, endless_batches};
pub use files::FileBatches;

use super::dataset::Dataset;
use super::inputs::Inputs;
use super::labelled::LabelledInputs;
use super::targets::Targets;
use crate::cutting::Share;
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// One batch of a [`BatchSource`]: a [`Dataset`], for a model with several inputs or outputs one for each, and if
/// examples do not count alike how much each does.
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::data::Batch;
/// use inkstone::ndarray::array;
/// let rows = Dataset::from_table(array![[1.0, 2.0], [3.0, 4.0]], vec![0, 1])?;
/// let batch = Batch::from(rows).sample_weight(vec![1.0, 0.5]);
/// assert_eq!((batch.len(), batch.dataset().labels()), (2, &[0, 1][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    first: Dataset,
    /// Those of the model's other inputs.
    inputs: Vec<Dataset>,
    /// Those whose targets are of the model's other outputs.
    targets: Vec<Dataset>,
    sample_weight: Option<Vec<f32>>,
    /// The place of the first example in its batch, and how many that has, if not all of them are there.
    part: Option<(usize, usize)>,
    origin: Option<Origin>,
}

/// Where the examples of a batch have been read.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The files.
    pub(super) place: Arc<str>,
    /// The number of each example in them, from 0.
    pub(super) examples: Vec<usize>,
}

impl From<Dataset> for Batch {
    fn from(first: Dataset) -> Self {
        Self { first, inputs: Vec::new(), targets: Vec::new(), sample_weight: None, part: None, origin: None }
    }
}

impl Batch {
    /// Adds the examples of the model's next input; their own targets are not looked at.
    #[must_use]
    pub fn input(mut self, input: Dataset) -> Self {
        self.inputs.push(input);
        self
    }

    /// Adds what the model's next output should be: the targets of this data set, whose inputs are not looked at.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::Batch;
    /// use inkstone::ndarray::array;
    /// let kinds = Dataset::from_table(array![[1.0, 2.0], [3.0, 4.0]], vec![0, 1])?;
    /// let sizes = kinds.with_values(vec![0.5, 0.7])?;
    /// assert_eq!(Batch::from(kinds).output(sizes).len(), 2);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn output(mut self, targets: Dataset) -> Self {
        self.targets.push(targets);
        self
    }

    /// Sets how much each example counts in the loss.
    #[must_use]
    pub fn sample_weight(self, sample_weight: Vec<f32>) -> Self {
        Self { sample_weight: Some(sample_weight), ..self }
    }

    /// Makes these the examples from the place `first` on of a batch of `whole`, whose other examples are not there: what one
    /// of [several ranks](crate::distributed) that train together needs of it, as [`EpochStart::needed`] says. Weights of
    /// examples and other inputs are those of this part too.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::{Batch, EpochStart};
    /// use inkstone::ndarray::Array2;
    /// /// The examples of a batch of 64 that this process needs.
    /// fn read(start: &EpochStart) -> inkstone::Result<Batch> {
    ///     let needed = start.needed(64);
    ///     let rows = Array2::from_shape_fn((needed.len(), 2), |(row, column)| (needed.start + row + column) as f32);
    ///     let batch = Batch::from(Dataset::from_table(rows, vec![0; needed.len()])?);
    ///     Ok(batch.part_of(64, needed.start))
    /// }
    /// let batch = read(&EpochStart::new(64))?;
    /// assert_eq!((batch.len(), batch.whole_len(), batch.places()), (64, 64, 0..64));
    /// let part = Batch::from(batch.dataset().take(16)?).part_of(64, 32);
    /// assert_eq!((part.len(), part.whole_len(), part.places()), (16, 64, 32..48));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn part_of(self, whole: usize, first: usize) -> Self {
        Self { part: Some((first, whole)), ..self }
    }

    /// How many examples the batch has, those included that are not there; see [`part_of`](Self::part_of).
    #[must_use]
    pub fn whole_len(&self) -> usize {
        self.part.map_or(self.len(), |(_, whole)| whole)
    }

    /// The places in the batch of the examples that are there: all, unless this is [a part](Self::part_of).
    #[must_use]
    pub fn places(&self) -> Range<usize> {
        let first = self.part.map_or(0, |(first, _)| first);
        first..first.saturating_add(self.len())
    }

    /// - needed: of a batch of so many examples
    ///
    /// # Errors
    /// [`Error::Data`] unless all those examples of the batch are there that are needed.
    pub(crate) fn check_places(&self, needed: impl FnOnce(usize) -> Range<usize>) -> Result<()> {
        if self.part.is_none() {
            return Ok(());
        }
        let (whole, places) = (self.whole_len(), self.places());
        let named = |places: &Range<usize>| match places.len() {
            1 => format!("the example {}", places.start),
            _ => format!("the examples {} to {}", places.start, places.end - 1),
        };
        if places.end > whole {
            return Err(Error::Data(format!(
                "expected a part of a batch of {whole} examples, got {}: `Batch::part_of` takes the length of the whole batch, and the \
                 place in it of the first example of the part, from 0",
                named(&places)
            )));
        }
        let needed = needed(whole);
        if places.start > needed.start || places.end < needed.end {
            return Err(Error::Data(format!(
                "expected {} of a batch of {whole}, got {}: give the places that `EpochStart::needed` says for as many, or all",
                named(&needed),
                named(&places)
            )));
        }
        Ok(())
    }

    /// How many examples there are, at least 1; of [a part](Self::part_of) only those that are there.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a data set is never empty")]
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// The examples of the first input, with the targets of the first output.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.first
    }

    /// The inputs, as [`Model::predict_all`](crate::Model::predict_all) takes them.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::data::Batch;
    /// use inkstone::ndarray::array;
    /// let model = Sequential::new([2]).add(Dense::new(3)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// let batch = Batch::from(Dataset::from_table(array![[1.0, 2.0]], vec![0])?);
    /// assert_eq!(model.predict(batch.inputs())?.shape(), [1, 3]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn inputs(&self) -> Inputs<'_> {
        let first = Inputs::from(&self.first);
        match &self.inputs[..] {
            [] => first,
            others => [first].into_iter().chain(others.iter().map(Inputs::from)).collect::<Vec<_>>().into(),
        }
    }

    /// All of it, as [`Model::evaluate`](crate::Model::evaluate) takes it.
    #[must_use]
    pub fn labelled(&self) -> LabelledInputs<'_> {
        let targets = self.first.targets();
        let targets = match &self.targets[..] {
            [] => targets,
            others => [targets].into_iter().chain(others.iter().map(Dataset::targets)).collect::<Vec<_>>().into(),
        };
        let targets: Targets<'_> = targets;
        match &self.sample_weight {
            None => (self.inputs(), targets).into(),
            Some(weights) => (self.inputs(), targets, weights).into(),
        }
    }

    pub(super) fn of_origin(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// An error of this batch, with where its examples are; the first for which `check` fails, if that is known.
    ///
    /// - name: of the batch, as in `batch 3 of epoch 1`
    pub(crate) fn locate(&self, error: Error, name: &str, check: impl Fn(&Self) -> Result<()>) -> Error {
        let Error::Data(fault) = error else { return error };
        let Some(Origin { place, examples }) = &self.origin else {
            return Error::Data(format!("in {name}: {fault}"));
        };
        let one = |at: usize| Self::from(self.first.range_of(at..at + 1));
        // What has more parts than one data set cannot be taken apart so.
        let is_whole = self.inputs.is_empty() && self.targets.is_empty();
        let found = (0..self.len()).find(|at| is_whole && check(&one(*at)).is_err());
        match found {
            Some(at) => Error::Data(format!("{place}, example {}, in {name}: {fault}", examples[at])),
            None => Error::Data(format!("{place}, in {name}: {fault}")),
        }
    }
}

/// What a [`BatchSource`] is asked for: an epoch, or the rest of one.
///
/// ```
/// use inkstone::data::EpochStart;
/// let start = EpochStart::new(64);
/// assert_eq!((start.batch_size, start.shuffle, start.epoch, start.first_batch), (64, false, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochStart {
    /// The model's seed.
    pub seed: u64,
    /// The epoch as callbacks know it, from 0.
    pub epoch: usize,
    /// How many epochs the model has been trained for, over all calls of `fit`: seed and this decide an order of the
    /// examples that no other epoch has.
    pub trained_epochs: usize,
    /// The batch to begin with, from 0; more than 0 where a training is resumed in the middle of an epoch.
    pub first_batch: usize,
    /// How many examples a batch should have; a source may have batches of its own.
    pub batch_size: usize,
    /// Whether the examples should be shuffled.
    pub shuffle: bool,
    /// What this process works on of each batch; all if it is `None`.
    pub(crate) share: Option<Share>,
}

impl EpochStart {
    /// The first epoch, in batches of so many examples in their own order.
    #[must_use]
    pub fn new(batch_size: usize) -> Self {
        Self { seed: 0, epoch: 0, trained_epochs: 0, first_batch: 0, batch_size, shuffle: false, share: None }
    }

    /// Which examples of a batch of so many this process needs, by their places in the batch: all, but where
    /// [several ranks](crate::distributed) train a model together, each on a part of every batch. Then this is a run of them,
    /// and all where the model needs to see them: if its sequences have masks at an output, and of a batch that is so large
    /// that its gradients are summed up in rounds. A source may give all nevertheless, or only these: see
    /// [`Batch::part_of`].
    ///
    /// ```
    /// use inkstone::data::EpochStart;
    /// assert_eq!(EpochStart::new(64).needed(50), 0..50);
    /// ```
    #[must_use]
    pub fn needed(&self, batch_len: usize) -> Range<usize> {
        self.share.map_or(0..batch_len, |share| share.of(batch_len))
    }
}

/// Where batches come from, one after the other: [`FileBatches`], [`batches_of_epochs`], [`endless_batches`], or a type
/// of your own. [`Model::fit_batches`](crate::Model::fit_batches) asks a source for the next batch on a thread of its own,
/// while it trains on the one before.
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::data::{Batch, BatchSource, EpochStart};
/// use inkstone::ndarray::Array2;
/// /// Ten batches of points, which are made as they are needed.
/// struct Points {
///     next: usize,
/// }
/// impl BatchSource for Points {
///     fn begin(&mut self, start: EpochStart) -> inkstone::Result<()> {
///         self.next = start.first_batch;
///         Ok(())
///     }
///     fn next_batch(&mut self) -> Option<inkstone::Result<Batch>> {
///         let at = self.next;
///         self.next += 1;
///         let points = Array2::from_elem((4, 2), at as f32);
///         (at < 10).then(|| Dataset::from_table(points, vec![at % 2; 4]).map(Batch::from))
///     }
/// }
/// let mut points = Points { next: 0 };
/// points.begin(EpochStart::new(4))?;
/// assert_eq!(std::iter::from_fn(|| points.next_batch()).count(), 10);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub trait BatchSource: Send {
    /// Begins an epoch, or goes to a batch of it.
    ///
    /// # Errors
    /// Whatever ends the training.
    fn begin(&mut self, start: EpochStart) -> Result<()>;

    /// The next batch; `None` at the end of the epoch. After an error it is not called again.
    fn next_batch(&mut self) -> Option<Result<Batch>>;

    /// How many examples each epoch has, if the source knows and gives them in batches of
    /// [`EpochStart::batch_size`], of which the last may be smaller.
    fn examples(&self) -> Option<usize> {
        None
    }
}

impl<S: BatchSource + ?Sized> BatchSource for &mut S {
    fn begin(&mut self, start: EpochStart) -> Result<()> {
        (**self).begin(start)
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        (**self).next_batch()
    }

    fn examples(&self) -> Option<usize> {
        (**self).examples()
    }
}
