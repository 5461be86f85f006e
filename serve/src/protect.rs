//! Signs models and writes licences, for those who have no program of their own for it.

use crate::arguments::{NewLicence, Sign};
use crate::fault::Start;
use inkstone::protect::{Licence, SigningKey, Validity, sign_file};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// # Errors
/// [`Start::Inkstone`] if the key or the model cannot be read, or the signature not written.
pub(crate) fn sign(sign: &Sign) -> Result<(), Start> {
    Ok(sign_file(&sign.model, &SigningKey::from_file(&sign.key)?, validity(sign))?)
}

/// # Errors
/// As [`sign`].
pub(crate) fn licence(licence: &NewLicence) -> Result<(), Start> {
    let NewLicence { sign, licensee, requests_per_minute } = licence;
    let mut licence = Licence::new(licensee).validity(validity(sign));
    if let Some(requests) = requests_per_minute {
        licence = licence.requests_per_minute(*requests);
    }
    Ok(licence.issue(&sign.model, &SigningKey::from_file(&sign.key)?)?)
}

fn validity(sign: &Sign) -> Validity {
    sign.days.map_or(Validity::forever(), |days| Validity::until(SystemTime::now() + DAY * days))
}
