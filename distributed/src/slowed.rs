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
    /// - latency: of a message; bytes_a_second: that each rank gives and gets at once
    #[must_use]
    pub fn new(communicator: Arc<dyn Communicator>, latency: Duration, bytes_a_second: f64) -> Self {
        Self { communicator, latency, bytes_a_second }
    }

    fn wait(&self, messages: usize, bytes: usize) {
        if self.size() > 1 {
            let moving = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second);
            std::thread::sleep(self.latency * messages as u32 + moving);
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
