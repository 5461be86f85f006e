//! Parses settings that people may write as a name alone: `"orthogonal"` instead of `{"orthogonal": {}}`.

use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// An enum whose variants may be written as their names.
pub(super) trait NamedAlone: Sized {
    /// What it is, in errors.
    const WHAT: &'static str;
    /// The names of the variants with fields, all of which have defaults.
    const WITH_FIELDS: &'static [&'static str];

    /// The derived way.
    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Parses either form; formats for machines have the derived one alone.
pub(super) fn deserialize<'de, T: NamedAlone, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(NameVisitor(PhantomData))
    } else {
        T::derived(deserializer)
    }
}

struct NameVisitor<T>(PhantomData<T>);

impl<'de, T: NamedAlone> Visitor<'de> for NameVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        if !T::WITH_FIELDS.contains(&name) {
            return T::derived(StrDeserializer::new(name));
        }
        let fields = MapDeserializer::<_, E>::new(std::iter::empty::<(&str, &str)>());
        let named = MapDeserializer::new(std::iter::once((name, fields)));
        T::derived(MapAccessDeserializer::new(named))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::derived(MapAccessDeserializer::new(map))
    }
}
