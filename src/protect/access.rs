//! What a program has to open files, and what it asks of them.

use super::files::open_file;
use super::signing::{Licence, SignedFile, TrustedKeys, check_licence, check_signature, sha256_hex};
use super::{Identities, decrypt};
use crate::error::{Error, Result};
use std::io::{self, Read};
use std::path::Path;

/// What a program has to open protected files, and what it asks of them: [`Model::load_protected`](crate::Model::load_protected)
/// and its siblings take it, servers do. It asks nothing until it is told to.
///
/// ```
/// use inkstone::protect::{self, Access, Identities, SigningKey, TrustedKeys, Validity};
/// let path = tempfile::tempdir().unwrap().keep().join("names.age");
/// let (secret, key) = (Identities::generate(), SigningKey::generate()?);
/// protect::write_encrypted(&path, &secret.recipients()?, |file| file.write_all(b"Ada"))?;
/// protect::sign_file(&path, &key, Validity::forever())?;
///
/// let access = Access::new().identities(secret).signed(TrustedKeys::from_pem(&key.public_key_pem())?);
/// let opened = access.read(&path)?;
/// assert_eq!((&opened.content[..], opened.encrypted), (&b"Ada"[..], true));
/// assert_eq!(opened.digest, protect::file_digest(&path)?);
/// assert_eq!(opened.signed.unwrap().name, "names.age");
///
/// let error = Access::new().read(&path).unwrap_err();
/// assert!(error.to_string().ends_with("the file is encrypted, and there is no key to open it with"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Access {
    identities: Option<Identities>,
    signed_by: Option<TrustedKeys>,
    licensed_by: Option<TrustedKeys>,
}

/// A file that was opened, and what is known of it: see the example of [`Access`].
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Opened {
    /// What is in it, decrypted.
    pub content: Vec<u8>,
    /// The SHA-256 digest of the file as it is on the disk, in hexadecimal.
    pub digest: String,
    /// Who signed it, if that was asked.
    pub signed: Option<SignedFile>,
    /// What it may be used for, if that was asked.
    pub licence: Option<Licence>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

impl Access {
    /// Opens plain files, and asks nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens encrypted files with these. Plain ones are opened as well: what they are is in [`Opened::encrypted`].
    #[must_use]
    pub fn identities(self, identities: Identities) -> Self {
        Self { identities: Some(identities), ..self }
    }

    /// Opens files only that one of these keys has signed.
    #[must_use]
    pub fn signed(self, trusted: TrustedKeys) -> Self {
        Self { signed_by: Some(trusted), ..self }
    }

    /// Opens files only that have a [`Licence`], signed with one of these keys.
    #[must_use]
    pub fn licensed(self, trusted: TrustedKeys) -> Self {
        Self { licensed_by: Some(trusted), ..self }
    }

    /// Reads a file: first all of its bytes, then the signature and the licence beside it, then what is encrypted. So what
    /// was checked is what is used, even if the file changes meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::NotTrusted`] if its signature or licence is missing or not accepted,
    /// [`Error::Encrypted`] if it cannot be decrypted, [`Error::Key`] if it is encrypted and there are no identities.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Opened> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let bytes = whole(path).map_err(|source| Error::Io { place: place.clone(), source })?;
        let digest = sha256_hex(&bytes);
        let signed = self.signed_by.as_ref().map(|keys| check_signature(path, &digest, keys)).transpose()?;
        let licence = self.licensed_by.as_ref().map(|keys| check_licence(path, &digest, keys)).transpose()?;
        if !decrypt::is_encrypted(&bytes) {
            return Ok(Opened { content: bytes, digest, signed, licence, encrypted: false });
        }
        let Some(identities) = &self.identities else {
            return Err(Error::Key(format!("{place}: the file is encrypted, and there is no key to open it with")));
        };
        let content = decrypt::bytes(&bytes, &place, identities)?;
        Ok(Opened { content, digest, signed, licence, encrypted: true })
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({} bytes of the file {})", self.content.len(), self.digest)
    }
}

fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path, "a file")?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
