//! `:classify`: a picture as it comes, and what class it is of.

use super::body::Body;
use super::guard::Examples;
use super::json;
use crate::fault::Refusal;
use crate::models::Loaded;
use crate::pictures::{Form, input};
use crate::state::State;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// Answers with the class, the probability of each, and what the model saw, 0 to 255, if `show=input` asks for it.
pub(super) async fn classify(
    state: &State,
    model: Arc<Loaded>,
    query: Option<&str>,
    body: Body,
) -> Result<Response, Refusal> {
    let (mut form, mut show) = (None, false);
    for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("form", value)) => form = Some(value),
            Some(("show", "input")) => show = true,
            _ => {
                let part: String = part.chars().take(50).collect();
                return Err(Refusal::bad(format!("expected `form=mnist`, `form=whole` or `show=input`, got `{part}`")));
            }
        }
    }
    let form = Form::of(form, &model)?;
    if model.output.len() != 1 || model.output == [1] {
        let text = format!("the model `{}` chooses no class: its output is {:?}", model.name, model.output);
        return Err(Refusal::bad(text));
    }
    // Pictures take long to decode: other requests go on meanwhile.
    let permit = state.decoding.clone().acquire_owned().await;
    let decoding = model.clone();
    let seen = tokio::task::spawn_blocking(move || {
        // Kept to the end even if nobody waits for it any more: what is decoded takes its memory all the same.
        let _permit = permit;
        input(&body, &decoding, form)
    });
    let seen = seen.await;
    let seen = seen.unwrap_or_else(|_| Err(Refusal::bad("expected a picture, found one that cannot be decoded")))?;
    let pixels: Option<Vec<u8>> = show.then(|| seen.iter().map(|value| (value * 255.0).round() as u8).collect());
    let probabilities = state.queue.predict(model.clone(), 1, seen).await?;
    let class = probabilities.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
    let class = class.map_or(0, |(class, _)| class);
    let mut answer = json!({
        "model": model.name,
        "version": model.version.to_string(),
        "class": class,
        "name": model.card.classes.get(class),
        "probability": probabilities[class],
        "probabilities": probabilities,
    });
    if let Some(pixels) = pixels {
        answer["input"] = json!({ "shape": model.input, "pixels": pixels });
    }
    let mut response = json(&answer);
    response.extensions_mut().insert(Examples(1));
    Ok(response)
}
