//! Bodies of requests: read with a limit, in time. They are read before anything else is looked at: a connection on which a
//! body was left unread is closed, and its client would have to make a new one after each wrong request.

use crate::fault::Refusal;
use crate::state::State;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};

/// All of a body.
///
/// # Errors
/// [`Refusal`] if it is too long, comes too slowly, or ends too soon.
pub(super) async fn read(state: &State, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let limit = state.limits.max_body;
    let too_long = || {
        let text = format!("expected a body of at most {limit} bytes: send fewer examples at a time");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    let promised = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if promised.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    match tokio::time::timeout(state.timeout(), to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_limit(&error) => Err(too_long()),
        Ok(Err(_)) => Err(Refusal::bad("the body ended too soon")),
        Err(_) => {
            let text = format!("the body did not come within {} seconds", state.timeout().as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

/// Whether a body was longer than the limit.
fn is_limit(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        // The crate that has its type is not public.
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}
