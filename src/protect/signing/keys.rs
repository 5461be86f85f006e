//! Keys that sign, and keys that are trusted: of the curve P-256, as PEM files have them.

use super::super::secrets::{fill_randomly, text_of, write_new};
use super::sha256_hex;
use crate::error::{Error, Result};
use age::secrecy::{ExposeSecret, SecretString};
use p256::SecretKey;
use p256::ecdsa;
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use std::fmt;
use std::path::Path;

/// Before and after the keys of a PEM file.
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A secret key that signs files. It is wiped from memory when it is dropped, and never printed.
///
/// ```
/// use inkstone::protect::{SigningKey, TrustedKeys};
/// let key = SigningKey::generate()?;
/// // What `openssl ec -pubout` prints of it.
/// let public = key.public_key_pem();
/// assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
/// assert_eq!(TrustedKeys::from_pem(&public)?.len(), 1);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(pub(super) ecdsa::SigningKey);

impl SigningKey {
    /// A new key, from the system's random numbers.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives none.
    pub fn generate() -> Result<Self> {
        // Not every number of 32 bytes is a key, but all but a few.
        loop {
            let mut bytes = [0; 32];
            fill_randomly(&mut bytes)?;
            if let Ok(key) = ecdsa::SigningKey::from_slice(&bytes) {
                return Ok(Self(key));
            }
        }
    }

    /// The key of a PEM text, `PRIVATE KEY` or `EC PRIVATE KEY`, without a passphrase, which is wiped.
    ///
    /// # Errors
    /// [`Error::Key`] if it is none, or of another curve than P-256.
    pub fn from_pem(pem: impl Into<String>) -> Result<Self> {
        Self::parse(&SecretString::from(pem.into()), "the text")
    }

    /// The key of a PEM file, as `openssl ecparam -name prime256v1 -genkey -noout -out key.pem` writes it.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&text_of(path)?, &path.display().to_string())
    }

    /// Writes the key to a new PEM file, for the owner alone where the system knows that.
    ///
    /// # Errors
    /// [`Error::NotWritten`] if the file is there already, or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let pem = SecretKey::from(self.0.as_nonzero_scalar()).to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|error| Error::Key(format!("the key cannot be written as PEM: {error}")))?;
        write_new(path.as_ref(), &SecretString::from(pem.to_string()))
    }

    /// The public key that goes with it, as PEM: what others put among their [`TrustedKeys`].
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        pem(self.0.verifying_key())
    }

    fn parse(pem: &SecretString, place: &str) -> Result<Self> {
        let pem = pem.expose_secret();
        let key = SecretKey::from_pkcs8_pem(pem).ok().or_else(|| SecretKey::from_sec1_pem(pem).ok());
        let Some(key) = key else {
            return Err(Error::Key(format!(
                "{place}: expected a secret key of the curve P-256 as PEM, without a passphrase, found something else"
            )));
        };
        Ok(Self(key.into()))
    }
}

/// Without the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The public keys whose signatures are accepted.
#[derive(Clone, Debug)]
pub struct TrustedKeys(pub(super) Vec<ecdsa::VerifyingKey>);

impl TrustedKeys {
    /// The keys of a PEM text, `PUBLIC KEY`, one or several.
    ///
    /// # Errors
    /// [`Error::Key`] if there is none, or one is of another curve than P-256.
    pub fn from_pem(pem: &str) -> Result<Self> {
        Self::parse(pem, "the text")
    }

    /// The keys of a PEM file.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and [`Error::Io`] if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(text_of(path)?.expose_secret(), &path.display().to_string())
    }

    /// How many there are, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn parse(pem: &str, place: &str) -> Result<Self> {
        let expected = "expected public keys of the curve P-256 as PEM, `-----BEGIN PUBLIC KEY-----`";
        let mut keys = Vec::new();
        for block in pem.split(BEGIN).skip(1) {
            let block = block.split(END).next().unwrap_or_default();
            let key = ecdsa::VerifyingKey::from_public_key_pem(&format!("{BEGIN}{block}{END}\n"));
            keys.push(
                key.map_err(|_| Error::Key(format!("{place}, key {}: {expected}, found another one", keys.len() + 1)))?,
            );
        }
        if keys.is_empty() {
            return Err(Error::Key(format!("{place}: {expected}, found none")));
        }
        Ok(Self(keys))
    }
}

/// As other programs write it, to the byte: signatures name a key by the digest of this text.
fn pem(key: &ecdsa::VerifyingKey) -> String {
    key.to_public_key_pem(LineEnding::LF).expect("a public key has a PEM form")
}

/// What signatures call a key.
pub(super) fn hint(key: &ecdsa::VerifyingKey) -> String {
    sha256_hex(pem(key).as_bytes())
}
