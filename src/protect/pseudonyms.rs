//! Names that nobody can trace back without a key.

use super::secrets::fill_randomly;
use crate::error::{Error, Result};
use age::secrecy::{ExposeSecret, SecretSlice};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

/// How many bytes a key has at least: fewer could be found by trying.
const MIN_LEN: usize = 16;
/// How many bytes of a hash a pseudonym has: two of a billion names are alike with a probability of one to 10^20.
const LEN: usize = 16;

/// The key of [`Dataset::pseudonymise`](crate::Dataset::pseudonymise): who has it can find out whose pseudonym one is, by
/// trying names, and who has not cannot. Under one key a name has one pseudonym, so that tables can be joined; without
/// the key that ends for good.
///
/// A pseudonym is the first 16 bytes of the HMAC-SHA-256 of the name, in hexadecimal.
///
/// ```
/// use inkstone::protect::PseudonymKey;
/// let key = PseudonymKey::from_bytes(b"a key for this example")?;
/// assert_eq!(key.pseudonym("Ada"), key.pseudonym("Ada"));
/// assert_ne!(key.pseudonym("Ada"), PseudonymKey::generate()?.pseudonym("Ada"));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub struct PseudonymKey(SecretSlice<u8>);

impl PseudonymKey {
    /// A new key of 32 bytes, from the system's random numbers. Keep its [`bytes`](Self::bytes), in an encrypted file, if
    /// other data are to get the same pseudonyms.
    ///
    /// # Errors
    /// [`Error::Key`] if the system gives none.
    pub fn generate() -> Result<Self> {
        let mut bytes = vec![0; 32];
        fill_randomly(&mut bytes)?;
        Ok(Self(bytes.into()))
    }

    /// A key that is kept somewhere.
    ///
    /// # Errors
    /// [`Error::Key`] if it has fewer than 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < MIN_LEN {
            return Err(Error::Key(format!(
                "a key for pseudonyms has at least {MIN_LEN} bytes, as shorter ones are found by trying, got {}",
                bytes.len()
            )));
        }
        Ok(Self(bytes.to_vec().into()))
    }

    /// The key itself, to be kept where nobody finds it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// What stands for this name: 32 hexadecimal digits.
    #[must_use]
    pub fn pseudonym(&self, name: &str) -> String {
        let mut hash = Hmac::<Sha256>::new_from_slice(self.bytes()).expect("HMAC takes keys of any length");
        hash.update(name.as_bytes());
        hash.finalize().into_bytes()[..LEN].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Without the key.
impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PseudonymKey({} bytes)", self.bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_the_halves_of_rfc_4231() {
        // Test cases 1 and 6.
        let key = PseudonymKey::from_bytes(&[0x0b; 20]).unwrap();
        assert_eq!(key.pseudonym("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b");
        let key = PseudonymKey::from_bytes(&[0xaa; 131]).unwrap();
        let name = "Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(key.pseudonym(name), "60e431591ee0b67f0d8a26aacbf5b77f");
    }

    #[test]
    fn keys_are_long_and_never_printed() {
        assert_eq!(
            PseudonymKey::from_bytes(&[1; 15]).unwrap_err().to_string(),
            "a key for pseudonyms has at least 16 bytes, as shorter ones are found by trying, got 15"
        );
        assert_eq!(format!("{:?}", PseudonymKey::from_bytes(&[1; 16]).unwrap()), "PseudonymKey(16 bytes)");
    }
}
