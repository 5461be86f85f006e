//! TensorFlow Serving's `:predict`, and who else is asked behind a colon.

use super::body::{self, Body, aside};
use super::classify;
use super::guard::Examples;
use super::target::{Named, Verb, verb, version};
use crate::fault::Refusal;
use crate::models::Loaded;
use crate::state::State;
use crate::tensor::Tensor;
use axum::body::Body as Incoming;
use axum::extract::{RawQuery, State as Shared};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};
use std::fmt::Write;
use std::sync::Arc;

/// What `:predict` is sent. Clients send `signature_name`, of which there is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Example by example.
    #[serde(default, deserialize_with = "present")]
    instances: Option<Tensor>,
    /// All together.
    #[serde(default, deserialize_with = "present")]
    inputs: Option<Tensor>,
    #[serde(default)]
    signature_name: Option<String>,
}

/// What is there, which `null` is not.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tensor>, D::Error> {
    Tensor::deserialize(deserializer).map(Some)
}

/// `POST /v1/models/NAME:predict` and `:classify`.
pub(super) async fn post(
    Shared(state): Shared<Arc<State>>,
    Named(segment): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Incoming,
) -> Result<Response, Refusal> {
    let body = body::read(&state, &headers, body).await?;
    let (name, verb) = verb(&segment)?;
    run(&state, state.models.get(name, None)?, verb, query.as_deref(), body).await
}

/// `POST /v1/models/NAME/versions/VERSION:predict` and `:classify`.
pub(super) async fn post_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, segment)): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Incoming,
) -> Result<Response, Refusal> {
    let body = body::read(&state, &headers, body).await?;
    let (number, verb) = verb(&segment)?;
    run(&state, state.models.get(&name, Some(version(number)?))?, verb, query.as_deref(), body).await
}

async fn run(
    state: &State,
    model: Arc<Loaded>,
    verb: Verb,
    query: Option<&str>,
    body: Body,
) -> Result<Response, Refusal> {
    model.check_terms()?;
    match verb {
        Verb::Predict => predict(state, model, &body).await,
        Verb::Classify => classify::classify(state, model, query, body).await,
    }
}

async fn predict(state: &State, model: Arc<Loaded>, bytes: &[u8]) -> Result<Response, Refusal> {
    let request: Request = aside(bytes.len(), || serde_json::from_slice(bytes)).map_err(|error| {
        Refusal::bad(format!("expected `{{\"instances\": [...]}}` with an input {:?} for each: {error}", model.input))
    })?;
    if request.signature_name.as_deref().is_some_and(|name| name != "serving_default") {
        return Err(Refusal::bad("expected the signature `serving_default`, which is the only one"));
    }
    let (tensor, key) = match (request.instances, request.inputs) {
        (Some(instances), None) => (instances, "predictions"),
        (None, Some(inputs)) => (inputs, "outputs"),
        (Some(_), Some(_)) => return Err(Refusal::bad("expected `instances` or `inputs`, found both")),
        (None, None) => return Err(Refusal::bad("expected `instances` or `inputs`, found none")),
    };
    let examples = count(&tensor.shape, &model, state)?;
    let output = model.output.clone();
    let outputs = state.queue.predict(model, examples, tensor.values).await?;
    let shape: Vec<usize> = std::iter::once(examples).chain(output).collect();
    let text = aside(outputs.len() * 12, || {
        let mut text = String::with_capacity(outputs.len() * 12 + 32);
        text.push_str("{\"");
        text.push_str(key);
        text.push_str("\":");
        write_nested(&mut text, &shape, &outputs);
        text.push('}');
        text
    });
    let mut response = ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    response.extensions_mut().insert(Examples(examples));
    Ok(response)
}

/// How many examples an array of this shape has. A last axis of one may be left out.
///
/// # Errors
/// [`Refusal`] if it does not fit the model, or has too many.
pub(super) fn count(shape: &[usize], model: &Loaded, state: &State) -> Result<usize, Refusal> {
    let fits =
        |axes: &[usize]| axes == &model.input[..] || model.input.strip_suffix(&[1]).is_some_and(|input| input == axes);
    match shape {
        [examples, axes @ ..] if *examples > 0 && fits(axes) => {
            let most = usize::try_from(state.limits.max_examples).unwrap_or(usize::MAX);
            if *examples > most {
                return Err(Refusal::bad(format!("expected at most {most} examples in a request, got {examples}")));
            }
            Ok(*examples)
        }
        _ => {
            let expected: Vec<String> = model.input.iter().map(usize::to_string).collect();
            let text = format!("expected inputs of the shape (N, {}), got {shape:?}", expected.join(", "));
            Err(Refusal::bad(text))
        }
    }
}

/// Numbers as nested lists.
pub(super) fn write_nested(text: &mut String, shape: &[usize], values: &[f32]) {
    let [len, rest @ ..] = shape else {
        // Rust writes the shortest digits that give the same float, as JSON wants them.
        let _ = write!(text, "{}", values[0]);
        return;
    };
    let stride = rest.iter().product::<usize>();
    text.push('[');
    for place in 0..*len {
        if place > 0 {
            text.push(',');
        }
        write_nested(text, rest, &values[place * stride..][..stride]);
    }
    text.push(']');
}
