//! Decides how many shards a batch is cut into: as many as there is work for, by the batch and the model alone. So the
//! number of threads changes no bit. Here are the numbers of a model; what becomes of them is in `cutting`.

use crate::cutting::{Cutting, FEW, LEAST_WORK, MAX_SHARD, MAX_SHARDS, Share, part};
use crate::exec::kept_len;
use crate::plan::Plan;
use std::ops::Range;

/// The most floats that a round keeps of its examples, unless it has very few of them.
const KEPT_FLOATS: usize = 1 << 24;
/// The fewest examples of a round that is not the batch's last.
const LEAST_ROUND: usize = 256;
/// Forward and backward take about as long as this many forward passes.
pub(super) const PASSES: u64 = 3;
/// The least work of each of more shards, for each float of a shard's buffer, which is zeroed, added to by each chunk,
/// and summed up.
const LEAST_WORK_PER_FLOAT: u64 = 2400;

/// The least work of each of more shards, for each weight of a dense layer: those of a large one come from the
/// third-level cache for each chunk, which takes as long as the arithmetic of about ten examples.
const LEAST_WORK_PER_DENSE_WEIGHT: u64 = 32;

/// The most floats of all shards' buffers, unless there are few shards: 128 MiB.
const BUFFER_FLOATS: usize = 1 << 25;

/// How batches of a plan are cut into shards.
pub(super) fn cutting(plan: &Plan) -> Cutting {
    let buffers = LEAST_WORK_PER_FLOAT * plan.parameters.sharded_len as u64;
    let weights = LEAST_WORK_PER_DENSE_WEIGHT * plan.dense_weights() as u64;
    Cutting {
        work: plan.operations().saturating_mul(PASSES),
        least_work: LEAST_WORK + buffers + weights,
        // A recurrent layer reads its whole kernel in each step: half of what it wants at a time shares that.
        least_shard: plan.examples_at_once().div_ceil(2),
        most_shards: most_shards(plan),
    }
}

/// How many shards a batch, or a round of it, is cut into.
pub(super) fn shard_count(plan: &Plan, examples: usize) -> usize {
    cutting(plan).count(examples)
}

/// The most shards that the memory for their buffers allows.
fn most_shards(plan: &Plan) -> usize {
    (BUFFER_FLOATS / plan.parameters.sharded_len).clamp(FEW as usize, MAX_SHARDS)
}

/// The examples of one shard: shards differ by one at most.
pub(super) fn shard_places(examples: usize, shards: usize, index: usize) -> Range<usize> {
    part(examples, shards, index)
}

/// How many examples of a batch are worked on before their gradients are summed up: all, unless they are very many. Chunks
/// that meet must all be there.
pub(super) fn round_len(plan: &Plan) -> usize {
    if plan.meetings().next().is_some() {
        return usize::MAX;
    }
    let kept = KEPT_FLOATS / kept_len(plan).max(1);
    kept.max(LEAST_ROUND).min(most_shards(plan) * MAX_SHARD)
}

/// Which examples of a batch one of several ranks needs; `None` if it needs all, as the steps that have a mask are counted
/// over the whole batch.
pub(super) fn share(plan: &Plan, rank: usize, ranks: usize) -> Option<Share> {
    let share = Share { cutting: cutting(plan), round_len: round_len(plan), rank, ranks };
    plan.mask_steps.is_empty().then_some(share)
}

#[cfg(test)]
mod tests {
    use super::super::models::{keras_cnn, mlp, plan, vgg};
    use super::*;
    use crate::layers::{Conv2D, Flatten, LSTM, Layer, Reshape};
    use crate::shape::Padding;

    /// As many threads get work as there are shards, if there are as many threads: see [`super::super::workers`].
    #[test]
    fn larger_batches_give_work_to_more_threads() {
        let counts = |plan: &Plan| [1, 32, 128, 512, 10_000].map(|examples| shard_count(plan, examples));
        assert_eq!(counts(&keras_cnn()), [1, 4, 8, 32, 64]);
        assert_eq!(counts(&mlp()), [1, 4, 8, 32, 64]);
        assert_eq!(counts(&vgg()), [1, 4, 20, 64, 64]);
    }

    #[test]
    fn many_shards_of_large_convolutions_would_take_too_much_memory() {
        let conv = || Layer::from(Conv2D::new(512, (3, 3)).padding(Padding::Same));
        let large = plan([32, 32, 3], vec![conv(), conv(), conv(), Flatten::new().into()]);
        assert_eq!((shard_count(&large, 256), round_len(&large)), (7, LEAST_ROUND));
    }

    #[test]
    fn little_work_is_not_cut_up() {
        let tiny = plan([4, 4, 1], vec![Flatten::new().into()]);
        assert_eq!([1, 32, 128, 512].map(|examples| shard_count(&tiny, examples)), [1, 1, 1, 4]);
    }

    #[test]
    fn shards_of_long_sequences_share_a_kernel() {
        let long = plan([784, 1, 1], vec![Reshape::new([784, 1]).into(), LSTM::new(128).into()]);
        assert_eq!([1, 16, 64, 256].map(|examples| shard_count(&long, examples)), [1, 2, 8, 32]);
    }

    #[test]
    fn shards_are_alike_and_cover_the_batch() {
        for (examples, shards) in [(1, 1), (32, 6), (37, 5), (64, 64), (65_536, 64)] {
            let all: Vec<_> = (0..shards).map(|index| shard_places(examples, shards, index)).collect();
            assert_eq!((all[0].start, all[shards - 1].end), (0, examples));
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lens = all.iter().map(Range::len);
            let (least, most) = (lens.clone().min().unwrap(), lens.max().unwrap());
            assert!(least > 0 && most - least <= 1 && most == examples.div_ceil(shards), "{examples} in {shards}");
        }
    }

    #[test]
    fn rounds_keep_a_bounded_part_of_what_their_examples_leave() {
        assert_eq!(round_len(&keras_cnn()), MAX_SHARDS * MAX_SHARD);
        let large = plan([1, 1, 1 << 14], vec![Flatten::new().into()]);
        assert_eq!(round_len(&large), KEPT_FLOATS / ((1 << 14) + 16 + 10));
        let convolutions = plan([8, 8, 1], vec![Conv2D::new(2, (3, 3)).into(), Flatten::new().into()]);
        assert_eq!(round_len(&convolutions), MAX_SHARDS * MAX_SHARD);
        let wide = plan([1, 1, 1 << 20], vec![Flatten::new().into()]);
        assert_eq!(round_len(&wide), LEAST_ROUND);
    }
}
