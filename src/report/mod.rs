//! A training in pictures (feature `plot`): each as an SVG file, or all of them on one HTML page.
//!
//! | what | how |
//! | --- | --- |
//! | loss and metrics over the epochs | [`History::plot`](crate::History::plot) |
//! | which class was taken for which | [`ConfusionMatrix::plot`](crate::evaluation::ConfusionMatrix::plot) |
//! | the most confident mistakes | [`EvaluationReport::plot_mistakes`](crate::EvaluationReport::plot_mistakes) |
//! | what the first layer looks for | [`Model::plot_filters`](crate::Model::plot_filters) |
//! | how layers are connected | [`Model::plot`](crate::Model::plot) |
//! | whether probabilities mean what they say | [`Calibration::plot`](crate::evaluation::Calibration::plot) |
//! | all of it, with the summary, the settings and the scores | [`write()`], or [`Report`] with a choice |
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("report.html");
//! use inkstone::prelude::*;
//! use inkstone::{data::synthetic, report};
//!
//! let (train, test) = (synthetic::digits(200, 1)?, synthetic::digits(50, 2)?);
//! let mut model = Sequential::new([28, 28, 1])
//!     .add(Conv2D::new(8, (3, 3)).activation(Relu))
//!     .add(MaxPooling2D::new((2, 2)))
//!     .add(Flatten::new())
//!     .add(Dense::new(10).activation(Softmax))
//!     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//! let history = model.fit(&train, FitConfig::new().epochs(2).validation_data(&test).verbose(0))?;
//! report::write(&path, &model, &history, &test)?;
//! let page = std::fs::read_to_string(&path).unwrap();
//! assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Confusion matrix"));
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! Colours are of Okabe and Ito's palette, which colour-blind readers tell apart; lines and marks differ too. The page
//! needs no network and no script, and has a dark form.

mod builder;
mod confusion;
mod curves;
mod film;
mod filters;
mod layers;
mod layers_layout;
mod mistakes;
mod page;
mod picture;
mod reliability;
mod scale;
mod sheet;
mod svg;
mod tables;

pub use builder::Report;

use crate::data::LabelledInputs;
use crate::error::Result;
use crate::history::History;
use crate::model::Model;
use std::path::Path;

/// Writes a page on a model, its training, and what it makes of a data set: [`Report`] with everything as it is.
///
/// # Errors
/// As [`Report::write`].
pub fn write<'a>(
    path: impl AsRef<Path>,
    model: &'a Model,
    history: &'a History,
    test: impl Into<LabelledInputs<'a>>,
) -> Result<()> {
    Report::new(model).history(history).evaluate(test).write(path)
}
