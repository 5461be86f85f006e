//! What MNIST and its relatives share: the names of four files, where to search for them, and what they must contain.

use super::{Dataset, idx};
use crate::error::{Error, IdxFault, Result};
use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use ndarray::Array4;
use std::path::{Path, PathBuf};

/// The files, as MNIST's makers named them.
pub(super) const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
/// The largest label.
const LARGEST_LABEL: usize = 9;

/// A data set of MNIST's form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    /// As in `Fashion-MNIST`.
    pub(super) name: &'static str,
    /// Its folder in the one that holds them all; MNIST's files may also lie there themselves.
    pub(super) folder: &'static str,
    /// Where torchvision keeps its files.
    pub(super) torchvision: &'static str,
    /// Folders on the network that serve the files with `.gz` added.
    pub(super) mirrors: &'static [&'static str],
    /// What each of [`FILES`] must be.
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "only downloads are checked"))]
    pub(super) sums: [Sum; 4],
}

/// A number of bytes and a SHA-256 by which a file is known.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "only downloads are checked"))]
pub(super) enum Sum {
    /// Of the unpacked content, where mirrors pack differently.
    Content { bytes: u64, sha256: &'static str },
    /// Of the archive, where all mirrors serve its makers' own.
    Archive { bytes: u64, sha256: &'static str },
}

impl Family {
    /// Loads it from the first folder that has all files; fetches what is missing if none has.
    pub(super) fn load_data(&self) -> Result<(Dataset, Dataset)> {
        let searched = self.folders();
        if let Some(folder) = searched.iter().find(|folder| FILES.iter().all(|file| self.find(folder, file).is_some()))
        {
            return self.load_from(folder);
        }
        #[cfg(feature = "download")]
        if let Some(folder) = chosen_folder().map(|folder| self.within(folder)).or_else(|| self.cache())
            && !super::download::is_switched_off()
        {
            let wanted = FILES.iter().zip(&self.sums).filter(|(file, _)| self.find(&folder, file).is_none());
            super::download::fetch(self, &folder, wanted.map(|(file, sum)| (*file, *sum)))?;
            return self.load_from(&folder);
        }
        Err(self.missing(searched))
    }

    /// Loads it from this folder.
    pub(super) fn load_from(&self, folder: &Path) -> Result<(Dataset, Dataset)> {
        let [train_images, train_labels, test_images, test_labels] = FILES;
        Ok((self.load_part(folder, train_images, train_labels)?, self.load_part(folder, test_images, test_labels)?))
    }

    fn load_part(&self, folder: &Path, images: &str, labels: &str) -> Result<Dataset> {
        let file = |name| self.find(folder, name).ok_or_else(|| self.missing(vec![folder.to_owned()]));
        let (images_file, labels_file) = (file(images)?, file(labels)?);
        let (images, labels) = read_pair(&images_file, &labels_file, (0, LARGEST_LABEL))?;
        Dataset::from_bytes(images, labels)
    }

    /// Where the data may be, in the order of search.
    fn folders(&self) -> Vec<PathBuf> {
        let shared = chosen_folder().into_iter().chain([PathBuf::from("data")]);
        shared.map(|folder| self.within(folder)).chain(self.cache()).collect()
    }

    /// Its place in a folder that holds them all: MNIST's is the folder itself.
    fn within(&self, folder: PathBuf) -> PathBuf {
        if self.folder == "mnist" { folder } else { folder.join(self.folder) }
    }

    fn cache(&self) -> Option<PathBuf> {
        choose_native_strategy().ok().map(|user| user.cache_dir().join("inkstone").join(self.folder))
    }

    /// The file in this folder, plain or compressed: as its makers named it, or as it comes from Kaggle, with a dot in
    /// its name or in a folder of its own; and all of these in the folders that torchvision makes.
    fn find(&self, folder: &Path, file: &str) -> Option<PathBuf> {
        let dotted = file.replacen("-idx", ".idx", 1);
        let folders = [folder.to_owned(), folder.join(self.torchvision), folder.join("raw")];
        first_file(&folders, &[Path::new(file), Path::new(&dotted), &Path::new(file).join(file)])
    }

    fn missing(&self, searched: Vec<PathBuf>) -> Error {
        let mirror = self.mirrors.first().copied().unwrap_or_default();
        Error::MissingData { name: self.name, searched, files: FILES.to_vec(), mirror }
    }
}

/// The images of a file, (N, H, W, 1), and the labels of another, which are in this range, its end included.
pub(super) fn read_pair(
    images_file: &Path,
    labels_file: &Path,
    (first, last): (usize, usize),
) -> Result<(Array4<u8>, Vec<usize>)> {
    let images = pixels(images_file)?;
    let labels = idx::read_file(labels_file)?;
    let fault = |fault| Error::Idx { place: labels_file.display().to_string(), fault };
    let count = images.dim().0;
    if labels.shape() != [count] {
        let expected = format!("{count} labels (1 dimension), one for each image of {}", images_file.display());
        return Err(fault(IdxFault::Shape { expected, shape: labels.shape().to_vec() }));
    }
    let is_wrong = |label: &u8| !(first..=last).contains(&usize::from(*label));
    if let Some((index, &found)) = labels.iter().enumerate().find(|(_, label)| is_wrong(label)) {
        return Err(fault(IdxFault::Label { smallest: first as u8, largest: last as u8, found, index }));
    }
    Ok((images, labels.iter().map(|label| usize::from(*label)).collect()))
}

/// The images of a file, (N, H, W, 1).
pub(super) fn pixels(file: &Path) -> Result<Array4<u8>> {
    let images = idx::read_file(file)?;
    let &[count, height, width] = images.shape() else {
        let expected = "images (3 dimensions: number, rows, columns)".to_owned();
        let fault = IdxFault::Shape { expected, shape: images.shape().to_vec() };
        return Err(Error::Idx { place: file.display().to_string(), fault });
    };
    let images = images.into_shape_with_order((count, height, width, 1));
    images.map_err(|error| Error::Data(format!("{}: {error}", file.display())))
}

/// The first of these places in the first of these folders where there is a file, plain or compressed.
pub(super) fn first_file(folders: &[PathBuf], places: &[&Path]) -> Option<PathBuf> {
    let paths = folders.iter().flat_map(|folder| places.iter().map(|place| folder.join(place)));
    let mut both = paths.flat_map(|path| [path.clone(), with_gz(path)]);
    both.find(|path| path.is_file())
}

fn with_gz(path: PathBuf) -> PathBuf {
    let mut name = path.into_os_string();
    name.push(".gz");
    name.into()
}

/// The folder that `INKSTONE_DATA` names.
fn chosen_folder() -> Option<PathBuf> {
    std::env::var_os("INKSTONE_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}
