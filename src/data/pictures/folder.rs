//! A folder of pictures, sorted into a folder for each class, as a data set.

use super::{fault, read_digit};
use crate::data::Dataset;
use crate::error::{Error, Result};
use ndarray::{Axis, concatenate};
use std::fs;
use std::path::{Path, PathBuf};

/// The order of the images of a data set that is read from a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Drawn from this seed, as by [`Dataset::shuffle`].
    Shuffled {
        /// What the order is drawn from.
        seed: u64,
    },
    /// Class by class, and by file name in each. The last part of such a data set, which is what
    /// [`validation_split`](crate::FitConfig::validation_split) takes, has images of the last classes only.
    ByName,
}

/// Shuffled, from the seed 0.
impl Default for Order {
    fn default() -> Self {
        Self::Shuffled { seed: 0 }
    }
}

/// Reads the `.png` files in the folders of this folder, each brought into MNIST's form. A folder is a class; returns
/// the classes' names by label. Folders named by numbers only are in the numbers' order, others in the alphabet's.
/// Hidden files and files of other kinds are passed over.
///
/// The images are shuffled, always in the same way; [`from_folder_in`] takes another seed, or keeps the order of the
/// names. Keras' [`image_dataset_from_directory`](https://keras.io/api/data_loading/image/) shuffles as well, in a new
/// way each time.
///
/// # Errors
/// [`Error::Io`] if a folder or file cannot be read, [`Error::Picture`] if there are no folders in it, one has no
/// pictures, or a picture is no digit.
///
/// ```
/// use inkstone::data::{pictures, synthetic};
/// let folder = tempfile::tempdir().unwrap();
/// let digits = synthetic::digits(20, 0)?;
/// for (n, (digit, label)) in digits.images().outer_iter().zip(digits.labels()).enumerate() {
///     let class = folder.path().join(["even", "odd"][label % 2]);
///     std::fs::create_dir_all(&class).unwrap();
///     let picture = inkstone::ndarray::Array2::from_shape_fn((28, 28), |(y, x)| (digit[[y, x, 0]] * 255.0) as u8);
///     pictures::write_png(class.join(format!("{n}.png")), &picture)?;
/// }
/// let (dataset, classes) = pictures::from_folder(folder.path())?;
/// assert_eq!((dataset.len(), &classes[..]), (20, &["even".to_string(), "odd".into()][..]));
/// assert!(!dataset.labels().is_sorted());
/// let (in_order, _) = pictures::from_folder_in(folder.path(), pictures::Order::ByName)?;
/// assert!(in_order.labels().is_sorted());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[doc(alias = "image_dataset_from_directory")]
pub fn from_folder(folder: impl AsRef<Path>) -> Result<(Dataset, Vec<String>)> {
    from_folder_in(folder, Order::default())
}

/// As [`from_folder`], with the images in this order.
///
/// # Errors
/// As [`from_folder`].
pub fn from_folder_in(folder: impl AsRef<Path>, order: Order) -> Result<(Dataset, Vec<String>)> {
    let Folder { dataset, classes, .. } = read(folder.as_ref())?;
    Ok((in_order(dataset, order), classes))
}

/// As [`from_folder_in`], with the place of each picture in the folder as its [id](Dataset::with_ids), as in `7/scan12.png`:
/// to find the picture that a model got wrong. The other two functions forget file names, which may say who wrote what.
///
/// # Errors
/// As [`from_folder`].
///
/// ```
/// use inkstone::data::pictures::{self, Order};
/// let folder = tempfile::tempdir().unwrap();
/// let digits = inkstone::data::synthetic::digits(2, 0)?;
/// for (n, digit) in digits.images().outer_iter().enumerate() {
///     let class = folder.path().join(["even", "odd"][n]);
///     std::fs::create_dir(&class).unwrap();
///     let picture = inkstone::ndarray::Array2::from_shape_fn((28, 28), |(y, x)| (digit[[y, x, 0]] * 255.0) as u8);
///     pictures::write_png(class.join("scan12.png"), &picture)?;
/// }
/// let (dataset, _) = pictures::from_folder_with_ids(folder.path(), Order::ByName)?;
/// assert_eq!(dataset.ids().collect::<Vec<_>>(), ["even/scan12.png", "odd/scan12.png"]);
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn from_folder_with_ids(folder: impl AsRef<Path>, order: Order) -> Result<(Dataset, Vec<String>)> {
    let Folder { dataset, classes, names } = read(folder.as_ref())?;
    let ids = dataset.labels().iter().zip(names).map(|(label, name)| format!("{}/{name}", classes[*label]));
    Ok((in_order(dataset.with_ids(ids.collect::<Vec<_>>())?, order), classes))
}

/// What is in a folder, by name.
struct Folder {
    dataset: Dataset,
    classes: Vec<String>,
    /// Of the pictures.
    names: Vec<String>,
}

pub(super) fn in_order(dataset: Dataset, order: Order) -> Dataset {
    match order {
        Order::Shuffled { seed } => dataset.shuffle(seed),
        Order::ByName => dataset,
    }
}

fn read(folder: &Path) -> Result<Folder> {
    let classes = class_folders(folder)?;
    let (mut images, mut labels, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (label, (_, class)) in classes.iter().enumerate() {
        let is_png = |path: &Path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
        let pictures: Vec<_> = entries(class)?.into_iter().filter(|(_, path)| is_png(path)).collect();
        if pictures.is_empty() {
            return Err(fault(class, "expected .png files of this class, found none".into()));
        }
        for (name, picture) in pictures {
            images.push(read_digit(picture)?);
            labels.push(label);
            names.push(name);
        }
    }
    let views: Vec<_> = images.iter().map(|image| image.view()).collect();
    let images = concatenate(Axis(0), &views).map_err(|error| Error::Data(error.to_string()))?;
    let dataset = Dataset::from_bytes(images, labels)?;
    Ok(Folder { dataset, classes: classes.into_iter().map(|(name, _)| name).collect(), names })
}

/// The folders in a folder, in the order of the classes.
pub(super) fn class_folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut classes: Vec<(String, PathBuf)> = entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect();
    if classes.is_empty() {
        return Err(fault(folder, "expected a folder for each class, found none".into()));
    }
    if classes.iter().all(|(name, _)| name.parse::<u64>().is_ok()) {
        classes.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
    }
    Ok(classes)
}

/// What is in a folder and not hidden, by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
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
