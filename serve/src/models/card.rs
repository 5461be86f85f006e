//! What people say of a model, in a file beside it: `digits.safetensors.card.json`.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// The longest card that is read.
const MAX_LEN: u64 = 1 << 20;

/// What people say of a model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    /// What its classes are called, by number.
    #[serde(default)]
    pub(crate) classes: Vec<String>,
    /// The part of a test set that it gets right.
    #[serde(default)]
    pub(crate) accuracy: Option<f64>,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// The card beside a model's file; an empty one if there is none.
///
/// # Errors
/// What is wrong with it.
pub(super) fn beside(path: &Path) -> Result<Card, String> {
    let mut place = path.as_os_str().to_owned();
    place.push(".card.json");
    let place = Path::new(&place);
    let Ok(metadata) = place.metadata() else { return Ok(Card::default()) };
    if !metadata.is_file() || metadata.len() > MAX_LEN {
        return Err(format!("{}: expected a small file", place.display()));
    }
    let fault = |error: &dyn std::fmt::Display| format!("{}: expected a card: {error}", place.display());
    let text = std::fs::read_to_string(place).map_err(|error| fault(&error))?;
    serde_json::from_str(&text).map_err(|error| fault(&error))
}
