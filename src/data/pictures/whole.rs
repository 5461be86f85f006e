//! Pictures as they are, in grey or in colour, brought to one size.

use crate::data::open::open;
use crate::error::{Error, Result};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use ndarray::{Array2, Array3};
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

/// The most pixels of a side.
const MAX_SIDE: u32 = 1 << 14;

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

impl Colors {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Grey => 1,
        }
    }
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

/// How much a picture may take, and how large it is kept.
///
/// ```
/// use inkstone::data::pictures::PictureLimits;
/// // For pictures from anybody: at most 40 megapixels, of which a thumbnail is kept.
/// let limits = PictureLimits::new().max_memory(128 << 20).longest_side(1024);
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PictureLimits {
    max_memory: u64,
    longest_side: u32,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self { max_memory: 1 << 30, longest_side: MAX_SIDE }
    }
}

impl PictureLimits {
    /// A gibibyte for its pixels, and 16,384 of them on a side.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Sets how many bytes its pixels may take. Decoding takes up to four times as much, where a JPEG picture comes in several
        /// scans, and some mebibytes.
        max_memory: u64,
        /// Sets how long its sides are at most: larger pictures are shrunk as soon as they are decoded, with their aspect kept.
        longest_side: u32,
    }
}

/// A PNG or JPEG picture, decoded, turned as the camera was held, with what is transparent laid on white.
///
/// ```
/// use inkstone::data::pictures::{self, Colors, Interpolation, Picture, PictureLimits};
/// let path = tempfile::tempdir().unwrap().keep().join("grey.png");
/// pictures::write_png(&path, &inkstone::ndarray::Array2::from_elem((40, 60), 128))?;
/// let picture = Picture::decode(&std::fs::read(&path).unwrap(), PictureLimits::new())?;
/// assert_eq!(picture.grey().dim(), (40, 60));
/// assert_eq!(picture.resized((28, 28), Colors::Rgb, Interpolation::Area).dim(), (28, 28, 3));
/// assert!(Picture::decode(b"no picture", PictureLimits::new()).is_err());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Picture(DynamicImage);

impl Picture {
    /// Decodes a picture that is in memory.
    ///
    /// # Errors
    /// [`Error::Picture`] if it is no whole picture, or larger than the limits.
    pub fn decode(bytes: &[u8], limits: PictureLimits) -> Result<Self> {
        Self::decode_from(Cursor::new(bytes), limits)
            .map_err(|problem| Error::Picture { place: "the picture".into(), problem })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Picture`] as [`decode`](Self::decode).
    pub fn read(path: impl AsRef<Path>, limits: PictureLimits) -> Result<Self> {
        let path = path.as_ref();
        let file = open(path).map_err(|source| Error::Io { place: path.display().to_string(), source })?;
        Self::decode_from(BufReader::new(file), limits).map_err(|problem| super::fault(path, problem))
    }

    /// # Errors
    /// What is wrong with it.
    fn decode_from(source: impl BufRead + Seek, limits: PictureLimits) -> std::result::Result<Self, String> {
        let PictureLimits { max_memory, longest_side } = limits;
        let not_whole =
            |error: ImageError| format!("expected a whole PNG or JPEG file, found something else ({error})");
        let decoder = || {
            let mut reader = ImageReader::new(source).with_guessed_format()?;
            let mut limits = Limits::default();
            limits.max_image_width = Some(MAX_SIDE);
            limits.max_image_height = Some(MAX_SIDE);
            limits.max_alloc = Some(max_memory);
            reader.limits(limits);
            let mut decoder = reader.into_decoder()?;
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            Ok((decoder, orientation))
        };
        let (decoder, orientation) = decoder().map_err(not_whole)?;
        // Decoders check the sides alone.
        let (bytes, (width, height)) = (decoder.total_bytes(), decoder.dimensions());
        if bytes > max_memory {
            return Err(format!(
                "expected at most {max_memory} bytes of pixels, found {bytes}, of {width} x {height}: make it smaller"
            ));
        }
        let mut picture = DynamicImage::from_decoder(decoder).map_err(not_whole)?;
        let longest_side = longest_side.max(1);
        if picture.width().max(picture.height()) > longest_side {
            picture = picture.thumbnail(longest_side, longest_side);
        }
        picture.apply_orientation(orientation);
        Ok(Self(on_white(picture)))
    }

    /// Its shades, 0 black to 255 white: (H, W).
    #[must_use]
    pub fn grey(&self) -> Array2<u8> {
        let grey = self.0.to_luma8();
        let shape = (grey.height() as usize, grey.width() as usize);
        Array2::from_shape_vec(shape, grey.into_raw()).expect("a picture has all of its pixels")
    }

    /// It at this height and width, 0 to 255: (H, W, C) with three channels or one. Its aspect is not kept.
    #[must_use]
    pub fn resized(&self, image_size: (usize, usize), colors: Colors, interpolation: Interpolation) -> Array3<u8> {
        let (height, width) = (image_size.0 as u32, image_size.1 as u32);
        let resized = if (self.0.height(), self.0.width()) == (height, width) {
            self.0.clone()
        } else {
            match interpolation {
                Interpolation::Bilinear => self.0.resize_exact(width, height, FilterType::Triangle),
                Interpolation::Area => self.0.thumbnail_exact(width, height),
            }
        };
        let pixels = match colors {
            Colors::Rgb => resized.into_rgb8().into_raw(),
            Colors::Grey => resized.into_luma8().into_raw(),
        };
        let shape = (height as usize, width as usize, colors.channels());
        Array3::from_shape_vec(shape, pixels).expect("a picture has all of its pixels")
    }
}

/// What is transparent shows white paper, not what happens to be stored there.
fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let mut pixels = picture.into_rgba8();
    for pixel in pixels.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        let laid = |channel: u32| ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        pixel.0 = [laid(red), laid(green), laid(blue), 255];
    }
    DynamicImage::ImageRgba8(pixels)
}
