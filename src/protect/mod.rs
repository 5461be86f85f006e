//! Files that only the right people can read, and that nobody else can change: data sets, models and anything else,
//! encrypted as the [age format](https://age-encryption.org/v1) says, and signed as
//! [OpenSSF Model Signing](https://github.com/sigstore/model-transparency) does. With the feature `protect`.
//!
//! # Encrypted files
//!
//! The command line tool [`age`](https://github.com/FiloSottile/age) reads and writes the same files: `age -d -i key.txt
//! data.age` shows what [`Dataset::save_encrypted`](crate::Dataset::save_encrypted) wrote, `age-keygen -o key.txt` makes a
//! key that [`Identities::from_file`] takes. A file is encrypted either for any number of public keys, each of which has a
//! secret one that opens it, or with a passphrase.
//!
//! Nothing is ever written in the clear, not for a moment: content is encrypted on its way to the disk, piece by piece,
//! and decrypted on its way from it, and a piece is handed out only after it was found to be as it was written. Keys and
//! passphrases are wiped from memory when they are dropped. The content of a file in memory is not.
//!
//! ```
//! use inkstone::protect::{self, Identities};
//! use std::io::{Read, Write};
//! let path = tempfile::tempdir().unwrap().keep().join("names.txt.age");
//! let secret = Identities::generate();
//! protect::write_encrypted(&path, &secret.recipients()?, |file| file.write_all(b"Ada"))?;
//! let mut names = String::new();
//! protect::read_encrypted(&path, &secret)?.read_to_string(&mut names).unwrap();
//! assert_eq!(names, "Ada");
//!
//! let error = protect::read_encrypted(&path, &Identities::generate()).unwrap_err();
//! assert!(error.to_string().ends_with("no key that was given opens the file, of 1 tried: it is encrypted for others"));
//! # Ok::<(), inkstone::Error>(())
//! ```
//!
//! # Signed files
//!
//! [`sign_file`] writes a signature beside a file; [`Model::load_verified`](crate::Model::load_verified) loads the file only
//! if one of the [`TrustedKeys`] has made it. A [`Licence`] says who may use a model, until when and how much. An
//! [`Access`] has all that a program needs to open files that are protected in any of these ways.
//!
//! What cannot be protected so: whoever runs a model has its weights in memory. Encryption keeps them from others on the
//! way and on the disk, signatures show that they are the right ones; neither keeps them from those who use them.
//!
//! # Data of other programs
//!
//! IDX files as they are encrypted by the tool (`age -r age1... -o images.age train-images-idx3-ubyte`) go to
//! [`idx::read`](crate::data::idx::read), which takes any reader.

mod access;
mod decrypt;
mod files;
mod identities;
mod pseudonyms;
mod recipients;
mod secrets;
mod signing;

pub use access::{Access, Opened};
pub(crate) use decrypt::reading_error;
pub use decrypt::{Decrypted, read_encrypted};
pub use identities::Identities;
pub use pseudonyms::PseudonymKey;
pub use recipients::{Recipients, write_encrypted};
pub use signing::{Licence, SignedFile, SigningKey, TrustedKeys, Validity, file_digest, sign_file};
