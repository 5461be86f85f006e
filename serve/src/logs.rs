//! Logs on the standard error, and the audit log.

use crate::arguments::{Arguments, Form};
use crate::fault::Start;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
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

/// The most entries that wait to be written. More come only where what is written to takes nothing for long.
const MOST_WAITING: usize = 1 << 16;

/// Who asked for what: a line of JSON for each request, written by a thread of its own, so that a slow disk or a pipe that
/// nobody reads holds up no request. Entries for which there is no room are lost, and counted in the server's own log.
pub(crate) struct Audit {
    lines: SyncSender<String>,
    lost: AtomicU64,
}

impl Audit {
    /// # Errors
    /// [`Start::File`] if the file cannot be written to.
    pub(crate) fn open(path: &Path) -> Result<Self, Start> {
        let fault = |error| Start::File(path.to_owned(), error);
        let mut file: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(OpenOptions::new().create(true).append(true).open(path).map_err(fault)?)
        };
        let (lines, written) = sync_channel::<String>(MOST_WAITING);
        let write = move || {
            for line in written {
                if let Err(error) = file.write_all(line.as_bytes()).and_then(|()| file.flush()) {
                    tracing::error!("the audit log cannot be written: {error}");
                }
            }
        };
        std::thread::Builder::new().name("audit".into()).spawn(write).map_err(fault)?;
        Ok(Self { lines, lost: AtomicU64::new(0) })
    }

    pub(crate) fn write(&self, entry: &serde_json::Value) {
        if self.lines.try_send(format!("{entry}\n")).is_err() {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!("{lost} entries of the audit log were lost: it is not written fast enough");
            }
        }
    }
}
