//! The examples of a file that are in memory together, and the batch that is made of some of them.

use super::array_file::ArrayFile;
use super::{Batch, Origin};
use crate::data::Dataset;
use crate::data::checks::all_finite;
use crate::data::dataset::StoredInputs;
use crate::data::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;
use ndarray::{Array2, Array4};
use std::sync::Arc;

/// Examples, one after the other.
#[derive(Debug, Default)]
pub(super) struct Rows {
    inputs: Values,
    classes: Vec<usize>,
    /// Target values, and how many each example has.
    values: Vec<f32>,
    outputs: usize,
    /// The number of each in its file.
    examples: Vec<usize>,
}

/// Values of inputs, as data sets have them.
#[derive(Debug)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

/// The file of what the model should give, if there is one.
#[derive(Debug)]
pub(super) enum TargetFile {
    Nothing,
    Classes(ArrayFile),
    Values(ArrayFile),
}

/// Whether inputs stay bytes, which become `x / 255` as they are used.
pub(super) fn are_pixels(inputs: &ArrayFile) -> bool {
    inputs.element() == Element::U8 && inputs.shape.len() >= 3
}

impl Rows {
    /// Room for so many examples of these files.
    pub(super) fn new(inputs: &ArrayFile, targets: &TargetFile, count: usize) -> Self {
        let outputs = if let TargetFile::Values(values) = targets { values.len_of_one() } else { 0 };
        let of_kind = if are_pixels(inputs) { Values::Bytes(Vec::new()) } else { Values::Floats(Vec::new()) };
        let mut rows = Self { inputs: of_kind, outputs, ..Self::default() };
        rows.reserve(targets, count, inputs.len_of_one());
        rows
    }

    pub(super) fn len(&self) -> usize {
        self.examples.len()
    }

    /// Forgets all, but keeps the memory.
    pub(super) fn clear(&mut self) {
        match &mut self.inputs {
            Values::Bytes(bytes) => bytes.clear(),
            Values::Floats(floats) => floats.clear(),
        }
        self.classes.clear();
        self.values.clear();
        self.examples.clear();
    }

    /// Makes room for so many more.
    ///
    /// - len: of an example's inputs
    pub(super) fn reserve(&mut self, targets: &TargetFile, count: usize, len: usize) {
        match &mut self.inputs {
            Values::Bytes(bytes) => bytes.reserve_exact(count * len),
            Values::Floats(floats) => floats.reserve_exact(count * len),
        }
        let classes = if matches!(targets, TargetFile::Classes(_)) { count } else { 0 };
        self.classes.reserve_exact(classes);
        self.values.reserve_exact(count * self.outputs);
        self.examples.reserve_exact(count);
    }

    /// Reads some more examples.
    ///
    /// - first: the one that `needed` begins with, which says of some one after the other whether they are read; room: for the
    ///   bytes of so many
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Data`] with the place in the file, also for a value that is NaN or infinite, or a class
    /// that is none.
    pub(super) fn read(
        &mut self,
        inputs: &mut ArrayFile,
        targets: &mut TargetFile,
        (first, needed): (usize, &[bool]),
        room: &mut Vec<u8>,
    ) -> Result<()> {
        inputs.read_needed(first, needed, room, |file, example, read| match &mut self.inputs {
            Values::Bytes(bytes) => {
                bytes.extend_from_slice(read);
                Ok(())
            }
            Values::Floats(floats) => add_floats(file, example, read, floats),
        })?;
        match targets {
            TargetFile::Nothing => {}
            TargetFile::Classes(classes) => classes.read_needed(first, needed, room, |file, start, read| {
                for (number, example) in file.numbers(read).zip(start..) {
                    let class = number.as_class().ok_or_else(|| {
                        let at = file.at(example);
                        Error::Data(format!("{at}: classes are whole numbers from 0, got {number}"))
                    })?;
                    self.classes.push(class);
                }
                Ok(())
            })?,
            TargetFile::Values(values) => values.read_needed(first, needed, room, |file, example, read| {
                add_floats(file, example, read, &mut self.values)
            })?,
        }
        self.examples.extend((first..).zip(needed).filter(|(_, needed)| **needed).map(|(example, _)| example));
        Ok(())
    }

    /// Adds a copy of one of these.
    pub(super) fn push(&mut self, from: &Self, at: usize, len: usize) {
        let range = at * len..(at + 1) * len;
        match (&mut self.inputs, &from.inputs) {
            (Values::Bytes(bytes), Values::Bytes(from)) => bytes.extend_from_slice(&from[range]),
            (Values::Floats(floats), Values::Floats(from)) => floats.extend_from_slice(&from[range]),
            (Values::Bytes(_) | Values::Floats(_), _) => unreachable!("rows of one file are of one kind"),
        }
        self.classes.extend(from.classes.get(at));
        self.values.extend_from_slice(&from.values[at * self.outputs..][..self.outputs]);
        self.examples.push(from.examples[at]);
    }

    /// The batch of all of them.
    ///
    /// - shape: of an example
    ///
    /// # Errors
    /// [`Error::Data`] if a class is larger than any may be.
    pub(super) fn into_batch(self, shape: Shape, place: &Arc<str>) -> Result<Batch> {
        let (height, width, channels) = shape.as_image();
        let (count, fault) = (self.len(), |error: ndarray::ShapeError| Error::Data(error.to_string()));
        let axes = (count, height, width, channels);
        let inputs = match self.inputs {
            Values::Bytes(bytes) => StoredInputs::bytes(Array4::from_shape_vec(axes, bytes).map_err(fault)?),
            Values::Floats(floats) => StoredInputs::floats(Array4::from_shape_vec(axes, floats).map_err(fault)?),
        };
        let labels = (!self.classes.is_empty()).then_some(self.classes);
        let values = match self.outputs {
            0 => None,
            outputs => Some(Array2::from_shape_vec((count, outputs), self.values).map_err(fault)?.into()),
        };
        let dataset = Dataset::new(inputs, shape, labels, values)?;
        Ok(Batch::from(dataset).of_origin(Origin { place: place.clone(), examples: self.examples }))
    }
}

/// Adds values that have been read, from this example on.
fn add_floats(file: &ArrayFile, first: usize, read: &[u8], floats: &mut Vec<f32>) -> Result<()> {
    let before = floats.len();
    file.floats(read, floats);
    if all_finite(&floats[before..]) {
        return Ok(());
    }
    let found = floats[before..].iter().position(|value| !value.is_finite()).unwrap_or(0);
    let (example, value) = (first + found / file.len_of_one(), floats[before + found]);
    Err(Error::Data(format!(
        "{}: values must be finite, got {value} at index {} of the example",
        file.at(example),
        found % file.len_of_one()
    )))
}
