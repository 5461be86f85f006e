//! Data sets in encrypted files. The content is a safetensors file: other programs read it once it is decrypted.

mod read;
mod write;

use super::Dataset;
use crate::error::Result;
use crate::protect::{Identities, Recipients, read_encrypted, write_encrypted};
use std::path::Path;

/// The entry of the metadata that tells data sets from other files, and its value: the version of the form.
const ENTRY: &str = "inkstone_dataset";
const VERSION: &str = "1";

/// The names of the tensors.
const INPUTS: &str = "inputs";
const LABELS: &str = "labels";
const VALUES: &str = "values";
const TARGETS: &str = "target_images";
/// All names one after the other, and how many bytes each has.
const IDS: &str = "ids";
const ID_LENGTHS: &str = "id_lengths";

impl Dataset {
    /// Writes the data set to a file that only these recipients can read, encrypted on its way: as
    /// [`write_encrypted`](crate::protect::write_encrypted). Scaled pixels are written as models see them.
    ///
    /// What is encrypted is a [safetensors](https://github.com/huggingface/safetensors) file: after `age -d -i key.txt -o
    /// data.safetensors data.age`, Python's `safetensors.numpy.load_file("data.safetensors")` has the arrays `inputs`,
    /// (N, ...), `labels`, (N), and `values`, (N, outputs), or `target_images`, (N, ...), as far as there are such.
    ///
    /// # Errors
    /// [`Error::NotWritten`](crate::Error::NotWritten) if it cannot be written.
    ///
    /// ```
    /// use inkstone::data::synthetic;
    /// use inkstone::protect::Identities;
    /// use inkstone::Dataset;
    /// let path = tempfile::tempdir().unwrap().keep().join("digits.age");
    /// let (digits, secret) = (synthetic::digits(20, 0)?, Identities::generate());
    /// digits.save_encrypted(&path, &secret.recipients()?)?;
    /// let loaded = Dataset::load_encrypted(&path, &secret)?;
    /// assert_eq!((loaded.images(), loaded.labels()), (digits.images(), digits.labels()));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_encrypted(&self, path: impl AsRef<Path>, recipients: &Recipients) -> Result<()> {
        write_encrypted(path, recipients, |file| write::dataset(self, file))
    }

    /// Reads what [`save_encrypted`](Self::save_encrypted) wrote. It goes to memory piece by piece, and never to the disk.
    ///
    /// # Errors
    /// As [`read_encrypted`](crate::protect::read_encrypted); [`Error::Encrypted`](crate::Error::Encrypted) if the file was
    /// changed or cut off; [`Error::Data`](crate::Error::Data) if its content is no data set.
    pub fn load_encrypted(path: impl AsRef<Path>, identities: &Identities) -> Result<Self> {
        let path = path.as_ref();
        read::dataset(read_encrypted(path, identities)?, &path.display().to_string())
    }
}
