//! A slower network than there is, to see what a training would take on it.

use inkstone::Result;
use inkstone::distributed::Communicator;
use std::sync::Arc;
use std::time::Duration;

/// A communicator whose calls take longer: for each message a latency, and for the bytes of the rank that gives or gets most a
/// bandwidth. Gathering takes as many messages one after the other as doubling does; from each rank to each, one message to each. What
/// the network that is there takes comes on top.
#[derive(Debug)]
pub struct Slowed {
    communicator: Arc<dyn Communicator>,
    latency: Duration,
    bytes_a_second: f64,
}

impl Slowed {
    /// - latency: of a message; bytes_a_second: that each rank gives and gets at once, more than 0
    ///
    /// # Panics
    /// If there are no bytes a second, or no number of them.
    #[must_use]
    pub fn new(communicator: Arc<dyn Communicator>, latency: Duration, bytes_a_second: f64) -> Self {
        assert!(bytes_a_second > 0.0, "a network gives more than 0 bytes a second, got {bytes_a_second}");
        Self { communicator, latency, bytes_a_second }
    }

    fn wait(&self, messages: usize, bytes: usize) {
        if self.size() > 1 {
            let moving = Duration::try_from_secs_f64(bytes as f64 / self.bytes_a_second).unwrap_or(Duration::MAX);
            std::thread::sleep(self.latency.saturating_mul(messages as u32).saturating_add(moving));
        }
    }

    /// How often ranks double what they have until one has that of all.
    fn doublings(&self) -> usize {
        self.size().next_power_of_two().ilog2() as usize
    }
}

impl Communicator for Slowed {
    fn rank(&self) -> usize {
        self.communicator.rank()
    }

    fn size(&self) -> usize {
        self.communicator.size()
    }

    fn all_gather(&self, mine: &[u8], lens: &[usize], all: &mut [u8]) -> Result<()> {
        self.wait(self.doublings(), all.len() - mine.len());
        self.communicator.all_gather(mine, lens, all)
    }

    fn all_to_all(&self, mine: &[u8], to: &[usize], from: &[usize], all: &mut [u8]) -> Result<()> {
        let own = to[self.rank()];
        self.wait(self.size() - 1, mine.len().max(all.len()) - own);
        self.communicator.all_to_all(mine, to, from, all)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        self.wait(self.doublings(), bytes.len());
        self.communicator.broadcast(root, bytes)
    }

    fn all_reduce(&self, sums: &mut [f32]) -> Result<()> {
        self.wait(2 * self.doublings(), 2 * size_of_val(sums) * (self.size() - 1) / self.size());
        self.communicator.all_reduce(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// The first of two ranks, with a network that takes no time.
    #[derive(Debug)]
    struct First;

    impl Communicator for First {
        fn rank(&self) -> usize {
            0
        }

        fn size(&self) -> usize {
            2
        }

        fn all_gather(&self, mine: &[u8], _lens: &[usize], all: &mut [u8]) -> Result<()> {
            all[..mine.len()].copy_from_slice(mine);
            Ok(())
        }

        fn all_to_all(&self, _mine: &[u8], _to: &[usize], _from: &[usize], _all: &mut [u8]) -> Result<()> {
            Ok(())
        }

        fn broadcast(&self, _root: usize, _bytes: &mut [u8]) -> Result<()> {
            Ok(())
        }

        fn all_reduce(&self, _sums: &mut [f32]) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn messages_and_bytes_take_their_time() {
        let slowed = |milliseconds, bytes_a_second| {
            Slowed::new(Arc::new(First), Duration::from_millis(milliseconds), bytes_a_second)
        };
        let took = |call: &dyn Fn()| {
            let start = Instant::now();
            call();
            start.elapsed()
        };
        let (late, narrow) = (slowed(30, f64::INFINITY), slowed(0, 1e5));
        let gather = |on: &Slowed| took(&|| on.all_gather(&[1; 5000], &[5000, 5000], &mut [0; 10_000]).unwrap());
        assert!(gather(&late) >= Duration::from_millis(30));
        // The others' 5,000 bytes.
        assert!(gather(&narrow) >= Duration::from_millis(50));
        assert!(
            took(&|| narrow.all_to_all(&[0; 6000], &[1000, 5000], &[1000, 2000], &mut [0; 3000]).unwrap())
                >= Duration::from_millis(50)
        );
        assert!(took(&|| narrow.all_reduce(&mut [0.0; 1250]).unwrap()) >= Duration::from_millis(50));
        assert!(took(&|| narrow.broadcast(0, &mut [0; 5000]).unwrap()) >= Duration::from_millis(50));
    }

    #[test]
    #[should_panic(expected = "more than 0 bytes a second, got 0")]
    fn a_network_without_bytes_is_none() {
        let _ = Slowed::new(Arc::new(First), Duration::ZERO, 0.0);
    }
}
