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
        let len = count * inputs.len_of_one();
        let bytes = are_pixels(inputs);
        let inputs =
            if bytes { Values::Bytes(Vec::with_capacity(len)) } else { Values::Floats(Vec::with_capacity(len)) };
        let (classes, outputs) = match targets {
            TargetFile::Nothing => (0, 0),
            TargetFile::Classes(_) => (count, 0),
            TargetFile::Values(values) => (0, values.len_of_one()),
        };
        Self {
            inputs,
            classes: Vec::with_capacity(classes),
            values: Vec::with_capacity(count * outputs),
            outputs,
            examples: Vec::with_capacity(count),
        }
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

    /// Reads some more examples.
    ///
    /// - room: for the bytes of so many
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Data`] with the place in the file, also for a value that is NaN or infinite, or a class
    /// that is none.
    pub(super) fn read(
        &mut self,
        inputs: &mut ArrayFile,
        targets: &mut TargetFile,
        (first, count): (usize, usize),
        room: &mut Vec<u8>,
    ) -> Result<()> {
        inputs.read(first, count, room)?;
        match &mut self.inputs {
            Values::Bytes(bytes) => bytes.extend_from_slice(room),
            Values::Floats(floats) => add_floats(inputs, first, room, floats)?,
        }
        match targets {
            TargetFile::Nothing => {}
            TargetFile::Classes(classes) => {
                classes.read(first, count, room)?;
                for (number, example) in classes.numbers(room).zip(first..) {
                    let class = number.as_class().ok_or_else(|| {
                        let at = classes.at(example);
                        Error::Data(format!("{at}: classes are whole numbers from 0, got {number}"))
                    })?;
                    self.classes.push(class);
                }
            }
            TargetFile::Values(values) => {
                values.read(first, count, room)?;
                add_floats(values, first, room, &mut self.values)?;
            }
        }
        self.examples.extend(first..first + count);
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
