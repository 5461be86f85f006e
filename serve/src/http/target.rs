//! What an address names: a model, a version, and what is asked of it.

use crate::fault::Refusal;

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
        None => Err(Refusal::not_found("expected `:predict` or `:classify` behind the model, found nothing")),
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

    #[test]
    fn addresses_name_models_and_verbs() {
        assert_eq!(verb("digits:predict").unwrap(), ("digits", Verb::Predict));
        assert_eq!(verb("1:classify").unwrap(), ("1", Verb::Classify));
        assert!(verb("digits").is_err() && verb("digits:regress").is_err());
        assert_eq!(model_of("/v1/models/digits:predict"), Some("digits"));
        assert_eq!(model_of("/v2/models/digits/versions/2/infer"), Some("digits"));
        assert_eq!((model_of("/v1/models"), model_of("/v1/models/"), model_of("/")), (None, None, None));
        assert_eq!((route_of("/v2/models/a/infer"), route_of("/.git/config")), ("infer", "other"));
    }
}
