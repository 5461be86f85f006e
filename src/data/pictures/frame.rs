//! Finds what surrounds a digit without being part of it: the frame of a cell or a screenshot, the edge of a scan.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::ops::Range;

/// How thick a frame may be, as a part of the side.
const THICKEST: usize = 8;
/// How much of each line of a whole frame must be marked.
const WHOLE: f64 = 0.9;
/// How much of each line must be marked where there is no frame on all four sides.
const EDGE: f64 = 0.98;
/// How much of the line behind a frame may be marked.
const CLEAN: f64 = 0.05;
/// How much of the line behind a frame at the picture's border may be marked, as a digit may touch it.
const TOUCHED: f64 = 0.3;

/// Rows and columns of a picture.
pub(super) type Part = (Range<usize>, Range<usize>);

/// These rows and columns of a picture.
pub(super) fn part<'a, T>(mut picture: ArrayView2<'a, T>, (rows, columns): &Part) -> ArrayView2<'a, T> {
    picture.slice_axis_inplace(Axis(0), rows.clone().into());
    picture.slice_axis_inplace(Axis(1), columns.clone().into());
    picture
}

/// What is left of these rows and columns without the frame round them or the edges along them; `None` if there are
/// none. `marked`, (H, W), says which pixels differ from the background.
pub(super) fn inside(marked: &Array2<bool>) -> Option<Part> {
    let (height, width) = marked.dim();
    let whole = (0..height, 0..width);
    let on_some_sides = || without_frame(marked, &whole, EDGE, CLEAN, 1);
    // An angular zero is a frame as well, but one with nothing in it.
    let in_a_margin = || without_frame(marked, &extent(marked)?, WHOLE, CLEAN, 4).filter(|part| any(marked, part));
    of_border(marked).or_else(on_some_sides).or_else(in_a_margin)
}

/// What is left without the frame at the picture's border, which has four sides.
pub(super) fn of_border(marked: &Array2<bool>) -> Option<Part> {
    let (height, width) = marked.dim();
    without_frame(marked, &(0..height, 0..width), WHOLE, TOUCHED, 4)
}

/// The rows and columns from the first to the last marked pixel; `None` if there are none.
fn extent(marked: &Array2<bool>) -> Option<Part> {
    let range = |axis: usize| {
        let lines = marked.map_axis(Axis(axis), |line| line.iter().any(|marked| *marked));
        Some(lines.iter().position(|any| *any)?..lines.iter().rposition(|any| *any)? + 1)
    };
    Some((range(1)?, range(0)?))
}

/// The inside of the frame at the outermost lines of this part, if it has at least so many sides.
fn without_frame(marked: &Array2<bool>, part: &Part, full: f64, clean: f64, sides: usize) -> Option<Part> {
    let (rows, columns) = part;
    let row_share = |y: usize, columns: &Range<usize>| share(marked.row(y), columns);
    let column_share = |x: usize, rows: &Range<usize>| share(marked.column(x), rows);
    // Rows are looked at first: a side on the left or right need not reach into a thick one above.
    let most = rows.len().div_ceil(THICKEST);
    let top = rows.clone().take(most).take_while(|y| row_share(*y, columns) >= full).count();
    let bottom = rows.clone().rev().take(most).take_while(|y| row_share(*y, columns) >= full).count();
    let inner_rows = rows.start + top..rows.end.saturating_sub(bottom);
    let most = columns.len().div_ceil(THICKEST);
    let left = columns.clone().take(most).take_while(|x| column_share(*x, &inner_rows) >= full).count();
    let right = columns.clone().rev().take(most).take_while(|x| column_share(*x, &inner_rows) >= full).count();
    let inner_columns = columns.start + left..columns.end.saturating_sub(right);
    let thicknesses = [top, bottom, left, right];
    let found = thicknesses.iter().filter(|thickness| **thickness > 0).count();
    if found < sides || inner_rows.len() < 3 || inner_columns.len() < 3 {
        return None;
    }
    let behind = [
        row_share(inner_rows.start, &inner_columns),
        row_share(inner_rows.end - 1, &inner_columns),
        column_share(inner_columns.start, &inner_rows),
        column_share(inner_columns.end - 1, &inner_rows),
    ];
    let is_clean = thicknesses.iter().zip(behind).all(|(thickness, share)| *thickness == 0 || share <= clean);
    is_clean.then_some((inner_rows, inner_columns))
}

/// Whether anything is marked in this part.
fn any(marked: &Array2<bool>, (rows, columns): &Part) -> bool {
    rows.clone().any(|y| share(marked.row(y), columns) > 0.0)
}

/// How much of a line is marked.
fn share(line: ArrayView1<'_, bool>, part: &Range<usize>) -> f64 {
    let count = part.clone().filter(|index| line[*index]).count();
    count as f64 / part.len().max(1) as f64
}
