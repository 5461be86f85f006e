//! [Kuzushiji-MNIST](https://github.com/rois-codh/kmnist) (Clanuwat and others, 2018; CC BY-SA 4.0): 70,000 pictures of
//! cursive Japanese characters in MNIST's form.

use super::Dataset;
use super::family::{Family, Sum};
#[cfg(feature = "numpy")]
use crate::error::Error;
use crate::error::Result;
#[cfg(feature = "numpy")]
use std::path::Path;

/// The character that each label stands for.
pub const CLASSES: [&str; 10] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];

const FAMILY: Family = Family {
    name: "KMNIST",
    folder: "kmnist",
    torchvision: "KMNIST/raw",
    mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://storage.googleapis.com/kuzushiji-mnist/"],
    sums: [
        Sum::Archive { bytes: 18_165_135, sha256: "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4" },
        Sum::Archive { bytes: 29_497, sha256: "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17" },
        Sum::Archive { bytes: 3_041_136, sha256: "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5" },
        Sum::Archive { bytes: 5_120, sha256: "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c" },
    ],
};

/// Loads KMNIST: the training and the test set, as [`mnist::load_data`](super::mnist::load_data) does MNIST, from or
/// into the folder `kmnist` of `$INKSTONE_DATA`, of `./data`, or of `inkstone` in the user's cache folder.
///
/// # Errors
/// As [`mnist::load_data`](super::mnist::load_data).
///
/// ```no_run
/// use inkstone::data::kmnist;
/// let (train, test) = kmnist::load_data()?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_data() -> Result<(Dataset, Dataset)> {
    FAMILY.load_data()
}

/// Loads Kuzushiji-49, which has 49 characters, from this folder: `k49-train-imgs.npz`, `k49-train-labels.npz`, and those of
/// `test`, as its makers serve them. With the feature `numpy`.
///
/// # Errors
/// As [`numpy::read_npz`](super::numpy::read_npz) and [`numpy::dataset`](super::numpy::dataset), and
/// [`Error::Data`] if a file has not the one array `arr_0`.
///
/// ```no_run
/// use inkstone::data::kmnist;
/// let (train, test) = kmnist::load_k49_from("kmnist")?;
/// assert_eq!((train.len(), test.len()), (232_365, 38_547));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[cfg(feature = "numpy")]
pub fn load_k49_from(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    let folder = folder.as_ref();
    let array = |part: &str, kind: &str| {
        let path = folder.join(format!("k49-{part}-{kind}.npz"));
        let found = super::numpy::read_npz(&path)?.remove("arr_0");
        found.ok_or_else(|| Error::Data(format!("{}: expected an array `arr_0`, found others", path.display())))
    };
    let part = |part: &str| super::numpy::dataset(array(part, "imgs")?, array(part, "labels")?);
    Ok((part("train")?, part("test")?))
}
