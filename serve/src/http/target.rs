//! What an address names: a model, a version, and what is asked of it.

use crate::fault::Refusal;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The parts of an address that stand for names, decoded.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let names = Path::from_request_parts(parts, state).await;
        names.map(|Path(names)| Self(names)).map_err(|error| Refusal::bad(error.body_text()))
    }
}

/// The methods of addresses of TensorFlow Serving.
const WITH_VERB: &str = "POST";
const WITHOUT_VERB: &str = "GET,HEAD";

/// What is asked of a model, behind the colon of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Predict,
    Classify,
}

/// A name or version, and what is asked.
///
/// # Errors
/// [`Refusal`] if nothing is, or something that there is not.
pub(super) fn verb(segment: &str) -> Result<(&str, Verb), Refusal> {
    match segment.rsplit_once(':') {
        Some((name, "predict")) => Ok((name, Verb::Predict)),
        Some((name, "classify")) => Ok((name, Verb::Classify)),
        Some((_, other)) => {
            let other: String = other.chars().take(50).collect();
            Err(Refusal::not_found(format!("expected `:predict` or `:classify` behind the model, found `:{other}`")))
        }
        None => Err(Refusal::not_allowed(Some(WITHOUT_VERB))),
    }
}

/// A name or version of which nothing is asked behind a colon.
///
/// # Errors
/// [`Refusal`] if something is.
pub(super) fn without_verb(segment: &str) -> Result<&str, Refusal> {
    if segment.contains(':') {
        return verb(segment).and_then(|_| Err(Refusal::not_allowed(Some(WITH_VERB))));
    }
    Ok(segment)
}

/// The methods of an address that the router takes for one, with a colon and without.
pub(super) fn allowed(path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.strip_prefix("/v1/models/")?.split('/').collect();
    match segments[..] {
        [last] | [_, "versions", last] => Some(if last.contains(':') { WITH_VERB } else { WITHOUT_VERB }),
        _ => None,
    }
}

/// # Errors
/// [`Refusal`] if it is no number.
pub(super) fn version(segment: &str) -> Result<u64, Refusal> {
    let shown: String = segment.chars().take(50).collect();
    segment.parse().map_err(|_| Refusal::not_found(format!("expected the number of a version, found `{shown}`")))
}

/// The model that an address is about, as far as one can tell by the address alone.
pub(super) fn model_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v1/models/").or_else(|| path.strip_prefix("/v2/models/"))?;
    let name = rest.split('/').next()?;
    Some(name.split(':').next().unwrap_or(name)).filter(|name| !name.is_empty())
}

/// What metrics call an address: one of few names, whatever is asked for.
pub(super) fn route_of(path: &str) -> &'static str {
    match path {
        "/" => "page",
        "/metrics" => "metrics",
        "/openapi.json" => "openapi",
        _ if path.starts_with("/v2/health/") => "health",
        _ if path.ends_with(":predict") => "predict",
        _ if path.ends_with(":classify") => "classify",
        _ if path.ends_with("/infer") => "infer",
        _ if model_of(path).is_some() || path == "/v1/models" || path == "/v2" => "models",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn addresses_name_models_and_verbs() {
        assert_eq!(verb("digits:predict").unwrap(), ("digits", Verb::Predict));
        assert_eq!(verb("1:classify").unwrap(), ("1", Verb::Classify));
        assert_eq!(verb("digits").unwrap_err().allow, Some("GET,HEAD"));
        assert_eq!(verb("digits:regress").unwrap_err().status, StatusCode::NOT_FOUND);
        assert_eq!(without_verb("digits").unwrap(), "digits");
        assert_eq!(without_verb("digits:predict").unwrap_err().allow, Some("POST"));
        assert_eq!(without_verb("digits:regress").unwrap_err().status, StatusCode::NOT_FOUND);
        assert_eq!(allowed("/v1/models/digits/versions/1:predict"), Some("POST"));
        assert_eq!((allowed("/v1/models/digits"), allowed("/v1/models/digits/metadata")), (Some("GET,HEAD"), None));
        assert_eq!(model_of("/v1/models/digits:predict"), Some("digits"));
        assert_eq!(model_of("/v2/models/digits/versions/2/infer"), Some("digits"));
        assert_eq!((model_of("/v1/models"), model_of("/v1/models/"), model_of("/")), (None, None, None));
        assert_eq!((route_of("/v2/models/a/infer"), route_of("/.git/config")), ("infer", "other"));
    }
}
