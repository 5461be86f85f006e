//! Folders of PNG and JPEG files as data sets, in colour or grey, at one size.

use super::fault;
use super::folder::{Order, class_folders, entries, in_order};
use super::whole::{Colors, Interpolation, Picture, PictureLimits};
use crate::data::Dataset;
use crate::error::{Error, Result};
use ndarray::{Array3, Array4};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// The endings of files that are read.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];
/// The longest side that pictures are brought to.
const MAX_SIDE: usize = 1 << 12;
/// How many pictures are decoded together.
const PIECE: usize = 256;

/// What is done with a file that is no whole picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// It is an error.
    #[default]
    Refuse,
    /// It is left out, and named in [`PictureFolder::left_out`].
    LeaveOut,
}

/// How pictures are read: their size, and what becomes of them. Names and defaults are those of Keras'
/// [`image_dataset_from_directory`](https://keras.io/api/data_loading/image/).
#[derive(Clone, Copy, Debug)]
pub struct PictureOptions {
    image_size: (usize, usize),
    colors: Colors,
    interpolation: Interpolation,
    order: Order,
    pub(super) broken: Broken,
    with_ids: bool,
}

impl PictureOptions {
    /// Pictures of this height and width, in colour, shuffled.
    #[must_use]
    pub fn new(image_size: (usize, usize)) -> Self {
        Self {
            image_size,
            colors: Colors::default(),
            interpolation: Interpolation::default(),
            order: Order::default(),
            broken: Broken::default(),
            with_ids: false,
        }
    }

    setters! {
        /// Sets whether colours are kept.
        colors: Colors,
        /// Sets how pictures are brought to the size.
        interpolation: Interpolation,
        /// Sets the order of the pictures.
        order: Order,
        /// Sets what is done with files that are no whole pictures.
        broken: Broken,
    }

    /// Keeps the place of each picture in the folder as its [id](Dataset::with_ids).
    #[must_use]
    pub fn keep_names(self) -> Self {
        Self { with_ids: true, ..self }
    }

    /// # Errors
    /// [`Error::Setting`] if the size is out of range.
    fn check(&self) -> Result<()> {
        let (height, width) = self.image_size;
        if (1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width) {
            return Ok(());
        }
        let received = format!("({height}, {width})");
        Err(Error::Setting { name: "image_size", expected: "from 1 to 4096 on each side", received })
    }

    fn read(&self, path: &Path) -> Result<Array3<u8>> {
        let picture = Picture::read(path, PictureLimits::new())?;
        Ok(picture.resized(self.image_size, self.colors, self.interpolation))
    }
}

/// A folder of pictures, as [`read_folder`] reads it.
#[derive(Debug)]
#[non_exhaustive]
pub struct PictureFolder {
    /// The pictures.
    pub dataset: Dataset,
    /// What the classes are called, by number.
    pub classes: Vec<String>,
    /// The files that were left out, each with what is wrong with it.
    pub left_out: Vec<(PathBuf, Error)>,
}

/// Reads the PNG and JPEG files in the folders of this folder, all at one size. A folder is a class. Files are decoded in
/// parallel, turned as the camera was held, and become bytes, which are scaled to 0.0..=1.0 as they are used.
///
/// # Errors
/// [`Error::Io`] if a folder or file cannot be read, [`Error::Picture`] if there are no folders in it, one has no pictures, or a
/// picture is broken; [`Error::Setting`] if the size is out of range.
///
/// ```
/// use inkstone::data::pictures::{self, Broken, PictureOptions};
/// let folder = tempfile::tempdir().unwrap();
/// for class in ["cat", "dog"] {
///     std::fs::create_dir(folder.path().join(class)).unwrap();
///     let picture = inkstone::ndarray::Array2::from_elem((40, 60), 128);
///     pictures::write_png(folder.path().join(class).join("1.png"), &picture)?;
/// }
/// std::fs::write(folder.path().join("cat/2.jpg"), "no picture").unwrap();
/// let options = PictureOptions::new((32, 32)).broken(Broken::LeaveOut);
/// let read = pictures::read_folder(folder.path(), options)?;
/// assert_eq!((read.dataset.len(), read.dataset.shape().to_string(), read.left_out.len()), (2, "(32, 32, 3)".to_owned(), 1));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[doc(alias = "image_dataset_from_directory")]
pub fn read_folder(folder: impl AsRef<Path>, options: PictureOptions) -> Result<PictureFolder> {
    let folder = folder.as_ref();
    let classes = class_folders(folder)?;
    let mut files = Vec::new();
    for (label, (name, class)) in classes.iter().enumerate() {
        let pictures: Vec<_> = entries(class)?.into_iter().filter(|(_, path)| is_picture(path)).collect();
        if pictures.is_empty() {
            return Err(fault(class, "expected .png, .jpg or .jpeg files of this class, found none".into()));
        }
        files.extend(pictures.into_iter().map(|(file, path)| Listed { path, id: format!("{name}/{file}"), label }));
    }
    let (dataset, left_out) = read_all(&files, &options)?;
    Ok(PictureFolder { dataset, classes: classes.into_iter().map(|(name, _)| name).collect(), left_out })
}

/// Reads these files with these classes, as [`read_folder`] does: of lists that say what is on each picture.
///
/// # Errors
/// As [`read_folder`], and [`Error::Data`] if there are no files, or not a class for each.
///
/// ```
/// use inkstone::data::pictures::{self, Order, PictureOptions};
/// let folder = tempfile::tempdir().unwrap();
/// let files = ["cat.png", "dog.png"].map(|name| folder.path().join(name));
/// for path in &files {
///     pictures::write_png(path, &inkstone::ndarray::Array2::from_elem((40, 60), 128))?;
/// }
/// let read = pictures::read_files(&files, &[3, 5], PictureOptions::new((32, 32)).order(Order::ByName))?;
/// assert_eq!((read.dataset.labels(), read.dataset.shape().to_string()), (&[3, 5][..], "(32, 32, 3)".to_owned()));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read_files(files: &[PathBuf], labels: &[usize], options: PictureOptions) -> Result<PictureFolder> {
    if files.is_empty() || files.len() != labels.len() {
        return Err(Error::Data(format!(
            "there must be a class for each of at least one picture, got {} pictures and {} classes",
            files.len(),
            labels.len()
        )));
    }
    let listed = |(path, label): (&PathBuf, &usize)| Listed {
        path: path.clone(),
        id: path.display().to_string(),
        label: *label,
    };
    let files: Vec<Listed> = files.iter().zip(labels).map(listed).collect();
    let (dataset, left_out) = read_all(&files, &options)?;
    Ok(PictureFolder { dataset, classes: Vec::new(), left_out })
}

/// A file, what it is called, and its class.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) id: String,
    pub(super) label: usize,
}

/// Whether a name is one of those that are read.
pub(super) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&&ending[..]))
}

pub(super) fn read_all(files: &[Listed], options: &PictureOptions) -> Result<(Dataset, Vec<(PathBuf, Error)>)> {
    options.check()?;
    let (height, width) = options.image_size;
    let len = height * width * options.colors.channels();
    let mut pixels = Vec::with_capacity(files.len().saturating_mul(len));
    let (mut labels, mut ids, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    // As many at a time as keep all threads busy, so that only these are there twice.
    for files in files.chunks(PIECE) {
        let read: Vec<Result<Array3<u8>>> = files.par_iter().map(|file| options.read(&file.path)).collect();
        for (file, read) in files.iter().zip(read) {
            match read {
                Ok(picture) => {
                    pixels.extend(picture);
                    labels.push(file.label);
                    ids.push(file.id.clone());
                }
                Err(error) if options.broken == Broken::LeaveOut => left_out.push((file.path.clone(), error)),
                Err(error) => return Err(error),
            }
        }
    }
    if let (true, Some((path, _))) = (labels.is_empty(), left_out.first()) {
        return Err(fault(
            path,
            "expected at least one whole picture, found that this and all others are broken".into(),
        ));
    }
    let shape = (labels.len(), height, width, options.colors.channels());
    let images = Array4::from_shape_vec(shape, pixels).expect("pixels of each picture");
    let dataset = Dataset::from_bytes(images, labels)?;
    let dataset = if options.with_ids { dataset.with_ids(ids)? } else { dataset };
    Ok((in_order(dataset, options.order), left_out))
}
