//! The state of a callback in checkpoints, which a resumed model holds until its training goes on.

use super::Weight;
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// More than any training counts, and few enough that sums of some are no overflow.
const MAX_COUNT: u64 = 1 << 53;

/// The state of a callback, as named values: what [`Callback::state`](crate::callbacks::Callback::state) returns for a
/// checkpoint and [`Callback::restore`](crate::callbacks::Callback::restore) gets back.
///
/// ```
/// use inkstone::callbacks::CallbackState;
/// let state = CallbackState::new("Patience").with("waited", 3).with("best", Some(0.25));
/// assert_eq!(state.get::<usize>("waited")?, 3);
/// assert_eq!(state.get::<Option<f64>>("best")?, Some(0.25));
/// assert_eq!(
///     state.get::<usize>("rate").unwrap_err().to_string(),
///     "the checkpoint's state of Patience has no rate of the expected type"
/// );
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CallbackState {
    pub(crate) callback: String,
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) weights: Option<Vec<Weight>>,
}

impl CallbackState {
    /// An empty state of a callback of this kind. The kind distinguishes it from the states of other callbacks.
    #[must_use]
    pub fn new(callback: impl Into<String>) -> Self {
        Self { callback: callback.into(), values: BTreeMap::new(), weights: None }
    }

    /// Adds a value that JSON can represent. It has no NaN or infinity: store their bits instead.
    ///
    /// # Panics
    /// If the value's own `Serialize` fails, as that of a map whose keys are no texts.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).expect("a callback's state can be written as JSON");
        self.values.insert(name.to_owned(), value);
        self
    }

    /// Sets weights to be kept: a copy of all weights of the model, as [`get_weights`](crate::Model::get_weights) made
    /// it.
    #[must_use]
    pub fn with_weights(self, weights: Option<Vec<Weight>>) -> Self {
        Self { weights, ..self }
    }

    /// The value of this name.
    ///
    /// # Errors
    /// [`Error::Callback`] if there is none of this name and type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.values.get(name).and_then(|value| serde_json::from_value(value.clone()).ok());
        value.ok_or_else(|| {
            Error::Callback(format!("the checkpoint's state of {} has no {name} of the expected type", self.callback))
        })
    }

    /// The value of this name as a count of epochs or batches, to which some can be added.
    ///
    /// # Errors
    /// [`Error::Callback`] if there is none, or it is more than 2^53.
    pub(crate) fn count(&self, name: &str) -> Result<usize> {
        self.optional_count(name)?.ok_or_else(|| {
            Error::Callback(format!(
                "the checkpoint's state of {} has no {name}: use another checkpoint",
                self.callback
            ))
        })
    }

    /// The same, where there may be none.
    pub(crate) fn optional_count(&self, name: &str) -> Result<Option<usize>> {
        let Some(count) = self.get::<Option<u64>>(name)? else { return Ok(None) };
        usize::try_from(count).ok().filter(|_| count <= MAX_COUNT).map(Some).ok_or_else(|| {
            let callback = &self.callback;
            Error::Callback(format!(
                "the checkpoint's state of {callback} has the {name} {count}: expected a count of at most {MAX_COUNT}, use \
                 another checkpoint"
            ))
        })
    }

    /// The weights that were kept.
    #[must_use]
    pub fn weights(&self) -> Option<&[Weight]> {
        self.weights.as_deref()
    }

    /// Whether this could be a state of the same callback: of its kind, with the same names.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.callback == other.callback && self.values.keys().eq(other.values.keys())
    }
}
