//! Tells ink from paper by shade where a picture has just two, and by shape where the digit fills it.

use super::background;
use super::histogram::{counts, median};
use super::ink::{MARGIN, border};
use super::shrink::shrunk;
use ndarray::{Array2, ArrayView2};

/// How much of the variance two shades may leave unexplained where there is no margin.
const UNEXPLAINED: f64 = 0.22;
/// The longer side of the picture in which shapes are counted.
const SHAPES_SIDE: usize = 64;

/// What the border of a picture of two shades has.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Border {
    /// Hardly anything but paper.
    Paper,
    /// Both shades.
    Mixed,
}

/// The ink of a picture of two shades, as that of a digit that fills it; `None` if there are more than two.
pub(super) fn without_margin(picture: ArrayView2<'_, u8>) -> Option<(Array2<f32>, Border)> {
    let counts = counts(picture.iter().copied());
    let shades = TwoShades::of(&counts);
    if shades.unexplained > UNEXPLAINED * shades.variance {
        return None;
    }
    // Light that falls from one side makes two shades as well, but is explained better by a background.
    let differences = background::difference(picture).mapv(|value| (value / 2.0 + 128.0) as u8);
    let unexplained = 4.0 * TwoShades::of(&super::histogram::counts(differences.into_iter())).unexplained;
    if unexplained < shades.unexplained / 2.0 {
        return None;
    }
    let light = border(picture).filter(|value| **value > shades.threshold).count() as f32;
    let light = light / border(picture).count() as f32;
    let (light_is_paper, border) = if light < MARGIN {
        (false, Border::Paper)
    } else if light > 1.0 - MARGIN {
        (true, Border::Paper)
    } else {
        (light_is_paper(picture, shades.threshold), Border::Mixed)
    };
    let (below, above) = counts.split_at(usize::from(shades.threshold) + 1);
    let (dark, light) = (f32::from(median(below)), f32::from(shades.threshold + 1 + median(above)));
    let (paper, ink) = if light_is_paper { (light, dark) } else { (dark, light) };
    Some((picture.mapv(|value| ((f32::from(value) - paper) / (ink - paper)).clamp(0.0, 1.0)), border))
}

/// Whether light pixels are the paper of a digit that fills its picture: a digit is one shape, and leaves its paper in
/// pieces, and most corners free.
fn light_is_paper(picture: ArrayView2<'_, u8>, threshold: u8) -> bool {
    let small = shrunk(&picture.mapv(f32::from), SHAPES_SIDE);
    let light = small.mapv(|value| value > f32::from(threshold));
    let (bottom, right) = (light.dim().0 - 1, light.dim().1 - 1);
    let corners = [[0, 0], [0, right], [bottom, 0], [bottom, right]].iter().filter(|corner| light[**corner]).count();
    let (light_shapes, dark_shapes) = (shapes(&light), shapes(&light.mapv(|light| !light)));
    light_shapes > dark_shapes || (light_shapes == dark_shapes && corners >= 2)
}

/// What two shades, dark and light, explain of a picture, by [Otsu's
/// method](https://doi.org/10.1109/TSMC.1979.4310076).
struct TwoShades {
    /// The value up to which pixels are dark.
    threshold: u8,
    /// The sum of squared deviations from the mean.
    variance: f64,
    /// What is left of it, from the means of the shades.
    unexplained: f64,
}

impl TwoShades {
    fn of(counts: &[usize; 256]) -> Self {
        let values = || counts.iter().enumerate().map(|(value, count)| (value as f64, *count as f64));
        let count: f64 = values().map(|(_, count)| count).sum();
        let mean = values().map(|(value, count)| value * count).sum::<f64>() / count;
        let variance: f64 = values().map(|(value, count)| (value - mean).powi(2) * count).sum();
        let (mut below, mut below_sum, mut best, mut threshold) = (0.0, 0.0, 0.0, 0);
        for (value, here) in values() {
            below += here;
            below_sum += value * here;
            let between = (mean * below - below_sum).powi(2) * count / (below * (count - below));
            if below > 0.0 && below < count && between > best {
                (best, threshold) = (between, value as u8);
            }
        }
        Self { threshold, variance, unexplained: variance - best }
    }
}

/// How many pieces of more than a few pixels there are.
fn shapes(marked: &Array2<bool>) -> usize {
    let (height, width) = marked.dim();
    let least = height * width / 100;
    let mut left = marked.clone();
    let mut count = 0;
    for start in ndarray::indices(marked.dim()) {
        let mut stack = vec![start];
        let mut size = 0;
        while let Some((y, x)) = stack.pop() {
            if left[[y, x]] {
                left[[y, x]] = false;
                size += 1;
                let neighbours = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
                stack.extend(neighbours.into_iter().filter(|(y, x)| *y < height && *x < width));
            }
        }
        count += usize::from(size > least);
    }
    count
}
