//! Decides how PNG files become grey pictures, and which are refused before they cost memory.

use super::fault;
use super::transparency::{Pixel, laid_on};
use crate::error::{Error, Result};
use crate::whole_file::write_whole;
use ndarray::Array2;
use png::{BitDepth, ColorType, Decoder, DecodingError, Encoder, Limits, Transformations};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// The most pixels of a picture that is read.
const MAX_PIXELS: u64 = 1 << 26;

/// Reads a PNG file of any kind as grey, 0 black to 255 white: (H, W). Colours weigh as in [Rec.
/// 601](https://www.itu.int/rec/R-REC-BT.601), what is transparent is laid on white, and 16 bits become 8.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened or read, [`Error::Picture`] if it is no whole PNG, or has more than 2^26 pixels.
pub fn read_png(path: impl AsRef<Path>) -> Result<Array2<u8>> {
    Ok(decode(path.as_ref())?.mapv(|pixel| laid_on(255, pixel)))
}

/// As [`read_png`], with the alpha of each pixel.
pub(super) fn decode(path: &Path) -> Result<Array2<Pixel>> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let file = File::open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(fault(path, "expected a PNG file, found a folder".into()));
    }
    let decoding = |error| match error {
        DecodingError::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => io(source),
        other => fault(path, format!("expected a whole PNG file, found something else ({other})")),
    };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: 8 * MAX_PIXELS as usize });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(decoding)?;
    let (width, height) = reader.info().size();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(fault(
            path,
            format!("expected at most {MAX_PIXELS} pixels, found {height} x {width}: make it smaller"),
        ));
    }
    let too_large = || fault(path, format!("its {height} x {width} pixels do not fit into memory: make it smaller"));
    let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
    let info = reader.next_frame(&mut pixels).map_err(decoding)?;
    let samples = match info.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Indexed => 3,
        ColorType::Rgba => 4,
    };
    let grey = pixels.chunks_exact(samples).map(|pixel| match *pixel {
        [grey, alpha] => [grey, alpha],
        [red, green, blue] => [luma(red, green, blue), u8::MAX],
        [red, green, blue, alpha] => [luma(red, green, blue), alpha],
        _ => [pixel[0], u8::MAX],
    });
    let grey: Vec<Pixel> = grey.take(height as usize * width as usize).collect();
    Array2::from_shape_vec((height as usize, width as usize), grey)
        .map_err(|error| fault(path, format!("expected {height} x {width} pixels ({error})")))
}

fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 + 500) / 1000) as u8
}

/// Writes a grey picture, (H, W), as a PNG file.
///
/// # Errors
/// [`Error::NotWritten`] if it cannot be written, then what was there before is still there; [`Error::Data`] if an axis is zero.
pub fn write_png(path: impl AsRef<Path>, picture: &Array2<u8>) -> Result<()> {
    let pixels: Vec<u8> = picture.iter().copied().collect();
    encode(path.as_ref(), picture.dim(), ColorType::Grayscale, &pixels)
}

/// Writes pixels, (H, W, samples of the colour type).
pub(super) fn encode(path: &Path, (height, width): (usize, usize), color: ColorType, pixels: &[u8]) -> Result<()> {
    let side = |len: usize| u32::try_from(len).ok().filter(|len| *len > 0);
    let (Some(rows), Some(columns)) = (side(height), side(width)) else {
        return Err(Error::Data(format!(
            "a picture must have at least one pixel on every axis, got ({height}, {width})"
        )));
    };
    write_whole(path, |file| {
        let mut encoder = Encoder::new(file, columns, rows);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(io::Error::other)?;
        writer.write_image_data(pixels).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)
    })
}
