//! Decides where bytes go that are written to a path: into a file that is replaced as a whole, or through to a pipe or
//! a device, which must stay what it is.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// More links than this in a row are a circle, as for Linux.
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Destination {
    /// A regular file at this path, which is no link, or nothing yet.
    File(PathBuf),
    /// A pipe, a terminal or another device, or a file that a process has open: it is written through, not replaced.
    Stream(PathBuf),
}

impl Destination {
    /// Follows symbolic links to their end, also to files that do not exist yet.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::IsADirectory`] for a folder, [`ErrorKind::Unsupported`] for what is no place
    /// for files: a socket or a disk.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let metadata = match path.symlink_metadata() {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::File(path)),
                metadata => metadata?,
            };
            if metadata.is_file() {
                return Ok(Self::File(path));
            }
            if metadata.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            if !metadata.is_symlink() {
                return if is_stream(&metadata) { Ok(Self::Stream(path)) } else { Err(ErrorKind::Unsupported.into()) };
            }
            if is_open_file(&path) {
                return Ok(Self::Stream(path));
            }
            path = folder(&path).join(fs::read_link(&path)?);
        }
        // What the system says of the circle.
        path.metadata().and_then(|_| Err(ErrorKind::Unsupported.into()))
    }
}

/// The folder of a path.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether this link stands for an open file of a process, as `/proc/self/fd/1` does, which `/dev/stdout` links to.
fn is_open_file(link: &Path) -> bool {
    cfg!(target_os = "linux")
        && folder(link).canonicalize().is_ok_and(|folder| folder.starts_with("/proc") && folder.ends_with("fd"))
}

#[cfg(unix)]
fn is_stream(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_fifo() || metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: &Metadata) -> bool {
    true
}
