//! Validates the shapes, labels and values of data sets.

use super::inputs::nouns;
use crate::error::{Error, Result};
use crate::shape::{MAX_ELEMENTS, Shape};
use ndarray::{Array4, ArrayView, Axis, Dimension};

/// # Errors
/// [`Error::Data`] for the first value of images, (N, H, W, C), or of a table, (N, F), that is NaN or infinite.
pub(crate) fn check_finite<D: Dimension>(values: &ArrayView<'_, f32, D>) -> Result<()> {
    let Some((index, value)) = first_not_finite(values) else { return Ok(()) };
    let index = index.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let (what, axes) = match values.ndim() {
        2 => ("the table's values", "N, F"),
        3 => ("sequences", "N, T, F"),
        _ => ("images", "N, H, W, C"),
    };
    Err(Error::Data(format!("{what} must be finite, got {value} at ({index}) ({axes})")))
}

/// The first value that is NaN or infinite, and its index.
pub(crate) fn first_not_finite<D: Dimension>(values: &ArrayView<'_, f32, D>) -> Option<(Vec<usize>, f32)> {
    // The common case. Finding the index costs more.
    let is_finite = match values.as_slice_memory_order() {
        Some(values) => all_finite(values),
        None => values.iter().all(|value| value.is_finite()),
    };
    if is_finite {
        return None;
    }
    let values = values.view().into_dyn();
    let found = values.indexed_iter().find(|(_, value)| !value.is_finite());
    found.map(|(index, value)| (index.slice().to_vec(), *value))
}

/// Whether all values are finite: looked at in runs without a way out, which become vector instructions.
pub(super) fn all_finite(values: &[f32]) -> bool {
    values.chunks(64).all(|run| run.iter().fold(true, |all, value| all & value.is_finite()))
}

/// [`check_finite`] of inputs as a data set stores them: the row of a table is an image of one pixel.
pub(super) fn check_stored(inputs: &Array4<f32>, shape: Shape) -> Result<()> {
    match shape.axes() {
        [_] => check_finite(&inputs.view().remove_axis(Axis(1)).remove_axis(Axis(1))),
        [_, _] => check_finite(&inputs.view().remove_axis(Axis(1))),
        _ => check_finite(&inputs.view()),
    }
}

/// # Errors
/// [`Error::Data`] if there are no examples or too many, or an axis of one is zero.
pub(super) fn check_shape(count: usize, shape: Shape) -> Result<()> {
    let [_, plural] = nouns(shape);
    if count == 0 || shape.axes().contains(&0) {
        return Err(Error::Data(match shape.axes() {
            [features] => {
                format!("a table must have at least one row and one feature (N, F), got ({count}, {features})")
            }
            [_, _, _] => format!(
                "images must have at least one value on every axis (N, H, W, C), got ({count}, {}",
                &shape.to_string()[1..]
            ),
            _ => format!("{plural} must have at least one value on every axis, got {count} {plural} of {shape}"),
        }));
    }
    if count > MAX_ELEMENTS {
        return Err(Error::Data(format!("there may be at most {MAX_ELEMENTS} {plural}, got {count}")));
    }
    Ok(())
}

/// # Errors
/// [`Error::Data`] unless there is one label for each example, which a model could have.
pub(super) fn check_labels(count: usize, labels: &[usize], shape: Shape) -> Result<()> {
    if count != labels.len() {
        let [noun, plural] = nouns(shape);
        return Err(Error::Data(format!(
            "there must be one label for each {noun}, got {count} {plural} and {} labels",
            labels.len()
        )));
    }
    match labels.iter().position(|label| *label >= MAX_ELEMENTS) {
        None => Ok(()),
        Some(index) => Err(Error::Data(format!(
            "labels must be from 0 to {}, got {} at index {index}",
            MAX_ELEMENTS - 1,
            labels[index]
        ))),
    }
}
