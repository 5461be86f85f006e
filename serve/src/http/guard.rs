//! Before and after each request: who asks, whether that may be, and what is counted and written down of it.

use super::target::{model_of, route_of};
use crate::access::Caller;
use crate::fault::Refusal;
use crate::state::State;
use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How much a request was about, for the audit log: handlers put it into their responses.
#[derive(Clone, Copy)]
pub(super) struct Examples(pub(super) usize);

/// Checks who asks before anything is read of a request's body.
pub(super) async fn guard(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| *address);
    let route = route_of(&path);
    let has_body = !request.body().is_end_stream();
    // Known before it is checked what for, so that the audit log has who was refused.
    let (caller, checked) = match caller(&state, &request, route) {
        Ok(caller) => {
            let checked = check(caller.as_deref(), route, &path);
            (caller, checked)
        }
        Err(refusal) => (None, Err(refusal)),
    };
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    // Those whose body is not read: the connection ends with the answer, and the client is told so.
    if has_body && matches!(response.status().as_u16(), 401 | 403 | 405 | 408 | 413 | 429) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // Only models that there are become labels.
    let model = model_of(&path).filter(|name| state.models.has(name)).unwrap_or_default();
    let (status, time) = (response.status().as_u16(), start.elapsed());
    state.metrics.answered(route, model, status, time);
    if let Some(audit) = state.audit.as_ref().filter(|_| !matches!(route, "health" | "metrics")) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        audit.write(&serde_json::json!({
            "time": now.as_secs_f64(),
            "caller": caller.as_ref().map(|caller| &caller.name),
            "address": peer.map(|peer| peer.ip().to_string()),
            "method": method.as_str(),
            "path": path.chars().take(200).collect::<String>(),
            "model": model,
            "examples": response.extensions().get::<Examples>().map(|Examples(count)| count),
            "status": status,
            "milliseconds": time.as_secs_f64() * 1e3,
        }));
    }
    response
}

/// Who asks.
///
/// # Errors
/// [`Refusal`] without a key that is known.
fn caller(state: &State, request: &Request, route: &str) -> Result<Option<Arc<Caller>>, Refusal> {
    // Probes have no keys, and the page has nothing to hide.
    if matches!(route, "health" | "page" | "openapi") {
        return Ok(None);
    }
    state.keys.caller(request.headers())
}

/// # Errors
/// [`Refusal`] if this caller may not ask for this, or nobody may.
fn check(caller: Option<&Caller>, route: &str, path: &str) -> Result<(), Refusal> {
    let model = model_of(path);
    // Names have no characters that are written so: one that is would be another one here than for handlers.
    if model.is_some_and(|model| model.contains('%')) {
        return Err(Refusal::not_found("there is no such model: names have letters, digits, `-`, `_` and `.`"));
    }
    match (caller, route, model) {
        (None, ..) => Ok(()),
        (Some(caller), "metrics", _) => caller.check_metrics(),
        (Some(caller), _, Some(model)) => caller.check_model(model),
        (Some(_), _, None) => Ok(()),
    }
}
