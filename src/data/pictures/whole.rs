//! Pictures as they are, in grey or in colour, brought to one size.

use crate::data::open::open;
use crate::error::{Error, Result};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use std::io::BufReader;
use std::path::Path;

/// The most pixels of a side, and the most memory for a picture.
const MAX_SIDE: u32 = 1 << 14;
const MAX_MEMORY: u64 = 1 << 30;

/// What becomes of the colours of a picture. What is transparent is laid on white.
///
/// ```
/// use inkstone::data::pictures::{self, Colors, PictureOptions};
/// let path = tempfile::tempdir().unwrap().keep().join("cat.png");
/// pictures::write_png(&path, &inkstone::ndarray::Array2::from_elem((8, 8), 128))?;
/// for (colors, shape) in [(Colors::Rgb, "(8, 8, 3)"), (Colors::Grey, "(8, 8, 1)")] {
///     let options = PictureOptions::new((8, 8)).colors(colors);
///     let read = pictures::read_files(&[path.clone()], &[0], options)?;
///     assert_eq!(read.dataset.shape().to_string(), shape);
/// }
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colors {
    /// They are kept: three channels, red, green and blue.
    #[default]
    Rgb,
    /// Grey, one channel.
    Grey,
}

/// How a picture is brought to another size.
///
/// ```
/// use inkstone::data::pictures::{self, Colors, Interpolation, PictureOptions};
/// let path = tempfile::tempdir().unwrap().keep().join("lines.png");
/// let lines = inkstone::ndarray::Array2::from_shape_fn((4, 4), |(_, x)| if x == 0 { 255 } else { 0 });
/// pictures::write_png(&path, &lines)?;
/// let options = PictureOptions::new((2, 2)).colors(Colors::Grey).interpolation(Interpolation::Area);
/// let read = pictures::read_files(&[path], &[0], options)?;
/// let pixels = read.dataset.images();
/// // Half of what it covers is white.
/// assert!((0.49..=0.51).contains(&pixels[[0, 0, 0, 0]]) && pixels[[0, 0, 1, 0]] == 0.0);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// Each pixel is what is nearest to it, weighed by its distance; of larger pictures all pixels count.
    #[default]
    Bilinear,
    /// Each pixel is the mean of those that it covers.
    Area,
}

/// Size and channels of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) colors: Colors,
    pub(super) interpolation: Interpolation,
}

impl Target {
    pub(super) fn channels(self) -> usize {
        match self.colors {
            Colors::Rgb => 3,
            Colors::Grey => 1,
        }
    }
}

/// The pixels of a PNG or JPEG file, (H, W, C), turned as the camera was held.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Picture`] if it is no whole picture, or too large.
pub(super) fn read(path: &Path, target: Target) -> Result<Vec<u8>> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let other = |error: &dyn std::fmt::Display| {
        super::fault(path, format!("expected a whole PNG or JPEG file, found something else ({error})"))
    };
    let file = BufReader::new(open(path).map_err(io)?);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(io)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| other(&error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| other(&error))?;
    picture.apply_orientation(orientation);
    let picture = on_white(picture);
    let (width, height) = (target.width, target.height);
    let picture = if (picture.width(), picture.height()) == (width, height) {
        picture
    } else {
        match target.interpolation {
            Interpolation::Bilinear => picture.resize_exact(width, height, FilterType::Triangle),
            Interpolation::Area => picture.thumbnail_exact(width, height),
        }
    };
    Ok(match target.colors {
        Colors::Rgb => picture.into_rgb8().into_raw(),
        Colors::Grey => picture.into_luma8().into_raw(),
    })
}

/// What is transparent shows white paper, not what happens to be stored there.
fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let mut pixels = picture.into_rgba8();
    for pixel in pixels.pixels_mut() {
        let alpha = u32::from(pixel[3]);
        for channel in 0..3 {
            pixel[channel] = ((u32::from(pixel[channel]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    DynamicImage::ImageRgba8(pixels)
}
