//! Makes pictures larger or smaller, and strokes thicker.

use ndarray::{Array2, ArrayRef2, Axis};

/// The picture with its longer side of this length, its aspect kept.
pub(super) fn fitted(picture: &ArrayRef2<f32>, side: usize) -> Array2<f32> {
    let (height, width) = picture.dim();
    let scaled = |len: usize| ((len * side) as f64 / height.max(width) as f64).round().max(1.0) as usize;
    resample(&resample(picture, scaled(height)).reversed_axes(), scaled(width)).reversed_axes()
}

/// The picture as it is, or with its longer side of this length if it is longer.
pub(super) fn shrunk(picture: &ArrayRef2<f32>, side: usize) -> Array2<f32> {
    let (height, width) = picture.dim();
    fitted(picture, side.min(height.max(width)))
}

/// The picture with this many rows: each the mean of those that it covers, or where there are more than before, mixed
/// of the two that it lies between.
fn resample(picture: &ArrayRef2<f32>, rows: usize) -> Array2<f32> {
    let (old_rows, columns) = picture.dim();
    let step = old_rows as f64 / rows as f64;
    let mut out = Array2::zeros((rows, columns));
    for (row, mut out) in out.rows_mut().into_iter().enumerate() {
        let middle = (row as f64 + 0.5) * step;
        let (from, to) = (middle - step.max(1.0) / 2.0, middle + step.max(1.0) / 2.0);
        let (from, to) = (from.max(0.0), to.min(old_rows as f64));
        for old in from as usize..(to.ceil() as usize).min(old_rows) {
            let covered = (to.min(old as f64 + 1.0) - from.max(old as f64)).max(0.0) / (to - from);
            out.scaled_add(covered as f32, &picture.row(old));
        }
    }
    out
}

/// The picture with each pixel the most of so many by so many round it, larger by so many, less one, on both axes.
pub(super) fn thickened(picture: &ArrayRef2<f32>, window: usize) -> Array2<f32> {
    widened(&widened(picture, window).reversed_axes(), window).reversed_axes()
}

/// The picture with each pixel the most of so many above it, itself included. Windows double, so that large ones cost
/// little.
fn widened(picture: &ArrayRef2<f32>, window: usize) -> Array2<f32> {
    let (rows, columns) = picture.dim();
    let new_rows = rows + window.max(1) - 1;
    let mut out = Array2::<f32>::zeros((new_rows, columns));
    out.slice_axis_mut(Axis(0), (..rows).into()).assign(picture);
    let mut covered = 1;
    while covered < window {
        let shift = covered.min(window - covered);
        for row in (shift..new_rows).rev() {
            let (above, mut here) = out.view_mut().split_at(Axis(0), row);
            here.row_mut(0).zip_mut_with(&above.row(row - shift), |most, value| *most = most.max(*value));
        }
        covered += shift;
    }
    out
}
