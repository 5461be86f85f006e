//! Unfinished files: what they are called, what they may, and how those of killed processes are removed.

use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::Duration;
use tempfile::NamedTempFile;

/// How the names of unfinished files end.
const SUFFIX: &str = ".part";
/// Random letters and digits in the middle of their names.
const RANDOM: usize = 6;
/// From what age on an unfinished file is one whose process was killed.
pub(crate) const STALE: Duration = Duration::from_secs(3600);

/// An empty file in this folder that removes itself unless it is renamed, with the permissions that the system gives
/// new files. Before that, those of the same name that killed processes left behind are removed.
pub(crate) fn new_part(folder: &Path, name: &str) -> io::Result<NamedTempFile> {
    let prefix = prefix(name);
    remove_stale(folder, &prefix);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    // Without this only the owner could read the file.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
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
pub(super) fn take_after(part: &fs::File, old: &Metadata) -> io::Result<()> {
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
pub(super) fn take_after(part: &fs::File, old: &Metadata) -> io::Result<()> {
    part.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_parts_of_the_same_file_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (stale, young) = (".a.s7AlE0.part", ".a.yOunG1.part");
        // Another file's, and what other programs may call theirs.
        let others =
            [".b.s7AlE0.part", "a.part", ".a.part", ".a.s7AlE0", ".a.mine.part", ".a.s-AlE0.part", ".mine.part"];
        for name in [stale, young].iter().chain(&others) {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            if *name != young {
                file.set_modified(std::time::SystemTime::now() - STALE * 2).unwrap();
            }
        }
        let part = new_part(folder.path(), "a").unwrap();
        assert!(is_part(part.path().file_name().unwrap().to_str().unwrap(), ".a."), "{part:?}");
        for name in others.iter().chain([&young]) {
            assert!(folder.path().join(name).exists(), "{name} is kept");
        }
        assert!(!folder.path().join(stale).exists());
    }
}
