//! Connects the processes of a training by MPI: [`run`] starts a program on each of `mpirun`'s processes and gives it a
//! [`Communicator`] for [`Model::distribute`](inkstone::Model::distribute).
//!
//! ```no_run
//! use inkstone::distributed::SumOrder;
//! use inkstone::prelude::*;
//! fn main() {
//!     inkstone_mpi::run(|communicator| {
//!         let (train, test) = mnist::load_data()?;
//!         let described = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax)).seed(1);
//!         let mut model = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//!         model.distribute(communicator, SumOrder::Shards)?;
//!         model.fit(&train, FitConfig::new().validation_data(&test)).map(drop)
//!     });
//! }
//! ```

mod slowed;

pub use slowed::Slowed;

use inkstone::{Error, Result};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// All processes that `mpirun` has started. It counts what goes through it.
///
/// MPI itself ends all processes when one is killed or its machine fails: none of these calls returns then.
#[derive(Debug, Default)]
pub struct Communicator {
    calls: AtomicU64,
    sent: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What a rank has exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// Calls of MPI.
    pub calls: u64,
    /// Bytes that this rank gave to others; to each of them those that it was to get.
    pub sent: u64,
    /// How long the calls took, with waiting for other ranks.
    pub time: Duration,
}

/// Runs a program on this process, one of those that `mpirun` has started. If it fails or panics, all processes end with the exit
/// code 1, after this one has printed why.
///
/// # Panics
/// If MPI has been started before, or lets the main thread alone call it.
pub fn run(program: impl FnOnce(Arc<Communicator>) -> Result<()>) {
    let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized).expect("MPI is started once");
    let is_enough = matches!(threading, Threading::Serialized | Threading::Multiple);
    assert!(is_enough, "MPI must let one thread at a time call it, whichever that is: this one gives {threading:?}");
    let world = universe.world();
    let ended = catch_unwind(AssertUnwindSafe(|| program(Arc::default())));
    match ended {
        Ok(Ok(())) => return,
        Ok(Err(error)) => eprintln!("rank {}: {error}", world.rank()),
        // The panic has been printed.
        Err(_) => {}
    }
    // The others, who may have something to say too, are not waited for: they may be where nobody comes.
    std::thread::sleep(Duration::from_millis(300));
    world.abort(1)
}

impl Communicator {
    /// What this rank has exchanged so far.
    #[must_use]
    pub fn exchanged(&self) -> Exchanged {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Exchanged { calls: of(&self.calls), sent: of(&self.sent), time: Duration::from_nanos(of(&self.nanoseconds)) }
    }

    /// Counts a call that gives so many bytes to others.
    fn counted(&self, sent: usize, call: impl FnOnce(&SimpleCommunicator)) {
        let start = Instant::now();
        call(&SimpleCommunicator::world());
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.sent.fetch_add(sent as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }
}

impl inkstone::distributed::Communicator for Communicator {
    fn rank(&self) -> usize {
        SimpleCommunicator::world().rank() as usize
    }

    fn size(&self) -> usize {
        SimpleCommunicator::world().size() as usize
    }

    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> Result<()> {
        let (counts, starts) = counts(lens)?;
        self.counted(mine.len() * (lens.len() - 1), |world| {
            world.all_gather_varcount_into(mine, &mut PartitionMut::new(all, counts, starts));
        });
        Ok(())
    }

    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> Result<()> {
        let ((to_counts, to_starts), (from_counts, from_starts)) = (counts(to)?, counts(from)?);
        self.counted(mine.len() - to[self.rank()], |world| {
            let given = Partition::new(mine, to_counts, to_starts);
            world.all_to_all_varcount_into(&given, &mut PartitionMut::new(all, from_counts, from_starts));
        });
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        let (root, len) = (root as i32, bytes.len());
        counts(&[len])?;
        let sent = if self.rank() as i32 == root { len * (self.size() - 1) } else { 0 };
        self.counted(sent, |world| world.process_at_rank(root).broadcast_into(bytes));
        Ok(())
    }

    fn all_reduce(&self, sums: &mut [f32]) -> Result<()> {
        counts(&[sums.len()])?;
        let own = sums.to_vec();
        // As a ring does it, twice all of them but for one part.
        let sent = 2 * size_of_val(sums) * (self.size() - 1) / self.size();
        self.counted(sent, |world| world.all_reduce_into(&own[..], sums, SystemOperation::sum()));
        Ok(())
    }
}

/// Lengths as MPI counts them, and where each part starts.
///
/// # Errors
/// [`Error::Distributed`] for more than it can count: 2^31 - 1 in all.
fn counts(lens: &[usize]) -> Result<(Vec<i32>, Vec<i32>)> {
    let all: usize = lens.iter().sum();
    if i32::try_from(all).is_err() {
        return Err(Error::Distributed(format!(
            "an exchange has {all} bytes, MPI counts to {}: take smaller batches, or a model with fewer weights",
            i32::MAX
        )));
    }
    let starts = lens.iter().scan(0, |start, len| Some(std::mem::replace(start, *start + *len as i32)));
    Ok((lens.iter().map(|len| *len as i32).collect(), starts.collect()))
}
