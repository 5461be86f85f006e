//! Your own pictures: PNG files converted as MNIST's makers converted theirs, folders of them as data sets, and data
//! sets as PNG files to look at. With the feature `image`.
//!
//! ```
//! use inkstone::data::{pictures, synthetic};
//! use inkstone::ndarray::Axis;
//! let folder = tempfile::tempdir().unwrap();
//! // A digit as a photograph might show it: large, dark on light.
//! let digit = synthetic::digits(1, 0)?.images().mapv(|value| 230 - (value * 200.0) as u8);
//! let large = inkstone::ndarray::Array2::from_shape_fn((140, 140), |(y, x)| digit[[0, y / 5, x / 5, 0]]);
//! let path = folder.path().join("digit.png");
//! pictures::write_png(&path, &large)?;
//! // The way back: (1, 28, 28, 1), to be handed to `predict`.
//! let image = pictures::read_digit(&path)?;
//! assert_eq!(image.dim(), (1, 28, 28, 1));
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! # What a picture tells besides its pixels
//!
//! Place and time of a photograph, the name of a camera or of an author, comments, a file's name: of all that nothing is
//! kept. Reading takes the pixels alone, and what is written has a picture's size and its pixels and nothing else.

mod background;
mod directory;
mod folder;
mod frame;
mod histogram;
mod ink;
#[cfg(feature = "csv")]
mod listed;
mod mnist_form;
mod png_file;
mod sheet;
mod shrink;
mod transparency;
mod two_shades;
mod whole;

pub use directory::{Broken, PictureFolder, PictureOptions, read_files, read_folder};
pub use folder::{Order, from_folder, from_folder_in, from_folder_with_ids};
#[cfg(feature = "csv")]
pub use listed::read_listed;
pub use mnist_form::to_mnist;
pub use png_file::{read_png, write_png};
pub use sheet::write_contact_sheet;
pub use whole::{Colors, Interpolation, Picture, PictureLimits};

use crate::error::{Error, Result};
use ndarray::{Array4, Axis};
use std::path::Path;

/// Pictures of digits with longer sides are shrunk as they are read, by a whole factor: what is left is fifty times
/// what a model sees, and costs no more memory than a usual picture.
const LONGEST_SIDE: usize = 1024;

/// Reads a PNG file of one digit, in MNIST's form: (1, 28, 28, 1), to be handed to [`predict`](crate::Model::predict).
///
/// # Errors
/// As [`read_png`]; [`Error::Picture`] if there is nothing on it.
pub fn read_digit(path: impl AsRef<Path>) -> Result<Array4<u8>> {
    let path = path.as_ref();
    let image =
        to_mnist(&transparency::as_grey(&png_file::decode(path, LONGEST_SIDE)?, path)?).map_err(
            |error| match error {
                Error::Picture { problem, .. } => fault(path, problem),
                other => other,
            },
        )?;
    Ok(image.insert_axis(Axis(0)).insert_axis(Axis(3)))
}

fn fault(path: &Path, problem: String) -> Error {
    Error::Picture { place: path.display().to_string(), problem }
}
