//! Sources of batches that are iterators.

use super::{Batch, BatchSource, EpochStart};
use crate::error::Result;

/// A source whose batches are those of an iterator, which is made anew for each epoch.
///
/// - open: the iterator of this epoch, counted from 0
///
/// A training that is resumed in the middle of an epoch passes over the batches before.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::batches_of_epochs;
/// use inkstone::ndarray::Array2;
/// let mut model = Sequential::new([2])
///     .add(Dense::new(2).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// // Ten batches of points, other ones in each epoch.
/// let source = batches_of_epochs(|epoch| {
///     (0..10).map(move |batch| Dataset::from_table(Array2::from_elem((4, 2), (epoch + batch) as f32), vec![0, 1, 0, 1]))
/// });
/// let history = model.fit_batches(source, FitConfig::new().epochs(3).verbose(0))?;
/// assert_eq!(history.epochs.len(), 3);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn batches_of_epochs<F, I, B>(open: F) -> impl BatchSource
where
    F: FnMut(usize) -> I + Send,
    I: IntoIterator<Item = Result<B>>,
    I::IntoIter: Send,
    B: Into<Batch>,
{
    Epochs { open, batches: None::<I::IntoIter> }
}

/// A source whose batches are those of one iterator, which goes on from epoch to epoch: an epoch has
/// [`FitConfig::steps_per_epoch`](crate::FitConfig::steps_per_epoch) of them, or all that are left.
///
/// It cannot go back: a training that is resumed goes on with the batch that comes next, and one that is stopped within an epoch
/// has taken up to three batches more than it trained on. With [`batches_of_epochs`] a training resumes with the same bits.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::endless_batches;
/// use inkstone::ndarray::Array2;
/// let mut model = Sequential::new([2])
///     .add(Dense::new(2).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let batches = (0..).map(|batch| Dataset::from_table(Array2::from_elem((4, 2), (batch % 9) as f32), vec![0, 1, 0, 1]));
/// let config = FitConfig::new().epochs(3).steps_per_epoch(5).verbose(0);
/// assert_eq!(model.fit_batches(endless_batches(batches), config)?.epochs.len(), 3);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn endless_batches<I, B>(batches: I) -> impl BatchSource
where
    I: IntoIterator<Item = Result<B>>,
    I::IntoIter: Send,
    B: Into<Batch>,
{
    Endless(batches.into_iter())
}

struct Epochs<F, I> {
    open: F,
    /// Those of the epoch that has begun.
    batches: Option<I>,
}

impl<F, I, B> BatchSource for Epochs<F, I::IntoIter>
where
    F: FnMut(usize) -> I + Send,
    I: IntoIterator<Item = Result<B>>,
    I::IntoIter: Send,
    B: Into<Batch>,
{
    fn begin(&mut self, start: EpochStart) -> Result<()> {
        let mut batches = (self.open)(start.epoch).into_iter();
        for batch in batches.by_ref().take(start.first_batch) {
            batch?;
        }
        self.batches = Some(batches);
        Ok(())
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        self.batches.as_mut()?.next().map(|batch| batch.map(Into::into))
    }
}

struct Endless<I>(I);

impl<I, B> BatchSource for Endless<I>
where
    I: Iterator<Item = Result<B>> + Send,
    B: Into<Batch>,
{
    fn begin(&mut self, _: EpochStart) -> Result<()> {
        Ok(())
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        self.0.next().map(|batch| batch.map(Into::into))
    }
}
