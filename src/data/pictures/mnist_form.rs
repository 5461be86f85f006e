//! Brings a picture of a digit into MNIST's form, [as its makers describe it](http://yann.lecun.com/exdb/mnist/): light
//! on dark, fitted into 20x20 pixels with its aspect kept, anti-aliased, and placed in 28x28 by its centre of mass.

use super::frame::part;
use super::ink::ink;
use super::shrink::{fitted, thickened};
use crate::error::Result;
use ndarray::{Array2, ArrayView1, Axis};

const SIDE: usize = 28;
/// Side of the box that holds the digit.
const BOX: usize = 20;
/// How strong a typical line is at least where strokes are not thin, as a part of the strongest there can be.
const FAINT: f32 = 0.6;
/// How thick thin strokes become, in pixels of MNIST's.
const STROKE: f64 = 2.0;
/// What counts as ink when its edges are sought, as a part of the strongest.
const EDGE: f32 = 0.08;

/// A grey picture, (H, W), of one digit in MNIST's form: (28, 28). The digit may be darker or lighter than its
/// background, which is what most of the picture is, and may be lighter on one side. A frame round the digit and the
/// dark or bright edges of a scan are cut off, thin strokes thickened. Without a margin round it the digit is what is
/// in one piece.
///
/// # Errors
/// [`Error::Picture`](crate::Error::Picture) if there is nothing on it, or no digit that can be told from its
/// background.
///
/// ```
/// use inkstone::data::pictures::to_mnist;
/// use inkstone::ndarray::Array2;
/// // A dark bar on light paper becomes a light one of 20 pixels, centred, on black.
/// let is_ink = |y, x| (50..150).contains(&y) && (45..55).contains(&x);
/// let bar = Array2::from_shape_fn((200, 100), |(y, x)| if is_ink(y, x) { 20 } else { 240 });
/// let image = to_mnist(&bar)?;
/// assert_eq!((image.dim(), image[[14, 14]], image[[14, 18]], image[[3, 14]]), ((28, 28), 255, 0, 0));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn to_mnist(picture: &Array2<u8>) -> Result<Array2<u8>> {
    let ink = ink(picture)?;
    let rows = extent(ink.map_axis(Axis(1), |row| row.fold(0.0, |most: f32, value| most.max(*value))).view());
    let columns = extent(ink.map_axis(Axis(0), |column| column.fold(0.0, |most: f32, value| most.max(*value))).view());
    let ink = part(ink.view(), &(rows, columns));
    let mut digit = fitted(&ink, BOX);
    // Strokes much thinner than a pixel of MNIST's, whose strokes are two to three wide, would be faint and broken.
    let strength = typical(&digit);
    if strength < FAINT {
        let scale = ink.dim().0.max(ink.dim().1) as f64 / BOX as f64;
        let missing = (scale * (STROKE - f64::from(strength))).round() as usize;
        digit = fitted(&thickened(&ink, missing), BOX);
    }
    let strongest = digit.fold(f32::MIN_POSITIVE, |most, value| most.max(*value));
    digit /= strongest;
    Ok(centred(&digit))
}

/// The strongest pixel of a typical row or column.
fn typical(digit: &Array2<f32>) -> f32 {
    let most = |line: ArrayView1<'_, f32>| line.fold(0.0, |most: f32, value| most.max(*value));
    let mut most: Vec<f32> = digit.rows().into_iter().chain(digit.columns()).map(most).collect();
    let middle = most.len() / 2;
    *most.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// From the first to the last place with ink.
fn extent(most: ArrayView1<'_, f32>) -> std::ops::Range<usize> {
    let has_ink = |value: &f32| *value > EDGE;
    let first = most.iter().position(has_ink).unwrap_or(0);
    let last = most.iter().rposition(has_ink).unwrap_or(0);
    first..last + 1
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
