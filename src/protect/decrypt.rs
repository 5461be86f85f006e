//! Reads encrypted files.

use super::files::open_file;
use super::identities::{Identities, Secrets};
use crate::error::{EncryptionFault, Error, Result};
use age::secrecy::SecretString;
use age::stream::StreamReader;
use age::{DecryptError, Decryptor, scrypt};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, ErrorKind, Read};
use std::path::Path;

/// The most work that is done to try a passphrase, as a power of two: some seconds and a gibibyte.
const MOST_WORK: u8 = 20;
/// The longest header that is read: for some hundred keys.
const MAX_HEADER: u64 = 1 << 16;
/// What every file in age's format begins with.
const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE";
/// The line that ends a header begins with this.
const LAST_LINE: &[u8] = b"---";
/// How many bytes are encrypted together, and how many more they become.
const CHUNK: u64 = 1 << 16;
const TAG: u64 = 16;
/// Between header and content.
const NONCE: u64 = 16;

/// Opens an encrypted file: a reader of its content, which is decrypted as it is read, piece by piece. What it hands out
/// is as it was written; that nothing is missing at the end is known when the end was read.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Encrypted`] if it is no such file, its header is damaged, or none of the
/// identities opens it; what [`Identities::ask`] was given returns.
pub fn read_encrypted(path: impl AsRef<Path>, identities: &Identities) -> Result<Decrypted> {
    let path = path.as_ref();
    let place = path.display().to_string();
    let opened = open_file(path, "an encrypted file").and_then(|file| {
        let len = file.metadata()?.len();
        Ok((file, len))
    });
    let opened = opened.map_err(Opening::Io).and_then(|(file, len)| open(BufReader::new(file), len, identities));
    opened.map(Decrypted).map_err(|error| error.at(&place))
}

/// Whether these bytes are those of an encrypted file.
pub(super) fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(ARMOR)
}

/// The content of an encrypted file that is in memory.
///
/// # Errors
/// As [`read_encrypted`], and for all of its content.
pub(super) fn bytes(encrypted: &[u8], place: &str, identities: &Identities) -> Result<Vec<u8>> {
    let mut content = open(encrypted, encrypted.len() as u64, identities).map_err(|error| error.at(place))?;
    let mut bytes = Vec::with_capacity(content.len as usize);
    content.read_to_end(&mut bytes).map_err(|source| reading_error(place, source))?;
    Ok(bytes)
}

/// The content of an encrypted file, as [`read_encrypted`] opens it.
///
/// Reading fails with [`ErrorKind::InvalidData`] and an [`EncryptionFault`] where the file was changed or cut off.
///
/// ```
/// use inkstone::protect::{self, Identities};
/// use std::io::Read;
/// let path = tempfile::tempdir().unwrap().keep().join("names.age");
/// let secret = Identities::generate();
/// protect::write_encrypted(&path, &secret.recipients()?, |file| file.write_all(b"Ada, Bob"))?;
/// let mut names = protect::read_encrypted(&path, &secret)?;
/// assert_eq!(names.content_len(), 8);
/// let mut first = [0; 3];
/// names.read_exact(&mut first).unwrap();
/// assert_eq!(&first, b"Ada");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub struct Decrypted(Content<BufReader<File>>);

/// The content of an encrypted file or text.
struct Content<R> {
    stream: StreamReader<Chain<Cursor<Vec<u8>>, R>>,
    len: u64,
}

impl Decrypted {
    /// How many bytes there are to be read, by the length of the file. Unlike the bytes themselves it may be wrong, where
    /// the file was cut off; then reading fails.
    #[must_use]
    pub fn content_len(&self) -> u64 {
        self.0.len
    }
}

impl Read for Decrypted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::new(ErrorKind::InvalidData, EncryptionFault::CutOff),
            ErrorKind::InvalidData => io::Error::new(ErrorKind::InvalidData, EncryptionFault::Changed),
            _ => error,
        })
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decrypted({} bytes)", self.0.len)
    }
}

/// An error of reading, where it may be that of a [`Decrypted`].
pub(crate) fn reading_error(place: &str, source: io::Error) -> Error {
    let place = place.to_owned();
    match source.downcast::<EncryptionFault>() {
        Ok(fault) => Error::Encrypted { place, fault },
        Err(source) => Error::Io { place, source },
    }
}

/// Why a file was not opened.
enum Opening {
    Io(io::Error),
    Fault(EncryptionFault),
    /// Of what was asked for keys.
    Other(Error),
}

impl Opening {
    fn at(self, place: &str) -> Error {
        let place = place.to_owned();
        match self {
            Self::Io(source) => Error::Io { place, source },
            Self::Fault(fault) => Error::Encrypted { place, fault },
            Self::Other(error) => error,
        }
    }
}

impl From<EncryptionFault> for Opening {
    fn from(fault: EncryptionFault) -> Self {
        Self::Fault(fault)
    }
}

/// - len: how many bytes there are
fn open<R: BufRead>(mut file: R, len: u64, identities: &Identities) -> std::result::Result<Content<R>, Opening> {
    let header = header(&mut file)?;
    let content = len.saturating_sub(header.len() as u64 + NONCE);
    let decryptor = Decryptor::new_buffered(Cursor::new(header).chain(file)).map_err(|error| fault(error, 0))?;
    let secrets = identities.secrets().map_err(Opening::Other)?;
    let opened = match (&*secrets, decryptor.is_scrypt()) {
        (Secrets::Keys(_), true) => return Err(EncryptionFault::PassphraseNeeded.into()),
        (Secrets::Passphrase(_), false) => return Err(EncryptionFault::KeyNeeded.into()),
        (Secrets::Keys(keys), false) => {
            decryptor.decrypt(keys.iter().map(|key| key as _)).map_err(|error| fault(error, keys.len()))
        }
        (Secrets::Passphrase(passphrase), true) => {
            let key = passphrase_key(passphrase);
            decryptor.decrypt(std::iter::once(&key as _)).map_err(|error| fault(error, 0))
        }
    };
    let chunks = content.div_ceil(CHUNK + TAG);
    Ok(Content { stream: opened?, len: content.saturating_sub(chunks * TAG) })
}

fn passphrase_key(passphrase: &SecretString) -> scrypt::Identity {
    let mut key = scrypt::Identity::new(passphrase.clone());
    key.set_max_work_factor(MOST_WORK);
    key
}

/// The header's bytes, which end with a line break. The library parses what it has anew whenever more comes, which takes
/// long for a long one: so it gets all of it, and only where it is short.
fn header(file: &mut impl BufRead) -> std::result::Result<Vec<u8>, Opening> {
    let mut header = Vec::new();
    let mut limited = file.take(MAX_HEADER);
    loop {
        let start = header.len();
        limited.read_until(b'\n', &mut header).map_err(Opening::Io)?;
        let line = &header[start..];
        if start == 0 && !line.starts_with(MAGIC) {
            let armored = line.starts_with(ARMOR);
            return Err(if armored { EncryptionFault::Armored } else { EncryptionFault::NotEncrypted }.into());
        }
        if !line.ends_with(b"\n") {
            return Err(if limited.limit() == 0 { EncryptionFault::Header } else { EncryptionFault::CutOff }.into());
        }
        if line.starts_with(LAST_LINE) {
            return Ok(header);
        }
    }
}

/// - keys: how many were tried
fn fault(error: DecryptError, keys: usize) -> Opening {
    Opening::Fault(match error {
        DecryptError::Io(source) => match source.kind() {
            ErrorKind::UnexpectedEof => EncryptionFault::CutOff,
            ErrorKind::InvalidData => EncryptionFault::Header,
            _ => return Opening::Io(source),
        },
        DecryptError::ExcessiveWork { required, .. } => {
            EncryptionFault::TooMuchWork { found: required, limit: MOST_WORK }
        }
        DecryptError::InvalidMac => EncryptionFault::HeaderChanged,
        DecryptError::NoMatchingKeys => EncryptionFault::WrongKey { given: keys },
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed if keys == 0 => {
            EncryptionFault::WrongPassphrase
        }
        // Of newer versions of the library too.
        _ => EncryptionFault::Header,
    })
}
