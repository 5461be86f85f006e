//! Why a file is not trusted.

/// Why a signature or a licence of a file was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFault {
    /// There is none.
    #[error("expected a signature in {0}, found no such file: sign the model, or load it without keys")]
    NoSignature(String),
    /// There is none.
    #[error("expected a licence in {0}, found no such file")]
    NoLicence(String),
    /// What should be a signature or a licence is something else.
    #[error("expected a Sigstore bundle in JSON that is signed with a bare key, found something else ({0})")]
    NotABundle(String),
    /// It is about something else than a file.
    #[error("expected a signed statement of {expected}, found one of `{found}`")]
    OtherStatement {
        /// What it should be about.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// It was made with a key that is not trusted.
    #[error("it was signed with another key than those that are trusted{0}")]
    OtherKey(String),
    /// The signature is not that of what it is with.
    #[error("its signature does not fit what is signed: one of them was changed")]
    BadSignature,
    /// The file is not the one that was signed.
    #[error(
        "the signature is of a file with the SHA-256 digest {expected}, this one has {found}: it was changed after it was signed, or \
         it is the signature of another file"
    )]
    OtherFile {
        /// The digest that was signed.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// The file is called otherwise than the one that was signed.
    #[error(
        "the signature is of a file called `{expected}`, this one is called `{found}`: it was renamed after it was signed, or another \
         file was put in its place"
    )]
    OtherName {
        /// The name that was signed.
        expected: String,
        /// The name of the file.
        found: String,
    },
    /// The time that it is for is over.
    #[error("it is no longer valid: it expired at {0}")]
    Expired(String),
    /// The time that it is for has not come.
    #[error("it is not valid yet: it is from {0} on")]
    NotYet(String),
}
