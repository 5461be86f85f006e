//! Parses JSON so that errors and unknown fields have their place. All descriptions go through the one function here:
//! what parses a layer is compiled once for each type of parser, and three of them took 30 % of the time to compile the
//! crate (LLVM's passes, 2026-11-26).

use serde::de::DeserializeOwned;
use serde_json::Deserializer;
use serde_json::de::StrRead;

/// An error with its place.
pub(super) type PlacedError = serde_path_to_error::Error<serde_json::Error>;

/// Parses one value; `ignored` gets the place of each unknown field that is no error.
pub(super) fn parse<D: DeserializeOwned>(
    json: &mut Deserializer<StrRead<'_>>,
    // Not generic, so that all callers share one type of parser.
    mut ignored: &mut dyn FnMut(serde_ignored::Path<'_>),
) -> Result<D, PlacedError> {
    serde_path_to_error::deserialize(serde_ignored::Deserializer::new(json, &mut ignored))
}
