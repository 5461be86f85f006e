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
const MAX_MEMORY: u64 = 256 << 20;
/// Pictures are shrunk to this before a digit is sought on them.
const DIGIT_SIDE: u32 = 1024;

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
    let picture = decode(bytes)?;
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
    let largest = picture.width().max(picture.height());
    let shrunk = (largest > DIGIT_SIDE).then(|| picture.thumbnail(DIGIT_SIDE, DIGIT_SIDE));
    let grey = on_white(shrunk.as_ref().unwrap_or(picture));
    let digit = to_mnist(&grey).map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(digit.iter().map(|value| f32::from(*value) / 255.0).collect())
}

/// Grey, with what is transparent laid on white.
fn on_white(picture: &DynamicImage) -> Array2<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let grey = picture.to_luma_alpha8();
    let pixel = |pixel: &image::LumaA<u8>| {
        let [grey, alpha] = pixel.0.map(u32::from);
        ((grey * alpha + 255 * (255 - alpha)) / 255) as u8
    };
    Array2::from_shape_vec((height, width), grey.pixels().map(pixel).collect())
        .expect("a picture has all of its pixels")
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
    picture.apply_orientation(orientation);
    Ok(picture)
}
