//! What a regularizer adds to the loss, as users choose it.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What is added to the loss for each value of a weight or of a layer's output, as [Keras'
/// regularizers](https://keras.io/api/layers/regularizers/): `l1 * sum(|x|) + l2 * sum(x²)`.
///
/// The loss that `fit`, `evaluate` and callbacks report has it in it; the losses of single outputs, where there are
/// several, have not. Weights that are not trained add nothing.
///
/// ```
/// use inkstone::prelude::*;
/// let mut model = Sequential::new([2])
///     .add(Dense::new(1).kernel_initializer(Initializer::Ones).kernel_regularizer(Regularizer::l2(0.5)))
///     .compile(Sgd::new(0.1), MeanSquaredError, [])?;
/// // The prediction, 3, is right, so that all of the loss is the regularizer's: 0.5 * (1² + 1²).
/// let scores = model.train_on_batch(&[[1.0, 2.0]], &[3.0])?;
/// assert_eq!(scores.loss, 1.0);
/// // A step of gradient descent takes 0.1 * 2 * 0.5 * 1 from each weight.
/// assert_eq!(model.get_weight("dense/kernel")?.values.as_slice(), Some(&[0.9, 0.9][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// In JSON it is `{"l2": 0.0001}`, or as in Keras a name alone, `"l1"`, `"l2"` or `"l1_l2"`, whose factors are 0.01.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
#[non_exhaustive]
pub struct Regularizer {
    /// What the sum of the absolute values is multiplied by.
    #[serde(default)]
    pub l1: f32,
    /// What the sum of the squares is multiplied by.
    #[serde(default)]
    pub l2: f32,
}

impl Regularizer {
    /// The sum of the absolute values times this, which makes many of them 0. Keras' default is 0.01.
    #[must_use]
    pub fn l1(l1: f32) -> Self {
        Self { l1, l2: 0.0 }
    }

    /// The sum of the squares times this, which keeps all of them small. Keras' default is 0.01.
    #[must_use]
    pub fn l2(l2: f32) -> Self {
        Self { l1: 0.0, l2 }
    }

    /// Both.
    #[must_use]
    pub fn l1_l2(l1: f32, l2: f32) -> Self {
        Self { l1, l2 }
    }

    /// # Errors
    /// What it is, in a sentence's end, if a factor is out of range.
    pub(crate) fn check(self) -> Result<(), String> {
        let is_factor = |factor: f32| factor.is_finite() && factor >= 0.0;
        if is_factor(self.l1) && is_factor(self.l2) {
            return Ok(());
        }
        Err(format!("with finite factors of at least 0, got {self:?}"))
    }
}

/// The factor of a name alone.
const DEFAULT: f32 = 0.01;

struct RegularizerVisitor;

impl<'de> Visitor<'de> for RegularizerVisitor {
    type Value = Regularizer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a regularizer, as \"l2\" or {\"l2\": 0.01}")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Regularizer, E> {
        match name {
            "l1" => Ok(Regularizer::l1(DEFAULT)),
            "l2" => Ok(Regularizer::l2(DEFAULT)),
            "l1_l2" => Ok(Regularizer::l1_l2(DEFAULT, DEFAULT)),
            _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Regularizer, A::Error> {
        Regularizer::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Regularizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(RegularizerVisitor)
        } else {
            Self::deserialize(deserializer)
        }
    }
}

impl Serialize for Regularizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}
