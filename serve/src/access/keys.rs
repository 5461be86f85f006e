//! API keys: random, so that their SHA-256 hashes are all that the server has to know.

use crate::arguments::NewKey;
use crate::fault::{Refusal, Start};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What every key begins with, so that it is known where one turns up.
const PREFIX: &str = "ink_";
/// The most that a file of keys may have.
const MAX_LEN: u64 = 16 << 20;

/// A line of the file of keys.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    /// Of the key, in hexadecimal.
    sha256: String,
    /// All if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    models: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requests_per_minute: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    metrics: bool,
}

/// A key that is known.
struct Known {
    hash: [u8; 32],
    caller: Arc<Caller>,
}

/// Who asks.
pub(crate) struct Caller {
    pub(crate) name: String,
    models: Vec<String>,
    metrics: bool,
    limiter: Option<DefaultDirectRateLimiter>,
}

/// Who is known; everybody where there are no keys.
pub(crate) struct Keys(Option<Vec<Known>>);

impl Keys {
    /// Everybody may ask.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// # Errors
    /// [`Start`] if the file cannot be read, or a line of it is no key.
    pub(crate) fn read(path: &Path) -> Result<Self, Start> {
        let file = |error| Start::File(path.to_owned(), error);
        let fault = |line: usize, problem: String| Start::Keys { path: path.to_owned(), line, problem };
        if std::fs::metadata(path).map_err(file)?.len() > MAX_LEN {
            return Err(fault(1, "expected a file of keys, found more than 16 MiB".into()));
        }
        let text = std::fs::read_to_string(path).map_err(file)?;
        let mut known: Vec<Known> = Vec::new();
        for (number, text) in text.lines().enumerate() {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let line: Line = serde_json::from_str(text).map_err(|error| {
                fault(
                    number + 1,
                    format!("expected a key as `inkstone-serve key` prints it, found something else ({error})"),
                )
            })?;
            let hash = bytes(&line.sha256)
                .ok_or_else(|| fault(number + 1, "expected 64 hexadecimal digits as `sha256`".into()))?;
            if known.iter().any(|known| known.caller.name == line.name) {
                return Err(fault(number + 1, format!("expected names that differ, found `{}` twice", line.name)));
            }
            let limiter = line.requests_per_minute.map(per_minute).transpose();
            let limiter = limiter.map_err(|problem| fault(number + 1, problem))?;
            let Line { name, models, metrics, .. } = line;
            known.push(Known { hash, caller: Arc::new(Caller { name, models, metrics, limiter }) });
        }
        if known.is_empty() {
            return Err(fault(1, "expected keys as `inkstone-serve key` prints them, found none".into()));
        }
        Ok(Self(Some(known)))
    }

    /// Who asks, by the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    ///
    /// # Errors
    /// [`Refusal`] without a key, or with one that is not known.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Option<Arc<Caller>>, Refusal> {
        let Some(known) = &self.0 else { return Ok(None) };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key)
        });
        let key = bearer.or_else(|| headers.get("x-api-key")?.to_str().ok());
        let Some(key) = key else {
            let text = "an API key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, text));
        };
        let hash: [u8; 32] = Sha256::digest(key.trim().as_bytes()).into();
        // All are looked at, in the same time each, so that how long it takes tells nothing.
        let mut found = None;
        for known in known {
            if bool::from(known.hash.ct_eq(&hash)) {
                found = Some(known.caller.clone());
            }
        }
        found.map(Some).ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "the API key is not known"))
    }
}

impl Caller {
    /// # Errors
    /// [`Refusal`] if this model is not for this caller, or there were too many requests.
    pub(crate) fn check_model(&self, model: &str) -> Result<(), Refusal> {
        if !self.may_use(model) {
            let text = format!("the API key of `{}` is not for the model `{model}`", self.name);
            return Err(Refusal::new(StatusCode::FORBIDDEN, text));
        }
        self.limiter.as_ref().map_or(Ok(()), |limiter| check_rate(limiter, "this API key"))
    }

    /// Whether this model is for this caller.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|own| own == model)
    }

    /// # Errors
    /// [`Refusal`] if the metrics are not for this caller.
    pub(crate) fn check_metrics(&self) -> Result<(), Refusal> {
        if self.metrics {
            return Ok(());
        }
        let text = format!("the API key of `{}` is not for /metrics", self.name);
        Err(Refusal::new(StatusCode::FORBIDDEN, text))
    }
}

/// # Errors
/// [`Refusal`] if there were too many requests, with when to ask again.
pub(crate) fn check_rate(limiter: &DefaultDirectRateLimiter, whose: &str) -> Result<(), Refusal> {
    limiter.check().map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        Refusal::too_many(format!("too many requests for {whose}"), wait.as_secs() + 1)
    })
}

/// # Errors
/// What is wrong with none at all.
pub(crate) fn per_minute(requests: u32) -> Result<DefaultDirectRateLimiter, String> {
    let requests = NonZeroU32::new(requests).ok_or("expected at least one request a minute, found 0")?;
    Ok(RateLimiter::direct(Quota::per_minute(requests)))
}

/// A new key, and its line for the file.
///
/// # Errors
/// [`Start::Random`] if there are no random numbers.
pub(super) fn new(new: &NewKey) -> Result<(String, String), Start> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| Start::Random(error.to_string()))?;
    let key = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let sha256 = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let NewKey { name, models, requests_per_minute, metrics } = new.clone();
    let line = Line { name, sha256, models, requests_per_minute, metrics };
    Ok((key, serde_json::to_string(&line).expect("a line is plain data")))
}

/// The bytes of 64 hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = digits.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, models: &[&str], per_minute: Option<u32>) -> (String, String) {
        let models = models.iter().map(ToString::to_string).collect();
        new(&NewKey { name: name.into(), models, requests_per_minute: per_minute, metrics: false }).unwrap()
    }

    fn read(text: &str) -> Result<Keys, Start> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Keys::read(file.path())
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        [(axum::http::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn keys_are_known_by_their_hashes_in_either_header() {
        let ((ada, line), (_, other)) = (key("ada", &["digits"], None), key("bob", &[], Some(2)));
        assert!(!line.contains(&ada) && ada.len() > 40);
        let keys = read(&format!("# keys\n\n{line}\n{other}\n")).unwrap();
        for headers in [headers("authorization", &format!("Bearer {ada}")), headers("x-api-key", &ada)] {
            let caller = keys.caller(&headers).unwrap().unwrap();
            assert_eq!(caller.name, "ada");
            assert!(caller.check_model("digits").is_ok());
            assert_eq!(caller.check_model("faces").unwrap_err().status, StatusCode::FORBIDDEN);
            assert_eq!(caller.check_metrics().unwrap_err().status, StatusCode::FORBIDDEN);
        }
        for headers in [HeaderMap::new(), headers("x-api-key", "ink_x"), headers("authorization", "Basic x")] {
            assert_eq!(keys.caller(&headers).err().unwrap().status, StatusCode::UNAUTHORIZED);
        }
    }

    #[test]
    fn too_many_requests_are_told_when_to_come_again() {
        let (bob, line) = key("bob", &[], Some(2));
        let caller = read(&line).unwrap().caller(&headers("x-api-key", &bob)).unwrap().unwrap();
        assert!(caller.check_model("a").is_ok() && caller.check_model("b").is_ok());
        let refusal = caller.check_model("a").unwrap_err();
        assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
        assert!((1..=31).contains(&refusal.retry_after.unwrap()), "{refusal:?}");
    }

    #[test]
    fn files_that_are_no_keys_are_refused_by_line() {
        let (_, line) = key("ada", &[], None);
        for (text, expected) in [
            ("".to_owned(), "line 1: expected keys"),
            (format!("{line}\nhunter2"), "line 2: expected a key as"),
            (format!("{line}\n{line}"), "line 2: expected names that differ, found `ada` twice"),
            (r#"{"name":"a","sha256":"00"}"#.to_owned(), "expected 64 hexadecimal digits"),
            (line.replace('}', r#","requests_per_minute":0}"#), "expected at least one request a minute, found 0"),
        ] {
            let error = read(&text).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
