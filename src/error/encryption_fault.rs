//! What is wrong with an encrypted file, or with the keys to it.

/// Why an encrypted file was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptionFault {
    /// It is no file in age's format.
    #[error("expected an encrypted file, which starts with `age-encryption.org/v1`, found another one")]
    NotEncrypted,
    /// It is encrypted, but written as text.
    #[error(
        "expected an encrypted file in its binary form, found one written as text (`-----BEGIN AGE ENCRYPTED FILE-----`): encrypt \
         it without `--armor`"
    )]
    Armored,
    /// Its header is none, or longer than any that is written.
    #[error("expected the header of an encrypted file, found a damaged one: fetch the file again")]
    Header,
    /// Its header is not the one that was written: who it is for, or its passphrase's salt, was changed.
    #[error(
        "the header of the encrypted file was changed after it was written: use a copy of it, and do not trust this one"
    )]
    HeaderChanged,
    /// No key opens it.
    #[error("no key that was given opens the file, of {given} tried: it is encrypted for others")]
    WrongKey {
        /// How many keys were tried.
        given: usize,
    },
    /// The passphrase is another one.
    #[error("the passphrase that was given does not open the file")]
    WrongPassphrase,
    /// It needs a key, and there is a passphrase.
    #[error("the file is encrypted for keys, and a passphrase was given: give one of the secret keys")]
    KeyNeeded,
    /// It needs a passphrase, and there are keys.
    #[error("the file is encrypted with a passphrase, and keys were given: give the passphrase")]
    PassphraseNeeded,
    /// Its passphrase takes more work to try than is done.
    #[error(
        "expected a passphrase that takes 2^{limit} units of work, the file asks for 2^{found}: encrypt it anew with less, if it is \
         not meant to keep the reader busy"
    )]
    TooMuchWork {
        /// The logarithm of the work that it asks for.
        found: u8,
        /// The logarithm of the most that is done.
        limit: u8,
    },
    /// A byte is not the one that was written.
    #[error("the content of the encrypted file was changed or cut off after it was written: use a copy of it")]
    Changed,
    /// It ends too soon.
    #[error("the encrypted file ends too soon: it was cut off, fetch it again")]
    CutOff,
}
