//! What a model does with a source of batches: it is trained, evaluated, and predicts, with some batches in memory at a time.

use super::supply::{Prepared, Source, Supply, Validation, checked, prepare};
use super::{FitConfig, notes, of_validation};
use crate::data::{Batch, BatchSource, EpochStart};
use crate::error::{Error, Result};
use crate::history::History;
use crate::metrics::Scores;
use crate::model::Model;
use crate::train::{Examples, Tally};
use crate::training::say;
use ndarray::ArrayD;

/// How many examples a batch has that is only looked at, if the source lets it be chosen: Keras' default.
const LOOKED_AT: usize = 32;

impl Model {
    /// Trains the model as [`fit`](Self::fit) on batches of a source, of which only some are in memory: files that are read in
    /// pieces ([`FileBatches`](crate::data::FileBatches)), an iterator
    /// ([`batches_of_epochs`](crate::data::batches_of_epochs), [`endless_batches`](crate::data::endless_batches)), or a
    /// [`BatchSource`] of your own. While one batch is trained on, a thread prepares the next ones, of which at most two wait; on
    /// WebAssembly, which has no threads, each is prepared when it is needed. The thread has ended when this returns. A source
    /// may use rayon, unless this is called from a thread of the pool, which then waits for batches.
    ///
    /// The configuration means what it means to `fit`, with these differences: `batch_size` and `shuffle` are told to the
    /// source, which may have batches of its own; [`steps_per_epoch`](FitConfig::steps_per_epoch) ends an epoch before the source
    /// does; weights of examples come with the batches ([`Batch::sample_weight`]). The same batches in the same order give the
    /// same bits as `fit`, on any number of threads. A training that is resumed in the middle of an epoch asks the source for the
    /// rest of it ([`EpochStart::first_batch`]). One of [several ranks](crate::distributed) needs only a part of each batch
    /// ([`EpochStart::needed`]).
    ///
    /// # Errors
    /// What the source returns; [`Error::Data`] for a batch that does not fit the model, or a part of one that leaves out what is
    /// needed, with its number and where it was read, and for an epoch without batches, or with fewer than `steps_per_epoch`;
    /// [`Error::Setting`] for `validation_split`, `sample_weight` and differential privacy, which need all examples; and those of
    /// [`fit`](Self::fit). What was trained before stays.
    ///
    /// # Panics
    /// If the source does.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::data::batches_of_epochs;
    /// use inkstone::ndarray::Array4;
    /// // Images that are drawn as they are needed: bright ones are class 1.
    /// let batch = |number: usize| {
    ///     let images = Array4::from_shape_fn((16, 4, 4, 1), |(n, y, ..)| ((n % 2) * 200 + (number + y) % 9) as u8);
    ///     Dataset::from_bytes(images, (0..16).map(|n| n % 2).collect())
    /// };
    /// let source = batches_of_epochs(|epoch| (0..4).map(move |number| batch(4 * epoch + number)));
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .seed(1)
    ///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let history = model.fit_batches(source, FitConfig::new().epochs(5).validation_data(&batch(99)?).verbose(0))?;
    /// assert_eq!(history.get("val_accuracy")?.last(), Some(&1.0));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn fit_batches(&mut self, mut source: impl BatchSource, config: FitConfig<'_>) -> Result<History> {
        self.ongoing.check_free()?;
        let trained = self.fit_source(&mut source, config);
        trained.inspect_err(|error| self.tell_others(error))
    }

    fn fit_source(&mut self, batches: &mut dyn BatchSource, mut config: FitConfig<'_>) -> Result<History> {
        self.check_trainable()?;
        config.check()?;
        check_for_source(&config)?;
        let validation =
            config.validation_data.clone().map(|data| self.check_labelled(data).map_err(of_validation)).transpose()?;
        let examples = batches.examples();
        if let Some(found) = examples.filter(|examples| !(1..=u32::MAX as usize).contains(examples)) {
            return Err(Error::Data(format!(
                "the source of batches has {found} examples an epoch, expected 1 to {}: let `examples` return `None`",
                u32::MAX
            )));
        }
        if let Some(examples) = examples {
            self.check_stateful_fit(examples, config.batch_size, config.shuffle)?;
        }
        if config.verbose > 0 && !self.follows() {
            notes::unoptimised().iter().for_each(|line| say(line));
        }
        let known = examples.map(|examples| examples.div_ceil(config.batch_size));
        let steps = config.steps_per_epoch.or(known);
        let class_weight = config.class_weight.clone();
        let supply = Supply::Source(Source { batches, steps, augment: config.augment, class_weight });
        let source = config.validation_batches.take().map(Validation::Source);
        let validation =
            validation.as_ref().map(|validation| Validation::Examples(Box::new(Examples::of(validation)))).or(source);
        self.train_on(supply, examples, steps, validation, config)
    }

    /// The loss and metrics on all batches of a source, as [`evaluate`](Self::evaluate), of which only some are in memory. A
    /// source that lets batches be chosen is asked for 32 examples each, in their order.
    ///
    /// # Errors
    /// What the source returns; [`Error::Data`] for a batch that does not fit the model or is not whole, or if there is none.
    ///
    /// # Panics
    /// If the source does.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::data::endless_batches;
    /// use inkstone::ndarray::array;
    /// let points = Dataset::from_table(array![[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], vec![0, 1, 1])?;
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let scores = model.evaluate_batches(endless_batches(points.batch(2)?.map(Ok)))?;
    /// assert!((scores.loss - model.evaluate(&points)?.loss).abs() < 1e-6);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn evaluate_batches(&self, mut source: impl BatchSource) -> Result<Scores> {
        self.score_source(&mut source, |examples| Ok(self.engine.score(examples)))
    }

    /// - score: how a batch is
    pub(super) fn score_source(
        &self,
        source: &mut dyn BatchSource,
        score: impl Fn(&Examples<'_>) -> Result<Tally>,
    ) -> Result<Scores> {
        let mut total = self.engine.scoring.tally();
        self.look_at(source, |batch, name| {
            let examples = checked(self, batch, name)?;
            total.merge(&score(&Examples::of(&examples))?);
            Ok(())
        })?;
        Ok(total.scores(&self.engine.scoring))
    }

    /// What the model gives for all batches of a source, of which only some are in memory, one after the other; see
    /// [`evaluate_batches`](Self::evaluate_batches). Targets are not needed.
    ///
    /// - each: gets a batch and what [`predict`](Self::predict) gives for it, (N, and the output's shape)
    ///
    /// # Errors
    /// What the source and `each` return; for a batch those of [`predict`](Self::predict); [`Error::Data`] for one that is not
    /// whole, or if there is none.
    ///
    /// # Panics
    /// If the source does.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::data::{FileBatches, idx};
    /// use inkstone::ndarray::Array3;
    /// let path = tempfile::tempdir().unwrap().keep().join("images");
    /// idx::write_file(&path, Array3::from_shape_fn((70, 4, 4), |(n, ..)| n as u8).view().into_dyn())?;
    /// let model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(3).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
    /// let mut classes = Vec::new();
    /// model.predict_batches(FileBatches::open_inputs(&path)?, |batch, probabilities| {
    ///     assert_eq!(probabilities.shape(), [batch.len(), 3]);
    ///     classes.extend(model.predict_classes(batch.inputs())?);
    ///     Ok(())
    /// })?;
    /// assert_eq!(classes.len(), 70);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn predict_batches(
        &self,
        mut source: impl BatchSource,
        mut each: impl FnMut(&Batch, ArrayD<f32>) -> Result<()>,
    ) -> Result<()> {
        self.look_at(&mut source, |batch, name| {
            let predicted = self.predict(batch.inputs());
            let check = |batch: &Batch| self.predict(batch.inputs()).map(drop);
            let predicted = predicted.map_err(|error| batch.locate(error, &name(), check))?;
            each(batch, predicted)
        })
    }

    /// Shows all batches of a source.
    ///
    /// - look: gets a batch, and its name
    fn look_at(
        &self,
        source: &mut dyn BatchSource,
        mut look: impl FnMut(&Batch, &dyn Fn() -> String) -> Result<()>,
    ) -> Result<()> {
        let start = EpochStart { seed: self.seed(), ..EpochStart::new(LOOKED_AT) };
        prepare(source, start, usize::MAX, |prepared: &mut Prepared<'_>| {
            let mut count = 0;
            while let Some(batch) = prepared.next() {
                count += 1;
                let (batch, name) = (batch?, || format!("batch {count}"));
                let places = batch.check_places(|whole| 0..whole);
                places.map_err(|error| batch.locate(error, &name(), |_| Ok(())))?;
                look(&batch, &name)?;
            }
            if count > 0 {
                return Ok(());
            }
            Err(Error::Data("the source of batches ended after 0 batches, expected at least one".into()))
        })
    }
}

/// # Errors
/// [`Error::Setting`] for what only a training on all examples can have.
fn check_for_source(config: &FitConfig<'_>) -> Result<()> {
    let setting = |name, expected, received: String| Err(Error::Setting { name, expected, received });
    if config.validation_split > 0.0 {
        let expected = "0 with a source of batches: give `validation_data`";
        return setting("validation_split", expected, config.validation_split.to_string());
    }
    if let Some(weights) = config.sample_weight {
        let expected = "left out with a source of batches: give each batch its own, by `Batch::sample_weight`";
        return setting("sample_weight", expected, format!("{} weights", weights.len()));
    }
    #[cfg(feature = "privacy")]
    if config.differential_privacy.is_some() {
        let expected = "left out with a source of batches, as each step draws among all examples";
        return setting("differential_privacy", expected, "settings".into());
    }
    Ok(())
}
