//! A contact sheet: the images of a data set side by side in one PNG file.

use super::png_file::encode;
use crate::data::Dataset;
use crate::error::{Error, Result};
use png::ColorType;
use std::path::Path;

/// The most pixels of a sheet.
const MAX_PIXELS: usize = 1 << 26;
/// Pixels between images.
const MARGIN: usize = 2;
/// Their shade.
const SHADE: u8 = 64;

/// Writes a data set's images, from left to right and from top to bottom, as a PNG file: in colour if they have three
/// channels, otherwise the first channel in grey. 0.0 is black and 1.0 white, and values outside are cut off.
///
/// # Errors
/// [`Error::Setting`] if `columns` is 0, [`Error::Data`] if the sheet would have more than 2^26 pixels: take fewer
/// images; [`Error::NotWritten`] if it cannot be written.
pub fn write_contact_sheet(path: impl AsRef<Path>, dataset: &Dataset, columns: usize) -> Result<()> {
    if columns == 0 {
        return Err(Error::Setting { name: "columns", expected: "at least 1", received: "0".into() });
    }
    let (height, width, channels) = dataset.shape().as_image();
    let columns = columns.min(dataset.len());
    let (sheet_height, sheet_width) = (side(dataset.len().div_ceil(columns), height), side(columns, width));
    let pixels = sheet_height.checked_mul(sheet_width).filter(|pixels| *pixels <= MAX_PIXELS);
    let Some(pixels) = pixels else {
        return Err(Error::Data(format!(
            "a contact sheet may have at most {MAX_PIXELS} pixels, got {sheet_height} x {sheet_width}: `take` fewer images"
        )));
    };
    let (color, samples) = if channels == 3 { (ColorType::Rgb, 3) } else { (ColorType::Grayscale, 1) };
    let mut sheet = vec![SHADE; pixels * samples];
    for ((image, y, x, channel), value) in dataset.images().indexed_iter() {
        if channel < samples {
            let row = MARGIN + image / columns * (height + MARGIN) + y;
            let column = MARGIN + image % columns * (width + MARGIN) + x;
            sheet[(row * sheet_width + column) * samples + channel] = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    }
    encode(path.as_ref(), (sheet_height, sheet_width), color, &sheet)
}

/// The side of a sheet of this many images of this length.
fn side(count: usize, len: usize) -> usize {
    count.saturating_mul(len + MARGIN).saturating_add(MARGIN)
}
