//! Models in encrypted and signed files.

use super::read::{self, Part};
use super::{LoadLimits, LoadOptions};
use crate::error::Result;
use crate::model::Model;
use crate::protect::{Access, Identities, Recipients, TrustedKeys, read_encrypted, write_encrypted};
use std::path::Path;

impl Model {
    /// Saves the model to a file that only these recipients can read: as [`save`](Self::save), encrypted on its way to the
    /// disk. The tool `age` decrypts it to what `save` writes.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::protect::Identities;
    /// use inkstone::Model;
    /// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors.age");
    /// let model = Sequential::new([2])
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .compile(Sgd::new(0.5), SparseCategoricalCrossentropy::default(), [])?;
    /// let secret = Identities::generate();
    /// model.save_encrypted(&path, &secret.recipients()?)?;
    /// let loaded = Model::load_encrypted(&path, &secret)?;
    /// assert_eq!(loaded.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_encrypted(&self, path: impl AsRef<Path>, recipients: &Recipients) -> Result<()> {
        let bytes = self.to_bytes()?;
        write_encrypted(path, recipients, |file| file.write_all(&bytes))
    }

    /// Loads what [`save_encrypted`](Self::save_encrypted) wrote, or `age` made of a model file. Nothing of it goes to the
    /// disk in the clear.
    ///
    /// # Errors
    /// As [`load`](Self::load), and as [`read_encrypted`]; [`Error::Encrypted`](crate::Error::Encrypted) if the file was
    /// changed or cut off.
    pub fn load_encrypted(path: impl AsRef<Path>, identities: &Identities) -> Result<Self> {
        let path = path.as_ref();
        let file = read_encrypted(path, identities)?;
        let len = file.content_len();
        read::model(file, len, &path.display().to_string(), Part::Model, &LoadLimits::new().into())
    }

    /// Loads a model that one of these keys has signed: by [`sign_file`](crate::protect::sign_file), or by the tool of
    /// OpenSSF Model Signing with a bare key. The signature is in a file beside it, whose name ends in `.sig`.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`Error::NotTrusted`](crate::Error::NotTrusted) if there is no signature, it is of another
    /// key, another file or a file of another name, or has expired.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::protect::{self, SigningKey, TrustedKeys, Validity};
    /// use inkstone::Model;
    /// let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// model.save(&path)?;
    /// let key = SigningKey::generate()?;
    /// protect::sign_file(&path, &key, Validity::forever())?;
    /// let loaded = Model::load_verified(&path, &TrustedKeys::from_pem(&key.public_key_pem())?)?;
    /// assert_eq!(loaded.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_verified(path: impl AsRef<Path>, trusted: &TrustedKeys) -> Result<Self> {
        Self::load_protected(path, &Access::new().signed(trusted.clone()), LoadLimits::new())
    }

    /// Loads a model from a file that may be encrypted, signed and licensed: all that [`Access`] knows.
    ///
    /// # Errors
    /// As [`load`](Self::load), and as [`Access::read`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::protect::{self, Access, Identities, SigningKey, TrustedKeys, Validity};
    /// use inkstone::{LoadLimits, Model};
    /// let path = tempfile::tempdir().unwrap().keep().join("model.age");
    /// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, [])?;
    /// let (secret, key) = (Identities::generate(), SigningKey::generate()?);
    /// model.save_encrypted(&path, &secret.recipients()?)?;
    /// protect::sign_file(&path, &key, Validity::forever())?;
    /// let access = Access::new().identities(secret).signed(TrustedKeys::from_pem(&key.public_key_pem())?);
    /// let loaded = Model::load_protected(&path, &access, LoadLimits::new())?;
    /// assert_eq!(loaded.get_weights(), model.get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn load_protected(path: impl AsRef<Path>, access: &Access, options: impl Into<LoadOptions>) -> Result<Self> {
        let path = path.as_ref();
        let content = access.read(path)?.content;
        read::model(&content[..], content.len() as u64, &path.display().to_string(), Part::Model, &options.into())
    }
}
