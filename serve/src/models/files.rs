//! Which model files there are at the places that the command line names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The ending of model files; encrypted ones have `.age` added.
const ENDING: &str = ".safetensors";
/// What may stand beside a model's file, and is read with it.
const BESIDE: [&str; 4] = ["", ".sig", ".licence", ".card.json"];

/// A model's file: as the command line names it, or as it was found in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) state: State,
}

/// What tells that a file has changed: of it, and of what stands beside it.
pub(super) type State = Vec<Option<(u64, Option<SystemTime>, u64)>>;

/// A place with models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// One model.
    File { name: String, path: PathBuf },
    /// `NAME.safetensors`, and `NAME/VERSION/*.safetensors`.
    Folder(PathBuf),
}

impl Place {
    /// Of an argument, `FILE`, `NAME=FILE` or `FOLDER`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        let path = Path::new(argument);
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if !path.exists()
            && let Some((name, path)) = argument.split_once('=')
        {
            check_name(name)?;
            return Ok(Self::File { name: name.into(), path: path.into() });
        }
        let name = name_of(path).or_else(|| Some(path.file_stem()?.to_str()?.to_owned()));
        let name = name.ok_or_else(|| format!("{argument}: expected a model file, NAME=FILE or a folder"))?;
        check_name(&name).map_err(|problem| format!("{problem}: write NAME={argument}"))?;
        Ok(Self::File { name, path: path.to_owned() })
    }

    /// The files that are there now, by name and version.
    ///
    /// # Errors
    /// What is wrong with a folder.
    pub(super) fn files(&self) -> Result<BTreeMap<(String, u64), Found>, String> {
        match self {
            Self::File { name, path } => {
                let found = state(path).map(|state| Found { path: path.clone(), state });
                Ok(found.map(|found| ((name.clone(), 1), found)).into_iter().collect())
            }
            Self::Folder(folder) => {
                let mut files = BTreeMap::new();
                for path in entries(folder)? {
                    if path.is_dir() {
                        add_versions(&path, &mut files)?;
                    } else if let (Some(name), Some(state)) = (name_of(&path), state(&path)) {
                        files.insert((name, 1), Found { path, state });
                    }
                }
                Ok(files)
            }
        }
    }
}

/// The versions in a folder: `VERSION/*.safetensors`.
///
/// # Errors
/// What is wrong with a folder.
fn add_versions(folder: &Path, files: &mut BTreeMap<(String, u64), Found>) -> Result<(), String> {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()).filter(|name| check_name(name).is_ok()) else {
        return Ok(());
    };
    for version in entries(folder)? {
        let Some(number) = version.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok()) else { continue };
        if !version.is_dir() {
            continue;
        }
        let models = entries(&version)?;
        let model = models.into_iter().find(|path| name_of(path).is_some());
        if let Some((path, state)) = model.and_then(|path| state(&path).map(|state| (path, state))) {
            files.insert((name.to_owned(), number), Found { path, state });
        }
    }
    Ok(())
}

/// What is in a folder and not hidden, in the order of names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

/// The name of a model by that of its file; `None` if it is no model's.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".age").unwrap_or(name).strip_suffix(ENDING)?;
    check_name(name).ok().map(|()| name.to_owned())
}

/// # Errors
/// What is wrong with a name that could not stand in an address.
fn check_name(name: &str) -> Result<(), String> {
    let is_right = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if !name.is_empty() && name.len() <= 100 && name.chars().all(is_right) {
        return Ok(());
    }
    Err(format!("a model's name has letters, digits, `-`, `_` and `.`, got `{name}`"))
}

/// `None` if there is no such file.
fn state(path: &Path) -> Option<State> {
    let of = |ending: &str| {
        let mut place = path.as_os_str().to_owned();
        place.push(ending);
        let metadata = fs::metadata(place).ok().filter(fs::Metadata::is_file)?;
        Some((metadata.len(), metadata.modified().ok(), inode(&metadata)))
    };
    let state: State = BESIDE.iter().map(|ending| of(ending)).collect();
    state[0].is_some().then_some(state)
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_names_and_versions() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["a.safetensors", "b.safetensors.age", "c/1/m.safetensors", "c/12/m.safetensors", "c/x/m.safetensors"]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for other in ["notes.txt", ".hidden.safetensors", "a.safetensors.sig"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let files = Place::parse(folder.path().to_str().unwrap()).unwrap().files().unwrap();
        let names: Vec<(&str, u64)> = files.keys().map(|(name, version)| (&name[..], *version)).collect();
        assert_eq!(names, [("a", 1), ("b", 1), ("c", 1), ("c", 12)]);
    }

    #[test]
    fn a_change_of_a_file_or_of_its_signature_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let place = Place::parse(&format!("digits={}", path.display())).unwrap();
        assert!(place.files().unwrap().is_empty());
        let mut seen = Vec::new();
        for (file, content) in [("a.safetensors", "1"), ("a.safetensors", "22"), ("a.safetensors.sig", "1")] {
            fs::write(folder.path().join(file), content).unwrap();
            seen.push(place.files().unwrap()[&("digits".to_owned(), 1)].state.clone());
        }
        assert!(seen[0] != seen[1] && seen[1] != seen[2]);
    }

    #[test]
    fn names_that_no_address_has_are_refused() {
        let error = Place::parse("a b.safetensors").unwrap_err();
        assert!(error.contains("got `a b`: write NAME=a b.safetensors"), "{error}");
        assert_eq!(Place::parse("x.safetensors"), Ok(Place::File { name: "x".into(), path: "x.safetensors".into() }));
    }
}
