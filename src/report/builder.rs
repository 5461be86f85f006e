//! What a page is made of, and what is left out of it.

use super::page::{Evaluated, Page, page};
use super::sheet::Sheet;
use super::{film, filters, mistakes, svg};
use crate::data::{Dataset, LabelledInputs};
use crate::error::Result;
use crate::history::History;
use crate::model::Model;
use std::path::Path;

/// A page on a model: one HTML file with everything in it. Settings and summary are always there; curves, scores,
/// classes, mistakes and calibration where there is something to show.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("report.html");
/// use inkstone::prelude::*;
/// use inkstone::{data::synthetic, report::Report};
/// let test = synthetic::digits(50, 2)?;
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Flatten::new())
///     .add(Dense::new(10).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// Report::new(&model).title("Before training").evaluate(&test).mistakes(6).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("<h1>Before training</h1>"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is written before `write`"]
pub struct Report<'a> {
    model: &'a Model,
    title: String,
    history: Option<&'a History>,
    test: Option<LabelledInputs<'a>>,
    class_names: Vec<String>,
    mistakes: usize,
    films: Vec<Sheet>,
}

impl<'a> Report<'a> {
    /// A page on this model's description and settings.
    pub fn new(model: &'a Model) -> Self {
        let title = "Training report".into();
        Self { model, title, history: None, test: None, class_names: Vec::new(), mistakes: 24, films: Vec::new() }
    }

    /// Its heading, "Training report" if none is given.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// Adds the curves of this training, and a table of its epochs.
    pub fn history(self, history: &'a History) -> Self {
        Self { history: Some(history), ..self }
    }

    /// Adds the scores on these examples, and if the model chooses one of several classes, what it makes of each of
    /// them.
    pub fn evaluate(self, test: impl Into<LabelledInputs<'a>>) -> Self {
        Self { test: Some(test.into()), ..self }
    }

    /// Names the classes, in order; without it they are numbers.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { class_names: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// How many mistakes are shown, 24 if not given.
    pub fn mistakes(self, n: usize) -> Self {
        Self { mistakes: n, ..self }
    }

    /// Adds a section with a row of up to ten pictures for each moment: what a generator makes of the same latent
    /// vectors after each epoch, or inputs above what an autoencoder makes of them. Call it for each section.
    ///
    /// - frames: what each row shows, with its images
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("report.html");
    /// use inkstone::prelude::*;
    /// use inkstone::{data::synthetic, report::Report};
    /// let digits = synthetic::digits(20, 2)?;
    /// let model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let frames = [("first", digits.take(10)?), ("then", digits.skip(10)?)];
    /// Report::new(&model).film("Digits", frames).write(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("<h2>Digits</h2>"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn film(
        mut self,
        title: impl AsRef<str>,
        frames: impl IntoIterator<Item = (impl Into<String>, Dataset)>,
    ) -> Self {
        let frames: Vec<(String, Dataset)> =
            frames.into_iter().map(|(moment, images)| (moment.into(), images)).collect();
        self.films.push(film::sheet(title.as_ref(), &frames));
        self
    }

    /// Writes the page; MNIST's takes about 120 KB, with three epochs of the Keras example.
    ///
    /// # Errors
    /// As [`Model::evaluate`], and [`Error::Data`](crate::Error::Data) if there is not one name for each class;
    /// [`Error::NotWritten`](crate::Error::Io) if the file cannot be written, then what was there before is still
    /// there.
    pub fn write(self, path: impl AsRef<Path>) -> Result<()> {
        let Self { model, title, history, test, class_names, mistakes, films } = self;
        let evaluated = test.map(|test| evaluate(model, test, class_names, mistakes)).transpose()?;
        // A model on vectors has no filters to show, and its page is as good without.
        let filters = filters::sheet(model).ok();
        let history = history.filter(|history| !history.epochs.is_empty());
        let page = page(&Page { model, title: &title, history, evaluated, filters, films });
        svg::write(path.as_ref(), &page.into_string())
    }
}

fn evaluate(model: &Model, test: LabelledInputs<'_>, names: Vec<String>, mistakes: usize) -> Result<Evaluated> {
    let scores = model.evaluate(test.clone())?;
    let report = match model.chooses_a_class() {
        false => None,
        true if names.is_empty() => Some(model.evaluate_report(test.clone())?),
        true => Some(model.evaluate_report(test.clone())?.class_names(names)?),
    };
    let images = test.images();
    let shown = report.as_ref().filter(|report| report.mistake_count() > 0 && mistakes > 0);
    let sheet =
        shown.filter(|_| mistakes::has_pictures(images)).map(|report| mistakes::sheet(report, images, mistakes));
    Ok(Evaluated { examples: images.len(), scores, report, mistakes, sheet })
}
