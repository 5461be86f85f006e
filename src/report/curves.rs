//! Draws how loss and metrics went from epoch to epoch, in training and in validation.

use super::scale::{Scale, drawable};
use super::svg::{
    Area, BLUE, DASHED, Drawn, GRID, HEADING, INK, LABEL, MUTED, ORANGE, Sample, WHOLE, draw, font, key, sample_line,
    short, text, write,
};
use crate::error::{Error, Result};
use crate::history::{Epoch, History};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::Path;

/// Width and height of one panel.
const PANEL: (u32, u32) = (460, 330);
/// Room above the axes, for title and legend.
const HEAD: i32 = 62;
/// Where the vertical axis is.
const AXIS: i32 = 78;
/// With more epochs only lines are drawn.
const MOST_MARKERS: usize = 40;

impl History {
    /// Draws loss and metrics over the epochs, training and validation, as an SVG file with a panel for each; where the
    /// learning rate changed it has one too. An epoch's validation is measured after it, its training values while it
    /// ran.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no epochs; [`Error::NotWritten`] if the file cannot be written, then what was there
    /// before is still there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("curves.svg");
    /// use inkstone::prelude::*;
    /// let data = inkstone::data::synthetic::digits(64, 1)?;
    /// let mut model = Sequential::new([28, 28, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(10).activation(Softmax))
    ///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// let history = model.fit(&data, FitConfig::new().epochs(2).validation_split(0.25).verbose(0))?;
    /// history.plot(&path)?;
    /// let svg = std::fs::read_to_string(&path).unwrap();
    /// assert!(svg.contains("Accuracy") && svg.contains("validation"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        let curves = curves(self);
        if curves.is_empty() {
            return Err(Error::Data("a history without epochs has no curves to plot: `fit` first".into()));
        }
        let columns = curves.len().min(2);
        let rows = curves.len().div_ceil(columns);
        let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32);
        let all = draw(size, |area| {
            let panels = area.split_evenly((rows, columns));
            curves.iter().zip(&panels).try_for_each(|(curve, panel)| draw_panel(panel, curve))
        });
        write(path.as_ref(), &all)
    }
}

/// One score over the epochs.
pub(super) struct Curve {
    /// Its name, as in `val_accuracy` without the `val_`.
    name: String,
    training: Vec<f64>,
    /// Empty if there was no validation.
    validation: Vec<f64>,
}

impl Curve {
    /// As a heading.
    pub(super) fn title(&self) -> String {
        let words = short(&self.name.replace('_', " "), 34);
        let mut letters = words.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// What its axis counts.
    fn unit(&self) -> &'static str {
        let values = || self.training.iter().chain(&self.validation);
        match self.name.as_str() {
            "loss" => "mean loss of an example",
            "learning_rate" => "rate at the epoch's first step",
            _ if values().all(|value| (0.0..=1.0).contains(value)) => "score, from 0 to 1",
            _ => "score",
        }
    }

    /// The panel as a drawing of its own.
    pub(super) fn svg(&self) -> String {
        draw(PANEL, |area| draw_panel(area, self))
    }
}

/// All curves of a training: the loss, the metrics, and the learning rate if it changed.
pub(super) fn curves(history: &History) -> Vec<Curve> {
    let Some(first) = history.epochs.first() else { return Vec::new() };
    let mut names: Vec<String> = first.training.named().map(|(name, _)| name).collect();
    names.sort_by_key(|name| name != "loss");
    let values = |name: &str| history.get(name).unwrap_or_default();
    let mut curves: Vec<Curve> = names
        .into_iter()
        .map(|name| Curve { training: values(&name), validation: values(&format!("val_{name}")), name })
        .collect();
    let rates = || history.epochs.iter().map(|epoch: &Epoch| f64::from(epoch.learning_rate));
    if rates().any(|rate| rate != f64::from(first.learning_rate)) {
        curves.push(Curve { name: "learning_rate".into(), training: rates().collect(), validation: Vec::new() });
    }
    curves
}

fn draw_panel(area: &Area<'_>, curve: &Curve) -> Drawn {
    let epochs = curve.training.len().max(curve.validation.len());
    let x = Scale::of_epochs(epochs);
    let y = Scale::of(curve.training.iter().chain(&curve.validation).copied());
    let (head, body) = area.split_vertically(HEAD);
    draw_head(&head, curve)?;
    let labels = font(LABEL, &INK, HPos::Center, VPos::Center);
    let mut chart = ChartBuilder::on(&body)
        .margin_right(20)
        .margin_left(8)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(MUTED)
        .label_style(labels.clone())
        .axis_desc_style(labels)
        .x_desc("epoch")
        .y_desc(curve.unit())
        .draw()?;
    for run in runs(&curve.training) {
        if epochs <= MOST_MARKERS {
            chart.draw_series(run.iter().map(|point| Circle::new(*point, 4, BLUE.filled())))?;
        }
        chart.draw_series(LineSeries::new(run, BLUE.stroke_width(2)))?;
    }
    for run in runs(&curve.validation) {
        if epochs <= MOST_MARKERS {
            chart.draw_series(run.iter().map(|point| TriangleMarker::new(*point, 6, ORANGE.filled())))?;
        }
        chart.draw_series(DashedLineSeries::new(run, 7, 4, ORANGE.stroke_width(2)))?;
    }
    Ok(())
}

/// The title, and below it the key.
fn draw_head(head: &Area<'_>, curve: &Curve) -> Drawn {
    text(head, &curve.title(), (14, 18), &font(HEADING, &INK, HPos::Left, VPos::Center))?;
    if curve.validation.is_empty() {
        return Ok(());
    }
    let training: Sample<'_> = &|area, at| {
        sample_line(area, at, &BLUE, &WHOLE)?;
        area.draw(&Circle::new(at, 4, BLUE.filled()))
    };
    let validation: Sample<'_> = &|area, at| {
        sample_line(area, at, &ORANGE, &DASHED)?;
        area.draw(&TriangleMarker::new(at, 6, ORANGE.filled()))
    };
    key(head, (AXIS, 44), &[(training, "training"), (validation, "validation")])
}

/// The points (epoch, value), interrupted where a value cannot be drawn.
fn runs(values: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let points: Vec<(f64, f64)> =
        values.iter().enumerate().map(|(epoch, value)| ((epoch + 1) as f64, *value)).collect();
    let runs = points.split(|(_, value)| !drawable(*value));
    runs.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect()
}
