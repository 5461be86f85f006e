//! Writes the logs of each epoch to a file.

use super::{Callback, CallbackState, Logs, Training};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Writes a line of comma-separated values for each epoch, as [Keras'
/// `CSVLogger`](https://keras.io/api/callbacks/csv_logger/): the epoch, from 0, and what the logs have, sorted by name.
/// Each line is written before training goes on. A training that is resumed goes on in the same file; if by
/// [`FitConfig::backup`](crate::FitConfig::backup), lines of epochs that it takes again are removed.
///
/// A file that cannot be written is an [`Error::Io`].
///
/// ```
/// use inkstone::callbacks::CsvLogger;
/// use inkstone::prelude::*;
/// # let train = Dataset::from_bytes(inkstone::ndarray::Array4::zeros((4, 2, 2, 1)), vec![0, 1, 0, 1])?;
/// # let mut model = Sequential::new([2, 2, 1])
/// #     .add(Flatten::new())
/// #     .add(Dense::new(2).activation(Softmax))
/// #     .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("log.csv");
/// model.fit(&train, FitConfig::new().epochs(2).callback(CsvLogger::new(&path)).verbose(0))?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.starts_with("epoch,accuracy,loss\n0,0.5,0.693"));
/// assert_eq!(text.lines().count(), 3);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Debug)]
pub struct CsvLogger {
    path: PathBuf,
    separator: char,
    append: bool,
    file: Option<File>,
    has_header: bool,
}

impl CsvLogger {
    /// Writes to this file, in place of what is there.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), separator: ',', append: false, file: None, has_header: false }
    }

    /// Sets what stands between values.
    #[must_use]
    pub fn separator(self, separator: char) -> Self {
        Self { separator, ..self }
    }

    /// Sets whether lines are added to a file that is there, as when a training is resumed; it gets no second header.
    #[must_use]
    pub fn append(self, append: bool) -> Self {
        Self { append, ..self }
    }

    fn fault(&self, source: io::Error) -> Error {
        Error::Io { place: self.path.display().to_string(), source }
    }

    fn write_row(&mut self, row: &[String]) -> Result<()> {
        let line = row.join(&self.separator.to_string()) + "\n";
        match &mut self.file {
            None => Ok(()),
            Some(file) => file.write_all(line.as_bytes()).map_err(|source| self.fault(source)),
        }
    }
}

impl Callback for CsvLogger {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        let mut options = OpenOptions::new();
        let appends = self.append || training.is_resumed();
        options.write(true).create(true).truncate(!appends);
        let open = || {
            let mut file = options.open(&self.path)?;
            // Not opened to append: some systems then allow no cutting.
            let has_header = file.seek(SeekFrom::End(0))? > 0;
            Ok((file, has_header))
        };
        let (file, has_header) = open().map_err(|source| self.fault(source))?;
        (self.file, self.has_header) = (Some(file), has_header);
        Ok(())
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, _training: &mut Training<'_>) -> Result<()> {
        let mut logs: Vec<(&str, f64)> = logs.iter().collect();
        logs.sort_by_key(|(name, _)| *name);
        if !self.has_header {
            let names = logs.iter().map(|(name, _)| (*name).to_owned());
            self.write_row(&["epoch".to_owned()].into_iter().chain(names).collect::<Vec<_>>())?;
            self.has_header = true;
        }
        let values = logs.iter().map(|(_, value)| value.to_string());
        self.write_row(&[epoch.to_string()].into_iter().chain(values).collect::<Vec<_>>())
    }

    fn on_train_end(&mut self, _training: &mut Training<'_>) -> Result<()> {
        self.file = None;
        Ok(())
    }

    fn state(&self) -> Option<CallbackState> {
        let bytes = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|file| file.len());
        Some(CallbackState::new("CsvLogger").with("bytes", bytes))
    }

    fn restore(&mut self, state: &CallbackState) -> Result<()> {
        let (Some(file), Some(bytes)) = (&mut self.file, state.get::<Option<u64>>("bytes")?) else { return Ok(()) };
        let mut cut_back = || -> io::Result<()> {
            if file.metadata()?.len() > bytes {
                file.set_len(bytes)?;
                file.seek(SeekFrom::End(0))?;
            }
            Ok(())
        };
        let cut = cut_back();
        self.has_header &= bytes > 0;
        cut.map_err(|source| self.fault(source))
    }
}
