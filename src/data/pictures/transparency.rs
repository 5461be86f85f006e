//! Decides what a picture with transparent pixels shows: ink on nothing, or a picture with a transparent surround.

use super::fault;
use super::histogram::{counts, median};
use crate::error::Result;
use ndarray::Array2;
use std::path::Path;

/// Grey and alpha of a pixel, 0 to 255.
pub(super) type Pixel = [u8; 2];

/// Less variation than this shows nothing.
const LEAST_CONTRAST: u8 = 16;
/// How much the shade of a pen on nothing may vary.
const PEN: u8 = 64;

/// The pixel laid on a background of this grey.
pub(super) fn laid_on(background: u8, [grey, alpha]: Pixel) -> u8 {
    let [background, grey, alpha] = [background, grey, alpha].map(u32::from);
    ((grey * alpha + background * (255 - alpha) + 127) / 255) as u8
}

/// The picture, (H, W), as grey, for a digit to be found on. Where what is opaque has one shade, the alpha is the ink,
/// dark on white, whatever the shade. Otherwise the picture is laid on its own paper, if most of it is opaque, or on
/// white.
///
/// # Errors
/// [`Error::Picture`](crate::Error::Picture) if every pixel is transparent.
pub(super) fn as_grey(pixels: &Array2<Pixel>, path: &Path) -> Result<Array2<u8>> {
    let (least_alpha, most_alpha) =
        pixels.fold((u8::MAX, 0), |(least, most), [_, alpha]| (least.min(*alpha), most.max(*alpha)));
    if most_alpha == 0 && !pixels.is_empty() {
        return Err(fault(path, "expected a digit, found transparent pixels only".into()));
    }
    if most_alpha.saturating_sub(least_alpha) < LEAST_CONTRAST {
        return Ok(pixels.mapv(|pixel| laid_on(255, pixel)));
    }
    let opaque = pixels.iter().filter(|[_, alpha]| *alpha > most_alpha / 2);
    let counts = counts(opaque.map(|[grey, _]| *grey));
    let count: usize = counts.iter().sum();
    let darkest = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let lightest = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let mostly_opaque = count > pixels.len() / 2;
    if lightest - darkest < usize::from(if mostly_opaque { LEAST_CONTRAST } else { PEN }) {
        return Ok(pixels.mapv(|[_, alpha]| 255 - alpha));
    }
    let paper = if mostly_opaque { median(&counts) } else { 255 };
    Ok(pixels.mapv(|pixel| laid_on(paper, pixel)))
}
