//! Brings a picture of a digit into MNIST's form, [as its makers describe it](http://yann.lecun.com/exdb/mnist/): light
//! on dark, fitted into 20x20 pixels with its aspect kept, anti-aliased, and placed in 28x28 by its centre of mass.

use crate::error::{Error, Result};
use ndarray::{Array2, ArrayView1, Axis, concatenate};

const SIDE: usize = 28;
/// Side of the box that holds the digit.
const BOX: usize = 20;
/// How much lighter or darker than its paper ink must be, of 255.
const LEAST_CONTRAST: f32 = 16.0;
/// What counts as ink when its edges are sought, as a part of the strongest.
const EDGE: f32 = 0.08;
/// How far from the background's level its own grain may reach, in median deviations.
const GRAIN: f32 = 4.0;

/// A grey picture, (H, W), of one digit in MNIST's form: (28, 28). The background is what most of the border is; the
/// digit may be darker or lighter.
///
/// # Errors
/// [`Error::Picture`] if there is nothing on it.
///
/// ```
/// use inkstone::data::pictures::to_mnist;
/// use inkstone::ndarray::Array2;
/// // A dark bar on light paper becomes a light one of 20 pixels, centred, on black.
/// let bar = Array2::from_shape_fn((200, 100), |(y, x)| if (50..150).contains(&y) && (45..55).contains(&x) { 20 } else { 240 });
/// let image = to_mnist(&bar)?;
/// assert_eq!((image.dim(), image[[14, 14]], image[[14, 18]], image[[3, 14]]), ((28, 28), 255, 0, 0));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn to_mnist(picture: &Array2<u8>) -> Result<Array2<u8>> {
    let ink = ink(picture)?;
    let rows = extent(ink.map_axis(Axis(1), |row| row.fold(0.0, |most: f32, value| most.max(*value))).view());
    let columns = extent(ink.map_axis(Axis(0), |column| column.fold(0.0, |most: f32, value| most.max(*value))).view());
    let (height, width) = (rows.len(), columns.len());
    let scaled = |len: usize| ((len * BOX) as f64 / height.max(width) as f64).round().max(1.0) as usize;
    let digit = ink.select(Axis(0), &rows.collect::<Vec<_>>()).select(Axis(1), &columns.collect::<Vec<_>>());
    let digit = resample(&resample(&digit, scaled(height)).reversed_axes(), scaled(width)).reversed_axes();
    Ok(centred(&digit))
}

/// How much ink each pixel has, 0 to 1.
fn ink(picture: &Array2<u8>) -> Result<Array2<f32>> {
    let nothing = |problem: String| Error::Picture { place: "the picture".into(), problem };
    let (height, width) = picture.dim();
    if height == 0 || width == 0 {
        return Err(nothing(format!("expected at least one pixel on every axis, found {height} x {width}")));
    }
    let (last_row, last_column) = (height - 1, width - 1);
    let border = [picture.row(0), picture.row(last_row), picture.column(0), picture.column(last_column)];
    let mut border = concatenate(Axis(0), &border).map(|border| border.to_vec()).unwrap_or_default();
    let background = median(&mut border);
    let mut deviations: Vec<u8> = border.iter().map(|value| value.abs_diff(background)).collect();
    let grain = GRAIN * f32::from(median(&mut deviations));
    let (least, most) = picture.fold((u8::MAX, 0), |(least, most), value| (least.min(*value), most.max(*value)));
    let darker = background - least > most - background;
    let background = f32::from(background);
    let amount = |value: u8| if darker { background - f32::from(value) } else { f32::from(value) - background };
    let strongest = amount(if darker { least } else { most });
    if strongest < LEAST_CONTRAST.max(2.0 * grain) {
        return Err(nothing(format!(
            "expected a digit darker or lighter than its background, found values from {least} to {most} only"
        )));
    }
    Ok(picture.mapv(|value| ((amount(value) - grain) / (strongest - grain)).clamp(0.0, 1.0)))
}

fn median(values: &mut [u8]) -> u8 {
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

/// From the first to the last place with ink.
fn extent(most: ArrayView1<'_, f32>) -> std::ops::Range<usize> {
    let has_ink = |value: &f32| *value > EDGE;
    let first = most.iter().position(has_ink).unwrap_or(0);
    let last = most.iter().rposition(has_ink).unwrap_or(0);
    first..last + 1
}

/// The picture with this many rows: each the mean of those that it covers, or where there are more than before, mixed
/// of the two that it lies between.
fn resample(picture: &Array2<f32>, rows: usize) -> Array2<f32> {
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

/// The digit with its centre of mass at the pixel (14, 14), by whole pixels, and all of it in the image.
fn centred(digit: &Array2<f32>) -> Array2<u8> {
    let (mut mass, mut y_sum, mut x_sum) = (0.0, 0.0, 0.0);
    for ((y, x), value) in digit.indexed_iter() {
        mass += value;
        y_sum += y as f32 * value;
        x_sum += x as f32 * value;
    }
    let start =
        |sum: f32, len: usize| ((SIDE / 2) as f32 - sum / mass).round().clamp(0.0, (SIDE - len) as f32) as usize;
    let (top, left) = (start(y_sum, digit.dim().0), start(x_sum, digit.dim().1));
    let mut image = Array2::zeros((SIDE, SIDE));
    for ((y, x), value) in digit.indexed_iter() {
        image[[top + y, left + x]] = (value * 255.0).round() as u8;
    }
    image
}
