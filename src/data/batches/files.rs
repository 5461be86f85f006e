//! A source of batches that are read from files: in which order, and how much of a file is in memory at a time.

use super::array_file::ArrayFile;
use super::window::{Rows, TargetFile, are_pixels};
use super::{Batch, BatchSource, EpochStart};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::random::{Stream, stream};
use crate::shape::Shape;
use rand::seq::SliceRandom;
use std::path::Path;
use std::sync::Arc;

/// The bytes of examples that are read in one go, if one is not larger.
const BLOCK_BYTES: usize = 1 << 18;
/// The bytes of examples that are in memory together.
const BUFFER_BYTES: usize = 1 << 24;
/// The most examples of a file.
const MAX_EXAMPLES: usize = u32::MAX as usize;

/// Batches that are read from files as they are needed, so that the files may be larger than the memory: an array of inputs,
/// and one of classes or target values. The files are IDX, not compressed, or with the feature `numpy` `.npy` in C's order.
///
/// Inputs are images of bytes, (N, H, W) or (N, H, W, C), which become `x / 255` as they are used; of other numbers images,
/// sequences or the rows of a table, (N, H, W, C), (N, T, F) or (N, F). Nothing else is kept of the files, which must not
/// change while they are read.
///
/// Without shuffling, batches have the examples in the files' order, and a training is that of
/// [`fit`](crate::Model::fit) to the bit. With it, the order is drawn from the model's seed and the epoch in two steps, so that a
/// slow disk reads long pieces: the files are cut into blocks of [`block_len`](Self::block_len) examples, and the blocks put in
/// random order; as many blocks as have [`buffer_size`](Self::buffer_size) examples are read, and those examples put in random
/// order together. No example comes twice in an epoch. Examples that are sorted, say by class, are mixed the better the more blocks are
/// read together.
///
/// One of [several ranks](crate::distributed) that train a model together takes the same order, but reads only the examples that it
/// works on, and others only where less than 64 KiB of them lie between two of its own.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::data::{FileBatches, idx};
/// use inkstone::ndarray::{Array1, Array3};
/// let folder = tempfile::tempdir().unwrap();
/// let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
/// // Bright images are class 1, dark ones class 0.
/// let pixels = Array3::from_shape_fn((64, 4, 4), |(n, ..)| if n % 2 == 0 { 0 } else { 200 });
/// idx::write_file(&images, pixels.view().into_dyn())?;
/// idx::write_file(&labels, Array1::from_shape_fn(64, |n| n as u8 % 2).view().into_dyn())?;
///
/// let mut source = FileBatches::open(&images, &labels)?;
/// assert_eq!((source.len(), source.shape().to_string()), (64, "(4, 4, 1)".to_owned()));
/// let mut model = Sequential::new([4, 4, 1])
///     .add(Flatten::new())
///     .add(Dense::new(2).activation(Softmax))
///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit_batches(&mut source, FitConfig::new().epochs(5).verbose(0))?;
/// assert_eq!(model.evaluate_batches(&mut source)?.accuracy()?, 1.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Debug)]
pub struct FileBatches {
    pub(super) inputs: ArrayFile,
    targets: TargetFile,
    /// The files, as errors name them.
    place: Arc<str>,
    /// Of one example.
    shape: Shape,
    block_len: usize,
    buffer_size: usize,
    pub(super) epoch: Epoch,
}

/// How far an epoch is.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    start: Option<EpochStart>,
    /// The blocks in their order.
    blocks: Vec<usize>,
    /// How many parts of the file have been in memory.
    windows: usize,
    /// How many examples the parts before this one have had.
    before: usize,
    /// Those of the examples of this part that are needed.
    pub(super) rows: Rows,
    pub(super) needed: Vec<bool>,
    /// The order of all of its examples; of those that are needed the place among the rows.
    order: Vec<u32>,
    /// How many of those have been given or passed over.
    given: usize,
    /// Room for what is read.
    room: Vec<u8>,
}

impl FileBatches {
    /// Opens a file of inputs and one of classes, (N) or (N, 1), whole numbers from 0.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be opened; [`Error::Idx`] or [`Error::Data`] if it is compressed, no whole array in one of
    /// the formats, or of axes that do not fit, and if there is not one class for each input.
    pub fn open(inputs: impl AsRef<Path>, classes: impl AsRef<Path>) -> Result<Self> {
        let classes = ArrayFile::open(classes.as_ref())?;
        if !matches!(classes.shape[..], [_] | [_, 1]) {
            let (place, shape) = (&classes.place, &classes.shape);
            return Err(Error::Data(format!("{place}: classes have the shape (N), got {shape:?}")));
        }
        Self::new(inputs.as_ref(), TargetFile::Classes(classes))
    }

    /// Opens a file of inputs and one of target values, (N) or (N, outputs).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_values(inputs: impl AsRef<Path>, values: impl AsRef<Path>) -> Result<Self> {
        let values = ArrayFile::open(values.as_ref())?;
        if values.shape.len() > 2 {
            let (place, shape) = (&values.place, &values.shape);
            return Err(Error::Data(format!("{place}: values have the shape (N) or (N, outputs), got {shape:?}")));
        }
        Self::new(inputs.as_ref(), TargetFile::Values(values))
    }

    /// Opens a file of inputs alone, to [predict](crate::Model::predict_batches).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_inputs(inputs: impl AsRef<Path>) -> Result<Self> {
        Self::new(inputs.as_ref(), TargetFile::Nothing)
    }

    fn new(inputs: &Path, targets: TargetFile) -> Result<Self> {
        let inputs = ArrayFile::open(inputs)?;
        let (count, axes) = (inputs.examples(), inputs.shape.clone());
        let fault = |problem: String| Err(Error::Data(format!("{}: {problem}", inputs.place)));
        let shape = match axes[1..] {
            [height, width] if are_pixels(&inputs) => Shape::new(&[height, width, 1]),
            [_] | [_, _] | [_, _, _] => Shape::new(&axes[1..]),
            _ => return fault(format!("inputs have 2 to 4 axes, (N, ...), got the shape {axes:?}")),
        };
        let Some(shape) = shape else { return fault(format!("inputs of the shape {axes:?} are too large")) };
        if count > MAX_EXAMPLES {
            return fault(format!("a file may have at most {MAX_EXAMPLES} examples, found {count}"));
        }
        let place: Arc<str> = match &targets {
            TargetFile::Nothing => inputs.place.as_str().into(),
            TargetFile::Classes(file) | TargetFile::Values(file) => {
                if file.examples() != count {
                    return fault(format!(
                        "there must be one target for each example, got {count} examples, and {} targets in {}",
                        file.examples(),
                        file.place
                    ));
                }
                format!("{} and {}", inputs.place, file.place).into()
            }
        };
        let width = if are_pixels(&inputs) { 1 } else { size_of::<f32>() };
        let fitting = |bytes: usize| (bytes / (inputs.len_of_one() * width)).max(1);
        let (block_len, buffer_size) = (fitting(BLOCK_BYTES), fitting(BUFFER_BYTES));
        Ok(Self { inputs, targets, place, shape, block_len, buffer_size, epoch: Epoch::default() })
    }

    /// Sets how many examples lie side by side in the files and are read in one go; as many as take 256 KiB.
    #[must_use]
    pub fn block_len(self, examples: usize) -> Self {
        Self { block_len: examples, ..self }
    }

    /// Sets how many examples are in memory together, and in random order if they are shuffled, besides some batches; as many as
    /// take 16 MiB. At least a block is read.
    ///
    /// ```no_run
    /// use inkstone::data::FileBatches;
    /// // All of a small file: every order of the examples is as likely as every other.
    /// let source = FileBatches::open("images-idx3-ubyte", "labels-idx1-ubyte")?.block_len(1).buffer_size(60_000);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn buffer_size(self, examples: usize) -> Self {
        Self { buffer_size: examples, ..self }
    }

    /// How many examples there are, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an array without examples is not opened")]
    pub fn len(&self) -> usize {
        self.inputs.examples()
    }

    /// The shape of one example.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All of it as a data set, in the files' order, if it does fit in memory.
    ///
    /// # Errors
    /// What reading a batch fails with.
    ///
    /// ```
    /// use inkstone::data::{FileBatches, idx};
    /// use inkstone::ndarray::array;
    /// let folder = tempfile::tempdir().unwrap();
    /// let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    /// idx::write_file(&images, array![[[0, 51], [102, 255]]].view().into_dyn())?;
    /// idx::write_file(&labels, array![7].view().into_dyn())?;
    /// let dataset = FileBatches::open(&images, &labels)?.dataset()?;
    /// assert_eq!((dataset.labels(), dataset.images()[[0, 0, 1, 0]]), (&[7][..], 0.2));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn dataset(&mut self) -> Result<Dataset> {
        let all = self.len();
        self.begin(EpochStart::new(all))?;
        match self.next_batch() {
            Some(batch) => Ok(batch?.dataset().clone()),
            None => Err(Error::Data(format!("{}: there are no examples", self.place))),
        }
    }

    /// How many blocks are in memory together.
    fn blocks_together(&self) -> usize {
        (self.buffer_size / self.block_len).max(1)
    }

    /// The examples of a block: the first, and how many.
    fn block(&self, block: usize) -> (usize, usize) {
        let first = block * self.block_len;
        (first, self.block_len.min(self.len() - first))
    }

    /// The blocks that are in memory next.
    fn next_blocks(&self) -> &[usize] {
        let together = self.blocks_together();
        self.epoch.blocks.chunks(together).nth(self.epoch.windows).unwrap_or_default()
    }

    /// Draws the order of the examples of the next blocks, and reads those that are needed.
    ///
    /// - given: how many of them are not needed any more
    fn read_window(&mut self, start: EpochStart, given: usize) -> Result<()> {
        let blocks: Vec<(usize, usize)> = self.next_blocks().iter().map(|block| self.block(*block)).collect();
        let (all, len) = (self.len(), self.inputs.len_of_one());
        let Self { inputs, targets, epoch, .. } = self;
        let count: usize = blocks.iter().map(|(_, count)| count).sum();
        epoch.before += epoch.order.len();
        epoch.given = given;
        epoch.order.clear();
        epoch.order.extend(0..count as u32);
        if start.shuffle {
            let use_ = Stream::Window { epoch: start.trained_epochs, window: epoch.windows };
            epoch.order.shuffle(&mut stream(start.seed, use_));
        }
        epoch.windows += 1;
        epoch.find_needed(start, all);
        epoch.rows.clear();
        epoch.rows.reserve(targets, epoch.needed.iter().filter(|needed| **needed).count(), len);
        let mut needed = &epoch.needed[..];
        for (first, count) in blocks {
            let of_block = needed.split_off(..count).expect("one for each example");
            epoch.rows.read(inputs, targets, (first, of_block), &mut epoch.room)?;
        }
        epoch.place_rows();
        Ok(())
    }

    fn gather(&mut self, start: EpochStart) -> Result<Option<Batch>> {
        let left = self.len().saturating_sub(self.epoch.before + self.epoch.given);
        let whole = start.batch_size.min(left);
        if whole == 0 {
            return Ok(None);
        }
        let (needed, len) = (start.needed(whole), self.inputs.len_of_one());
        let mut batch = Rows::new(&self.inputs, &self.targets, needed.len());
        for place in 0..whole {
            if self.epoch.given == self.epoch.order.len() {
                self.read_window(start, 0)?;
            }
            let Epoch { rows, order, given, .. } = &mut self.epoch;
            if needed.contains(&place) {
                batch.push(rows, order[*given] as usize, len);
            }
            *given += 1;
        }
        let batch = batch.into_batch(self.shape, &self.place)?;
        Ok(Some(if needed.len() < whole { batch.part_of(whole, needed.start) } else { batch }))
    }
}

impl Epoch {
    /// Finds which of the examples in memory are needed for the batches that are still to be given.
    ///
    /// - all: how many examples the epoch has
    fn find_needed(&mut self, start: EpochStart, all: usize) {
        let Self { before, needed, order, given, .. } = self;
        needed.clear();
        needed.resize(order.len(), false);
        let (mut at, end) = (*before + *given, *before + order.len());
        while at < end {
            let first = at - at % start.batch_size;
            let len = start.batch_size.min(all - first);
            let of_batch = start.needed(len);
            for place in (first + of_batch.start).max(at)..(first + of_batch.end).min(end) {
                needed[order[place - *before] as usize] = true;
            }
            at = first + len;
        }
    }

    /// Makes the order that of the rows, which are the examples that are needed.
    fn place_rows(&mut self) {
        let mut rows = 0;
        let of_example = |needed: &bool| {
            let row = rows;
            rows += u32::from(*needed);
            row
        };
        let rows: Vec<u32> = self.needed.iter().map(of_example).collect();
        self.order.iter_mut().for_each(|example| *example = rows[*example as usize]);
    }
}

impl BatchSource for FileBatches {
    fn begin(&mut self, start: EpochStart) -> Result<()> {
        let settings =
            [("block_len", self.block_len), ("buffer_size", self.buffer_size), ("batch_size", start.batch_size)];
        for (name, value) in settings {
            if value == 0 {
                return Err(Error::Setting { name, expected: "at least 1", received: "0".into() });
            }
        }
        self.block_len = self.block_len.min(self.len());
        let Self { inputs, targets, epoch, block_len, .. } = self;
        epoch.start = Some(start);
        if epoch.rows.len() == 0 {
            epoch.rows = Rows::new(inputs, targets, 0);
        }
        epoch.blocks.clear();
        epoch.blocks.extend(0..inputs.examples().div_ceil(*block_len));
        if start.shuffle {
            epoch.blocks.shuffle(&mut stream(start.seed, Stream::Shuffle { epoch: start.trained_epochs }));
        }
        (epoch.windows, epoch.before, epoch.given) = (0, 0, 0);
        epoch.order.clear();
        // Passes over what is not needed without reading it.
        let mut left = start.first_batch.saturating_mul(start.batch_size);
        loop {
            let next: usize = self.next_blocks().iter().map(|block| self.block(*block).1).sum();
            if left < next {
                break;
            }
            if next == 0 {
                return Ok(());
            }
            left -= next;
            self.epoch.windows += 1;
            self.epoch.before += next;
        }
        if left > 0 {
            self.read_window(start, left).inspect_err(|_| self.epoch.start = None)?;
        }
        Ok(())
    }

    fn next_batch(&mut self) -> Option<Result<Batch>> {
        let start = self.epoch.start?;
        // What was read of a window is of no use without the rest.
        self.gather(start).inspect_err(|_| self.epoch.start = None).transpose()
    }

    fn examples(&self) -> Option<usize> {
        Some(self.len())
    }
}
