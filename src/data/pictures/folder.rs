//! A folder of pictures, sorted into a folder for each class, as a data set.

use super::{fault, read_digit};
use crate::data::Dataset;
use crate::error::{Error, Result};
use ndarray::{Axis, concatenate};
use std::fs;
use std::path::{Path, PathBuf};

/// Reads the `.png` files in the folders of this folder, each brought into MNIST's form. A folder is a class; returns
/// the classes' names by label. Folders named by numbers only are in the numbers' order, others in the alphabet's;
/// files in each are in the order of their names. Hidden files and files of other kinds are passed over, as by Keras'
/// [`image_dataset_from_directory`](https://keras.io/api/data_loading/image/).
///
/// # Errors
/// [`Error::Io`] if a folder or file cannot be read, [`Error::Picture`] if there are no folders in it, one has no pictures, or a
/// picture is no digit.
pub fn from_folder(folder: impl AsRef<Path>) -> Result<(Dataset, Vec<String>)> {
    let folder = folder.as_ref();
    let mut classes: Vec<(String, PathBuf)> = entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect();
    if classes.is_empty() {
        return Err(fault(folder, "expected a folder for each class, found none".into()));
    }
    if classes.iter().all(|(name, _)| name.parse::<u64>().is_ok()) {
        classes.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
    }
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for (label, (_, class)) in classes.iter().enumerate() {
        let is_png = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        let pictures: Vec<_> = entries(class)?.into_iter().filter(|(_, path)| is_png(path)).collect();
        if pictures.is_empty() {
            return Err(fault(class, "expected .png files of this class, found none".into()));
        }
        for (_, picture) in pictures {
            images.push(read_digit(picture)?);
            labels.push(label);
        }
    }
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    let images = concatenate(Axis(0), &views).map_err(|error| Error::Data(error.to_string()))?;
    Ok((Dataset::from_bytes(images, labels)?, classes.into_iter().map(|(name, _)| name).collect()))
}

/// What is in a folder and not hidden, by name.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let io = |source| Error::Io { place: folder.display().to_string(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}
