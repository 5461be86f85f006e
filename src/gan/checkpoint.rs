//! Saves both models with the state of their training in one file, and resumes them.

use super::position::Position;
use super::step::Room;
use super::{Gan, Settings, check_models};
use crate::error::{Error, ModelFault, Result};
use crate::model::Model;
use crate::saving::{LoadLimits, LoadOptions, Pair};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a file has beside the models.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    settings: Settings,
    position: Position,
}

impl Gan {
    /// Saves both models with the complete state of their training in one file, which is replaced atomically: whatever
    /// happens, the file holds both models of one moment. [`resume`](Self::resume) continues as if there had been no
    /// interruption. To use the generator elsewhere, [`Model::save`] it.
    ///
    /// # Errors
    /// As [`Model::save_checkpoint`].
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::{Gan, GanConfig, GanLoss};
    /// use inkstone::ndarray::Array2;
    /// # let path = tempfile::tempdir().unwrap().keep().join("gan.safetensors");
    /// # let generator = Sequential::new([2]).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError, [])?;
    /// # let discriminator = Sequential::new([3]).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError, [])?;
    /// # let table = Array2::from_shape_fn((64, 3), |(n, f)| (n * (f + 1) % 7) as f32);
    /// # let data = Dataset::from_table(table, vec![0; 64])?;
    /// let mut gan = Gan::new(generator, discriminator, GanLoss::NonSaturating)?;
    /// gan.fit(&data, GanConfig::new().epochs(2).verbose(0))?;
    /// gan.save_checkpoint(&path)?;
    ///
    /// let mut resumed = Gan::resume(&path)?;
    /// for gan in [&mut gan, &mut resumed] {
    ///     gan.fit(&data, GanConfig::new().epochs(4).verbose(0))?;
    /// }
    /// assert_eq!(resumed.generator().get_weights(), gan.generator().get_weights());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn save_checkpoint(&self, path: impl AsRef<Path>) -> Result<()> {
        let record = Record { settings: self.settings, position: self.position };
        let text = serde_json::to_string(&record).expect("the state of a training is plain data");
        let models = [self.generator.checkpoint_to_bytes()?, self.discriminator.checkpoint_to_bytes()?];
        Pair { text, models }.save_pair(path.as_ref())
    }

    /// Loads what [`save_checkpoint`](Self::save_checkpoint), or a training with
    /// [`GanConfig::checkpoint`](super::GanConfig::checkpoint), wrote.
    ///
    /// # Errors
    /// As [`Model::resume`], and [`Error::ModelFile`] if the file holds no GAN.
    pub fn resume(path: impl AsRef<Path>) -> Result<Self> {
        Self::resume_with(path, LoadLimits::new())
    }

    /// Like [`resume`](Self::resume), with limits other than the default for each model, or with types of your own
    /// ([`CustomObjects`](crate::custom::CustomObjects)).
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn resume_with(path: impl AsRef<Path>, options: impl Into<LoadOptions>) -> Result<Self> {
        let (path, options) = (path.as_ref(), options.into());
        let fault = |fault| Error::ModelFile { place: path.display().to_string(), fault };
        let Pair { text, models } = Pair::load_pair(path)?;
        let record = serde_json::from_str(&text).map_err(|error| fault(ModelFault::Metadata(error.to_string())))?;
        let Record { settings, position } = record;
        settings.check().map_err(|error| fault(ModelFault::Description(error.to_string())))?;
        if let Some(nonsense) = position.nonsense() {
            return Err(fault(ModelFault::Metadata(nonsense.into())));
        }
        let load = |bytes: &[u8]| {
            Model::resume_from_bytes_with(bytes, options.clone()).map_err(|error| match error {
                Error::ModelFile { fault: inner, .. } => fault(inner),
                other => other,
            })
        };
        let [generator, discriminator] = [load(&models[0])?, load(&models[1])?];
        check_models(&generator, &discriminator).map_err(|error| fault(ModelFault::Description(error.to_string())))?;
        Ok(Self { generator, discriminator, settings, position, is_averaged: false, room: Room::default() })
    }
}
