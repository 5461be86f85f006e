//! Decides how a file is written so that none is lost: under another name in the same folder, synced, then renamed, and
//! the folder synced. Whoever looks, and whatever is killed when, there is the old file or the new one.

use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;

/// How the names of unfinished files end; they start with a dot.
pub(crate) const PART: &str = ".part";
/// From what age on an unfinished file is one whose process was killed.
pub(crate) const STALE: Duration = Duration::from_secs(3600);

/// Writes what `write` writes to this path; behind a symbolic link, to what the link names. A new file gets the
/// permissions that the system gives new files, one that was there keeps its own.
///
/// # Errors
/// [`Error::NotWritten`] with the reason and what to do; then what was there before is still there, and nothing else is.
/// [`Error::Io`] if the new file is there, but its folder could not be synced: a power cut might bring the old one back.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let target = followed(path);
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace(&target, folder, write).map_err(|source| Error::NotWritten {
        place: path.display().to_string(),
        reason: reason(&target, folder, &source),
        source,
    })?;
    sync(folder).map_err(|source| Error::Io { place: folder.display().to_string(), source })
}

/// Whether [`write_whole`] could write to this path now, as far as that can be known without writing.
///
/// # Errors
/// [`Error::NotWritten`] with the reason and what to do.
pub(crate) fn check_can_write(path: &Path) -> Result<()> {
    let target = followed(path);
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let checked = match target.is_dir() {
        true => Err(ErrorKind::IsADirectory.into()),
        false => tempfile::Builder::new().prefix(".").suffix(PART).tempfile_in(folder).map(drop),
    };
    checked.map_err(|source| Error::NotWritten {
        place: path.display().to_string(),
        reason: reason(&target, folder, &source),
        source,
    })
}

/// Where a path leads.
fn followed(path: &Path) -> PathBuf {
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    // A link to nowhere is replaced itself.
    if is_link { path.canonicalize().unwrap_or_else(|_| path.into()) } else { path.into() }
}

fn replace(target: &Path, folder: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if target.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    // Long names leave no room for the rest.
    let name: String = target.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    let prefix = format!(".{name}.");
    remove_stale_parts(folder, &prefix);
    let mut part = new_part(target, folder, &prefix)?;
    let mut buffered = BufWriter::new(part.as_file_mut());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    part.as_file().sync_all()?;
    part.persist(target).map(drop).map_err(|error| error.error)
}

/// An empty file that removes itself unless it is renamed.
fn new_part(target: &Path, folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(PART);
    // Without this only the owner could read the file.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let part = builder.tempfile_in(folder)?;
    if let Ok(old) = target.metadata() {
        part.as_file().set_permissions(old.permissions())?;
    }
    Ok(part)
}

/// Makes a renaming outlast a power cut, where the system lets folders be synced.
fn sync(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some network and FUSE file systems know no such thing; folders that may be written to, but not read, can't be opened.
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

/// Removes what processes left behind that were killed; of those that still run, files are younger.
pub(crate) fn remove_stale_parts(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_part = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(PART));
        if !is_part {
            continue;
        }
        let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > STALE)) {
            // If another process was faster, that is as good.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What is wrong, and what to do.
fn reason(target: &Path, folder: &Path, source: &io::Error) -> String {
    let folder = folder.display();
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
        _ => source.to_string(),
    };
    let kept = if target.is_file() { ". The file that was there before is unchanged" } else { "" };
    format!("{reason}{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn only_old_parts_of_the_same_file_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.old.part", ".a.new.part", ".b.old.part", "a.part", ".a.old"] {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != ".a.new.part" {
                file.set_modified(std::time::SystemTime::now() - STALE * 2).unwrap();
            }
        }
        write_whole(&folder.path().join("a"), |file| file.write_all(b"new")).unwrap();
        assert_eq!(listing(folder.path()), [".a.new.part", ".a.old", ".b.old.part", "a", "a.part"]);
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
