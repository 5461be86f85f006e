//! Decides into how many shards a batch is cut, and which of them is whose, by a few numbers of a model and nothing else: who
//! reads a batch knows without the model which of its examples are needed. Where the numbers come from is in `train/shards`.

use std::ops::Range;

/// The most shards of a round.
pub(crate) const MAX_SHARDS: usize = 64;
/// The most examples of a shard: a running sum of the gradients of as many, chunk after chunk, loses few digits.
pub(crate) const MAX_SHARD: usize = 128;
/// The least work of a shard, in multiply-adds: about 0.1 ms of one core of a Zen 5.
pub(crate) const LEAST_WORK: u64 = 11_000_000;
/// How many shards there are of a batch that has as much work, whatever their buffers cost. Two and four threads get
/// alike parts of them; six shards, of which three threads would, take two threads 9 % longer on the Keras example at
/// batch 32, as their chunks are smaller (two cores of a Zen 5, 2026-11-26).
pub(crate) const FEW: u64 = 4;
/// More shards than these come in multiples, so that no thread is left with one more than the others.
const MULTIPLE: usize = 4;

/// What the number of a model's shards hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cutting {
    /// Of one example, forward and backward, in multiply-adds.
    pub(crate) work: u64,
    /// The least work of each shard, where there are more than [`FEW`].
    pub(crate) least_work: u64,
    /// The fewest examples of a shard, unless the batch has fewer.
    pub(crate) least_shard: usize,
    /// The most shards that the memory for their buffers allows.
    pub(crate) most_shards: usize,
}

impl Cutting {
    /// How many shards a batch, or a round of it, is cut into.
    pub(crate) fn count(self, examples: usize) -> usize {
        let work = self.work.saturating_mul(examples as u64);
        let few = (work / LEAST_WORK).min(FEW);
        let many = work / self.least_work;
        let most = examples.div_ceil(self.least_shard).clamp(1, self.most_shards);
        let wanted = few.max(many).min(MAX_SHARDS as u64) as usize;
        let even = if wanted > MULTIPLE { wanted - wanted % MULTIPLE } else { wanted };
        even.max(examples.div_ceil(MAX_SHARD)).clamp(1, most)
    }
}

/// One of so many parts of some examples or tasks, in their order: parts differ by one at most.
pub(crate) fn part(all: usize, parts: usize, index: usize) -> Range<usize> {
    start_of(all, parts, index)..start_of(all, parts, index + 1)
}

/// Where a part starts, or where the last one ends.
fn start_of(all: usize, parts: usize, index: usize) -> usize {
    // As a source of batches may name any length.
    (index as u128 * all as u128 / parts as u128) as usize
}

/// What one of several ranks works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) cutting: Cutting,
    /// The most examples whose gradients are summed up at once: a batch of more goes in rounds.
    pub(crate) round_len: usize,
    pub(crate) rank: usize,
    pub(crate) ranks: usize,
}

impl Share {
    /// The examples of a batch that the rank works on; one of them all the same if it has none to work on, as no batch is
    /// empty. All where there are rounds: what a rank has of them is no one run.
    pub(crate) fn of(self, examples: usize) -> Range<usize> {
        if examples == 0 || examples > self.round_len {
            return 0..examples;
        }
        let shards = self.cutting.count(examples);
        let own = part(shards, self.ranks, self.rank);
        let start = start_of(examples, shards, own.start).min(examples - 1);
        start..start_of(examples, shards, own.end).max(start + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of a network whose shards want so many examples each.
    fn wanting(least_shard: usize) -> Cutting {
        Cutting { work: 600_000, least_work: LEAST_WORK + 1_000_000, least_shard, most_shards: MAX_SHARDS }
    }

    #[test]
    fn the_shares_of_all_ranks_are_the_batch() {
        for examples in (1..70).chain([128, 500, 8191, 8192]) {
            for (ranks, least_shard) in [(1, 1), (2, 1), (3, 8), (4, 1), (7, 16), (100, 1)] {
                let cutting = wanting(least_shard);
                let of = |rank| Share { cutting, round_len: 8192, rank, ranks }.of(examples);
                let shards = cutting.count(examples);
                let mut next = 0;
                for rank in 0..ranks {
                    let (share, own) = (of(rank), part(shards, ranks, rank));
                    assert!(!share.is_empty() && share.end <= examples, "{share:?} of {examples}");
                    if own.is_empty() {
                        assert_eq!(share.len(), 1);
                        continue;
                    }
                    let places = own.map(|shard| part(examples, shards, shard));
                    let places: Vec<usize> = places.flatten().collect();
                    assert_eq!(places, share.clone().collect::<Vec<_>>());
                    assert_eq!(share.start, next);
                    next = share.end;
                }
                assert_eq!(next, examples, "{ranks} ranks");
            }
        }
    }

    #[test]
    fn of_a_batch_of_several_rounds_each_rank_has_all() {
        let share = Share { cutting: wanting(1), round_len: 256, rank: 1, ranks: 2 };
        assert_eq!((share.of(256), share.of(257), share.of(0)), (128..256, 0..257, 0..0));
    }

    #[test]
    fn no_length_is_too_large() {
        let share = |rank| Share { cutting: wanting(1), round_len: usize::MAX, rank, ranks: 2 };
        assert_eq!(share(0).of(usize::MAX).start, 0);
        assert_eq!(share(0).of(usize::MAX).end, share(1).of(usize::MAX).start);
        assert_eq!(share(1).of(usize::MAX).end, usize::MAX);
    }
}
