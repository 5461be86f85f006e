//! What goes wrong: at the start, and with a request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Start {
    #[error("the runtime does not start: {0}")]
    Runtime(io::Error),
    #[error("{0} cannot be listened on: {1}")]
    Listen(SocketAddr, io::Error),
    #[error(
        "{0} can be reached from other machines, and there are no API keys: give `--keys FILE` (see `inkstone-serve key --help`), \
         or listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    #[error("{path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, io::Error),
    #[error("{}, line {line}: {problem}", .path.display())]
    Keys { path: PathBuf, line: usize, problem: String },
    #[error("{path}: {problem}", path = .0.display(), problem = .1)]
    Tls(PathBuf, String),
    #[error(transparent)]
    Inkstone(#[from] inkstone::Error),
    #[error("{0}")]
    Models(String),
    #[error("{0}: {1}")]
    Health(SocketAddr, String),
    #[error("the operating system gives no random numbers for a key: {0}")]
    Random(String),
}

/// Why a request is not answered as it wants: a status, and what to tell.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    /// After how many seconds it may be tried again.
    pub(crate) retry_after: Option<u64>,
    /// The methods that there are instead.
    pub(crate) allow: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None, allow: None }
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// - allow: the methods that there are at this address; the router knows them if `None`
    pub(crate) fn not_allowed(allow: Option<&'static str>) -> Self {
        let text = "this address is not for this method: /openapi.json says which";
        Self { allow, ..Self::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    pub(crate) fn too_many(text: impl Into<String>, seconds: u64) -> Self {
        Self { retry_after: Some(seconds.max(1)), ..Self::new(StatusCode::TOO_MANY_REQUESTS, text) }
    }
}

/// As both protocols have errors: `{"error": "..."}`.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.text }).to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
