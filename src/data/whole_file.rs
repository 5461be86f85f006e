//! Writes a file as a whole: under another name in the same folder, synced, then renamed. Whoever looks sees the old file or the
//! new one.

use crate::error::{Error, Result};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes what `write` writes to this path.
///
/// # Errors
/// [`Error::Io`] with the path; then what was there before is still there.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || {
        let mut part = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
        let mut buffered = BufWriter::new(part.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        part.as_file().sync_all()?;
        part.persist(path).map_err(|error| error.error)
    };
    attempt().map(drop).map_err(|source| Error::Io { place: path.display().to_string(), source })
}
