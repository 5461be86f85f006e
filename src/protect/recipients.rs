//! Who may read what is written.

use super::secrets::{keys, text_of};
use crate::error::{Error, Result};
use crate::whole_file::write_whole;
use age::secrecy::{ExposeSecret, SecretString};
use age::{Encryptor, scrypt, x25519};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// The work that a passphrase takes to try, as a power of two: what the tool `age` takes, about a second and 256 MiB.
const WORK: u8 = 18;

/// Who may read a file: those who have the secret key to one of these public keys, or who know the passphrase.
///
/// ```
/// use inkstone::protect::{Identities, Recipients};
/// let (ada, bob) = (Identities::generate(), Identities::generate());
/// // Public keys are text, `age1...`, and may be sent around.
/// let both = Recipients::from_keys(&format!("{}\n# Bob\n{}", ada.recipients()?, bob.recipients()?))?;
/// assert_eq!(both.to_string().lines().count(), 2);
/// let error = Recipients::from_keys("age1bob").unwrap_err();
/// assert_eq!(error.to_string(), "the public keys, line 1: expected a public key, `age1...`");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Recipients(pub(super) Readers);

#[derive(Clone)]
pub(super) enum Readers {
    Keys(Vec<x25519::Recipient>),
    Passphrase(SecretString),
}

impl Recipients {
    /// Those who have the secret key to one of these, one a line, as `age-keygen -y key.txt` prints them.
    ///
    /// # Errors
    /// [`Error::Key`] for a line that is no such key, and if there is none.
    pub fn from_keys(text: &str) -> Result<Self> {
        Self::parse(text, "the public keys")
    }

    /// Those who have the secret key to one of the keys in this file, one a line: what `age -R` takes.
    ///
    /// # Errors
    /// As [`from_keys`](Self::from_keys), and [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(text_of(path)?.expose_secret(), &path.display().to_string())
    }

    /// Those who know this passphrase. Trying one takes about a second and 256 MiB, which stops nobody who can guess:
    /// let a program make it up, or use keys.
    ///
    /// # Errors
    /// [`Error::Key`] if it is empty.
    pub fn passphrase(passphrase: impl Into<String>) -> Result<Self> {
        passphrase_of(passphrase.into()).map(|passphrase| Self(Readers::Passphrase(passphrase)))
    }

    fn parse(text: &str, place: &str) -> Result<Self> {
        let keys = keys(text, place, "a public key, `age1...`", |line| line.parse().ok())?;
        Ok(Self(Readers::Keys(keys)))
    }

    /// What encrypts one file, by a key of its own.
    fn encryptor(&self) -> io::Result<Encryptor> {
        let made = match &self.0 {
            Readers::Keys(keys) => Encryptor::with_recipients(keys.iter().map(|key| key as _)),
            Readers::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK);
                Encryptor::with_recipients(std::iter::once(&recipient as _))
            }
        };
        made.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))
    }
}

/// # Errors
/// [`Error::Key`] if it is empty.
pub(super) fn passphrase_of(passphrase: String) -> Result<SecretString> {
    if passphrase.is_empty() {
        return Err(Error::Key("a passphrase must have at least one character, got an empty one".into()));
    }
    Ok(SecretString::from(passphrase))
}

/// The public keys, one a line; of a passphrase only that there is one.
impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Readers::Keys(keys) => {
                let lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Readers::Passphrase(_) => f.write_str("those who know the passphrase"),
        }
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({self})")
    }
}

/// Writes what `write` writes to this path, encrypted, so that a crash leaves the old file or the new one: as
/// [`Model::save`](crate::Model::save) does. Nothing goes to the disk in the clear.
///
/// # Errors
/// [`Error::NotWritten`] if it cannot be written, or `write` fails.
pub fn write_encrypted(
    path: impl AsRef<Path>,
    recipients: &Recipients,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    write_whole(path.as_ref(), |file| {
        let mut writer = recipients.encryptor()?.wrap_output(file)?;
        write(&mut writer)?;
        writer.finish().map(drop)
    })
}
