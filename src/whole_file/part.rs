//! Unfinished files: what they are called, what they may, and how those of killed processes are removed.

use crate::random::fresh_seed;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the names of unfinished files end.
const SUFFIX: &str = ".part";
/// Random letters and digits in the middle of their names.
const RANDOM: usize = 6;
/// These letters and digits.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many names are tried before a folder is given up: two of 62^6 hardly ever meet.
const TRIES: usize = 100;
/// From what age on an unfinished file is one whose process was killed.
pub(crate) const STALE: Duration = Duration::from_secs(3600);

/// An unfinished file, removed when it is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Part {
    file: File,
    path: PathBuf,
}

impl Part {
    /// The file, to be read and written.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Renames the file, which replaces one that was there.
    pub(crate) fn put_at(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        // Its name may be that of another process' part from now on, which is not to be removed.
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// An empty file in this folder, with the permissions that the system gives new files. Before that, those of the same
/// name that killed processes left behind are removed.
pub(crate) fn new_part(folder: &Path, name: &str) -> io::Result<Part> {
    part_created_by(|path| File::create_new(path), folder, name)
}

/// The same for a file that replaces another, until [`take_after`] gives it that one's permissions.
pub(super) fn private_part(folder: &Path, name: &str) -> io::Result<Part> {
    part_created_by(create_private, folder, name)
}

fn part_created_by(create: impl Fn(&Path) -> io::Result<File>, folder: &Path, name: &str) -> io::Result<Part> {
    let prefix = prefix(name);
    remove_stale(folder, &prefix);
    let mut last = ErrorKind::AlreadyExists.into();
    for _ in 0..TRIES {
        let path = folder.join(format!("{prefix}{}{SUFFIX}", random_name()));
        match create(&path) {
            Ok(file) => return Ok(Part { file, path }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// A new file that nobody else may read: what it holds is not to be seen by those who may not see the file that it
/// replaces. Without such permissions, as any new file.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Letters and digits that other processes and threads hardly ever find at the same time.
fn random_name() -> String {
    let mut number = fresh_seed();
    let mut digit = || {
        let digit = ALPHABET[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    };
    (0..RANDOM).map(|_| digit()).collect()
}

/// How the names of a file's parts begin.
fn prefix(name: &str) -> String {
    // Long names leave no room for the rest.
    format!(".{}.", name.chars().take(40).collect::<String>())
}

/// Removes files that killed processes have left. Files of running processes are younger.
fn remove_stale(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_str().is_some_and(|name| is_part(name, prefix)) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let age = metadata.modified().map(|time| time.elapsed());
        if metadata.is_file() && age.is_ok_and(|age| age.is_ok_and(|age| age > STALE)) {
            // If another process was faster, that is as good.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one that [`new_part`] gives, and not one of another program.
fn is_part(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Gives a part the owner, the group and the permissions of the file that it replaces.
#[cfg(unix)]
pub(super) fn take_after(part: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = part.metadata()?;
    let mut mode = old.mode() & 0o7777;
    // Only root may give files away, and others only to groups that they belong to.
    if new.uid() != old.uid() && fchown(part, Some(old.uid()), None).is_err() {
        // Running as the owner of the file, or as one of its group, is not for the new owner to give.
        mode &= 0o777;
    }
    if new.gid() != old.gid() && fchown(part, None, Some(old.gid())).is_err() {
        // What the old group was allowed, another one is not.
        mode &= 0o707 | (mode & 0o007) << 3;
    }
    // Last, as a change of owner takes some permissions away.
    part.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn take_after(part: &File, old: &Metadata) -> io::Result<()> {
    part.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_put_in_place_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (new_part(folder.path(), "a").unwrap(), new_part(folder.path(), "a").unwrap());
        assert_ne!(one.path, two.path);
        let (first, second) = (one.path.clone(), two.path.clone());
        one.put_at(&folder.path().join("a")).unwrap();
        assert!(!first.exists() && folder.path().join("a").exists() && second.exists());
        two.put_at(&folder.path().join("no folder").join("a")).unwrap_err();
        assert!(!second.exists(), "what could not be put in place is removed");
    }

    #[test]
    fn only_old_parts_of_the_same_file_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (stale, young) = (".a.s7AlE0.part", ".a.yOunG1.part");
        // Another file's, and what other programs may call theirs.
        let others =
            [".b.s7AlE0.part", "a.part", ".a.part", ".a.s7AlE0", ".a.mine.part", ".a.s-AlE0.part", ".mine.part"];
        for name in [stale, young].iter().chain(&others) {
            let file = File::create(folder.path().join(name)).unwrap();
            if *name != young {
                file.set_modified(std::time::SystemTime::now() - STALE * 2).unwrap();
            }
        }
        let part = new_part(folder.path(), "a").unwrap();
        assert!(is_part(part.path.file_name().unwrap().to_str().unwrap(), ".a."), "{part:?}");
        for name in others.iter().chain([&young]) {
            assert!(folder.path().join(name).exists(), "{name} is kept");
        }
        assert!(!folder.path().join(stale).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_part_that_replaces_a_file_is_private_until_it_takes_after_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |part: &Part| part.file().metadata().unwrap().permissions().mode() & 0o777;
        let part = private_part(folder.path(), "a").unwrap();
        assert_eq!(mode(&part), 0o600);
        let old = folder.path().join("old");
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
        take_after(part.file(), &fs::metadata(&old).unwrap()).unwrap();
        assert_eq!(mode(&part), 0o644);
    }
}
