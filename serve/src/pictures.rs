//! Pictures of any size as a model's input.

use crate::fault::Refusal;
use crate::models::Loaded;
use axum::http::StatusCode;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use inkstone::data::pictures::to_mnist;
use inkstone::ndarray::Array2;
use std::io::Cursor;

/// The most pixels of a side, and the most memory for all of them.
const MAX_SIDE: u32 = 8192;
const MAX_MEMORY: u64 = 128 << 20;
/// Pictures are shrunk to this before anything else is done with them.
const LONGEST_SIDE: u32 = 1024;

/// What is made of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The digit on it, light on dark and centred, as MNIST's.
    Mnist,
    /// All of it, at the model's size.
    Whole,
}

impl Form {
    /// - named: by the request; MNIST's form where the model's input has its size if it is not
    ///
    /// # Errors
    /// [`Refusal`] for a form that there is not.
    pub(crate) fn of(named: Option<&str>, model: &Loaded) -> Result<Self, Refusal> {
        match named {
            None if model.input == [28, 28, 1] => Ok(Self::Mnist),
            None | Some("whole") => Ok(Self::Whole),
            Some("mnist") if model.input == [28, 28, 1] => Ok(Self::Mnist),
            Some("mnist") => Err(Refusal::bad("the form `mnist` is for models whose input is (28, 28, 1)")),
            Some(other) => Err(Refusal::bad(format!("expected the form `mnist` or `whole`, got `{other}`"))),
        }
    }
}

/// The input that a PNG or JPEG picture stands for, from 0 to 1: (H, W, C) as the model has it.
///
/// # Errors
/// [`Refusal`] if it is no such picture, is too large, has nothing on it, or the model takes none.
pub(crate) fn input(bytes: &[u8], model: &Loaded, form: Form) -> Result<Vec<f32>, Refusal> {
    let &[height, width, channels] = &model.input[..] else {
        return Err(Refusal::bad(format!(
            "the model `{}` takes no pictures: its input is {:?}",
            model.name, model.input
        )));
    };
    let picture = on_white(decode(bytes)?);
    match (form, channels) {
        (Form::Mnist, _) => digit(&picture),
        (Form::Whole, 1) => {
            let grey = picture.resize_exact(width as u32, height as u32, FilterType::Triangle).into_luma8();
            Ok(grey.into_raw().iter().map(|value| f32::from(*value) / 255.0).collect())
        }
        (Form::Whole, 3) => {
            let colours = picture.resize_exact(width as u32, height as u32, FilterType::Triangle).into_rgb8();
            Ok(colours.into_raw().iter().map(|value| f32::from(*value) / 255.0).collect())
        }
        (Form::Whole, _) => {
            Err(Refusal::bad(format!("the model `{}` takes no pictures: it has {channels} channels", model.name)))
        }
    }
}

fn digit(picture: &DynamicImage) -> Result<Vec<f32>, Refusal> {
    let grey = picture.to_luma8();
    let shape = (grey.height() as usize, grey.width() as usize);
    let grey = Array2::from_shape_vec(shape, grey.into_raw()).expect("a picture has all of its pixels");
    let digit = to_mnist(&grey).map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(digit.iter().map(|value| f32::from(*value) / 255.0).collect())
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

fn decode(bytes: &[u8]) -> Result<DynamicImage, Refusal> {
    let other = |error: &dyn std::fmt::Display| {
        let text = format!("expected a whole PNG or JPEG picture, found something else ({error})");
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
    };
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| other(&error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| other(&error))?;
    // As the camera was held.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| other(&error))?;
    if picture.width().max(picture.height()) > LONGEST_SIDE {
        picture = picture.thumbnail(LONGEST_SIDE, LONGEST_SIDE);
    }
    picture.apply_orientation(orientation);
    Ok(picture)
}
