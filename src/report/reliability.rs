//! Draws calibration: how often examples were right against how sure the model was, and how many examples that speaks
//! of.

use super::svg::{
    Area, BLUE, DASHED, Drawn, GRID, HEADING, INK, LABEL, MUTED, ORANGE, Sample, draw, font, key, sample_line,
    sample_square, text, write,
};
use crate::error::Result;
use crate::evaluation::{Calibration, CalibrationBin};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::Path;

/// Width and height.
const SIZE: (u32, u32) = (460, 500);
/// Heights of the title and of the upper chart.
const HEAD: i32 = 66;
const UPPER: i32 = 268;

impl Calibration {
    /// Draws the reliability diagram as an SVG file: bars are how often the examples of a bin were right, circles how
    /// sure the model was of them; on the diagonal the two agree. Below it is how many examples each bin has.
    ///
    /// # Errors
    /// [`Error::NotWritten`](crate::Error::Io) if the file cannot be written; then what was there before is still
    /// there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("reliability.svg");
    /// use inkstone::EvaluationReport;
    /// use inkstone::ndarray::array;
    /// let probabilities = array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]];
    /// EvaluationReport::new(&[0, 1, 1], probabilities.view())?.calibration().plot(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("Expected calibration error"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &svg(self))
    }
}

/// The diagram.
pub(super) fn svg(calibration: &Calibration) -> String {
    draw(SIZE, |area| {
        let (head, body) = area.split_vertically(HEAD);
        let (upper, lower) = body.split_vertically(UPPER);
        text(&head, "Calibration", (14, 18), &font(HEADING, &INK, HPos::Left, VPos::Center))?;
        let error = format!("Expected calibration error {:.4}", calibration.expected_error);
        text(&head, &error, (SIZE.0 as i32 - 20, 18), &font(LABEL, &MUTED, HPos::Right, VPos::Center))?;
        draw_key(&head)?;
        draw_accuracies(&upper, &calibration.bins)?;
        draw_counts(&lower, &calibration.bins)
    })
}

/// What bars, circles and the diagonal are.
fn draw_key(head: &Area<'_>) -> Drawn {
    let bar: Sample<'_> = &|area, at| sample_square(area, at, BLUE.mix(0.45));
    let circle: Sample<'_> = &|area, at| area.draw(&Circle::new(at, 4, ORANGE.filled()));
    let diagonal: Sample<'_> = &|area, at| sample_line(area, at, &MUTED, &DASHED);
    key(head, (14, 46), &[(bar, "right"), (circle, "mean confidence"), (diagonal, "calibrated")])
}

fn draw_accuracies(area: &Area<'_>, bins: &[CalibrationBin]) -> Drawn {
    let labels = font(LABEL, &INK, HPos::Center, VPos::Center);
    let mut chart = ChartBuilder::on(area)
        .margin_right(20)
        .margin_left(8)
        .margin_top(6)
        .x_label_area_size(24)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(MUTED)
        .label_style(labels.clone())
        .axis_desc_style(labels)
        .x_labels(6)
        .y_labels(6)
        .y_desc("part that is right")
        .x_label_formatter(&|mark| format!("{mark:.1}"))
        .y_label_formatter(&|mark| format!("{mark:.1}"))
        .draw()?;
    let bar =
        |bin: &CalibrationBin| Rectangle::new([(bin.lower, 0.0), (bin.upper, bin.accuracy)], BLUE.mix(0.45).filled());
    let top = |bin: &CalibrationBin| {
        PathElement::new([(bin.lower, bin.accuracy), (bin.upper, bin.accuracy)], BLUE.stroke_width(2))
    };
    chart.draw_series(bins.iter().map(bar))?;
    chart.draw_series(bins.iter().map(top))?;
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 5, 4, MUTED.stroke_width(1)))?;
    let circle = |bin: &CalibrationBin| Circle::new((bin.confidence, bin.confidence), 4, ORANGE.filled());
    chart.draw_series(bins.iter().map(circle)).map(drop)
}

fn draw_counts(area: &Area<'_>, bins: &[CalibrationBin]) -> Drawn {
    let labels = font(LABEL, &INK, HPos::Center, VPos::Center);
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
    let top = 10_f64.powf(most.log10().floor() + 1.0);
    let mut chart = ChartBuilder::on(area)
        .margin_right(20)
        .margin_left(8)
        .margin_top(10)
        .margin_bottom(8)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..1.0, (0.5..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(MUTED)
        .label_style(labels.clone())
        .axis_desc_style(labels)
        .x_labels(6)
        .y_labels(5)
        .x_desc("confidence: the predicted class' probability")
        .y_desc("examples")
        .x_label_formatter(&|mark| format!("{mark:.1}"))
        .y_label_formatter(&|mark| format!("{mark:.0}"))
        .draw()?;
    let bar = |bin: &CalibrationBin| {
        Rectangle::new([(bin.lower, 0.5), (bin.upper, bin.count as f64)], MUTED.mix(0.6).filled())
    };
    chart.draw_series(bins.iter().map(bar)).map(drop)
}
