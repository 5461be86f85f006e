//! Where keys and passphrases come from: random numbers, files and the environment.

use super::files::open_file;
use crate::error::{Error, Result};
use age::secrecy::{ExposeSecret, SecretString};
use rand::TryRng;
use rand::rngs::SysRng;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

/// The longest file of keys that is read: some ten thousand of them.
const MAX_LEN: u64 = 1 << 20;

/// Fills the bytes of a new key with the system's random numbers.
///
/// # Errors
/// [`Error::Key`] if the system gives none.
pub(super) fn fill_randomly(bytes: &mut [u8]) -> Result<()> {
    let no_numbers = |error| Error::Key(format!("the operating system gives no random numbers for a key: {error}"));
    SysRng.try_fill_bytes(bytes).map_err(no_numbers)
}

/// The text of a small file, such as one of keys.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, is longer than a mebibyte or no text.
pub(super) fn text_of(path: &Path) -> Result<SecretString> {
    let io = |source| Error::Io { place: path.display().to_string(), source };
    let invalid = |text: &str| io(io::Error::new(io::ErrorKind::InvalidData, text));
    // A process that gets its keys through a pipe reads them itself.
    let file = open_file(path, "a file of keys").map_err(io)?;
    // With room for all of it, so that no copy is left behind where memory grows.
    let mut text = String::with_capacity(MAX_LEN as usize + 1);
    let read = file.take(MAX_LEN + 1).read_to_string(&mut text);
    let text = SecretString::from(text);
    match read {
        Ok(len) if len as u64 > MAX_LEN => Err(invalid("expected a file of keys, found more than a mebibyte")),
        Ok(_) => Ok(text),
        Err(source) => Err(io(source)),
    }
}

/// Writes a file of keys that is not there yet, for its owner alone where the system has owners.
///
/// # Errors
/// [`Error::NotWritten`] if it is there, or cannot be written.
pub(super) fn write_new(path: &Path, text: &SecretString) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| {
        let reason = match source.kind() {
            io::ErrorKind::AlreadyExists => "the file is there, and keys are never overwritten: write elsewhere".into(),
            _ => source.to_string(),
        };
        Error::NotWritten { place: path.display().to_string(), reason, source }
    })
}

/// The value of a variable of the environment, whose own copy is not wiped.
///
/// # Errors
/// [`Error::Key`] if it is not set, or no text.
pub(super) fn variable(name: &str) -> Result<SecretString> {
    match std::env::var(name) {
        Ok(value) => Ok(SecretString::from(value)),
        Err(std::env::VarError::NotPresent) => {
            Err(Error::Key(format!("the environment variable {name} is not set: it should hold a key")))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::Key(format!("the environment variable {name} should hold a key, and is no text")))
        }
    }
}

/// The keys of a text, one a line; empty lines and those that begin with `#` are passed over.
///
/// - place: what errors call the text, which they never show
///
/// # Errors
/// [`Error::Key`] for a line that is none, and if there are none.
pub(super) fn keys<K>(text: &str, place: &str, form: &str, parse: impl Fn(&str) -> Option<K>) -> Result<Vec<K>> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        keys.push(parse(line).ok_or_else(|| {
            let hint = if line.starts_with("AGE-PLUGIN-") || line.starts_with("ssh-") || line.contains("OPENSSH") {
                ", which keys of plugins and of SSH are not"
            } else {
                ""
            };
            Error::Key(format!("{place}, line {}: expected {form}{hint}", number + 1))
        })?);
    }
    if keys.is_empty() {
        return Err(Error::Key(format!("{place}: expected {form}, found no key")));
    }
    Ok(keys)
}
