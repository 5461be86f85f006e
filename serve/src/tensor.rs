//! Numbers of a request: nested lists of JSON, read into one row of memory as they come.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// How deep lists may be nested.
const MAX_AXES: usize = 8;

/// Numbers and their shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reading = Reading::default();
        Nested { reading: &mut reading, depth: 0 }.deserialize(deserializer)?;
        Ok(Self { shape: reading.shape, values: reading.values })
    }
}

#[derive(Default)]
struct Reading {
    /// As far as it is known: the lengths of the first list of each depth.
    shape: Vec<usize>,
    /// The depth of numbers, once one was read.
    leaves: Option<usize>,
    values: Vec<f32>,
}

/// A list at a depth, or a number.
struct Nested<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Nested<'_> {
    fn number<E: Error>(self, value: f64) -> Result<(), E> {
        let leaves = *self.reading.leaves.get_or_insert(self.depth);
        if leaves != self.depth {
            return Err(E::custom("expected lists nested equally deep, found a number beside a list"));
        }
        let value = value as f32;
        if !value.is_finite() {
            return Err(E::custom(format_args!("expected numbers that a 32-bit float holds, found {value}")));
        }
        self.reading.values.push(value);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of such")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(value as f64)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.number(f64::from(u8::from(value)))
    }

    /// As clients name the only input of a model: `{"input_0": [...]}`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { reading, depth } = self;
        if map.next_key::<String>()?.is_none() {
            return Err(A::Error::custom("expected the model's input by its name, found an empty object"));
        }
        map.next_value_seed(Nested { reading, depth })?;
        match map.next_key::<String>()? {
            Some(name) => {
                Err(A::Error::custom(format_args!("expected one input, found another one, `{name}`, as well")))
            }
            None => Ok(()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reading, depth } = self;
        if depth == MAX_AXES {
            return Err(A::Error::custom(format_args!("expected at most {MAX_AXES} lists in each other, found more")));
        }
        if reading.leaves.is_some_and(|leaves| leaves <= depth) {
            return Err(A::Error::custom("expected lists nested equally deep, found a list beside a number"));
        }
        let is_first = reading.shape.len() == depth;
        if is_first {
            // Its length is known at its end; zero stands for it as long as lists in it are read.
            reading.shape.push(0);
        }
        let mut len = 0;
        while list.next_element_seed(Nested { reading: &mut *reading, depth: depth + 1 })?.is_some() {
            len += 1;
        }
        if is_first {
            reading.shape[depth] = len;
        } else if reading.shape[depth] != len {
            return Err(A::Error::custom(format_args!(
                "expected lists of equal lengths, found one of {} and one of {len}",
                reading.shape[depth]
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Tensor, String> {
        serde_json::from_str(text).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn nested_lists_become_rows_and_a_shape() {
        let tensor = read("[[[1, 2.5], [3, -4e0]], [[5, 6], [true, 8]]]").unwrap();
        assert_eq!((&tensor.shape[..], &tensor.values[..]), (&[2, 2, 2][..], &[1., 2.5, 3., -4., 5., 6., 1., 8.][..]));
        assert_eq!(read("3").unwrap(), Tensor { shape: vec![], values: vec![3.0] });
        assert_eq!(read(r#"[{"x": [1, 2]}, {"x": [3, 4]}]"#).unwrap().shape, [2, 2]);
        assert_eq!(read("[]").unwrap().shape, [0]);
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for (text, expected) in [
            ("[[1, 2], [3]]", "expected lists of equal lengths, found one of 2 and one of 1"),
            ("[[1], 2]", "found a number beside a list"),
            ("[1, [2]]", "found a list beside a number"),
            ("[1e39]", "expected numbers that a 32-bit float holds, found inf"),
            ("[\"a\"]", "expected a number or a list of such"),
            ("[null]", "expected a number or a list of such"),
            ("[{}]", "found an empty object"),
            (r#"[{"x": 1, "y": 2}]"#, "expected one input, found another one, `y`, as well"),
            ("[[[[[[[[[1]]]]]]]]]", "expected at most 8 lists in each other"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
