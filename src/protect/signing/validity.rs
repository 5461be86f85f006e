//! From when and until when a signature or a licence is valid.

use crate::error::TrustFault;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::{Duration, SystemTime};

/// From when and until when a signature or a licence is valid, by the clock of whoever checks it.
///
/// ```
/// use inkstone::protect::Validity;
/// use std::time::{Duration, SystemTime};
/// let year = Validity::until(SystemTime::now() + Duration::from_secs(365 * 24 * 60 * 60));
/// assert!(year.expires().is_some() && Validity::forever().expires().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Validity {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

impl Validity {
    /// Without an end.
    #[must_use]
    pub fn forever() -> Self {
        Self::default()
    }

    /// Until this time, in whole seconds.
    #[must_use]
    pub fn until(time: SystemTime) -> Self {
        Self { not_before: None, expires: Some(Time::of(time)) }
    }

    /// From this time on, in whole seconds.
    #[must_use]
    pub fn from(self, time: SystemTime) -> Self {
        Self { not_before: Some(Time::of(time)), ..self }
    }

    /// When it ends, if it does.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires.map(|Time(time)| time)
    }

    /// Whether it is valid now.
    pub(super) fn check(&self) -> std::result::Result<(), TrustFault> {
        let now = crate::clock::now();
        match (self.not_before, self.expires) {
            (Some(from), _) if now < from.0 => Err(TrustFault::NotYet(from.to_string())),
            (_, Some(end)) if now >= end.0 => Err(TrustFault::Expired(end.to_string())),
            _ => Ok(()),
        }
    }
}

/// A time in whole seconds, written as `2027-01-31T12:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Time(SystemTime);

impl Time {
    fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The last second that has a date of four digits for its year.
        Self(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs().min(253_402_300_799)))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Time).map_err(serde::de::Error::custom)
    }
}
