//! Estimates the background behind a digit, where the light may fall from one side: a surface of second degree through
//! most of the pixels.

use ndarray::{Array2, ArrayView2};

/// Sides of the grid of pixels that the surface is fitted to.
const SAMPLES: usize = 48;
/// Coefficients of the surface: 1, x, y, x², xy, y².
const TERMS: usize = 6;
/// The least difference of shades, of 255, that is the light's.
const EVEN: f64 = 3.0;
/// How many times darker than the lightest the background may be for its ink to count so many times.
const DARKEST: f32 = 8.0;
/// Rounds of the fit: the first find most of the pixels, the last forget the others.
const ROUNDS: usize = 24;

/// What the picture, (H, W), has more or less than its background, as if that were as light everywhere as where it is
/// lightest: ink takes a part of the light that falls on it.
pub(super) fn difference(picture: ArrayView2<'_, u8>) -> Array2<f32> {
    let (height, width) = picture.dim();
    let (row_step, column_step) = (height.div_ceil(SAMPLES), width.div_ceil(SAMPLES));
    let samples: Vec<([f64; TERMS], f64)> = (row_step / 2..height)
        .step_by(row_step)
        .flat_map(|y| (column_step / 2..width).step_by(column_step).map(move |x| (y, x)))
        .map(|(y, x)| (terms(place(y, height), place(x, width)), f64::from(picture[[y, x]])))
        .collect();
    let surface = fitted(&samples);
    let levels = samples.iter().map(|(terms, _)| value(&surface, terms));
    let (least, most) = levels.fold((f64::MAX, f64::MIN), |(least, most), level| (least.min(level), most.max(level)));
    if most - least < EVEN {
        // Exactly even, so that what is dark on light and what is light on dark give the same digit.
        let level = f64::midpoint(least, most).round() as f32;
        return picture.mapv(|grey| f32::from(grey) - level);
    }
    let background = Array2::from_shape_fn((height, width), |(y, x)| {
        value(&surface, &terms(place(y, height), place(x, width))) as f32
    });
    let lightest = background.fold(0.0, |most: f32, value| most.max(*value)).min(255.0);
    let darkest_counted = (lightest / DARKEST).max(1.0);
    let mut difference = background;
    difference.zip_mut_with(&picture, |value, grey| {
        let difference = f32::from(*grey) - *value;
        *value =
            if difference < 0.0 { difference * (lightest / value.max(darkest_counted)).max(1.0) } else { difference };
    });
    difference
}

/// From -1 to 1 along an axis.
fn place(index: usize, len: usize) -> f64 {
    (2 * index + 1) as f64 / len as f64 - 1.0
}

fn terms(y: f64, x: f64) -> [f64; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

fn value(surface: &[f64; TERMS], terms: &[f64; TERMS]) -> f64 {
    surface.iter().zip(terms).map(|(coefficient, term)| coefficient * term).sum()
}

/// The surface by iteratively reweighted least squares: least absolute deviations at first, which starts from the
/// median, then [Geman and McClure's](https://en.wikipedia.org/wiki/Robust_regression) weights.
fn fitted(samples: &[([f64; TERMS], f64)]) -> [f64; TERMS] {
    let median = |mut values: Vec<f64>| {
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    let mut surface = [0.0; TERMS];
    surface[0] = median(samples.iter().map(|(_, grey)| *grey).collect());
    for round in 0..ROUNDS {
        let residuals: Vec<f64> = samples.iter().map(|(terms, grey)| (grey - value(&surface, terms)).abs()).collect();
        let scale = (3.0 * median(residuals.clone())).clamp(2.0, 40.0);
        let weight = |residual: f64| {
            if round < ROUNDS / 2 { 1.0 / residual.max(1.0) } else { (1.0 + (residual / scale).powi(2)).powi(-2) }
        };
        surface = least_squares(samples, residuals.into_iter().map(weight));
    }
    surface
}

/// The surface of least weighted squares, by Cholesky's decomposition of the normal equations.
fn least_squares(samples: &[([f64; TERMS], f64)], weights: impl Iterator<Item = f64>) -> [f64; TERMS] {
    let (mut matrix, mut right) = ([[0.0; TERMS]; TERMS], [0.0; TERMS]);
    let mut total = 0.0;
    for ((terms, grey), weight) in samples.iter().zip(weights) {
        total += weight;
        for row in 0..TERMS {
            right[row] += weight * terms[row] * grey;
            for column in 0..=row {
                matrix[row][column] += weight * terms[row] * terms[column];
            }
        }
    }
    // A picture one pixel wide says nothing about its width: coefficients that nothing decides are 0.
    (1..TERMS).for_each(|row| matrix[row][row] += 1e-6 * total);
    for row in 0..TERMS {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - known;
            matrix[row][column] =
                if row == column { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / matrix[column][column] };
        }
    }
    let mut surface = right;
    for row in 0..TERMS {
        let known: f64 = (0..row).map(|k| matrix[row][k] * surface[k]).sum();
        surface[row] = (surface[row] - known) / matrix[row][row];
    }
    for row in (0..TERMS).rev() {
        let known: f64 = (row + 1..TERMS).map(|k| matrix[k][row] * surface[k]).sum();
        surface[row] = (surface[row] - known) / matrix[row][row];
    }
    surface
}
