//! [EMNIST](https://www.nist.gov/itl/products-and-services/emnist-dataset) (Cohen, Afshar, Tapson and van Schaik, 2017):
//! handwritten letters and digits in MNIST's form.
//!
//! NIST has all splits in one archive, `gzip.zip`, of half a gigabyte, which is not downloaded here, as downloads do without
//! TLS: fetch it, compare its MD5 with `58c8d27c78d21e728a6bc7b3cc06412e`, which torchvision expects, unpack it, and name the
//! folder. Its pictures lie on their sides; they are turned as they are read.

use super::Dataset;
use super::family::{first_file, read_pair};
use crate::error::{Error, Result};
use ndarray::{Array4, Axis};
use std::path::Path;

/// A part of EMNIST, with its own training and test set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Split {
    /// 62 classes: digits, capital and small letters, as often as people write them.
    ByClass,
    /// 47 classes: small letters that look like their capitals count as these.
    ByMerge,
    /// 47 classes, as many pictures of each.
    Balanced,
    /// 26 letters, capital or small: class 0 is A.
    Letters,
    /// Ten digits.
    Digits,
    /// The digits of MNIST, made anew.
    Mnist,
}

impl Split {
    /// As in the names of its files.
    fn name(self) -> &'static str {
        match self {
            Self::ByClass => "byclass",
            Self::ByMerge => "bymerge",
            Self::Balanced => "balanced",
            Self::Letters => "letters",
            Self::Digits => "digits",
            Self::Mnist => "mnist",
        }
    }

    /// The character that each class stands for.
    ///
    /// ```
    /// use inkstone::data::emnist::Split;
    /// assert_eq!((Split::ByClass.classes().len(), Split::Balanced.classes().len()), (62, 47));
    /// assert_eq!((Split::Letters.classes()[0], Split::Balanced.classes()[46]), ('A', 't'));
    /// ```
    #[must_use]
    pub fn classes(self) -> Vec<char> {
        let (digits, capitals) = ('0'..='9', 'A'..='Z');
        match self {
            Self::ByClass => digits.chain(capitals).chain('a'..='z').collect(),
            Self::ByMerge | Self::Balanced => digits.chain(capitals).chain("abdefghnqrt".chars()).collect(),
            Self::Letters => capitals.collect(),
            Self::Digits | Self::Mnist => digits.collect(),
        }
    }

    /// The number of the first class in the files.
    fn first(self) -> usize {
        usize::from(self == Self::Letters)
    }
}

/// Loads the training and the test set of a split from this folder: `emnist-letters-train-images-idx3-ubyte` and so on, each
/// plain or with `.gz` added, as the archive has them, in it or in its folder `gzip`; or as torchvision keeps them, in
/// `EMNIST/raw`.
///
/// # Errors
/// [`Error::MissingData`] if a file is not there, [`Error::Io`] if one cannot be read, [`Error::Idx`] if one is no IDX file
/// of images or labels, or has a label that the split has not.
///
/// ```no_run
/// use inkstone::data::emnist::{self, Split};
/// let (train, test) = emnist::load_from("emnist", Split::Letters)?;
/// assert_eq!((train.len(), test.len()), (124_800, 20_800));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_from(folder: impl AsRef<Path>, split: Split) -> Result<(Dataset, Dataset)> {
    let folder = folder.as_ref();
    Ok((part(folder, split, "train")?, part(folder, split, "test")?))
}

fn part(folder: &Path, split: Split, part: &str) -> Result<Dataset> {
    let names = ["images-idx3", "labels-idx1"].map(|kind| format!("emnist-{}-{part}-{kind}-ubyte", split.name()));
    let folders = [folder.to_owned(), folder.join("gzip"), folder.join("EMNIST/raw"), folder.join("raw")];
    let file = |name: &str| {
        first_file(&folders, &[Path::new(name)]).ok_or_else(|| Error::MissingData {
            name: "EMNIST",
            searched: folders.to_vec(),
            files: vec!["emnist-SPLIT-train-images-idx3-ubyte", "emnist-SPLIT-train-labels-idx1-ubyte", "and for test"],
            mirror: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
        })
    };
    let first = split.first();
    let largest = first + split.classes().len() - 1;
    let (images, labels) = read_pair(&file(&names[0])?, &file(&names[1])?, (first, largest))?;
    Dataset::from_bytes(upright(images), labels.iter().map(|label| label - first).collect())
}

/// Rows and columns exchanged.
fn upright(images: Array4<u8>) -> Array4<u8> {
    let mut images = images;
    images.swap_axes(1, 2);
    // In memory order, as data sets keep them.
    let (count, height, width, channels) = images.dim();
    let mut turned = Array4::zeros((count, height, width, channels));
    for (mut to, from) in turned.axis_iter_mut(Axis(0)).zip(images.axis_iter(Axis(0))) {
        to.assign(&from);
    }
    turned
}
