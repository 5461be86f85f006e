//! Signatures: who made a file, and that it is as it was made.

mod envelope;
mod keys;
mod licence;
mod statement;
mod validity;

pub use keys::{SigningKey, TrustedKeys};
pub use licence::Licence;
pub(super) use licence::check as check_licence;
pub use validity::Validity;

use super::files::open_file;
use crate::error::{Error, Result, TrustFault};
use crate::whole_file::write_whole;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The longest signature or licence that is read.
const MAX_LEN: u64 = 1 << 20;
/// What is added to a file's name for the name of its signature.
const ENDING: &str = ".sig";

/// What is known of a file whose signature was accepted.
///
/// ```
/// use inkstone::protect::{self, Access, SigningKey, TrustedKeys, Validity};
/// let path = tempfile::tempdir().unwrap().keep().join("abc.txt");
/// std::fs::write(&path, "abc").unwrap();
/// let key = SigningKey::generate()?;
/// protect::sign_file(&path, &key, Validity::forever())?;
/// let access = Access::new().signed(TrustedKeys::from_pem(&key.public_key_pem())?);
/// let signed = access.read(&path)?.signed.unwrap();
/// assert_eq!((&signed.name[..], signed.validity), ("abc.txt", Validity::forever()));
/// assert_eq!(signed.digest, protect::file_digest(&path)?);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedFile {
    /// What it was called when it was signed.
    pub name: String,
    /// Its SHA-256 digest in hexadecimal.
    pub digest: String,
    /// How long the signature is valid.
    pub validity: Validity,
}

/// Signs a file: writes a Sigstore bundle beside it, whose name is the file's with `.sig` added, as OpenSSF Model Signing
/// does. `model_signing verify key model.safetensors --public_key key.pub --signature model.safetensors.sig` checks it.
///
/// The signature is of the file's content and of its name, without the folder: another file of the same signer does not
/// pass under this name. An older version of the same name does, with the signature that it had, until that has expired:
/// give signatures an end ([`Validity::until`]) where old versions must not come back.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::NotWritten`] if the signature cannot be written.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::protect::{self, SigningKey, TrustedKeys, Validity};
/// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
/// let model = Sequential::new([2])
///     .add(Dense::new(2).activation(Softmax))
///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
/// model.save(&path)?;
/// let key = SigningKey::generate()?;
/// protect::sign_file(&path, &key, Validity::forever())?;
///
/// let trusted = TrustedKeys::from_pem(&key.public_key_pem())?;
/// let loaded = inkstone::Model::load_verified(&path, &trusted)?;
/// assert_eq!(loaded.get_weights(), model.get_weights());
/// let others = TrustedKeys::from_pem(&SigningKey::generate()?.public_key_pem())?;
/// let error = inkstone::Model::load_verified(&path, &others).unwrap_err();
/// assert!(error.to_string().contains("it was signed with another key than those that are trusted"));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn sign_file(path: impl AsRef<Path>, key: &SigningKey, validity: Validity) -> Result<()> {
    let path = path.as_ref();
    let statement = statement::write(&name_of(path), &file_digest(path)?, validity);
    let bundle = envelope::sign(&statement, statement::PAYLOAD_TYPE, key);
    write_whole(&beside(path, ENDING), |file| file.write_all(&bundle))
}

/// Checks that one of these keys has signed a file of this digest, by the signature beside it.
///
/// # Errors
/// [`Error::NotTrusted`] with the reason; [`Error::Io`] if the signature cannot be read.
pub(super) fn check_signature(path: &Path, digest: &str, trusted: &TrustedKeys) -> Result<SignedFile> {
    let signature = beside(path, ENDING);
    let bundle = small_file(&signature, TrustFault::NoSignature)?;
    let checked = envelope::open(&bundle, statement::PAYLOAD_TYPE, trusted)
        .and_then(|payload| statement::read(&payload, &name_of(path), digest));
    checked.map_err(|fault| Error::NotTrusted { place: signature.display().to_string(), fault })
}

/// The SHA-256 digest of a file, in hexadecimal: what `sha256sum` prints.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, or is a folder, a device or a pipe.
///
/// ```
/// let path = tempfile::tempdir().unwrap().keep().join("abc.txt");
/// std::fs::write(&path, "abc").unwrap();
/// let digest = inkstone::protect::file_digest(&path)?;
/// assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn file_digest(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let mut hash = Sha256::new();
    open_file(path, "a file")
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .map_err(|source| Error::Io { place: path.display().to_string(), source })?;
    Ok(hex(&hash.finalize()))
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path with this added to its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The content of a file of at most a mebibyte.
fn small_file(path: &Path, missing: impl FnOnce(String) -> TrustFault) -> Result<Vec<u8>> {
    let place = path.display().to_string();
    let read = open_file(path, "a file").and_then(|file| {
        let mut content = Vec::new();
        file.take(MAX_LEN + 1).read_to_end(&mut content)?;
        Ok(content)
    });
    match read {
        Ok(content) if content.len() as u64 > MAX_LEN => {
            Err(Error::NotTrusted { place, fault: TrustFault::NotABundle("more than a mebibyte".into()) })
        }
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::NotTrusted { fault: missing(place.clone()), place })
        }
        Err(source) => Err(Error::Io { place, source }),
    }
}
