//! [QMNIST](https://github.com/facebookresearch/qmnist) (Yadav and Bottou, 2019): MNIST made anew from NIST's files, with
//! the 50,000 test pictures that MNIST's makers left out, and who wrote each picture.

use super::Dataset;
use super::family::{first_file, pixels};
use super::idx::IdxArray;
use crate::error::{Error, IdxFault, Result};
use std::path::Path;

/// Numbers of a picture: its class, NIST's partition, its writer, its number there, NIST's class, its number among all, and two
/// that are zero.
const COLUMNS: usize = 8;
const WRITER: usize = 2;

/// Loads the training and the test set from this folder, or from `QMNIST/raw` in it: `qmnist-train-images-idx3-ubyte`,
/// `qmnist-train-labels-idx2-int`, and those of `test`, each plain or with `.gz` added. The writer of each picture is its
/// [id](Dataset::with_ids): to keep those of one person together.
///
/// # Errors
/// [`Error::MissingData`] if a file is not there, [`Error::Io`] if one cannot be read, [`Error::Idx`] if one is no IDX file
/// of images, or of rows of eight integers that begin with a class.
///
/// ```no_run
/// use inkstone::data::qmnist;
/// let (train, test) = qmnist::load_from("qmnist")?;
/// assert_eq!((train.len(), test.len()), (60_000, 60_000));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn load_from(folder: impl AsRef<Path>) -> Result<(Dataset, Dataset)> {
    let folder = folder.as_ref();
    Ok((part(folder, "train")?, part(folder, "test")?))
}

fn part(folder: &Path, part: &str) -> Result<Dataset> {
    let folders = [folder.to_owned(), folder.join("QMNIST/raw"), folder.join("raw")];
    let file = |kind: &str| {
        let name = format!("qmnist-{part}-{kind}");
        first_file(&folders, &[Path::new(&name)]).ok_or_else(|| Error::MissingData {
            name: "QMNIST",
            searched: folders.to_vec(),
            files: vec!["qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int", "and for test"],
            mirror: "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        })
    };
    let (images_file, labels_file) = (file("images-idx3-ubyte")?, file("labels-idx2-int")?);
    let images = pixels(&images_file)?;
    let fault = |fault| Error::Idx { place: labels_file.display().to_string(), fault };
    let table = IdxArray::read_file(&labels_file)?;
    let IdxArray::I32(table) = table else {
        return Err(fault(IdxFault::Shape { expected: "integers of 32 bits".into(), shape: table.shape().to_vec() }));
    };
    if table.shape() != [images.dim().0, COLUMNS] {
        let expected = format!("{} rows of {COLUMNS} integers, one for each image", images.dim().0);
        return Err(fault(IdxFault::Shape { expected, shape: table.shape().to_vec() }));
    }
    let mut labels = Vec::with_capacity(images.dim().0);
    let mut writers = Vec::with_capacity(images.dim().0);
    for (index, row) in table.outer_iter().enumerate() {
        match usize::try_from(row[0]) {
            Ok(label @ 0..=9) => labels.push(label),
            _ => {
                return Err(fault(IdxFault::Label {
                    smallest: 0,
                    largest: 9,
                    found: row[0].clamp(0, 255) as u8,
                    index,
                }));
            }
        }
        writers.push(row[WRITER].to_string());
    }
    Dataset::from_bytes(images, labels)?.with_ids(writers)
}
