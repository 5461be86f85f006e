//! Logs on the standard error, and the audit log.

use crate::arguments::{Arguments, Form};
use crate::fault::Start;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// Starts the logs of the server itself: `RUST_LOG` chooses what is in them, `info` if it is not set.
pub(crate) fn start(arguments: &Arguments) -> Result<(), Start> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    match arguments.logs {
        Form::Text => builder.with_ansi(false).init(),
        Form::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Who asked for what: a line of JSON for each request, whole lines only.
pub(crate) struct Audit(Mutex<Box<dyn Write + Send>>);

impl Audit {
    /// # Errors
    /// [`Start::File`] if the file cannot be written to.
    pub(crate) fn open(path: &Path) -> Result<Self, Start> {
        if path == Path::new("-") {
            return Ok(Self(Mutex::new(Box::new(io::stdout()))));
        }
        let file: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|error| Start::File(path.to_owned(), error))?;
        Ok(Self(Mutex::new(Box::new(file))))
    }

    pub(crate) fn write(&self, entry: &serde_json::Value) {
        let mut line = entry.to_string();
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::error!("the audit log cannot be written: {error}");
        }
    }
}
