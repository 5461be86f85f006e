//! Decides which pixels of a picture are ink: the background is most of the picture, whatever surrounds the digit is
//! cut off first, and a digit that leaves no margin is told from its paper by shape.

use super::background;
use super::frame::{self, part};
use super::histogram::{counts, median};
use super::two_shades::{Border, without_margin};
use crate::error::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};

/// How much lighter or darker than its paper ink must be, of 255.
const LEAST_CONTRAST: f32 = 16.0;
/// How far from the background's level its own grain may reach, in median deviations.
const GRAIN: f32 = 4.0;
/// Frames in frames that are cut off.
const MOST_FRAMES: usize = 4;
/// How much of the border may be ink where there is a margin round the digit.
pub(super) const MARGIN: f32 = 0.1;
/// How much ink the border of a picture has where it counts as such, as a part of the strongest.
const DISTINCT: f32 = 0.3;

/// How much ink each pixel has, 0 to 1, on what is left of the picture without a frame.
pub(super) fn ink(picture: &Array2<u8>) -> Result<Array2<f32>> {
    let (height, width) = picture.dim();
    if height == 0 || width == 0 {
        return Err(no_digit(format!("expected at least one pixel on every axis, found {height} x {width}")));
    }
    let picture = without_frames(picture);
    let (least, most) = range(picture);
    if most - least < LEAST_CONTRAST as u8 {
        return Err(no_digit(format!(
            "expected a digit darker or lighter than its background, found values from {least} to {most} only"
        )));
    }
    let flat = without_margin(picture);
    if let Some((ink, Border::Mixed)) = flat {
        return Ok(ink);
    }
    standing_out(&background::difference(picture)).or_else(|problem| {
        // Of a bold digit in a narrow margin the background is not most of the picture, but most of the border.
        let shade = median(&counts(border(picture).copied()));
        let difference = picture.mapv(|value| f32::from(value) - f32::from(shade));
        let of_shade = border(difference.view()).filter(|value| value.abs() < LEAST_CONTRAST / 2.0).count();
        let is_even = of_shade as f32 >= (1.0 - MARGIN) * border(picture).count() as f32;
        if is_even { standing_out(&difference) } else { Err(problem) }
    })
    .or_else(|problem| flat.map(|(ink, _)| ink).ok_or(problem))
    .map_err(|problem| match problem {
        Problem::Blank => no_digit(format!(
            "expected a digit darker or lighter than its background, found values from {least} to {most} that the light on \
             the background explains"
        )),
        Problem::Uneven => no_digit(
            "expected a digit on an even background, found grain, shadows or ink all over it or along its border: leave a \
             margin round the digit, and take the picture in even light"
                .into(),
        ),
    })
}

/// Why no ink was found.
enum Problem {
    /// Nothing differs from the background.
    Blank,
    /// What differs is everywhere, or reaches too much of the border.
    Uneven,
}

/// What stands out from the background, as ink.
fn standing_out(difference: &Array2<f32>) -> std::result::Result<Array2<f32>, Problem> {
    let grain = grain(difference);
    let sign = if is_darker(difference, grain) { -1.0 } else { 1.0 };
    let strongest = difference.fold(0.0, |most: f32, value| most.max(sign * value));
    if strongest < LEAST_CONTRAST {
        return Err(Problem::Blank);
    }
    if strongest < 2.0 * grain {
        return Err(Problem::Uneven);
    }
    let ink = difference.mapv(|value| ((sign * value - grain) / (strongest - grain)).clamp(0.0, 1.0));
    if border_share(ink.view()) > MARGIN { Err(Problem::Uneven) } else { Ok(ink) }
}

/// The picture without what surrounds the digit.
fn without_frames(picture: &Array2<u8>) -> ArrayView2<'_, u8> {
    let mut picture = picture.view();
    for _ in 0..MOST_FRAMES {
        // A thick frame may be most of the picture: it is sought as what has the border's shade, a thin one as what
        // differs from the background, which knows how the light falls.
        let shade = median(&counts(border(picture).copied()));
        let of_shade = picture.mapv(|value| value.abs_diff(shade) < LEAST_CONTRAST as u8 / 2);
        let thick = frame::of_border(&of_shade).map(|inside| part(picture, &inside));
        if let Some(inside) = thick.filter(|inside| range(*inside).1 - range(*inside).0 >= LEAST_CONTRAST as u8) {
            picture = inside;
            continue;
        }
        let difference = background::difference(picture);
        let level = grain(&difference).max(LEAST_CONTRAST / 2.0);
        let Some(inside) = frame::inside(&difference.mapv(|value| value.abs() > level)) else { break };
        picture = part(picture, &inside);
    }
    picture
}

/// Least and most.
fn range(picture: ArrayView2<'_, u8>) -> (u8, u8) {
    picture.fold((u8::MAX, 0), |(least, most), value| (least.min(*value), most.max(*value)))
}

/// Whether what stands out is mostly darker than the background.
fn is_darker(difference: &Array2<f32>, grain: f32) -> bool {
    let beyond = |value: f32| f64::from((value - grain).max(0.0)).powi(2);
    let lighter: f64 = difference.iter().map(|value| beyond(*value)).sum();
    let darker: f64 = difference.iter().map(|value| beyond(-value)).sum();
    darker > lighter
}

fn no_digit(problem: String) -> Error {
    Error::Picture { place: "the picture".into(), problem }
}

/// How far the background's own grain reaches: ink is on one side of the background, so the other side shows the grain
/// alone.
fn grain(difference: &Array2<f32>) -> f32 {
    let deviation = |sign: f32| {
        // Counts of deviations from 0 to 255, in halves.
        let mut counts = [0_usize; 512];
        for value in difference.iter().map(|value| sign * value).filter(|value| *value >= 0.0) {
            counts[((value * 2.0) as usize).min(511)] += 1;
        }
        let half = counts.iter().sum::<usize>() / 2;
        let median = counts
            .iter()
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .take_while(|sum| *sum <= half)
            .count();
        median as f32 / 2.0
    };
    GRAIN * deviation(1.0).min(deviation(-1.0))
}

/// How much of the outermost pixels is ink.
fn border_share(ink: ArrayView2<'_, f32>) -> f32 {
    let marked = border(ink).filter(|value| **value > DISTINCT).count();
    marked as f32 / border(ink).count() as f32
}

/// The outermost pixels.
pub(super) fn border<'a, T>(picture: ArrayView2<'a, T>) -> impl Iterator<Item = &'a T> {
    let (height, width) = picture.dim();
    let lines = [(Axis(0), 0), (Axis(0), height - 1), (Axis(1), 0), (Axis(1), width - 1)];
    lines.into_iter().flat_map(move |(axis, line)| picture.index_axis_move(axis, line))
}
