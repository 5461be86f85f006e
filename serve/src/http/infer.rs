//! The Open Inference Protocol's `infer`.

use super::body::{self, aside};
use super::guard::Examples;
use super::infer_binary as binary;
use super::models::{INPUT, OUTPUT};
use super::predict::{count, write_nested};
use super::target::{Named, version};
use crate::fault::Refusal;
use crate::models::Loaded;
use crate::state::State;
use crate::tensor::Tensor;
use axum::body::Body as Incoming;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is asked.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Option<String>,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: Datatype,
    #[serde(default)]
    data: Option<Tensor>,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Parameters,
}

/// Those of the binary extension; others mean nothing here.
#[derive(Default, Deserialize)]
struct Parameters {
    binary_data_size: Option<usize>,
    binary_data: Option<bool>,
    binary_data_output: Option<bool>,
}

/// Types of numbers. Bytes are pixels: 0 to 255 become 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Datatype {
    #[serde(rename = "FP32")]
    Fp32,
    #[serde(rename = "FP64")]
    Fp64,
    #[serde(rename = "UINT8")]
    Uint8,
    #[serde(rename = "INT32")]
    Int32,
    #[serde(rename = "INT64")]
    Int64,
}

/// `POST /v2/models/NAME/infer`.
pub(super) async fn infer(
    Shared(state): Shared<Arc<State>>,
    Named(name): Named<String>,
    headers: HeaderMap,
    body: Incoming,
) -> Result<Response, Refusal> {
    let body = body::read(&state, &headers, body).await?;
    run(&state, state.models.get(&name, None)?, &headers, &body).await
}

/// `POST /v2/models/NAME/versions/VERSION/infer`.
pub(super) async fn infer_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, number)): Named<(String, String)>,
    headers: HeaderMap,
    body: Incoming,
) -> Result<Response, Refusal> {
    let body = body::read(&state, &headers, body).await?;
    run(&state, state.models.get(&name, Some(version(&number)?))?, &headers, &body).await
}

async fn run(state: &State, model: Arc<Loaded>, headers: &HeaderMap, bytes: &[u8]) -> Result<Response, Refusal> {
    model.check_terms()?;
    let (text, tail) = binary::split(headers, bytes)?;
    let request: Request = aside(text.len(), || serde_json::from_slice(text)).map_err(|error| {
        Refusal::bad(format!("expected `{{\"inputs\": [{{\"name\", \"shape\", \"datatype\", \"data\"}}]}}`: {error}"))
    })?;
    let as_bytes = binary_output(&request)?;
    let Request { id, inputs, .. } = request;
    let [input] = <[Input; 1]>::try_from(inputs)
        .map_err(|inputs| Refusal::bad(format!("expected one input, `{INPUT}`, found {}", inputs.len())))?;
    let (examples, values) = values(input, tail, &model, state)?;
    let outputs = state.queue.predict(model.clone(), examples, values).await?;
    let shape: Vec<usize> = std::iter::once(examples).chain(model.output.iter().copied()).collect();
    let mut answer = json!({ "model_name": model.name, "model_version": model.version.to_string() });
    if let Some(id) = id {
        answer["id"] = json!(id);
    }
    let output = json!({ "name": OUTPUT, "datatype": "FP32", "shape": shape });
    let mut response = if as_bytes {
        binary::response(answer, output, &outputs)
    } else {
        let text = aside(outputs.len() * 12, || with_data(answer, output, &outputs));
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    };
    response.extensions_mut().insert(Examples(examples));
    Ok(response)
}

/// Whether the output is wanted as bytes.
///
/// # Errors
/// [`Refusal`] if another output is wanted.
fn binary_output(request: &Request) -> Result<bool, Refusal> {
    let mut as_bytes = request.parameters.binary_data_output.unwrap_or(false);
    for output in &request.outputs {
        if output.name != OUTPUT {
            let name: String = output.name.chars().take(50).collect();
            return Err(Refusal::bad(format!("expected the output `{OUTPUT}`, which is the only one, found `{name}`")));
        }
        as_bytes = output.parameters.binary_data.unwrap_or(as_bytes);
    }
    Ok(as_bytes)
}

/// How many examples there are, and their values.
fn values(input: Input, tail: &[u8], model: &Loaded, state: &State) -> Result<(usize, Vec<f32>), Refusal> {
    let Input { name, shape, datatype, data, parameters } = input;
    if name != INPUT {
        let name: String = name.chars().take(50).collect();
        return Err(Refusal::bad(format!("expected the input `{INPUT}`, which is the only one, found `{name}`")));
    }
    let examples = count(&shape, model, state)?;
    let expected = examples.saturating_mul(model.input_len());
    let mut values = match (data, parameters.binary_data_size) {
        (Some(data), None) if tail.is_empty() => data.values,
        (None, Some(len)) if len == tail.len() => binary::values(datatype, tail)?,
        (None, Some(len)) => {
            let text = format!("expected `binary_data_size` bytes behind the JSON text, {len}, found {}", tail.len());
            return Err(Refusal::bad(text));
        }
        _ => return Err(Refusal::bad("expected `data`, or bytes behind the JSON text with their `binary_data_size`")),
    };
    if values.len() != expected {
        let text = format!("expected {expected} values for the shape {shape:?}, found {}", values.len());
        return Err(Refusal::bad(text));
    }
    if datatype == Datatype::Uint8 {
        values.iter_mut().for_each(|value| *value /= 255.0);
    }
    Ok((examples, values))
}

/// The answer with the numbers in it, flat, as the protocol has them.
fn with_data(answer: Value, output: Value, values: &[f32]) -> String {
    let mut text = answer.to_string();
    let mut output = output.to_string();
    // Both end with a brace, which what is added comes before.
    text.pop();
    output.pop();
    text.push_str(",\"outputs\":[");
    text.push_str(&output);
    text.push_str(",\"data\":");
    write_nested(&mut text, &[values.len()], values);
    text.push_str("}]}");
    text
}
