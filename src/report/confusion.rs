//! Draws the confusion matrix as a heat map with counts.

use super::svg::{
    Area, BLUE, Drawn, GRID, HEADING, INK, LABEL, MUTED, ORANGE, PAPER, Sample, draw, font, key, sample_square, short,
    text, width, write,
};
use crate::error::Result;
use crate::evaluation::ConfusionMatrix;
use ndarray::ArrayView2;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::Path;

/// With more classes there is no room for counts, and not every class is named.
const MOST_COUNTED: usize = 40;
/// The most characters of a class' name.
const NAME: usize = 18;
/// Title and key above the matrix.
const HEAD: i32 = 66;
/// The title of an axis, and the space between it and the classes.
const AXIS_TITLE: i32 = 30;
/// Space at the edges.
const MARGIN: i32 = 14;

impl ConfusionMatrix {
    /// Draws the matrix as an SVG file: blue is what was right, orange what was taken for another class, the stronger
    /// the larger the part of its row; where there is no number, there were none. With more than 40 classes only
    /// colours are drawn.
    ///
    /// # Errors
    /// [`Error::NotWritten`](crate::Error::Io) if the file cannot be written; then what was there before is still
    /// there.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("confusion.svg");
    /// use inkstone::EvaluationReport;
    /// use inkstone::ndarray::array;
    /// let probabilities = array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]];
    /// let report = EvaluationReport::new(&[0, 1, 1], probabilities.view())?.class_names(["cat", "dog"])?;
    /// report.confusion_matrix().plot(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("dog"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), &svg(self.counts(), &self.class_names))
    }
}

/// Where everything is.
struct Layout {
    cell: i32,
    left: i32,
    right: i32,
    bottom: i32,
    /// The names below stand upright, as they are wider than a cell.
    upright: Names,
    /// Every how many-th class is named.
    every: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Names {
    Level,
    Upright,
}

/// - counts: (classes, classes), a row for each class that was right
pub(super) fn svg(counts: ArrayView2<'_, usize>, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| short(name, NAME)).collect();
    let layout = Layout::new(&names);
    let side = layout.cell * names.len() as i32;
    let size = (layout.left + side + layout.right, HEAD + side + layout.bottom);
    draw((size.0 as u32, size.1 as u32), |area| {
        draw_head(area, layout.left)?;
        draw_names(area, &layout, &names)?;
        draw_cells(area, &layout, counts)
    })
}

impl Layout {
    fn new(names: &[String]) -> Self {
        let classes = names.len() as i32;
        let cell = match classes {
            ..=4 => 96,
            5..=12 => 54,
            13..=MOST_WIDE => 38,
            _ => (1000 / classes).clamp(4, 20),
        };
        let widest = names.iter().map(|name| width(name, LABEL)).max().unwrap_or_default();
        let every = if names.len() > MOST_COUNTED { (18.0 / f64::from(cell)).ceil() as usize } else { 1 };
        let upright = if widest + 4 > cell { Names::Upright } else { Names::Level };
        let below = if upright == Names::Upright { widest } else { LABEL as i32 };
        let left = MARGIN + AXIS_TITLE + widest + 8;
        let key = width(RIGHT, LABEL) + width(WRONG, LABEL) + 96;
        let right = MARGIN.max(key - cell * classes);
        Self { cell, left, right, bottom: below + 8 + AXIS_TITLE + MARGIN, upright, every }
    }
}

const MOST_WIDE: i32 = MOST_COUNTED as i32;
const RIGHT: &str = "right";
const WRONG: &str = "wrong (stronger: larger part of its row)";

fn draw_head(area: &Area<'_>, left: i32) -> Drawn {
    text(area, "Confusion matrix", (left, 20), &font(HEADING, &INK, HPos::Left, VPos::Center))?;
    let right: Sample<'_> = &|area, at| sample_square(area, at, BLUE.mix(0.8));
    let wrong: Sample<'_> = &|area, at| sample_square(area, at, ORANGE.mix(0.6));
    key(area, (left - 6, 46), &[(right, RIGHT), (wrong, WRONG)])
}

fn draw_names(area: &Area<'_>, layout: &Layout, names: &[String]) -> Drawn {
    let Layout { cell, left, upright, every, .. } = *layout;
    let side = cell * names.len() as i32;
    let (width, height) = area.dim_in_pixel();
    let beside = font(LABEL, &INK, HPos::Right, VPos::Center);
    let below = match upright {
        Names::Level => font(LABEL, &INK, HPos::Center, VPos::Top),
        Names::Upright => font(LABEL, &INK, HPos::Right, VPos::Center).transform(FontTransform::Rotate270),
    };
    for (class, name) in names.iter().enumerate().step_by(every) {
        let middle = class as i32 * cell + cell / 2;
        text(area, name, (left - 8, HEAD + middle), &beside)?;
        text(area, name, (left + middle, HEAD + side + 8), &below)?;
    }
    let titles = font(LABEL, &MUTED, HPos::Center, VPos::Center);
    debug_assert!(left + side <= width as i32, "the matrix fits");
    text(area, "predicted class", (left + side / 2, height as i32 - MARGIN - 4), &titles)?;
    let turned = titles.transform(FontTransform::Rotate270);
    text(area, "true class", (MARGIN + 4, HEAD + side / 2), &turned)
}

fn draw_cells(area: &Area<'_>, layout: &Layout, counts: ArrayView2<'_, usize>) -> Drawn {
    let Layout { cell, left, .. } = *layout;
    let classes = counts.nrows();
    let of_class: Vec<usize> = counts.rows().into_iter().map(|row| row.sum()).collect();
    let part = |(row, _): (usize, usize), count: usize| count as f64 / of_class[row].max(1) as f64;
    let wrong = counts.indexed_iter().filter(|((row, column), _)| row != column);
    let worst = wrong.map(|(place, count)| part(place, *count)).fold(f64::MIN_POSITIVE, f64::max);
    let longest = counts.iter().max().map_or(1, |count| count.to_string().len());
    let size = (f64::from(cell - 6) / (0.62 * longest as f64)).min(15.0);
    let at = |place: usize, start: i32| start + place as i32 * cell;
    let side = cell * classes as i32;
    if classes <= MOST_COUNTED {
        for line in 0..=classes {
            let (x, y) = (at(line, left), at(line, HEAD));
            area.draw(&PathElement::new([(left, y), (left + side, y)], GRID.stroke_width(1)))?;
            area.draw(&PathElement::new([(x, HEAD), (x, HEAD + side)], GRID.stroke_width(1)))?;
        }
    }
    for ((row, column), count) in counts.indexed_iter().filter(|(_, count)| **count > 0) {
        let (x, y) = (at(column, left), at(row, HEAD));
        let part = part((row, column), *count);
        // White letters go with a strong blue only.
        let (color, ink) = match row == column {
            true if part > 0.6 => (BLUE.mix(0.9 * part), &PAPER),
            true => (BLUE.mix(0.1 + 0.75 * part), &INK),
            false => (ORANGE.mix(0.12 + 0.48 * part / worst), &INK),
        };
        area.draw(&Rectangle::new([(x, y), (x + cell, y + cell)], color.filled()))?;
        if classes <= MOST_COUNTED {
            let middle = (x + cell / 2, y + cell / 2);
            text(area, &count.to_string(), middle, &font(size, ink, HPos::Center, VPos::Center))?;
        }
    }
    area.draw(&Rectangle::new([(left, HEAD), (left + side, HEAD + side)], MUTED.stroke_width(1)))
}
