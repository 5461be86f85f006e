//! Pictures of any size as a model's input.

use crate::fault::Refusal;
use crate::models::Loaded;
use axum::http::StatusCode;
use inkstone::data::pictures::{Colors, Interpolation, Picture, PictureLimits, to_mnist};

/// The most memory for the pixels of a picture.
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
    let (size, colors) = match model.input[..] {
        [height, width, 1] => ((height, width), Colors::Grey),
        [height, width, 3] => ((height, width), Colors::Rgb),
        _ => {
            let Loaded { name, input, .. } = model;
            return Err(Refusal::bad(format!("the model `{name}` takes no pictures: its input is {input:?}")));
        }
    };
    let limits = PictureLimits::new().max_memory(MAX_MEMORY).longest_side(LONGEST_SIDE);
    let picture = Picture::decode(bytes, limits)
        .map_err(|error| Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()))?;
    let scaled = |pixel: &u8| f32::from(*pixel) / 255.0;
    match form {
        Form::Mnist => {
            let digit = to_mnist(&picture.grey()).map_err(|error| Refusal::bad(error.to_string()))?;
            Ok(digit.iter().map(scaled).collect())
        }
        Form::Whole => Ok(picture.resized(size, colors, Interpolation::Bilinear).iter().map(scaled).collect()),
    }
}
