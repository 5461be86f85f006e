//! Shows the most confident mistakes: each example's picture, what it is, and what it was taken for.

use super::picture::Picture;
use super::sheet::{Sheet, Tile};
use super::svg::{short, write};
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::evaluation::EvaluationReport;
use ndarray::Axis;
use std::path::Path;

/// The most characters of a class' name.
const NAME: usize = 16;
/// How many stand in a row of a drawing.
const COLUMNS: usize = 6;

impl EvaluationReport {
    /// Draws the `n` most confident mistakes as an SVG file: picture, true and predicted class, the probability of
    /// that, and the example's index. `images` are those that the report is on.
    ///
    /// Values from 0 to 1 are shown from black to white, with other values the smallest of all shown is black and the
    /// largest white; images of three channels are in colour, of others the first channel is shown.
    ///
    /// # Errors
    /// [`Error::Data`] if there are not as many images as the report has examples, or they are vectors;
    /// [`Error::Setting`] if `n` is 0; [`Error::NotWritten`] if the file cannot be written, then what was there before
    /// is still there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("mistakes.svg");
    /// use inkstone::prelude::*;
    /// let data = inkstone::data::synthetic::digits(64, 1)?;
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.evaluate_report(&data)?.plot_mistakes(&path, &data, 12)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("predicted"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot_mistakes<'a>(&self, path: impl AsRef<Path>, images: impl Into<Inputs<'a>>, n: usize) -> Result<()> {
        let images = images.into();
        if n == 0 {
            return Err(Error::Setting { name: "n", expected: "at least 1", received: "0".into() });
        }
        if images.len() != self.micro_average().support {
            return Err(Error::Data(format!(
                "the images must be those that the report is on, got {} images and a report on {}",
                images.len(),
                self.micro_average().support
            )));
        }
        if !has_pictures(&images) {
            return Err(Error::Data(format!(
                "mistakes can be shown of images, got vectors of shape {}: `mistakes` lists them",
                images.shapes().flatten().next().map_or("()".to_owned(), |shape| shape.to_string())
            )));
        }
        write(path.as_ref(), &sheet(self, &images, n).svg())
    }
}

/// Whether there is more than one pixel.
pub(super) fn has_pictures(images: &Inputs<'_>) -> bool {
    let shape = images.shapes().flatten().next();
    shape.is_some_and(|shape| matches!(shape.axes(), [height, width, _] if height * width > 1))
}

/// The sheet of the `n` most confident mistakes.
pub(super) fn sheet(report: &EvaluationReport, images: &Inputs<'_>, n: usize) -> Sheet {
    let mistakes = report.mistakes(n);
    let indices: Vec<usize> = mistakes.iter().map(|mistake| mistake.index).collect();
    let shown = images.select(&indices);
    let low = shown.iter().copied().fold(0.0, f32::min);
    let high = shown.iter().copied().fold(0.0, f32::max);
    let range = if low >= 0.0 && high <= 1.0 { (0.0, 1.0) } else { (low, high) };
    let name = |class: usize| short(&report.names()[class], NAME);
    let tiles = mistakes.iter().zip(shown.axis_iter(Axis(0))).map(|(mistake, image)| Tile {
        pictures: vec![Picture::of_image(image, range)],
        lines: vec![
            format!("true {}", name(mistake.label)),
            format!("predicted {}", name(mistake.predicted)),
            format!("probability {:.3}", mistake.probability),
            format!("index {}", mistake.index),
        ],
    });
    Sheet {
        title: "Most confident mistakes".into(),
        note: note(report, mistakes.len()),
        tiles: tiles.collect(),
        columns: COLUMNS,
    }
}

/// How many of how many are shown.
pub(super) fn note(report: &EvaluationReport, shown: usize) -> String {
    let examples = report.micro_average().support;
    match report.mistake_count() {
        0 => format!("None: all {examples} examples were classified right."),
        all => format!("{shown} of {all} mistakes among {examples} examples, the highest probability first."),
    }
}
