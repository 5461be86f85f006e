//! Opens the files of this module: all of them are read to their end, which only files are sure to have.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a file for reading. Opening a pipe would wait for a writer.
///
/// - what: what is expected, as errors call it: "a file of keys"
///
/// # Errors
/// The system's error; also for a folder, a device, a pipe or a socket.
pub(super) fn open_file(path: &Path, what: &str) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        let text = format!("expected {what}, found a folder, a device or a pipe");
        return Err(io::Error::new(ErrorKind::Unsupported, text));
    }
    File::open(path)
}
