//! Licences: who may use which model, until when, and how much.

use super::keys::SigningKey;
use super::{TrustedKeys, Validity, beside, envelope, file_digest, small_file};
use crate::error::{Error, Result, TrustFault};
use crate::whole_file::write_whole;
use serde::{Deserialize, Serialize};
use std::path::Path;

const PAYLOAD_TYPE: &str = "application/vnd.inkstone.licence.v1+json";
/// What is added to a model's name for the name of its licence.
const ENDING: &str = ".licence";

/// Who may use a model, until when, and how much of it: a signed file beside the model's, which names the model by its
/// digest. [`Access::licensed`](super::super::Access::licensed) asks for it.
///
/// It keeps honest people honest. Whoever runs a model has its weights in memory, and can read them, or change the program
/// that looks for the licence. A model that others must not have runs on one's own server.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::protect::{Access, Licence, SigningKey, TrustedKeys, Validity};
/// use std::time::{Duration, SystemTime};
/// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
/// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
/// model.save(&path)?;
/// let key = SigningKey::generate()?;
/// let month = Validity::until(SystemTime::now() + Duration::from_secs(30 * 24 * 60 * 60));
/// Licence::new("Example Ltd").validity(month).requests_per_minute(600).issue(&path, &key)?;
///
/// let trusted = TrustedKeys::from_pem(&key.public_key_pem())?;
/// let opened = Access::new().licensed(trusted).read(&path)?;
/// assert_eq!(opened.licence.unwrap().licensee(), "Example Ltd");
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    licensee: String,
    /// The SHA-256 digest of the model's file.
    #[serde(default)]
    model: String,
    #[serde(default)]
    requests_per_minute: Option<u32>,
    #[serde(default)]
    validity: Validity,
}

impl Licence {
    /// A licence for this person or firm, without an end and without limits.
    #[must_use]
    pub fn new(licensee: impl Into<String>) -> Self {
        let licensee = licensee.into();
        Self { licensee, model: String::new(), requests_per_minute: None, validity: Validity::forever() }
    }

    /// Sets from when and until when it is valid.
    #[must_use]
    pub fn validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// Sets how many requests a minute a server answers, at least one. A program that loads the model itself may ask
    /// [`request_limit`](Self::request_limit).
    #[must_use]
    pub fn requests_per_minute(self, requests: u32) -> Self {
        Self { requests_per_minute: Some(requests), ..self }
    }

    /// Signs it for the model in this file, and writes it beside it, under the file's name with `.licence` added. An
    /// encrypted model is named by the digest of its encrypted file.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is for no requests at all, [`Error::Io`] if the model's file cannot be read,
    /// [`Error::NotWritten`] if the licence cannot be written.
    pub fn issue(self, path: impl AsRef<Path>, key: &SigningKey) -> Result<()> {
        if self.requests_per_minute == Some(0) {
            let (expected, received) = ("at least 1", "0".into());
            return Err(Error::Setting { name: "requests_per_minute", expected, received });
        }
        let path = path.as_ref();
        let licence = Self { model: file_digest(path)?, ..self };
        let text = serde_json::to_vec(&licence).expect("a licence is plain data");
        let bundle = envelope::sign(&text, PAYLOAD_TYPE, key);
        write_whole(&beside(path, ENDING), |file| file.write_all(&bundle))
    }

    /// Who it is for.
    #[must_use]
    pub fn licensee(&self) -> &str {
        &self.licensee
    }

    /// How many requests a minute it is for, if it says so.
    #[must_use]
    pub fn request_limit(&self) -> Option<u32> {
        self.requests_per_minute
    }

    /// When it ends, if it does: a program that runs for long looks at it again.
    #[must_use]
    pub fn term(&self) -> Validity {
        self.validity
    }
}

/// The licence beside a model's file of this digest.
///
/// # Errors
/// [`Error::NotTrusted`] with the reason; [`Error::Io`] if it cannot be read.
pub(in super::super) fn check(path: &Path, digest: &str, trusted: &TrustedKeys) -> Result<Licence> {
    let place = beside(path, ENDING);
    let bundle = small_file(&place, TrustFault::NoLicence)?;
    let checked = envelope::open(&bundle, PAYLOAD_TYPE, trusted).and_then(|text| {
        let licence: Licence =
            serde_json::from_slice(&text).map_err(|error| TrustFault::NotABundle(error.to_string()))?;
        if licence.model != digest {
            return Err(TrustFault::OtherFile { expected: licence.model, found: digest.into() });
        }
        licence.validity.check()?;
        Ok(licence)
    });
    checked.map_err(|fault| Error::NotTrusted { place: place.display().to_string(), fault })
}
