//! Validates safetensors headers: the header must be shorter than the file, without duplicate names or unknown fields,
//! and the tensors must be contiguous and end where the file ends.

use super::format::MAX_HEADER;
use super::weights::Tensors;
use crate::error::ModelFault;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

/// A header that has been checked against the length of its file.
#[derive(Debug)]
pub(super) struct Header {
    /// The metadata.
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: Tensors,
    /// Bytes after the header.
    pub(super) data_len: usize,
}

/// Why there is no header.
pub(super) enum HeaderError {
    Io(io::Error),
    Fault(ModelFault),
}

/// Reads the header of a file of `len` bytes, and nothing after it. Allocates no more memory than the file has bytes.
pub(super) fn read(source: &mut impl Read, len: u64) -> Result<Header, HeaderError> {
    if len < 8 {
        return Err(HeaderError::Fault(ModelFault::TooShort { found: len }));
    }
    let mut promised = [0; 8];
    source.read_exact(&mut promised).map_err(HeaderError::Io)?;
    let promised = u64::from_le_bytes(promised);
    if promised > MAX_HEADER {
        return Err(HeaderError::Fault(ModelFault::HeaderTooLarge { found: promised, limit: MAX_HEADER }));
    }
    let before_data = 8 + promised;
    if before_data > len {
        return Err(HeaderError::Fault(ModelFault::Length { expected: before_data, found: len }));
    }
    let mut text = vec![0; promised as usize];
    source.read_exact(&mut text).map_err(HeaderError::Io)?;
    parse(&text, before_data, len).map_err(HeaderError::Fault)
}

fn parse(text: &[u8], before_data: u64, len: u64) -> Result<Header, ModelFault> {
    let header = |error: &dyn fmt::Display| ModelFault::Header(error.to_string());
    let Entries { metadata, tensors } = serde_json::from_slice(text).map_err(|error| header(&error))?;
    let mut in_order: Vec<(String, TensorInfo)> = tensors.clone().into_iter().collect();
    in_order.sort_by_key(|(_, tensor)| tensor.data_offsets);
    // That they lie side by side, and are as long as type and shape say, is checked by the library.
    let data_len = Metadata::new(None, in_order).map_err(|error| header(&error))?.data_len();
    let expected = before_data.saturating_add(data_len as u64);
    if expected != len {
        return Err(ModelFault::Length { expected, found: len });
    }
    Ok(Header { metadata, tensors, data_len })
}

/// The header as it is in the file.
struct Entries {
    metadata: BTreeMap<String, String>,
    tensors: Tensors,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut metadata, mut tensors) = (None, Tensors::new());
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == "__metadata__" {
                        let found = map.next_value::<Option<Unique>>()?;
                        metadata.replace(found.map_or_else(BTreeMap::new, |Unique(found)| found)).is_some()
                    } else {
                        let Tensor { dtype, shape, data_offsets } = map.next_value()?;
                        tensors.insert(name.clone(), TensorInfo { dtype, shape, data_offsets }).is_some()
                    };
                    if twice {
                        return Err(A::Error::custom(format_args!("`{name}` comes twice")));
                    }
                }
                Ok(Entries { metadata: metadata.unwrap_or_default(), tensors })
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// As the library's `TensorInfo`, which lets unknown fields pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// Texts by names, none of which comes twice.
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueVisitor;
        impl<'de> Visitor<'de> for UniqueVisitor {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if texts.contains_key(&name) {
                        map.next_value::<IgnoredAny>()?;
                        return Err(A::Error::custom(format_args!("`{name}` comes twice")));
                    }
                    texts.insert(name, map.next_value()?);
                }
                Ok(Unique(texts))
            }
        }
        deserializer.deserialize_map(UniqueVisitor)
    }
}
