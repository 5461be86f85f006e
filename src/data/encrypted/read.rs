//! Reads data sets. What determines a size is checked against the length of the file before memory is allocated.

use super::{ENTRY, ID_LENGTHS, IDS, INPUTS, LABELS, TARGETS, VALUES, VERSION};
use crate::data::dataset::StoredInputs;
use crate::data::{Dataset, Values};
use crate::error::{Error, Result};
use crate::protect::{Decrypted, reading_error};
use crate::shape::Shape;
use ndarray::{Array2, Array4};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::io::{self, Read};

/// The longest description that is read: of a few tensors.
const MAX_HEADER: u64 = 1 << 16;
/// How many bytes of floats are decoded together.
const PIECE: usize = 1 << 16;

/// The tensors of a file, as far as they have been read.
#[derive(Default)]
struct Parts {
    inputs: Option<(StoredInputs, Shape)>,
    targets: Option<(StoredInputs, Shape)>,
    labels: Option<Vec<usize>>,
    values: Option<Array2<f32>>,
    ids: Option<Vec<u8>>,
    id_lengths: Option<Vec<usize>>,
}

/// - place: what errors call the file
pub(super) fn dataset(file: Decrypted, place: &str) -> Result<Dataset> {
    Reading { file, place }.dataset()
}

struct Reading<'a> {
    file: Decrypted,
    place: &'a str,
}

impl Reading<'_> {
    fn dataset(mut self) -> Result<Dataset> {
        let metadata = self.header()?;
        let mut tensors: Vec<(String, TensorInfo)> =
            metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut parts = Parts::default();
        for (name, info) in &tensors {
            self.part(&mut parts, name, info)?;
        }
        // Only the end of the file shows that it is whole.
        if self.file.read(&mut [0]).map_err(|source| self.io(source))? != 0 {
            return Err(self.fault("nothing after its last tensor", "more"));
        }
        let Parts { inputs: Some((inputs, shape)), targets, labels, values, ids, id_lengths } = parts else {
            return Err(self.fault("`inputs`", "none"));
        };
        let dataset = || {
            let values = match (values, targets) {
                (Some(values), _) => Some(Values::from(values)),
                (None, Some((targets, shape))) => Some(Values::from(&Dataset::new(targets, shape, None, None)?)),
                (None, None) => None,
            };
            Dataset::new(inputs, shape, labels, values)
        };
        let dataset = dataset().map_err(|error| Error::Data(format!("{}: {error}", self.place)))?;
        match (ids, id_lengths) {
            (None, None) => Ok(dataset),
            (Some(ids), Some(lengths)) => {
                let ids =
                    texts(&ids, &lengths).ok_or_else(|| self.fault("names as long as `id_lengths` says", "others"))?;
                dataset.with_ids(ids).map_err(|error| Error::Data(format!("{}: {error}", self.place)))
            }
            (Some(_), None) | (None, Some(_)) => Err(self.fault("`ids` and `id_lengths`", "one of them")),
        }
    }

    /// The description of the tensors, which lie side by side and end where the file ends.
    fn header(&mut self) -> Result<Metadata> {
        let len = self.file.content_len();
        let mut promised = [0; 8];
        if len < 8 {
            return Err(self.fault("a safetensors file", "less than its first 8 bytes"));
        }
        self.exactly(&mut promised)?;
        let promised = u64::from_le_bytes(promised);
        if promised > MAX_HEADER || 8 + promised > len {
            return Err(self.fault("a safetensors file with a short header", &format!("one of {promised} bytes")));
        }
        let mut text = vec![0; promised as usize];
        self.exactly(&mut text)?;
        let metadata: Metadata = serde_json::from_slice(&text)
            .map_err(|error| self.fault("the header of a safetensors file", &format!("something else ({error})")))?;
        match metadata.metadata().as_ref().and_then(|entries| entries.get(ENTRY)) {
            Some(version) if version == VERSION => {}
            Some(version) => {
                return Err(self.fault("version 1 of a data set", &format!("version {version}, of a newer Inkstone")));
            }
            None => return Err(self.fault("a data set that Inkstone saved", "another safetensors file")),
        }
        let expected = (8 + promised).saturating_add(metadata.data_len() as u64);
        if expected != len {
            return Err(self.fault(&format!("{expected} bytes, as its header says"), &len.to_string()));
        }
        Ok(metadata)
    }

    fn part(&mut self, parts: &mut Parts, name: &str, info: &TensorInfo) -> Result<()> {
        let TensorInfo { dtype, shape, data_offsets: (start, end) } = info;
        let len = end - start;
        match (name, dtype, &shape[..]) {
            (INPUTS, Dtype::U8 | Dtype::F32, [_, axes @ ..]) if Shape::new(axes).is_some() => {
                parts.inputs = Some(self.examples(*dtype, shape, len)?);
            }
            (TARGETS, Dtype::U8 | Dtype::F32, [_, axes @ ..]) if Shape::new(axes).is_some() => {
                parts.targets = Some(self.examples(*dtype, shape, len)?);
            }
            (LABELS, Dtype::I64, [_]) => parts.labels = Some(self.integers(len)?),
            (ID_LENGTHS, Dtype::I64, [_]) => parts.id_lengths = Some(self.integers(len)?),
            (IDS, Dtype::U8, [_]) => parts.ids = Some(self.bytes(len)?),
            (VALUES, Dtype::F32, &[rows, outputs]) => {
                let values = Array2::from_shape_vec((rows, outputs), self.floats(len)?);
                parts.values = Some(values.expect("the library checks lengths"));
            }
            _ => {
                let found = format!("`{name}` of {dtype:?} and the shape {shape:?}");
                return Err(self.fault("the tensors of a data set", &found));
            }
        }
        Ok(())
    }

    /// - shape: (N, ...)
    fn examples(&mut self, dtype: Dtype, shape: &[usize], len: usize) -> Result<(StoredInputs, Shape)> {
        let of_one = Shape::new(&shape[1..]).expect("checked by the caller");
        let (height, width, channels) = of_one.as_image();
        let axes = (shape[0], height, width, channels);
        let stored = match dtype {
            Dtype::U8 => Array4::from_shape_vec(axes, self.bytes(len)?).map(StoredInputs::bytes),
            _ => Array4::from_shape_vec(axes, self.floats(len)?).map(StoredInputs::floats),
        };
        Ok((stored.expect("the library checks lengths"), of_one))
    }

    fn integers(&mut self, len: usize) -> Result<Vec<usize>> {
        let bytes = self.bytes(len)?;
        let integers = bytes.as_chunks().0.iter().map(|bytes| usize::try_from(i64::from_le_bytes(*bytes)));
        integers.collect::<std::result::Result<_, _>>().map_err(|_| self.fault("labels from 0", "a negative one"))
    }

    fn floats(&mut self, len: usize) -> Result<Vec<f32>> {
        let mut floats = Vec::with_capacity(len / 4);
        let mut piece = vec![0; PIECE.min(len)];
        let mut left = len;
        while left > 0 {
            let piece = &mut piece[..PIECE.min(left)];
            self.exactly(piece)?;
            floats.extend(piece.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            left -= piece.len();
        }
        Ok(floats)
    }

    fn bytes(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.exactly(&mut bytes)?;
        Ok(bytes)
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact(bytes).map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> Error {
        reading_error(self.place, source)
    }

    fn fault(&self, expected: &str, found: &str) -> Error {
        Error::Data(format!("{}: expected {expected}, found {found}", self.place))
    }
}

/// Texts that lie one after the other; `None` if they don't fit, or are none.
fn texts(mut bytes: &[u8], lengths: &[usize]) -> Option<Vec<String>> {
    let texts = lengths.iter().map(|len| {
        let (text, rest) = bytes.split_at_checked(*len)?;
        bytes = rest;
        String::from_utf8(text.to_vec()).ok()
    });
    let texts: Option<Vec<String>> = texts.collect();
    texts.filter(|_| bytes.is_empty())
}
