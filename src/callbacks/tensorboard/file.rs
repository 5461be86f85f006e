//! An event file: what it is called, so that TensorBoard finds it, and how events get into it.

use super::message::{Event, Summary, Value};
use super::record::write_record;
use crate::error::{Error, Result};
use prost::Message;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// An event file that is being written.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// A new file in this folder, which is made if need be.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or the file cannot be made.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|source| fault(folder, source))?;
        let since_1970 = since_1970();
        let host = host_name();
        let start = format!("events.out.tfevents.{:010}.{}", since_1970.as_secs(), host);
        // A process may begin several trainings in one second.
        let mut number = 0;
        let (path, file) = loop {
            let path = folder.join(format!("{start}.{}.{number}", std::process::id()));
            match File::create_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                created => break (path.clone(), created.map_err(|source| fault(&path, source))?),
            }
        };
        let mut events = Self { path, file: BufWriter::new(file) };
        events.write(Event { file_version: Some("brain.Event:2".into()), ..Event::default() })?;
        Ok(events)
    }

    /// Adds values of this step.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written, here and in [`flush`](Self::flush).
    pub(super) fn add(&mut self, step: usize, value: Vec<Value>) -> Result<()> {
        self.write(Event { step: step as i64, summary: Some(Summary { value }), ..Event::default() })
    }

    /// Sees to it that a reader finds all that was added.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|source| fault(&self.path, source))
    }

    fn write(&mut self, event: Event) -> Result<()> {
        let event = Event { wall_time: since_1970().as_secs_f64(), ..event };
        write_record(&mut self.file, &event.encode_to_vec()).map_err(|source| fault(&self.path, source))
    }
}

/// The name of this machine, which file names have, so that several may write into one folder.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// A page in a browser has no name.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn host_name() -> String {
    "wasm".into()
}

fn since_1970() -> Duration {
    crate::clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn fault(path: &Path, source: io::Error) -> Error {
    Error::Io { place: path.display().to_string(), source }
}
