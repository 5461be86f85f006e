//! Writes the logs of each epoch to a file.

use super::{Callback, CallbackState, Logs, Training};
use crate::error::{Error, Result};
use crate::whole_file::Destination;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Writes a line of comma-separated values for each epoch, as [Keras'
/// `CSVLogger`](https://keras.io/api/callbacks/csv_logger/): the epoch, from 0, and what the logs have, sorted by name.
/// Each line is written before training continues. A resumed training appends to the same file; with
/// [`FitConfig::backup`](crate::FitConfig::backup), lines of epochs that are repeated are removed first.
///
/// Appended lines have the columns of the file's header, with `NA` for values that this training does not have, such as
/// those of validation data, and for values that a callback did not [log](Training::log) in an epoch. A header that
/// lacks a value of this training, or has another separator, is an [`Error::Callback`].
///
/// A file that cannot be written is an [`Error::Io`]; a separator that values may contain, an [`Error::Setting`].
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
    /// The names of the file's values, after the epoch.
    columns: Vec<String>,
}

/// What becomes of the lines of a file that exists.
enum Lines {
    Kept,
    Replaced,
}

/// The longest header that is read, in bytes.
const MAX_HEADER: u64 = 1 << 24;

impl CsvLogger {
    /// Writes to this file, replacing its content.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), separator: ',', append: false, file: None, columns: Vec::new() }
    }

    setters! {
        /// Sets the separator between values.
        separator: char,

        /// Sets whether to append to an existing file, without a second header. A resumed training always does.
        append: bool,
    }

    fn fault(&self, source: io::Error) -> Error {
        Error::Io { place: self.path.display().to_string(), source }
    }

    fn write_row(&mut self, first: &str, row: impl Iterator<Item = String>) -> Result<()> {
        let line =
            [first.to_owned()].into_iter().chain(row).collect::<Vec<_>>().join(&self.separator.to_string()) + "\n";
        match &mut self.file {
            None => Ok(()),
            Some(file) => file.write_all(line.as_bytes()).map_err(|source| self.fault(source)),
        }
    }

    fn write_header(&mut self) -> Result<()> {
        let names = self.columns.clone();
        self.write_row("epoch", names.into_iter())
    }

    /// Opens the file, and returns the header of one that is appended to. It is then positioned at its end, after a
    /// line end.
    fn open(&mut self, lines: &Lines) -> io::Result<Option<String>> {
        // A pipe or a device has no place to go to and nothing in it to be read again, and the open file behind
        // `/dev/stdout` may hold what the program has printed.
        let is_file = match Destination::of(&self.path)? {
            Destination::File(target) => target.is_file(),
            Destination::Stream(stream) => {
                self.file = Some(OpenOptions::new().append(true).open(stream)?);
                return Ok(None);
            }
        };
        let appends = match lines {
            Lines::Kept => true,
            Lines::Replaced => false,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(!appends);
        if !(appends && is_file) {
            self.file = Some(options.open(&self.path)?);
            return Ok(None);
        }
        // Not opened with `append`: some systems do not truncate such files.
        let file = self.file.insert(options.read(true).open(&self.path)?);
        let mut header = Vec::new();
        BufReader::new(&*file).take(MAX_HEADER).read_until(b'\n', &mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
        Ok(Some(String::from_utf8_lossy(&header).trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// Adopts the columns of a file that is appended to.
    ///
    /// # Errors
    /// [`Error::Callback`] if one of this training's values has no column.
    fn follow(&mut self, header: &str) -> Result<()> {
        let mut columns = header.split(self.separator).map(str::to_owned);
        let first = columns.next();
        let columns: Vec<String> = columns.collect();
        if first.as_deref() != Some("epoch") || !self.columns.iter().all(|name| columns.contains(name)) {
            let expected = ["epoch"].into_iter().chain(self.columns.iter().map(String::as_str));
            let expected = expected.collect::<Vec<_>>().join(&self.separator.to_string());
            // A file that is not a log may have a first line of any length.
            let found: String = header.chars().take(200).collect();
            self.file = None;
            return Err(Error::Callback(format!(
                "{}: expected a log with the columns {expected}, found {found}: write to another file, or do not append",
                self.path.display()
            )));
        }
        self.columns = columns;
        Ok(())
    }
}

impl Callback for CsvLogger {
    fn on_train_begin(&mut self, training: &mut Training<'_>) -> Result<()> {
        let separator = self.separator;
        if separator.is_alphanumeric() || separator.is_control() && separator != '\t' || "_-./@+\"'".contains(separator)
        {
            let expected = "a character that names and numbers do not have, such as , or ;";
            return Err(Error::Setting { name: "separator", expected, received: format!("{separator:?}") });
        }
        self.columns = training.epoch_logs().iter().map(|(name, _)| name.to_owned()).collect();
        self.columns.sort();
        if training.model().follows() {
            return Ok(());
        }
        let lines = if self.append || training.is_resumed() { Lines::Kept } else { Lines::Replaced };
        match self.open(&lines).map_err(|source| self.fault(source))? {
            Some(header) => self.follow(&header),
            None => self.write_header(),
        }
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &Logs, _training: &mut Training<'_>) -> Result<()> {
        // As the columns, which may be many.
        let values: HashMap<&str, f64> = logs.iter().collect();
        let value = |name: &String| values.get(name.as_str()).map_or("NA".to_owned(), f64::to_string);
        let row: Vec<String> = self.columns.iter().map(value).collect();
        self.write_row(&epoch.to_string(), row.into_iter())
    }

    fn on_train_end(&mut self, _training: &mut Training<'_>) -> Result<()> {
        self.file = None;
        Ok(())
    }

    fn state(&self) -> Option<CallbackState> {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        let bytes = metadata.filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
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
        cut_back().map_err(|source| self.fault(source))?;
        if bytes == 0 { self.write_header() } else { Ok(()) }
    }
}
