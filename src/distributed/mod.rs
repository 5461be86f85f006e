//! Data-parallel training by several processes: what a program that connects them must do. How a batch is shared out is in `train`.
//!
//! Each process, a *rank*, builds the same model and gives it a [`Communicator`] by [`Model::distribute`](crate::Model::distribute);
//! then [`fit`](crate::Model::fit), [`fit_batches`](crate::Model::fit_batches), [`train_on_batch`](crate::Model::train_on_batch) and
//! [`gradients`](crate::Model::gradients) are calls that all ranks make together, with the same arguments. A batch is cut into
//! shards by its size and the model alone, each rank works on some of them, and what they found is added up in the order of the
//! shards. So any number of ranks gives the bits of one ([`SumOrder::Shards`]), on machines with the same instruction set. A batch
//! has as many shards as there is work for, at most 64, and ranks beyond that have nothing to do: four for the Keras example's CNN
//! at batch 32, eight at 128, 32 at 512.
//!
//! The gradients of the last layers travel while those of the first are computed: the thread that calls `fit` exchanges, those of
//! the pool compute. The bits are the same, but less is done at once, if it is called from a thread of the pool, which waits for other
//! ranks then. The last shards that each thread works on keep the values of all their examples for that, up to 256 MiB.
//!
//! At the start of a `fit` the ranks compare checksums of all examples, as they are stored, and of the weights: it takes one pass over
//! the data in memory.
//!
//! Shuffling, dropout, augmentation, the statistics of batch normalization, metrics, the validation of `fit`, early stopping and
//! checkpoints are those of one process. Give all ranks the same callbacks: rank 0 alone writes files and prints. The other methods
//! of a model, `evaluate`, `predict` and passes by hand among them, are no calls together: each rank computes all of it, alone.
//!
//! `fit`, `train_on_batch` and `gradients` take all examples on every rank. With `fit_batches` each rank needs only its own part of
//! every batch, a run of its examples that [`EpochStart::needed`](crate::data::EpochStart::needed) says:
//! [`FileBatches`](crate::data::FileBatches) keeps no others, and reads others only where they lie close between two of them; a source
//! of your own may leave them out ([`Batch::part_of`](crate::data::Batch::part_of)). Validation data are read whole by every rank.
//!
//! The crate has no network code for this. The repository's folder `distributed` has a communicator for MPI.
//!
//! ```
//! use inkstone::distributed::{Communicator, SumOrder};
//! use inkstone::prelude::*;
//! use std::sync::Arc;
//! /// A world of one rank.
//! #[derive(Debug)]
//! struct Alone;
//! impl Communicator for Alone {
//!     fn rank(&self) -> usize {
//!         0
//!     }
//!     fn size(&self) -> usize {
//!         1
//!     }
//!     fn all_gather(&self, mine: &[u8], _lens: &[usize], all: &mut [u8]) -> inkstone::Result<()> {
//!         all.copy_from_slice(mine);
//!         Ok(())
//!     }
//!     fn all_to_all(&self, mine: &[u8], _to: &[usize], _from: &[usize], all: &mut [u8]) -> inkstone::Result<()> {
//!         all.copy_from_slice(mine);
//!         Ok(())
//!     }
//!     fn broadcast(&self, _root: usize, _bytes: &mut [u8]) -> inkstone::Result<()> {
//!         Ok(())
//!     }
//!     fn all_reduce(&self, _sums: &mut [f32]) -> inkstone::Result<()> {
//!         Ok(())
//!     }
//! }
//! let points = [[0.0, 1.0], [1.0, 0.0]];
//! let compiled = || {
//!     let described = Sequential::new([2]).add(Dense::new(2).activation(Softmax)).seed(1);
//!     described.compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])
//! };
//! let (mut alone, mut together) = (compiled()?, compiled()?);
//! together.distribute(Arc::new(Alone), SumOrder::Shards)?;
//! for model in [&mut alone, &mut together] {
//!     model.fit((&points, &[0, 1]), FitConfig::new().epochs(3).verbose(0))?;
//! }
//! assert_eq!(together.get_weights(), alone.get_weights());
//! # Ok::<(), inkstone::Error>(())
//! ```

mod group;

pub(crate) use group::{Call, Group, Signals};

use crate::error::Result;
use std::fmt::Debug;

/// How the ranks of a training exchange bytes: MPI's collective operations of these names, which all ranks call in the same order.
/// A call returns when this rank has what it is to get.
///
/// A rank whose training ends with an error says so in the next call, and the others end with that error. What becomes of the
/// others if a rank's process is killed, or its machine fails, is for the communicator: its calls must return an error, or end the
/// process, as MPI does. A communicator is used by one thread at a time, the one that calls `fit` or another method.
pub trait Communicator: Debug + Send + Sync {
    /// The place of this process among all, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Every rank gets the bytes of all, in the order of the ranks: `MPI_Allgatherv`.
    ///
    /// - lens: how many bytes each rank gives, the same on all; all: room for their sum
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> Result<()>;

    /// Every rank gives each rank some of its bytes, and gets what each has for it, in the order of the ranks: `MPI_Alltoallv`.
    ///
    /// - to: how many of `mine` go to each rank, in this order; from: how many bytes come from each; all: room for their sum
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> Result<()>;

    /// Every rank gets the bytes that `root` has: `MPI_Bcast`.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()>;

    /// Every rank gets the sums over all ranks, value by value, added in any order: `MPI_Allreduce`. All must get the same bits.
    /// Only [`SumOrder::Any`] needs it.
    ///
    /// # Errors
    /// [`Error::Distributed`](crate::Error::Distributed) if a rank cannot be reached.
    fn all_reduce(&self, sums: &mut [f32]) -> Result<()>;
}

/// In which order the gradients of a batch are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumOrder {
    /// That of the shards: any number of ranks gives the same bits as one process.
    Shards,
    /// Each rank's own first, and then those of the ranks as the communicator likes. It gives the same bits up: another number of
    /// ranks gives other roundings, and another run may, where the communicator adds in the order of arrival. The ranks agree
    /// with each other all the same.
    Any,
}
