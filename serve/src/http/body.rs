//! Bodies of requests: read with a limit, in time. They are read before anything else is looked at: a connection on which a
//! body was left unread is closed, and its client would have to make a new one after each wrong request.

use crate::fault::Refusal;
use crate::state::State;
use axum::body::{Body as Incoming, Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use std::ops::Deref;
use tokio::sync::OwnedSemaphorePermit;

/// How many bytes a request may take for each of its body: numbers of two characters become floats, which are put
/// together with those of others, and give outputs.
const GROWTH: usize = 8;
/// What takes less is parsed where it was read; other requests wait no longer for it than for a packet.
const SMALL: usize = 64 << 10;

/// All of a body, and the room that is kept for what becomes of it.
pub(super) struct Body {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Computes something of so many bytes, which takes long where they are many: then other requests go on elsewhere.
pub(super) fn aside<T>(bytes: usize, compute: impl FnOnce() -> T) -> T {
    if bytes > SMALL { tokio::task::block_in_place(compute) } else { compute() }
}

/// All of a body.
///
/// # Errors
/// [`Refusal`] if it is too long, comes too slowly, or ends too soon, or there is no room for it now.
pub(super) async fn read(state: &State, headers: &HeaderMap, body: Incoming) -> Result<Body, Refusal> {
    let limit = usize::try_from(state.limits.max_body).unwrap_or(usize::MAX);
    let too_long = || {
        let text = format!("expected a body of at most {limit} bytes: send fewer examples at a time");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    let promised = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if promised.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let kibibytes = promised.unwrap_or(limit).saturating_mul(GROWTH) / 1024 + 1;
    let all = usize::try_from(state.limits.max_memory >> 10).unwrap_or(usize::MAX);
    let kibibytes = u32::try_from(kibibytes.min(all)).unwrap_or(u32::MAX);
    let room = state.room.clone().try_acquire_many_owned(kibibytes);
    let room = room.map_err(|_| Refusal::too_many("other requests take all the memory there is for them", 1))?;
    match tokio::time::timeout(state.timeout(), to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(Body { bytes, _room: room }),
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
