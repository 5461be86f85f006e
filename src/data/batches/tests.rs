//! What each of several ranks gets of files, and how much of them it reads.

use super::{Batch, BatchSource, EpochStart, FileBatches};
use crate::cutting::{Cutting, LEAST_WORK, MAX_SHARDS, Share};
use crate::data::idx;
use ndarray::{Array1, Array3};
use proptest::prelude::*;
use tempfile::TempDir;

/// Images of so many rows, each with its number as its pixels and its label.
fn numbered(count: usize, side: usize) -> (TempDir, FileBatches) {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    idx::write_file(&images, Array3::from_shape_fn((count, side, side), |(n, ..)| n as u8).view().into_dyn()).unwrap();
    idx::write_file(&labels, Array1::from_shape_fn(count, |n| n as u8).view().into_dyn()).unwrap();
    let source = FileBatches::open(&images, &labels).unwrap();
    (folder, source)
}

/// Batches of which each example is a shard, as far as there may be so many.
fn share(rank: usize, ranks: usize) -> Option<Share> {
    let cutting = Cutting { work: LEAST_WORK, least_work: LEAST_WORK, least_shard: 1, most_shards: MAX_SHARDS };
    Some(Share { cutting, round_len: 8192, rank, ranks })
}

/// Where examples are, and what they are.
type Part = (usize, Vec<(usize, usize)>);

fn part(batch: &Batch) -> Part {
    let labels = batch.dataset().labels();
    let pixels = batch.dataset().images().map(|pixel| (pixel * 255.0).round() as usize);
    let side = pixels.len() / labels.len();
    let first: Vec<usize> = pixels.iter().copied().step_by(side).collect();
    assert_eq!(first, labels, "images and labels belong together");
    (batch.whole_len(), batch.places().zip(labels.iter().copied()).collect())
}

fn batches(source: &mut FileBatches, start: EpochStart) -> Vec<Part> {
    source.begin(start).unwrap();
    std::iter::from_fn(|| source.next_batch()).map(|batch| part(&batch.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn ranks_together_have_the_batches_of_one_process(
        count in 1_usize..90,
        (block_len, buffer_size, batch_size) in (1_usize..20, 1_usize..50, 1_usize..40),
        (ranks, first_batch, shuffle) in (1_usize..6, 0_usize..4, any::<bool>()),
    ) {
        let (_folder, source) = numbered(count, 2);
        let mut source = source.block_len(block_len).buffer_size(buffer_size);
        let start = EpochStart { seed: 3, first_batch, shuffle, ..EpochStart::new(batch_size) };
        let whole = batches(&mut source, start);
        let mut together: Vec<Part> = whole.iter().map(|(len, _)| (*len, Vec::new())).collect();
        for rank in 0..ranks {
            let start = EpochStart { share: share(rank, ranks), ..start };
            let parts = batches(&mut source, start);
            prop_assert_eq!(parts.len(), whole.len());
            for ((len, part), (whole, all)) in parts.iter().zip(&mut together) {
                prop_assert_eq!(*len, *whole);
                prop_assert_eq!(part.iter().map(|(place, _)| *place).collect::<Vec<_>>(), start.needed(*len).collect::<Vec<_>>());
                all.extend(part);
            }
        }
        for (_, all) in &mut together {
            all.sort_unstable();
            // More ranks than shards: some have an example that is another's too.
            all.dedup();
        }
        prop_assert_eq!(together, whole);
    }
}

#[test]
fn each_of_four_ranks_reads_a_quarter_of_large_images() {
    // Each takes 64 KiB, as much as is read over.
    let (_folder, source) = numbered(96, 256);
    let mut source = source.block_len(4).buffer_size(40);
    for shuffle in [false, true] {
        let mut reads = |share| {
            source.inputs.bytes_read = 0;
            batches(&mut source, EpochStart { shuffle, share, ..EpochStart::new(32) });
            let kept = source.epoch.needed.iter().filter(|needed| **needed).count();
            assert_eq!(source.epoch.rows.len(), kept);
            source.inputs.bytes_read
        };
        assert_eq!(reads(None), 96 * 65_536);
        for rank in 0..4 {
            assert_eq!(reads(share(rank, 4)), 24 * 65_536, "rank {rank}, shuffled: {shuffle}");
        }
    }
}

#[test]
fn small_images_are_read_with_what_lies_between_them_but_not_kept() {
    let (_folder, source) = numbered(96, 28);
    let mut source = source.block_len(48).buffer_size(96);
    let start = EpochStart { shuffle: true, share: share(1, 4), ..EpochStart::new(32) };
    batches(&mut source, start);
    assert!((80 * 784..=96 * 784).contains(&source.inputs.bytes_read), "{} bytes", source.inputs.bytes_read);
    assert_eq!(source.epoch.rows.len(), 24);
    // In the files' order they lie side by side.
    source.inputs.bytes_read = 0;
    batches(&mut source, EpochStart { shuffle: false, ..start });
    assert!(source.inputs.bytes_read <= 80 * 784, "{} bytes", source.inputs.bytes_read);
}

#[test]
fn a_resumed_epoch_reads_no_image_that_has_been_given() {
    let (_folder, source) = numbered(96, 256);
    let mut source = source.block_len(8).buffer_size(96);
    let start = EpochStart { shuffle: true, ..EpochStart::new(16) };
    let all = batches(&mut source, start);
    source.inputs.bytes_read = 0;
    assert_eq!(batches(&mut source, EpochStart { first_batch: 4, ..start }), all[4..]);
    assert_eq!(source.inputs.bytes_read, 32 * 65_536);
}

#[test]
fn an_epoch_has_ended_where_a_file_could_not_be_read() {
    let (folder, source) = numbered(40, 4);
    let mut source = source.block_len(8).buffer_size(8);
    let start = EpochStart { seed: 3, shuffle: false, ..EpochStart::new(8) };
    std::fs::OpenOptions::new().write(true).open(folder.path().join("images")).unwrap().set_len(16 + 12 * 16).unwrap();
    source.begin(start).unwrap();
    assert_eq!(part(&source.next_batch().unwrap().unwrap()).1.len(), 8);
    assert!(source.next_batch().unwrap().is_err());
    assert!(source.next_batch().is_none());
    // In the middle of a window.
    assert!(source.begin(EpochStart { first_batch: 3, ..EpochStart::new(3) }).is_err());
    assert!(source.next_batch().is_none());
    // What can be read still is.
    source.begin(start).unwrap();
    assert_eq!(part(&source.next_batch().unwrap().unwrap()).1.len(), 8);
}
