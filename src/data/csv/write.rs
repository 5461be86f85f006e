//! Writes tables.

use crate::error::{Error, Result};
use crate::whole_file::write_whole;
use ::csv::Writer;
use ndarray::ArrayView2;
use std::io;
use std::path::Path;

/// Writes the class of each example, with its number, as Kaggle's contests want them.
///
/// - header: what the two columns are called; first: the first number
///
/// # Errors
/// [`Error::NotWritten`] if it cannot be written.
///
/// ```
/// use inkstone::data::csv;
/// let path = tempfile::tempdir().unwrap().keep().join("submission.csv");
/// csv::write_classes(&path, ["ImageId", "Label"], 1, &[2, 0, 9])?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "ImageId,Label\n1,2\n2,0\n3,9\n");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn write_classes(path: impl AsRef<Path>, header: [&str; 2], first: usize, classes: &[usize]) -> Result<()> {
    write_whole(path.as_ref(), |file| {
        let mut writer = Writer::from_writer(file);
        writer.write_record(header)?;
        for (number, class) in classes.iter().enumerate() {
            writer.write_record([(first + number).to_string(), class.to_string()])?;
        }
        writer.flush()
    })
}

/// Writes rows of numbers, such as probabilities, (N, columns).
///
/// # Errors
/// [`Error::Data`] unless there is a name for each column, [`Error::NotWritten`] if it cannot be written.
///
/// ```
/// use inkstone::data::csv;
/// use inkstone::ndarray::array;
/// let path = tempfile::tempdir().unwrap().keep().join("probabilities.csv");
/// csv::write_table(&path, &["cat", "dog"], array![[0.25, 0.75]].view())?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "cat,dog\n0.25,0.75\n");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn write_table(path: impl AsRef<Path>, header: &[&str], rows: ArrayView2<'_, f32>) -> Result<()> {
    if header.len() != rows.ncols() {
        return Err(Error::Data(format!(
            "there must be a name for each of {} columns, got {}",
            rows.ncols(),
            header.len()
        )));
    }
    write_whole(path.as_ref(), |file| {
        let mut writer = Writer::from_writer(file);
        writer.write_record(header)?;
        for row in rows.rows() {
            writer.write_record(row.iter().map(ToString::to_string)).map_err(io::Error::from)?;
        }
        writer.flush()
    })
}
