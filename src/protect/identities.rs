//! What opens encrypted files: secret keys and passphrases.

use super::recipients::{Readers, Recipients, passphrase_of};
use super::secrets::{keys, text_of, variable};
use crate::error::{Error, Result};
use age::secrecy::{ExposeSecret, SecretString};
use age::x25519;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Secret keys, or a passphrase: what opens files that are encrypted for them. Wiped from memory when the last clone is
/// dropped, and never printed.
///
/// ```
/// use inkstone::protect::Identities;
/// let folder = tempfile::tempdir().unwrap();
/// // What `age-keygen -o key.txt` writes.
/// let path = folder.path().join("key.txt");
/// Identities::generate().save(&path)?;
/// let secret = Identities::from_file(&path)?;
/// let for_me = secret.recipients()?;
/// assert!(for_me.to_string().starts_with("age1"));
/// // A service that asks for its key whenever it opens a file, and keeps none.
/// let asking = Identities::ask(move || Identities::from_file(&path));
/// assert_eq!(asking.recipients()?.to_string(), for_me.to_string());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct Identities(pub(super) Source);

#[derive(Clone)]
pub(super) enum Source {
    Held(Arc<Secrets>),
    Asked(Arc<dyn Fn() -> Result<Identities> + Send + Sync>),
}

pub(super) enum Secrets {
    Keys(Vec<x25519::Identity>),
    Passphrase(SecretString),
}

impl Identities {
    /// A new secret key, from the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self::held(Secrets::Keys(vec![x25519::Identity::generate()]))
    }

    /// The secret keys of a text, `AGE-SECRET-KEY-1...`, one a line, which is wiped.
    ///
    /// # Errors
    /// [`Error::Key`] for a line that is no such key, which is not shown, and if there is none.
    pub fn from_keys(text: impl Into<String>) -> Result<Self> {
        Self::parse(&SecretString::from(text.into()), "the secret keys")
    }

    /// The secret keys of a file, as `age-keygen` writes them.
    ///
    /// # Errors
    /// As [`from_keys`](Self::from_keys), and [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&text_of(path)?, &path.display().to_string())
    }

    /// The secret keys in a variable of the environment, whose own copy stays as long as the process.
    ///
    /// # Errors
    /// As [`from_keys`](Self::from_keys), and [`Error::Key`] if it is not set.
    ///
    /// ```
    /// use inkstone::protect::Identities;
    /// let error = Identities::from_env("DIGITS_KEY").unwrap_err();
    /// assert_eq!(error.to_string(), "the environment variable DIGITS_KEY is not set: it should hold a key");
    /// ```
    pub fn from_env(name: &str) -> Result<Self> {
        Self::parse(&variable(name)?, name)
    }

    /// A passphrase, which is wiped.
    ///
    /// # Errors
    /// [`Error::Key`] if it is empty.
    pub fn passphrase(passphrase: impl Into<String>) -> Result<Self> {
        passphrase_of(passphrase.into()).map(|passphrase| Self::held(Secrets::Passphrase(passphrase)))
    }

    /// What this returns, which is asked each time that a file is opened, and dropped after it: a key from a service, or a
    /// passphrase that somebody types.
    #[must_use]
    pub fn ask(ask: impl Fn() -> Result<Self> + Send + Sync + 'static) -> Self {
        Self(Source::Asked(Arc::new(ask)))
    }

    /// Who can read what these open.
    ///
    /// # Errors
    /// What [`ask`](Self::ask) was given returns.
    pub fn recipients(&self) -> Result<Recipients> {
        Ok(Recipients(match &*self.secrets()? {
            Secrets::Keys(keys) => Readers::Keys(keys.iter().map(x25519::Identity::to_public).collect()),
            Secrets::Passphrase(passphrase) => Readers::Passphrase(passphrase.clone()),
        }))
    }

    /// Writes the secret keys to a new file, in the form of `age-keygen`, for the owner alone where the system knows that.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file is there already, as a key that is lost takes all its files with it, or it
    /// cannot be written; [`Error::Key`] for a passphrase.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let Secrets::Keys(keys) = &*self.secrets()? else {
            return Err(Error::Key("a passphrase is not written to a file: only secret keys are".into()));
        };
        let lines =
            keys.iter().map(|key| format!("# public key: {}\n{}\n", key.to_public(), key.to_string().expose_secret()));
        super::secrets::write_new(path.as_ref(), &SecretString::from(lines.collect::<String>()))
    }

    /// Those that are there now.
    pub(super) fn secrets(&self) -> Result<Arc<Secrets>> {
        match &self.0 {
            Source::Held(secrets) => Ok(secrets.clone()),
            Source::Asked(ask) => match ask()?.0 {
                Source::Held(secrets) => Ok(secrets),
                Source::Asked(_) => Err(Error::Key("keys were asked for, and the answer was to ask again".into())),
            },
        }
    }

    fn parse(text: &SecretString, place: &str) -> Result<Self> {
        let keys = keys(text.expose_secret(), place, "a secret key, `AGE-SECRET-KEY-1...`", |line| line.parse().ok())?;
        Ok(Self::held(Secrets::Keys(keys)))
    }

    fn held(secrets: Secrets) -> Self {
        Self(Source::Held(Arc::new(secrets)))
    }
}

/// What they are, never the secrets.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Held(secrets) => match &**secrets {
                Secrets::Keys(keys) => write!(f, "Identities({} secret keys)", keys.len()),
                Secrets::Passphrase(_) => f.write_str("Identities(a passphrase)"),
            },
            Source::Asked(_) => f.write_str("Identities(asked for)"),
        }
    }
}
