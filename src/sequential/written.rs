//! Parses layers as people write them, which may be shorter than in model files.

use crate::layers::Layer;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// Layers, each as it is saved or as its name alone.
pub(super) fn layers<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Layer>, D::Error> {
    if deserializer.is_human_readable() {
        Ok(Vec::deserialize(deserializer)?.into_iter().map(|Written(layer)| layer).collect())
    } else {
        Vec::deserialize(deserializer)
    }
}

/// Something as people write it.
struct Written<T>(T);

impl<'de> Deserialize<'de> for Written<Layer> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct LayerVisitor;
        impl<'de> Visitor<'de> for LayerVisitor {
            type Value = Written<Layer>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a layer, as {\"Dense\": {\"units\": 10}} or \"Flatten\"")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
                // The name with no fields.
                let fields = MapDeserializer::<_, E>::new(std::iter::empty::<(&str, &str)>());
                let named = MapDeserializer::new(std::iter::once((name, fields)));
                let layer = Layer::deserialize(MapAccessDeserializer::new(named));
                layer.map(Written).map_err(|error| E::custom(format_args!("{name:?} alone: {error}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
                Layer::deserialize(MapAccessDeserializer::new(map)).map(Written)
            }
        }
        deserializer.deserialize_any(LayerVisitor)
    }
}
