//! Decides how PNG files become grey pictures, and which are refused before they cost memory.

use super::fault;
use super::transparency::{Pixel, laid_on};
use crate::data::open::open;
use crate::error::{Error, Result};
use crate::whole_file::write_whole;
use ndarray::Array2;
use png::{BitDepth, ColorType, Decoder, DecodingError, Encoder, Limits, Transformations};
use std::io::{self, BufReader};
use std::path::Path;

/// The most pixels of a picture that is read.
const MAX_PIXELS: u64 = 1 << 26;
/// The most memory for one row and for what else the decoder keeps.
const MAX_MEMORY: usize = 4 * MAX_PIXELS as usize;

/// Reads a PNG file of any kind as grey, 0 black to 255 white: (H, W). Colours weigh as in [Rec.
/// 601](https://www.itu.int/rec/R-REC-BT.601), what is transparent is laid on white, and 16 bits become 8.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened or read, or is a pipe or a device; [`Error::Picture`] if it is not a
/// complete PNG, or has more than 2^26 pixels.
pub fn read_png(path: impl AsRef<Path>) -> Result<Array2<u8>> {
    Ok(decode(path.as_ref(), usize::MAX)?.mapv(|pixel| laid_on(255, pixel)))
}

/// Reads a PNG file with the alpha of each pixel, shrunk as it is read so that no side is longer than `max_side`.
pub(super) fn decode(path: &Path, max_side: usize) -> Result<Array2<Pixel>> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let file = open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_dir() {
        return Err(fault(path, "expected a PNG file, found a folder".into()));
    }
    let decoding = |error| match error {
        DecodingError::IoError(source) if source.kind() != io::ErrorKind::UnexpectedEof => io(source),
        other => fault(path, format!("expected a whole PNG file, found something else ({other})")),
    };
    let mut decoder = Decoder::new_with_limits(BufReader::new(file), Limits { bytes: MAX_MEMORY });
    // A few bytes may unpack to all that the limit allows.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(decoding)?;
    let (width, height) = reader.info().size();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(fault(
            path,
            format!("expected at most {MAX_PIXELS} pixels, found {height} x {width}: make it smaller"),
        ));
    }
    let (height, width) = (height as usize, width as usize);
    let samples = reader.output_color_type().0.samples();
    let mut shrinking = Shrinking::new(height, width, height.max(width).div_ceil(max_side));
    if reader.info().interlaced {
        let too_large =
            || fault(path, format!("its {height} x {width} pixels do not fit into memory: make it smaller"));
        let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
        reader.next_frame(&mut pixels).map_err(decoding)?;
        pixels.chunks_exact(width * samples).for_each(|row| shrinking.add(row, samples));
    } else {
        while let Some(row) = reader.next_row().map_err(decoding)? {
            shrinking.add(row.data(), samples);
        }
    }
    shrinking.finish().map_err(|problem| fault(path, problem))
}

/// A picture whose pixels are means of blocks of those that are read, row by row.
struct Shrinking {
    /// Rows and columns of a block.
    factor: usize,
    width: usize,
    height: usize,
    /// For each block of the rows that are read now: the sums of grey times alpha and of alpha, and how many pixels
    /// there are.
    sums: Vec<[u64; 3]>,
    rows_read: usize,
    pixels: Vec<Pixel>,
}

impl Shrinking {
    fn new(height: usize, width: usize, factor: usize) -> Self {
        let (rows, columns) = (height.div_ceil(factor), width.div_ceil(factor));
        let pixels = Vec::with_capacity(rows * columns);
        Self { factor, width: columns, height: rows, sums: vec![[0; 3]; columns], rows_read: 0, pixels }
    }

    /// Takes a row of pixels of so many samples.
    fn add(&mut self, row: &[u8], samples: usize) {
        let pixels = row.chunks_exact(samples).map(pixel);
        self.rows_read += 1;
        if self.factor == 1 {
            self.pixels.extend(pixels);
            return;
        }
        for (column, [grey, alpha]) in pixels.enumerate() {
            let [greys, alphas, count] = &mut self.sums[column / self.factor];
            *greys += u64::from(grey) * u64::from(alpha);
            *alphas += u64::from(alpha);
            *count += 1;
        }
        if self.rows_read.is_multiple_of(self.factor) {
            self.end_blocks();
        }
    }

    /// Makes the blocks of the rows that have been read pixels.
    fn end_blocks(&mut self) {
        let mean = |sum: u64, count: u64| ((sum + count / 2) / count.max(1)) as u8;
        let means = self.sums.iter().map(|[greys, alphas, count]| [mean(*greys, *alphas), mean(*alphas, *count)]);
        self.pixels.extend(means);
        self.sums.fill([0; 3]);
    }

    fn finish(mut self) -> std::result::Result<Array2<Pixel>, String> {
        if self.factor > 1 && !self.rows_read.is_multiple_of(self.factor) {
            self.end_blocks();
        }
        let (height, width) = (self.height, self.width);
        Array2::from_shape_vec((height, width), self.pixels)
            .map_err(|error| format!("expected {height} x {width} pixels ({error})"))
    }
}

/// One pixel as it is decoded.
fn pixel(samples: &[u8]) -> Pixel {
    match *samples {
        [grey, alpha] => [grey, alpha],
        [red, green, blue] => [luma(red, green, blue), u8::MAX],
        [red, green, blue, alpha] => [luma(red, green, blue), alpha],
        _ => [samples[0], u8::MAX],
    }
}

fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 + 500) / 1000) as u8
}

/// Writes a grey picture, (H, W), as a PNG file.
///
/// # Errors
/// [`Error::NotWritten`] if it cannot be written, then what was there before is still there; [`Error::Data`] if an axis
/// is zero.
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
