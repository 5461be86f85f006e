//! Tables in CSV files. With the feature `csv`.
//!
//! ```
//! use inkstone::data::csv::{self, CsvOptions};
//! use inkstone::Dataset;
//! let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("flowers.csv");
//! std::fs::write(&path, "id,length,width,kind\n1,5.1,3.5,setosa\n2,6.2,2.9,virginica\n3,4.9,3.0,setosa\n").unwrap();
//! let table = csv::read(&path, CsvOptions::new().target("kind").id("id"))?;
//! assert_eq!((&table.features[..], &table.classes[..]), (&["length", "width"].map(String::from)[..], &["setosa", "virginica"].map(String::from)[..]));
//! assert_eq!(table.dataset.labels(), [0, 1, 0]);
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! Kaggle's digit recogniser: `label,pixel0,pixel1,...`, and no labels in its test file.
//!
//! ```no_run
//! use inkstone::data::csv::{self, CsvOptions};
//! use inkstone::prelude::*;
//! let digits = Dataset::from_csv("train.csv", CsvOptions::new().target("label").images([28, 28, 1]))?;
//! let (train, validation) = digits.split(0.9, 1)?;
//! # let mut model = Sequential::new([28, 28, 1]).add(Flatten::new()).add(Dense::new(10).activation(Softmax))
//! #     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
//! model.fit(&train, FitConfig::new().validation_data(&validation))?;
//! let test = Dataset::from_csv("test.csv", CsvOptions::new().images([28, 28, 1]))?;
//! csv::write_classes("submission.csv", ["ImageId", "Label"], 1, &model.predict_classes(&test)?)?;
//! # Ok::<(), inkstone::Error>(())
//! ```

mod classes;
mod columns;
mod limited;
#[cfg(feature = "image")]
mod list;
mod options;
mod read;
mod write;

#[cfg(feature = "image")]
pub(super) use list::List;
pub use options::{Column, CsvOptions, Header};
pub use write::{write_classes, write_table};

use super::Dataset;
use crate::error::Result;
use std::io::Read;
use std::path::Path;

/// A table as [`read`] reads it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CsvTable {
    /// Its rows.
    pub dataset: Dataset,
    /// What the columns of features are called; of a file without a header `column 0` and so on.
    pub features: Vec<String>,
    /// What the classes are called, by number; empty if the file has them as numbers, or has none.
    pub classes: Vec<String>,
}

/// Reads a CSV file, plain or gzip, row by row: the text is not kept.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if it cannot be read; [`Error::Data`](crate::Error::Data) with the line and the column if
/// something is missing, is no number, or a row has more or fewer fields than the first, or more than 64 MiB; if there are
/// no rows, or no column of a name that the options have.
pub fn read(path: impl AsRef<Path>, options: CsvOptions) -> Result<CsvTable> {
    let path = path.as_ref();
    read::of_reader(read::opened(path)?, &path.display().to_string(), &options)
}

/// As [`read`], from a reader: of bytes in memory, of a pipe, of an answer. It is read to its end.
///
/// Memory grows with the text, unpacked: by at most 200 bytes for each of it, where all is a row of very many columns.
///
/// # Errors
/// As [`read`].
///
/// ```
/// use inkstone::data::csv::{self, CsvOptions};
/// let text = "length,width,kind\n5.1,3.5,setosa\n6.2,2.9,virginica\n";
/// let table = csv::read_from(text.as_bytes(), CsvOptions::new().target("kind"))?;
/// assert_eq!(table.dataset.labels(), [0, 1]);
/// let error = csv::read_from("1,2\n3\n".as_bytes(), CsvOptions::new()).unwrap_err();
/// assert_eq!(error.to_string(), "the CSV text: line 2: expected 2 fields, as in the first row, found 1");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn read_from(reader: impl Read, options: CsvOptions) -> Result<CsvTable> {
    read::of_reader(reader, "the CSV text", &options)
}

impl Dataset {
    /// Reads a CSV file: [`csv::read`](read), which has names of features and classes besides.
    ///
    /// # Errors
    /// As [`csv::read`](read).
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::csv::CsvOptions;
    /// let path = tempfile::tempdir().unwrap().keep().join("homes.csv");
    /// std::fs::write(&path, "size;rooms;price\n50;2;0.9\n80;;1.4\n").unwrap();
    /// let error = Dataset::from_csv(&path, CsvOptions::new().values(["price"]).delimiter(b';')).unwrap_err();
    /// assert!(error.to_string().ends_with("1 value is missing: line 3, column `rooms`. Fill it in, or leave out its row or column"));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_csv(path: impl AsRef<Path>, options: CsvOptions) -> Result<Self> {
        read(path, options).map(|table| table.dataset)
    }
}
