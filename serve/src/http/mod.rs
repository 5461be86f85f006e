//! What is answered at which address.

mod body;
mod classify;
mod guard;
mod infer;
mod infer_binary;
mod models;
mod predict;
mod target;

use crate::fault::Refusal;
use crate::state::State;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// All addresses.
pub(crate) fn router(state: Arc<State>) -> Router {
    // Of the Open Inference Protocol.
    let v2 = Router::new()
        .route("/v2", get(models::server))
        .route("/v2/health/live", get(|| async { StatusCode::OK }))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/{name}", get(models::metadata_v2))
        .route("/v2/models/{name}/ready", get(models::ready))
        .route("/v2/models/{name}/infer", post(infer::infer))
        .route("/v2/models/{name}/versions/{version}", get(models::metadata_v2_of_version))
        .route("/v2/models/{name}/versions/{version}/ready", get(models::ready_of_version))
        .route("/v2/models/{name}/versions/{version}/infer", post(infer::infer_of_version));
    // Of TensorFlow Serving: what is asked of a model stands behind a colon.
    let v1 = Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{name}", get(models::status).post(predict::post))
        .route("/v1/models/{name}/metadata", get(models::metadata_v1))
        .route("/v1/models/{name}/versions/{version}", get(models::status_of_version).post(predict::post_of_version))
        .route("/v1/models/{name}/versions/{version}/metadata", get(models::metadata_v1_of_version));
    Router::new()
        .route("/", get(page))
        .route("/openapi.json", get(openapi))
        .route("/metrics", get(metrics))
        .merge(v1)
        .merge(v2)
        .fallback(|| async { Refusal::not_found("there is nothing at this address: /openapi.json says what there is") })
        .method_not_allowed_fallback(|uri: Uri| async move { Refusal::not_allowed(target::allowed(uri.path())) })
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state)
}

/// Whether every model that was there at the start is served: not before all are loaded, and not when the server stops.
async fn ready(Shared(state): Shared<Arc<State>>) -> Response {
    if state.stopping.load(Ordering::Relaxed) {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server stops").into_response();
    }
    if !state.models.is_ready() {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "a model is not loaded: /v1/models says which")
            .into_response();
    }
    StatusCode::OK.into_response()
}

async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.metrics.text()).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("../openapi.json")).into_response()
}

/// The page to draw on, as one file.
const PAGE: &str = concat!(
    include_str!("../page/head.html"),
    "<style>\n",
    include_str!("../page/style.css"),
    "</style>\n</head>\n<body>\n",
    include_str!("../page/body.html"),
    "<script>\n",
    include_str!("../page/script.js"),
    "</script>\n</body>\n</html>\n",
);

/// The page to draw on. It loads nothing from elsewhere, and no other page may show it in a frame.
async fn page() -> Response {
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; \
                  frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, PAGE).into_response()
}

/// A text in JSON.
fn json(value: &serde_json::Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_is_of_this_version() {
        let description: serde_json::Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
