//! Decides how a file is written so that none is lost: under another name in the same folder, synced, then renamed, and
//! the folder synced. Readers see the old file or the new one, even if the
//! process is killed at any moment.

mod destination;
mod part;

pub(crate) use destination::Destination;
#[cfg(feature = "download")]
pub(crate) use part::Part;
#[cfg(all(test, feature = "download"))]
pub(crate) use part::STALE;
pub(crate) use part::new_part;

use crate::error::{Error, Result};
use destination::folder;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

/// Why a file was not written, and what to do.
struct Refusal {
    reason: String,
    source: io::Error,
}

/// Writes what `write` writes to this path; behind symbolic links, to what they name. A new file gets the permissions
/// that the system gives new files, one that was there keeps its permissions and, where the system lets this process
/// give files away, its owner and group. Pipes and devices get the bytes and stay what they are; a named pipe waits for
/// a reader, as it does for every program.
///
/// # Errors
/// [`Error::NotWritten`] with the reason and what to do; then what was there before is still there, and nothing else
/// is. [`Error::Io`] if the new file is there, but its folder could not be synced: a power cut might bring the old one
/// back.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let not_written =
        |Refusal { reason, source }| Error::NotWritten { place: path.display().to_string(), reason, source };
    match Destination::of(path).map_err(|source| not_written(refusal(path, source)))? {
        Destination::Stream(stream) => {
            write_through(&stream, write).map_err(|source| not_written(Refusal { reason: source.to_string(), source }))
        }
        Destination::File(target) => {
            replace(&target, write).map_err(not_written)?;
            let folder = folder(&target);
            sync(folder).map_err(|source| Error::Io { place: folder.display().to_string(), source })
        }
    }
}

/// Whether [`write_whole`] could write to this path now, as far as that can be known without writing.
///
/// # Errors
/// [`Error::NotWritten`] with the reason and what to do.
pub(crate) fn check_can_write(path: &Path) -> Result<()> {
    let checked = match Destination::of(path) {
        Ok(Destination::Stream(_)) => Ok(()),
        Ok(Destination::File(target)) => {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            existing(&target)
                .and_then(|_| new_part(folder(&target), &name).map(drop).map_err(|source| refusal(&target, source)))
        }
        Err(source) => Err(refusal(path, source)),
    };
    checked.map_err(|Refusal { reason, source }| Error::NotWritten {
        place: path.display().to_string(),
        reason,
        source,
    })
}

/// Writes to a pipe or a device.
fn write_through(stream: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Appending, as an open file behind `/dev/stdout` may hold other output already.
    let mut buffered = BufWriter::new(OpenOptions::new().append(true).open(stream)?);
    write(&mut buffered)?;
    buffered.flush()
}

/// What is known of the file that is to be replaced, if there is one; an error if it may not be written to.
fn existing(target: &Path) -> std::result::Result<Option<Metadata>, Refusal> {
    match OpenOptions::new().write(true).open(target).and_then(|file| file.metadata()) {
        Ok(old) => Ok(Some(old)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // Renaming would replace it all the same, but its owner does not want that.
        Err(source) if source.kind() == ErrorKind::PermissionDenied => {
            let reason = "the file may not be written to: change its permissions, or write elsewhere".to_owned();
            Err(Refusal { reason, source })
        }
        Err(source) => Err(refusal(target, source)),
    }
}

/// Replaces a file that is no link, or makes it.
fn replace(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> std::result::Result<(), Refusal> {
    let old = existing(target)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let written = || {
        let part = match &old {
            Some(old) => {
                let part = part::private_part(folder(target), &name)?;
                part::take_after(part.file(), old)?;
                part
            }
            None => new_part(folder(target), &name)?,
        };
        let mut buffered = BufWriter::new(part.file());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        part.file().sync_all()?;
        part.put_at(target)
    };
    written().map_err(|source| refusal(target, source))
}

/// Makes a renaming outlast a power cut, where the system lets folders be synced.
fn sync(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some network and FUSE file systems know no such thing; folders that may be written to, but not read, can't be
        // opened.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// What is wrong, and what to do.
fn refusal(target: &Path, source: io::Error) -> Refusal {
    let folder = folder(target).display();
    let reason = match source.kind() {
        ErrorKind::IsADirectory => "it is a folder: give the path of a file".to_owned(),
        ErrorKind::NotFound => format!("the folder {folder} does not exist: create it first"),
        ErrorKind::NotADirectory => format!("{folder} is no folder: give a path in one"),
        ErrorKind::PermissionDenied => {
            format!("the folder {folder} may not be written to: change its permissions, or write elsewhere")
        }
        ErrorKind::ReadOnlyFilesystem => format!("the disk of {folder} is mounted for reading only: write elsewhere"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("the disk of {folder} is full: free some space, or write elsewhere")
        }
        ErrorKind::Unsupported => "it is a socket or a disk, not a file: give the path of a file".to_owned(),
        _ => source.to_string(),
    };
    let kept = if target.is_file() { ". The file that was there before is unchanged" } else { "" };
    Refusal { reason: format!("{reason}{kept}"), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn listing(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        for (kind, reason) in [
            (
                ErrorKind::StorageFull,
                format!("the disk of {} is full: free some space, or write elsewhere", folder.path().display()),
            ),
            (ErrorKind::TimedOut, "timed out".to_owned()),
        ] {
            let error = write_whole(&path, |file| {
                file.write_all(&[1; 100_000])?;
                Err(kind.into())
            });
            let expected =
                format!("{} was not written: {reason}. The file that was there before is unchanged", path.display());
            assert_eq!(error.unwrap_err().to_string(), expected);
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(listing(folder.path()), ["a"]);
        }
    }

    #[test]
    fn a_writer_that_panics_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_whole(&path, |file| file.write_all(b"old")).unwrap();
        let panicked = std::panic::catch_unwind(|| write_whole(&path, |_| panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!((fs::read(&path).unwrap(), listing(folder.path())), (b"old".to_vec(), vec!["a".to_owned()]));
    }

    #[test]
    fn names_as_long_as_a_file_system_takes_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ä".repeat(127));
        write_whole(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_links_are_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (path, usual) = (folder.path().join("a"), folder.path().join("usual"));
        write_whole(&path, |file| file.write_all(b"1")).unwrap();
        fs::write(&usual, "").unwrap();
        assert_eq!(mode(&path), mode(&usual));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link");
        symlink("a", &link).unwrap();
        write_whole(&link, |file| file.write_all(b"2")).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"2".to_vec(), 0o640));
    }
}
