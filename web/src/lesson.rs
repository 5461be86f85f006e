//! Decides how a lesson goes: batches in an order that changes every epoch, for as long as the worker allows at a time, so
//! that it can listen to the page in between. Epochs are as those of `fit`.

use crate::augmentation::of_handwriting;
use crate::network::Settings;
use crate::pictures::{Picture, as_seen};
use inkstone::data::{Augment, Dataset, synthetic};
use inkstone::prelude::*;
use inkstone::{Error, Result};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use serde::Serialize;
use std::time::Duration;
use web_time::Instant;

/// A network that learns, and what it learns from.
pub(crate) struct Lesson {
    train: Dataset,
    test: Dataset,
    model: Model,
    batch: usize,
    augment: Option<Augment>,
    /// The seed of orders and variations.
    seed: u64,
    /// The examples of this epoch in their order.
    order: Vec<usize>,
    /// How many of them are done.
    done: usize,
    epoch: u64,
    steps: u64,
}

/// What some milliseconds of training brought: means over their examples.
#[derive(Debug, Serialize)]
pub(crate) struct Progress {
    /// Epochs that are complete.
    epoch: u64,
    /// Batches since the beginning.
    steps: u64,
    /// Examples of this epoch that are done, and how many there are.
    done: usize,
    of: usize,
    /// Examples of this call.
    examples: usize,
    seconds: f64,
    loss: f64,
    accuracy: f64,
    /// Whether an epoch ended.
    ended: bool,
}

/// How well a network reads a part of the test set.
#[derive(Debug, Serialize)]
pub(crate) struct Examination {
    examples: usize,
    loss: f64,
    accuracy: f64,
    /// Counts of (label, answer), row by row.
    confusion: Vec<usize>,
    mistakes: Vec<Misread>,
}

/// A picture that is read wrongly.
#[derive(Debug, Serialize)]
struct Misread {
    label: usize,
    answer: usize,
    probability: f32,
    #[serde(flatten)]
    picture: Picture,
}

/// What is read in a drawing.
#[derive(Debug, Serialize)]
pub(crate) struct Reading {
    probabilities: Vec<f32>,
    #[serde(flatten)]
    picture: Picture,
}

/// What a network is.
#[derive(Debug, Serialize)]
pub(crate) struct Description {
    summary: String,
    weights: usize,
    train: usize,
    test: usize,
    input: Vec<usize>,
}

/// How many mistakes are shown.
const MISTAKES: usize = 12;

impl Lesson {
    /// # Errors
    /// As [`Settings::from_json`] and [`Settings::model`].
    pub(crate) fn on_drawn_digits(settings: &str, train: usize, test: usize, seed: u64) -> Result<Self> {
        let (train, test) = (synthetic::digits(train, seed)?, synthetic::digits(test, !seed)?);
        let settings = Settings::from_json(settings)?;
        let model = settings.model(side(&train)?)?;
        let mut lesson = Self {
            order: Vec::new(),
            seed: model.seed(),
            batch: settings.batch,
            augment: settings.augment.then(of_handwriting),
            train,
            test,
            model,
            done: 0,
            epoch: 0,
            steps: 0,
        };
        lesson.shuffle();
        Ok(lesson)
    }

    /// Other data, and a new network.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), and if test pictures have another size than training pictures; all stays as it was.
    pub(crate) fn learn_from(&mut self, settings: &str, train: Dataset, test: Dataset) -> Result<()> {
        if train.shape() != test.shape() {
            let (train, test) = (train.shape(), test.shape());
            return Err(Error::Data(format!(
                "the training pictures are {train}, the test pictures {test}: choose files that belong together"
            )));
        }
        let settings = Settings::from_json(settings)?;
        let model = settings.model(side(&train)?)?;
        (self.train, self.test) = (train, test);
        self.start(&settings, model);
        Ok(())
    }

    /// A new network.
    ///
    /// # Errors
    /// As [`Settings::from_json`] and [`Settings::model`]; the old network stays.
    pub(crate) fn begin(&mut self, settings: &str) -> Result<()> {
        let settings = Settings::from_json(settings)?;
        let model = settings.model(side(&self.train)?)?;
        self.start(&settings, model);
        Ok(())
    }

    fn start(&mut self, settings: &Settings, model: Model) {
        self.batch = settings.batch;
        self.augment = settings.augment.then(of_handwriting);
        self.take(model);
    }

    fn take(&mut self, model: Model) {
        self.seed = model.seed();
        self.model = model;
        (self.done, self.epoch, self.steps) = (0, 0, 0);
        self.shuffle();
    }

    /// Goes on with a model of a file.
    ///
    /// # Errors
    /// The crate's; `Error::Data` if it takes other pictures or has other answers. The old network stays.
    pub(crate) fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let model = Model::from_bytes(bytes)?;
        let (expected, found) = (self.train.shape(), model.input_shape());
        if expected != found {
            let text =
                format!("the model takes pictures of {found}, the data set has {expected}: choose its data first");
            return Err(Error::Data(text));
        }
        if model.output_shapes().len() != 1 || model.output_shape().axes() != [10] {
            return Err(Error::Data(format!("the model answers with {}, expected ten classes", model.output_shape())));
        }
        // What cannot be examined, and what does not answer with probabilities, stays outside.
        let one = self.test.take(1)?;
        model.evaluate_report(&one)?;
        let sum = model.predict(&one)?.sum();
        if (sum - 1.0).abs() > 1e-3 {
            return Err(Error::Data(format!(
                "the model's answers have the sum {sum}, expected probabilities: end it with a softmax"
            )));
        }
        self.take(model);
        Ok(())
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn describe(&self) -> Description {
        Description {
            summary: self.model.summary().to_string(),
            weights: self.model.parameter_count(),
            train: self.train.len(),
            test: self.test.len(),
            input: self.train.shape().axes().to_vec(),
        }
    }

    /// Trains batch by batch until the time is over or an epoch ends, a batch at least.
    ///
    /// # Errors
    /// The crate's; what was learned before stays.
    pub(crate) fn train(&mut self, milliseconds: f64) -> Result<Progress> {
        let start = Instant::now();
        let time = Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default();
        let (mut examples, mut loss, mut accuracy) = (0, 0.0, 0.0);
        loop {
            let end = self.order.len().min(self.done + self.batch);
            let mut batch = self.train.select(&self.order[self.done..end])?;
            if let Some(augment) = &self.augment {
                batch = batch.augment(augment, self.seed ^ self.steps)?;
            }
            let scores = self.model.train_on_batch(&batch, batch.labels())?;
            let count = batch.len();
            examples += count;
            loss += scores.loss * count as f64;
            accuracy += scores.get("accuracy").unwrap_or(0.0) * count as f64;
            self.done = end;
            self.steps += 1;
            if self.done == self.order.len() || start.elapsed() >= time {
                break;
            }
        }
        let ended = self.done == self.order.len();
        if ended {
            self.epoch += 1;
            self.done = 0;
            self.shuffle();
        }
        let all = examples as f64;
        Ok(Progress {
            epoch: self.epoch,
            steps: self.steps,
            done: self.done,
            of: self.order.len(),
            examples,
            seconds: start.elapsed().as_secs_f64(),
            loss: loss / all,
            accuracy: accuracy / all,
            ended,
        })
    }

    /// # Errors
    /// The crate's.
    pub(crate) fn examine(&self, examples: usize) -> Result<Examination> {
        let test = self.test.take(examples.clamp(1, self.test.len()))?;
        let scores = self.model.evaluate(&test)?;
        let report = self.model.evaluate_report(&test)?;
        let mistakes = report.mistakes(MISTAKES).iter().map(|mistake| {
            Ok(Misread {
                label: mistake.label,
                answer: mistake.predicted,
                probability: mistake.probability,
                picture: Picture::of(&test, mistake.index)?,
            })
        });
        Ok(Examination {
            examples: test.len(),
            loss: scores.loss,
            accuracy: report.accuracy(),
            confusion: report.confusion_matrix().counts().iter().copied().collect(),
            mistakes: mistakes.collect::<Result<_>>()?,
        })
    }

    /// A picture of the test set; `part`, from 0 to 1, says which.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn example(&self, part: f64) -> Result<Picture> {
        let index = ((part * self.test.len() as f64) as usize).min(self.test.len() - 1);
        Picture::of(&self.test, index)
    }

    /// # Errors
    /// As [`as_seen`].
    pub(crate) fn read(&self, pixels: &[u8], width: usize) -> Result<Reading> {
        let [height, side, _] = side(&self.train)?;
        let seen = as_seen(pixels, width, [height, side])?;
        let probabilities = self.model.predict(&seen)?;
        Ok(Reading {
            probabilities: probabilities.iter().copied().collect(),
            picture: Picture { height, width: side, pixels: seen.into_iter().collect() },
        })
    }

    /// A new order, other than those before.
    fn shuffle(&mut self) {
        self.order = (0..self.train.len()).collect();
        self.order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(self.seed.wrapping_add(self.epoch)));
    }
}

/// The axes of a data set's pictures.
///
/// # Errors
/// `Error::Data` if they are no grey pictures.
fn side(dataset: &Dataset) -> Result<[usize; 3]> {
    match *dataset.shape().axes() {
        [height, width, 1] => Ok([height, width, 1]),
        _ => Err(Error::Data(format!("expected grey pictures, (H, W, 1), got {}", dataset.shape()))),
    }
}
