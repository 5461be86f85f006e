//! The file of two models that are trained against each other: a safetensors file whose tensors `generator` and
//! `discriminator` are the bytes of their checkpoints, each with a checksum of its own, and whose metadata say, under
//! `inkstone_gan`, where the training stands.
//!
//! ```json
//! {"format_version": 1, "library": "0.1.0", "crc32": "0a1b2c3d", "gan": {"settings": {...}, "position": {...}}}
//! ```

use super::format::MAX_HEADER;
use super::header::Header;
use super::open;
use super::read::At;
use super::weights::checksum;
use crate::error::{Error, ModelFault, Result};
use crate::whole_file::write_whole;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::Path;

/// The metadata's entry.
pub(super) const PAIR_ENTRY: &str = "inkstone_gan";

/// The version that is written, and the newest that is read.
const VERSION: u64 = 1;

/// The tensors, in the order of [`Pair::models`].
const NAMES: [&str; 2] = ["generator", "discriminator"];

/// What such a file holds.
pub(crate) struct Pair {
    /// Where the training stands, as JSON.
    pub(crate) text: String,
    /// The checkpoints of generator and discriminator.
    pub(crate) models: [Vec<u8>; 2],
}

/// All of the entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format_version: u64,
    library: String,
    /// Of the text of `gan`, eight hexadecimal digits.
    crc32: String,
    gan: Box<RawValue>,
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u64,
    #[serde(default)]
    library: String,
}

impl Pair {
    pub(crate) fn save_pair(&self, path: &Path) -> Result<()> {
        let gan = RawValue::from_string(self.text.clone()).expect("the state of a training is JSON");
        let crc32 = checksum([gan.get(), "", ""], std::iter::empty());
        let envelope = Envelope { format_version: VERSION, library: env!("CARGO_PKG_VERSION").to_owned(), crc32, gan };
        let entry = serde_json::to_string(&envelope).expect("an envelope is plain data");
        debug_assert!((entry.len() as u64) < MAX_HEADER);
        let tensor = |bytes| TensorView::new(Dtype::U8, vec![<[u8]>::len(bytes)], bytes).expect("as many bytes");
        let tensors = NAMES.into_iter().zip(self.models.iter().map(|bytes| tensor(bytes)));
        let metadata = [(PAIR_ENTRY.to_owned(), entry)].into_iter().collect();
        let bytes = safetensors::serialize(tensors, Some(metadata))
            .map_err(|error| Error::Model(format!("cannot be saved ({error})")))?;
        write_whole(path, |file| file.write_all(&bytes))
    }

    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is no complete, valid file of two models;
    /// what they hold is not checked.
    pub(crate) fn load_pair(path: &Path) -> Result<Self> {
        let (mut file, len) = open(path)?;
        let at = At { place: &path.display().to_string(), len };
        let header = at.header(&mut file)?;
        let text = entry(&header).map_err(|fault| at.fault(fault))?;
        let whole = NAMES.iter().all(|name| {
            header.tensors.get(*name).is_some_and(|tensor| tensor.dtype == Dtype::U8 && tensor.shape.len() == 1)
        });
        if !whole || header.tensors.len() != NAMES.len() {
            return Err(at.fault(ModelFault::NotAGan));
        }
        let data = at.data(&header, None, file)?;
        let model = |name: &str| {
            let (start, end) = header.tensors[name].data_offsets;
            data[start..end].to_vec()
        };
        Ok(Self { text, models: NAMES.map(model) })
    }
}

/// The text of `gan`, if it is what was written.
fn entry(header: &Header) -> std::result::Result<String, ModelFault> {
    let metadata = |error: serde_json::Error| ModelFault::Metadata(error.to_string());
    let Some(entry) = header.metadata.get(PAIR_ENTRY).filter(|_| header.metadata.len() == 1) else {
        return Err(ModelFault::NotAGan);
    };
    let Version { format_version: found, library } = serde_json::from_str(entry).map_err(metadata)?;
    if found != VERSION {
        return Err(ModelFault::Version { found, known: VERSION, writer: format!("inkstone {library}") });
    }
    let Envelope { crc32: expected, gan, .. } = serde_json::from_str(entry).map_err(metadata)?;
    let found = checksum([gan.get(), "", ""], std::iter::empty());
    if found != expected {
        return Err(ModelFault::Checksum { expected, found });
    }
    Ok(gan.get().to_owned())
}
