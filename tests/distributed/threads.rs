//! Ranks that are threads of one process, for tests: each has a pool of its own, and they give each other bytes at a barrier.

use inkstone::distributed::Communicator;
use inkstone::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What the ranks have put down for each other.
#[derive(Debug)]
struct Table {
    /// For each rank the bytes that it gives to each.
    given: Mutex<Given>,
    changed: Condvar,
    size: usize,
}

#[derive(Debug)]
struct Given {
    bytes: Vec<Option<Vec<Vec<u8>>>>,
    /// How many have taken what is theirs.
    taken: usize,
    /// A rank that has gone, if one has.
    gone: Option<usize>,
}

/// One of the ranks.
#[derive(Debug)]
pub(crate) struct OfThreads {
    rank: usize,
    table: Arc<Table>,
}

impl OfThreads {
    fn wait<'g>(
        &self,
        mut given: MutexGuard<'g, Given>,
        done: impl Fn(&Given) -> bool,
    ) -> Result<MutexGuard<'g, Given>> {
        while !done(&given) {
            if let Some(gone) = given.gone {
                return Err(Error::Distributed(format!("rank {gone} has gone")));
            }
            let (again, timeout) = self.table.changed.wait_timeout(given, Duration::from_secs(60)).unwrap();
            given = again;
            assert!(!timeout.timed_out(), "rank {} waits for the others", self.rank);
        }
        Ok(given)
    }

    /// Gives each rank some bytes, and gets those of all.
    fn exchange(&self, mine: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        let Table { given, changed, size } = &*self.table;
        // The last exchange must be over.
        let mut given = self.wait(given.lock().unwrap(), |given| given.bytes[self.rank].is_none())?;
        given.bytes[self.rank] = Some(mine);
        changed.notify_all();
        let mut given = self.wait(given, |given| given.bytes.iter().all(Option::is_some))?;
        let found = given.bytes.iter().map(|bytes| bytes.as_ref().unwrap()[self.rank].clone()).collect();
        given.taken += 1;
        if given.taken == *size {
            given.taken = 0;
            given.bytes.iter_mut().for_each(|bytes| *bytes = None);
        }
        changed.notify_all();
        // Nobody may come back before all have taken.
        drop(self.wait(given, |given| given.bytes[self.rank].is_none() || given.taken == 0)?);
        Ok(found)
    }
}

impl Communicator for OfThreads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.table.size
    }

    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> Result<()> {
        assert_eq!(mine.len(), lens[self.rank], "rank {}", self.rank);
        let found = self.exchange(vec![mine.to_vec(); self.size()])?.concat();
        all.copy_from_slice(&found);
        Ok(())
    }

    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> Result<()> {
        let mut rest = mine;
        let parts = to.iter().map(|len| rest.split_off(..*len).unwrap().to_vec()).collect();
        assert!(rest.is_empty());
        let found = self.exchange(parts)?;
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), from);
        all.copy_from_slice(&found.concat());
        Ok(())
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        let found = self.exchange(vec![bytes.to_vec(); self.size()])?;
        bytes.copy_from_slice(&found[root]);
        Ok(())
    }

    fn all_reduce(&self, sums: &mut [f32]) -> Result<()> {
        let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let found = self.exchange(vec![bytes; self.size()])?;
        sums.fill(0.0);
        // Another order than that of the shards.
        for bytes in found.iter().rev() {
            let values = bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        Ok(())
    }
}

/// Runs a program on so many ranks, each with a pool of so many threads, of which one calls it. A rank that panics has gone.
pub(crate) fn on_ranks<T: Send>(size: usize, threads: usize, program: impl Fn(Arc<OfThreads>) -> T + Sync) -> Vec<T> {
    on_plain_ranks(size, |communicator| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| program(communicator))
    })
}

/// The same on threads that are of no pool, and share the one that there is.
pub(crate) fn on_plain_ranks<T: Send>(size: usize, program: impl Fn(Arc<OfThreads>) -> T + Sync) -> Vec<T> {
    let given = Given { bytes: vec![None; size], taken: 0, gone: None };
    let table = Arc::new(Table { given: Mutex::new(given), changed: Condvar::new(), size });
    let (program, table) = (&program, &table);
    let run = move |rank| {
        let communicator = Arc::new(OfThreads { rank, table: Arc::clone(table) });
        let ended = catch_unwind(AssertUnwindSafe(|| program(communicator)));
        ended.unwrap_or_else(|panic| {
            table.given.lock().unwrap_or_else(|error| error.into_inner()).gone = Some(rank);
            table.changed.notify_all();
            resume_unwind(panic)
        })
    };
    std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..size).map(|rank| scope.spawn(move || run(rank))).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}
