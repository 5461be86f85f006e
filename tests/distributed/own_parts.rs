//! Sources of which each rank gets its own part of every batch.

use super::keras_example::keras_example;
use super::threads::on_ranks;
use super::{compiled, small};
use inkstone::callbacks::{LambdaCallback, SaveFreq};
use inkstone::data::{Augment, Batch, BatchSource, EpochStart, FileBatches, idx};
use inkstone::distributed::{Communicator, SumOrder};
use inkstone::prelude::*;
use inkstone::{Interrupt, Result, Weight};
use ndarray::{Array1, Array2, Array3};
use std::ops::Range;
use std::path::PathBuf;
use tempfile::TempDir;

/// Files of images of three classes.
struct Files {
    _folder: TempDir,
    images: PathBuf,
    labels: PathBuf,
}

impl Files {
    fn new(count: usize, side: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
        let pixel = |(n, y, x): (usize, usize, usize)| (n * 37 + y * (n % 3) * 11 + x * 29 + n * x * y) as u8;
        idx::write_file(&images, Array3::from_shape_fn((count, side, side), pixel).view().into_dyn()).unwrap();
        idx::write_file(&labels, Array1::from_shape_fn(count, |n| (n % 3) as u8).view().into_dyn()).unwrap();
        Self { _folder: folder, images, labels }
    }

    /// Read in pieces that end anywhere in a batch.
    fn open(&self) -> FileBatches {
        FileBatches::open(&self.images, &self.labels).unwrap().block_len(14).buffer_size(100)
    }
}

/// Notes what a source gives of each batch.
struct Noted<S> {
    source: S,
    given: Vec<(usize, Range<usize>)>,
}

impl<S: BatchSource> BatchSource for Noted<S> {
    fn begin(&mut self, start: EpochStart) -> Result<()> {
        self.source.begin(start)
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        let batch = self.source.next_batch();
        if let Some(Ok(batch)) = &batch {
            assert_eq!(batch.len(), batch.places().len());
            self.given.push((batch.whole_len(), batch.places()));
        }
        batch
    }

    fn examples(&self) -> Option<usize> {
        self.source.examples()
    }
}

/// Compares what ranks come to with what one process does. Returns what four ranks were given, one after the other.
fn check<S: BatchSource>(
    model: impl Fn() -> Model + Sync,
    open: impl Fn() -> S + Sync,
    config: impl Fn() -> FitConfig<'static> + Sync,
) -> Vec<Vec<(usize, Range<usize>)>> {
    let train = |model: &mut Model| {
        let mut source = Noted { source: open(), given: Vec::new() };
        let history = model.fit_batches(&mut source, config().verbose(0)).unwrap();
        let scores: Vec<_> = history.epochs.into_iter().map(|epoch| epoch.training).collect();
        ((model.get_weights(), scores), source.given)
    };
    let (expected, given) = train(&mut model());
    assert!(given.iter().all(|(whole, places)| *places == (0..*whole)));
    let mut last = Vec::new();
    for (ranks, threads) in [(1, 2), (2, 1), (3, 2), (4, 1)] {
        let found = on_ranks(ranks, threads, |communicator| {
            let mut model = model();
            model.distribute(communicator, SumOrder::Shards).unwrap();
            train(&mut model)
        });
        for (rank, (found, of_rank)) in found.iter().enumerate() {
            assert!(*found == expected, "rank {rank} of {ranks}");
            assert_eq!(of_rank.len(), given.len());
        }
        last = found.into_iter().map(|(_, given)| given).collect();
    }
    last
}

/// Whether the ranks were given parts that are the batches together.
fn are_parts(given: &[Vec<(usize, Range<usize>)>]) -> bool {
    (0..given[0].len()).all(|batch| {
        let parts = || given.iter().map(|of_rank| &of_rank[batch]);
        let (whole, _) = given[0][batch];
        let ends = [(0, 0..0)].iter().chain(parts().clone()).map(|(_, places)| places.end).collect::<Vec<_>>();
        parts().zip(ends).all(|((len, places), end)| *len == whole && places.start == end)
            && given[given.len() - 1][batch].1.end == whole
    })
}

#[test]
fn files_in_their_order_and_shuffled() {
    // The last batch has 44.
    let files = Files::new(300, 28);
    let model = || compiled(keras_example(), Adam::new(0.01));
    for shuffle in [false, true] {
        let config = || {
            let config = FitConfig::new().epochs(2).batch_size(64).shuffle(shuffle);
            config.augment(Augment::default()).class_weight([(1, 3.0)])
        };
        let given = check(model, || files.open(), config);
        assert!(are_parts(&given), "{given:?}");
        assert_eq!((given[1][0].clone(), given[3][4].clone()), ((64, 16..32), (44, 33..44)));
    }
}

#[test]
fn batch_normalization() {
    let files = Files::new(150, 28);
    let network = || {
        let network =
            Sequential::new([28, 28, 1]).add(Conv2D::new(16, (3, 3))).add(BatchNormalization::new()).add(ReLU::new());
        let network = network.add(MaxPooling2D::new((2, 2))).add(Conv2D::new(16, (3, 3))).add(Flatten::new());
        compiled(network.add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
    };
    let given = check(network, || files.open(), || FitConfig::new().epochs(2).batch_size(64));
    assert!(are_parts(&given), "{given:?}");
}

#[test]
fn a_model_with_a_mask_at_its_output_needs_all() {
    let folder = tempfile::tempdir().unwrap();
    let (words, values) = (folder.path().join("words"), folder.path().join("values"));
    let word = |(n, step): (usize, usize)| if step > 3 + n % 6 { 0 } else { ((n * 7 + step * 13) % 49 + 1) as u8 };
    let words_of = Array2::from_shape_fn((500, 8), word);
    idx::write_file(&words, words_of.view().into_dyn()).unwrap();
    idx::write_file(&values, words_of.mapv(|word| word % 2).view().into_dyn()).unwrap();
    let model = || {
        let network = Sequential::new([8]).add(Embedding::new(50, 12).mask_zero(true));
        let network = network.add(LSTM::new(24).return_sequences(true)).add(Dense::new(1)).seed(3);
        network.compile(Adam::new(0.01), MeanSquaredError, []).unwrap()
    };
    let open = || FileBatches::open_with_values(&words, &values).unwrap().block_len(60).buffer_size(130);
    let given = check(model, open, || FitConfig::new().epochs(2).batch_size(400));
    assert!(given.iter().flatten().all(|(whole, places)| *places == (0..*whole)), "{given:?}");
    // The mask of what gives one output for a text is not counted.
    let classes = folder.path().join("classes");
    idx::write_file(&classes, Array1::from_shape_fn(500, |n| (n % 3) as u8).view().into_dyn()).unwrap();
    let model = || {
        let network = Sequential::new([8]).add(Embedding::new(50, 12).mask_zero(true)).add(LSTM::new(24));
        compiled(network.add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
    };
    let open = || FileBatches::open(&words, &classes).unwrap().block_len(60).buffer_size(130);
    let given = check(model, open, || FitConfig::new().epochs(2).batch_size(400));
    assert!(given.iter().flatten().any(|(whole, places)| places.len() < *whole), "{given:?}");
}

#[test]
fn batches_of_several_rounds_and_ranks_without_a_shard() {
    let files = Files::new(20_000, 6);
    let open = || files.open().buffer_size(9000);
    let given = check(small, open, || FitConfig::new().batch_size(20_000).epochs(2));
    assert!(given.iter().flatten().all(|(whole, places)| *places == (0..*whole)), "{given:?}");
    // Batches of eight of this network are one shard.
    let few = Files::new(20, 6);
    let given = check(small, || few.open(), || FitConfig::new().batch_size(8).epochs(2));
    let lens: Vec<usize> = given.iter().map(|of_rank| of_rank[0].1.len()).collect();
    assert_eq!(lens, [1, 1, 1, 8]);
}

#[test]
fn a_training_is_resumed_in_the_middle_of_an_epoch_by_another_number_of_ranks() {
    let files = Files::new(300, 28);
    let model = || compiled(keras_example(), Adam::new(0.01));
    let mut alone = model();
    alone.fit_batches(files.open(), FitConfig::new().epochs(3).batch_size(64).verbose(0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let train = |ranks: usize, stop: Option<(usize, usize)>| -> Vec<Vec<Weight>> {
        on_ranks(ranks, 1, |communicator| {
            let is_last = communicator.rank() + 1 == ranks;
            let mut model = model();
            model.distribute(communicator, SumOrder::Shards).unwrap();
            let interrupt = Interrupt::new();
            let pulled = interrupt.clone();
            let pulls = LambdaCallback::new().on_train_batch_end(move |batch, _, training| {
                if is_last && Some((training.model().epochs(), batch)) == stop {
                    pulled.interrupt();
                }
                Ok(())
            });
            let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(3));
            let config = FitConfig::new().epochs(3).batch_size(64).backup(backup).verbose(0);
            model.fit_batches(files.open(), config.interrupt(&interrupt).callback(pulls)).unwrap();
            model.get_weights()
        })
    };
    train(3, Some((1, 1)));
    train(2, Some((2, 3)));
    assert!(train(4, None).iter().all(|weights| *weights == alone.get_weights()));
}

/// Ten batches of points, made as they are needed.
struct Points {
    next: usize,
    start: EpochStart,
    /// Which part of a batch it gives, of what is needed.
    part: fn(usize, Range<usize>) -> Range<usize>,
}

impl Points {
    fn new(part: fn(usize, Range<usize>) -> Range<usize>) -> Self {
        Self { next: 0, start: EpochStart::new(1), part }
    }
}

impl BatchSource for Points {
    fn begin(&mut self, start: EpochStart) -> Result<()> {
        (self.next, self.start) = (start.first_batch, start);
        Ok(())
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        let batch = self.next;
        self.next += 1;
        let whole = if batch == 9 { 300 } else { 400 };
        let places = (self.part)(batch, self.start.needed(whole));
        let number = |row: usize| batch * 400 + places.start + row;
        let points = Array2::from_shape_fn((places.len(), 4), |(row, x)| (number(row) % 3 * x) as f32);
        let classes = (0..places.len()).map(|row| number(row) % 3).collect();
        let weights = (0..places.len()).map(|row| 1.0 + (number(row) % 5) as f32).collect();
        let made = Dataset::from_table(points, classes)
            .map(|points| Batch::from(points).sample_weight(weights).part_of(whole, places.start));
        (batch < 10).then_some(made)
    }
}

fn wide() -> Model {
    let network = Sequential::new([4]).add(Dense::new(300).activation(Relu)).add(Dense::new(200).activation(Relu));
    compiled(network.add(Dropout::new(0.3)).add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
}

#[test]
fn a_source_that_gives_parts_or_more() {
    let config = || FitConfig::new().epochs(2);
    let needed = check(wide, || Points::new(|_, needed| needed), config);
    assert!(are_parts(&needed), "{needed:?}");
    let more = check(wide, || Points::new(|_, needed| needed.start.saturating_sub(3)..needed.end), config);
    assert_eq!(more[1][0], (400, 97..200));
}

/// What three ranks say of such a source.
fn errors(part: fn(usize, Range<usize>) -> Range<usize>, wrong: usize) -> Vec<String> {
    on_ranks(3, 1, |communicator| {
        let part = if communicator.rank() == wrong { part } else { |_, needed| needed };
        let mut model = wide();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        model.fit_batches(Points::new(part), FitConfig::new().verbose(0)).unwrap_err().to_string()
    })
}

#[test]
fn a_wrong_part_is_refused_on_all_ranks() {
    let too_few = errors(|batch, needed| if batch == 2 { needed.start + 1..needed.end } else { needed }, 1);
    let places = "expected the examples 100 to 199 of a batch of 400, got the examples 101 to 199";
    let said =
        format!("in batch 3 of epoch 1: {places}: give the places that `EpochStart::needed` says for as many, or all");
    assert_eq!(too_few, [format!("rank 1 of 3 failed: {said}"), said.clone(), format!("rank 1 of 3 failed: {said}")]);

    let too_long = errors(|_, needed| needed.start..needed.end + 1, 2);
    let said = "in batch 1 of epoch 1: expected a part of a batch of 400 examples, got the examples 200 to 400: `Batch::part_of` takes \
                the length of the whole batch, and the place in it of the first example of the part, from 0";
    assert_eq!(too_long[2], said);
    assert_eq!(too_long[0], format!("rank 2 of 3 failed: {said}"));
}

#[test]
fn what_is_not_trained_together_takes_whole_batches() {
    let part = || Points::new(|batch, needed| if batch == 1 { 7..8 } else { needed });
    let places = "expected the examples 0 to 399 of a batch of 400, got the example 7: give the places that `EpochStart::needed` says \
                  for as many, or all";
    let trained = wide().fit_batches(part(), FitConfig::new().verbose(0)).unwrap_err();
    assert_eq!(trained.to_string(), format!("in batch 2 of epoch 1: {places}"));
    let evaluated = wide().evaluate_batches(part()).unwrap_err();
    assert_eq!(evaluated.to_string(), format!("in batch 2: {places}"));
    let config = FitConfig::new().validation_batches(part()).verbose(0);
    let validated = wide().fit_batches(Points::new(|_, needed| needed), config).unwrap_err();
    assert_eq!(validated.to_string(), format!("in the validation data: in batch 2: {places}"));
}
