//! The binary extension of the Open Inference Protocol: numbers as bytes behind the text in JSON.

use super::infer::Datatype;
use crate::fault::Refusal;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// How long the text is, before the bytes.
const TEXT_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The text and the bytes behind it.
///
/// # Errors
/// [`Refusal`] if the header does not fit the body.
pub(super) fn split<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Refusal> {
    let Some(length) = headers.get(TEXT_LENGTH) else { return Ok((body, &[])) };
    let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
    length.and_then(|length| body.split_at_checked(length)).ok_or_else(|| {
        Refusal::bad(format!(
            "expected at most {} in the header `{TEXT_LENGTH}`, as the body has no more bytes",
            body.len()
        ))
    })
}

/// The numbers of these bytes, little-endian.
///
/// # Errors
/// [`Refusal`] if they are not a whole number of numbers, or one is no 32-bit float.
pub(super) fn values(datatype: Datatype, bytes: &[u8]) -> Result<Vec<f32>, Refusal> {
    let (values, rest): (Vec<f32>, &[u8]) = match datatype {
        Datatype::Uint8 => (bytes.iter().map(|byte| f32::from(*byte)).collect(), &[]),
        Datatype::Fp32 => numbers(bytes, f32::from_le_bytes),
        Datatype::Fp64 => numbers(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        Datatype::Int32 => numbers(bytes, |bytes| i32::from_le_bytes(bytes) as f32),
        Datatype::Int64 => numbers(bytes, |bytes| i64::from_le_bytes(bytes) as f32),
    };
    if !rest.is_empty() {
        return Err(Refusal::bad(format!("expected whole numbers of {datatype:?}, found {} bytes more", rest.len())));
    }
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(Refusal::bad(format!("expected numbers that a 32-bit float holds, found {value}"))),
        None => Ok(values),
    }
}

fn numbers<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f32) -> (Vec<f32>, &[u8]) {
    let (numbers, rest) = bytes.as_chunks();
    (numbers.iter().map(|bytes| of(*bytes)).collect(), rest)
}

/// The answer with the numbers behind it.
pub(super) fn response(mut answer: Value, mut output: Value, values: &[f32]) -> Response {
    output["parameters"] = json!({ "binary_data_size": values.len() * 4 });
    answer["outputs"] = json!([output]);
    let mut body = answer.to_string().into_bytes();
    let length = HeaderValue::from(body.len());
    values.iter().for_each(|value| body.extend(value.to_le_bytes()));
    let kind = HeaderValue::from_static("application/octet-stream");
    ([(header::CONTENT_TYPE, kind), (TEXT_LENGTH, length)], body).into_response()
}
