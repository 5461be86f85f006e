//! Opens the archive, and decides how much of each file in it is read: as much as the file in hand can hold, or as the
//! model needs, so that what is packed into few bytes takes no memory.

use crate::error::KerasFault;
use std::io::{self, Read, Seek, SeekFrom};
use zip::ZipArchive;
use zip::result::ZipError;

/// How many bytes of the description are read whatever the archive has, and at most.
const CONFIG_BYTES: (u64, u64) = (1 << 20, 1 << 25);
/// How many are read for each byte of the archive: descriptions repeat themselves, and pack well.
const CONFIG_BYTES_OF_A_BYTE: u64 = 100;

/// The description of the model.
const CONFIG: &str = "config.json";

/// The weights.
const WEIGHTS: &str = "model.weights.h5";

/// What HDF5 files start with.
const HDF5: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// An archive that is open.
pub(super) struct Archive<R> {
    archive: ZipArchive<R>,
    /// How many bytes the archive has.
    len: u64,
}

/// Why there is nothing to read.
pub(super) enum Refused {
    Io(io::Error),
    Fault(KerasFault),
}

impl From<KerasFault> for Refused {
    fn from(fault: KerasFault) -> Self {
        Self::Fault(fault)
    }
}

impl<R: Read + Seek> Archive<R> {
    pub(super) fn open(mut reader: R) -> Result<Self, Refused> {
        let mut first = Vec::new();
        let len = reader.seek(SeekFrom::End(0)).map_err(Refused::Io)?;
        reader.seek(SeekFrom::Start(0)).map_err(Refused::Io)?;
        reader.by_ref().take(HDF5.len() as u64).read_to_end(&mut first).map_err(Refused::Io)?;
        if first == HDF5 {
            return Err(KerasFault::Hdf5.into());
        }
        reader.seek(SeekFrom::Start(0)).map_err(Refused::Io)?;
        match ZipArchive::new(reader) {
            Ok(archive) => Ok(Self { archive, len }),
            Err(ZipError::Io(source)) if !is_of_content(&source) => Err(Refused::Io(source)),
            Err(error) => Err(KerasFault::Archive(error.to_string()).into()),
        }
    }

    /// The text of the description.
    pub(super) fn config(&mut self) -> Result<Vec<u8>, Refused> {
        let (least, most) = CONFIG_BYTES;
        self.read(CONFIG, self.len.saturating_mul(CONFIG_BYTES_OF_A_BYTE).clamp(least, most))
    }

    /// The bytes of the weights.
    ///
    /// - needed: how many bytes the model can need at most
    pub(super) fn weights(&mut self, needed: u64) -> Result<Vec<u8>, Refused> {
        self.read(WEIGHTS, needed.max(self.len))
    }

    fn read(&mut self, name: &'static str, limit: u64) -> Result<Vec<u8>, Refused> {
        let fault = |problem: String| Refused::Fault(KerasFault::Entry { name, problem });
        let damaged = |error: io::Error| match is_of_content(&error) {
            true => fault(format!("is damaged ({error})")),
            false => Refused::Io(error),
        };
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Err(fault("is missing".into())),
            Err(ZipError::Io(error)) => return Err(damaged(error)),
            Err(error) => return Err(fault(format!("cannot be unpacked ({error})"))),
        };
        let mut bytes = Vec::new();
        entry.take(limit + 1).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 > limit {
            return Err(fault(format!("has more than {limit} bytes, the most that the model can need")));
        }
        Ok(bytes)
    }
}

/// Whether what is read is at fault, and not the device that it is read from.
fn is_of_content(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
    )
}
