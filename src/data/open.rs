//! Opens files for reading, and refuses paths that could block a reader for ever.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a file.
///
/// # Errors
/// The system's error; also for a named pipe, a device or a socket: opening a pipe waits for a writer, and a device may
/// have no end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let metadata = path.metadata()?;
    if !metadata.is_file() && !metadata.is_dir() {
        let text = format!("expected a file, found {}: copy its content into a file first", kind(&metadata));
        return Err(io::Error::new(ErrorKind::Unsupported, text));
    }
    File::open(path)
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let file_type = metadata.file_type();
    if file_type.is_fifo() {
        "a pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_: &Metadata) -> &'static str {
    "a device"
}
