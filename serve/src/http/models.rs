//! What the server says of its models, in both protocols.

use super::json;
use super::target::{Named, version, without_verb};
use crate::access::Caller;
use crate::fault::Refusal;
use crate::models::{Loaded, Version};
use crate::state::State;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// The names of a model's input and output.
pub(super) const INPUT: &str = "input_0";
pub(super) const OUTPUT: &str = "output_0";

/// `GET /v1/models`: the cards of all models that the caller may use.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let caller: Option<Arc<Caller>> = state.keys.caller(&headers)?;
    let models = state.models.all();
    let own = models.iter().filter(|(name, _)| caller.as_ref().is_none_or(|caller| caller.may_use(name)));
    let cards = own.map(|(name, model)| {
        let versions = model.versions.iter().map(|(number, version)| {
            let mut card = version.loaded.as_deref().map_or_else(|| json!({}), card);
            card["version"] = json!(number.to_string());
            card["state"] = json!(state_of(version));
            card["fault"] = json!(version.fault);
            card
        });
        json!({ "name": name, "versions": versions.collect::<Vec<_>>() })
    });
    Ok(json(&json!({ "models": cards.collect::<Vec<_>>() })))
}

/// What people want to know of a model.
fn card(model: &Loaded) -> Value {
    json!({
        "input": model.input,
        "output": model.output,
        "parameters": model.parameters,
        "bytes": model.size,
        "sha256": model.digest,
        "encrypted": model.encrypted,
        "signed": model.signed.is_some(),
        "licensee": model.licence.as_ref().map(|licence| licence.licensee()),
        "classes": model.card.classes,
        "accuracy": model.card.accuracy,
        "description": model.card.description,
    })
}

/// `GET /v1/models/NAME`.
pub(super) async fn status(Shared(state): Shared<Arc<State>>, Named(name): Named<String>) -> Result<Response, Refusal> {
    let model = state.models.model(without_verb(&name)?)?;
    // The newest first, as TensorFlow Serving has them.
    Ok(status_json(model.versions.iter().rev()))
}

/// `GET /v1/models/NAME/versions/VERSION`.
pub(super) async fn status_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, number)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    let (model, number) = (state.models.model(&name)?, version(without_verb(&number)?)?);
    let found = model.versions.get_key_value(&number);
    let found =
        found.ok_or_else(|| Refusal::not_found(format!("there is no version {number} of the model `{name}`")))?;
    Ok(status_json([found]))
}

fn status_json<'a>(versions: impl IntoIterator<Item = (&'a u64, &'a Version)>) -> Response {
    let statuses = versions.into_iter().map(|(number, version)| {
        let code = if version.fault.is_some() { "UNKNOWN" } else { "OK" };
        json!({
            "version": number.to_string(),
            "state": state_of(version),
            "status": { "error_code": code, "error_message": version.fault.as_deref().unwrap_or_default() },
        })
    });
    json(&json!({ "model_version_status": statuses.collect::<Vec<_>>() }))
}

fn state_of(version: &Version) -> &'static str {
    if version.loaded.is_some() { "AVAILABLE" } else { "END" }
}

/// `GET /v1/models/NAME/metadata`.
pub(super) async fn metadata_v1(
    Shared(state): Shared<Arc<State>>,
    Named(name): Named<String>,
) -> Result<Response, Refusal> {
    Ok(signature(&*state.models.get(&name, None)?))
}

/// `GET /v1/models/NAME/versions/VERSION/metadata`.
pub(super) async fn metadata_v1_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, number)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    Ok(signature(&*state.models.get(&name, Some(version(&number)?))?))
}

fn signature(model: &Loaded) -> Response {
    let tensor = |name: &str, axes: &[usize]| {
        let sizes = std::iter::once("-1".to_owned()).chain(axes.iter().map(usize::to_string));
        let dim: Vec<Value> = sizes.map(|size| json!({ "size": size, "name": "" })).collect();
        json!({ "dtype": "DT_FLOAT", "name": name, "tensor_shape": { "dim": dim, "unknown_rank": false } })
    };
    json(&json!({
        "model_spec": { "name": model.name, "signature_name": "", "version": model.version.to_string() },
        "metadata": { "signature_def": { "signature_def": { "serving_default": {
            "inputs": { (INPUT): tensor(INPUT, &model.input) },
            "outputs": { (OUTPUT): tensor(OUTPUT, &model.output) },
            "method_name": "tensorflow/serving/predict",
        } } } },
    }))
}

/// `GET /v2`.
pub(super) async fn server() -> Response {
    json(
        &json!({ "name": "inkstone-serve", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data"] }),
    )
}

/// `GET /v2/models/NAME`.
pub(super) async fn metadata_v2(
    Shared(state): Shared<Arc<State>>,
    Named(name): Named<String>,
) -> Result<Response, Refusal> {
    let versions = state.models.model(&name)?.versions;
    let served = versions.iter().filter(|(_, version)| version.loaded.is_some());
    let versions: Vec<String> = served.map(|(number, _)| number.to_string()).collect();
    Ok(tensors(&*state.models.get(&name, None)?, &versions))
}

/// `GET /v2/models/NAME/versions/VERSION`.
pub(super) async fn metadata_v2_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, number)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    let model = state.models.get(&name, Some(version(&number)?))?;
    Ok(tensors(&model, &[model.version.to_string()]))
}

fn tensors(model: &Loaded, versions: &[String]) -> Response {
    let shape = |axes: &[usize]| std::iter::once(-1).chain(axes.iter().map(|axis| *axis as i64)).collect::<Vec<i64>>();
    json(&json!({
        "name": model.name,
        "versions": versions,
        "platform": "inkstone",
        "inputs": [{ "name": INPUT, "datatype": "FP32", "shape": shape(&model.input) }],
        "outputs": [{ "name": OUTPUT, "datatype": "FP32", "shape": shape(&model.output) }],
    }))
}

/// `GET /v2/models/NAME/ready`.
pub(super) async fn ready(Shared(state): Shared<Arc<State>>, Named(name): Named<String>) -> Result<Response, Refusal> {
    state.models.get(&name, None).map(|_| StatusCode::OK.into_response())
}

/// `GET /v2/models/NAME/versions/VERSION/ready`.
pub(super) async fn ready_of_version(
    Shared(state): Shared<Arc<State>>,
    Named((name, number)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    state.models.get(&name, Some(version(&number)?)).map(|_| StatusCode::OK.into_response())
}
