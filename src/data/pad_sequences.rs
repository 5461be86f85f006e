//! Sequences of different lengths as rows of one.

use super::tokens::MOST_TOKENS;
use crate::error::{Error, Result};
use crate::shape::MAX_ELEMENTS;
use ndarray::{Array2, Array3, ArrayView2, Axis, Slice, aview1};

/// The start or the end of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its start.
    Pre,
    /// Its end.
    Post,
}

/// How sequences become rows of one length, with the names and defaults of [Keras'
/// `pad_sequences`](https://keras.io/api/data_loading/timeseries/#padsequences-function).
///
/// ```
/// use inkstone::data::{End, PadSequences};
/// use inkstone::ndarray::array;
/// let sequences = [vec![1, 2, 3], vec![4], vec![]];
/// assert_eq!(PadSequences::new().rows(&sequences)?, array![[1, 2, 3], [0, 0, 4], [0, 0, 0]]);
/// let short = PadSequences::new().maxlen(2).padding(End::Post);
/// assert_eq!(short.rows(&sequences)?, array![[2, 3], [4, 0], [0, 0]]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PadSequences {
    maxlen: Option<usize>,
    padding: End,
    truncating: End,
    value: f32,
}

impl Default for PadSequences {
    fn default() -> Self {
        Self { maxlen: None, padding: End::Pre, truncating: End::Pre, value: 0.0 }
    }
}

impl PadSequences {
    /// Rows as long as the longest sequence, with zeros in front of the others.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows of zeros behind sequences, which are cut off at their end.
    pub(super) fn at_end(maxlen: Option<usize>) -> Self {
        Self { maxlen, padding: End::Post, truncating: End::Post, ..Self::default() }
    }

    option_setters! {
        /// Sets the length of all rows; otherwise it is that of the longest sequence.
        maxlen: usize,
    }

    setters! {
        /// Sets at which end short sequences are padded.
        padding: End,

        /// Sets at which end long sequences are cut off.
        truncating: End,

        /// Sets what they are padded with.
        value: f32,
    }

    /// Sequences of tokens as rows: (N, steps).
    ///
    /// # Errors
    /// [`Error::Data`] if rows would have no steps, there are none, they would have more than 2^28 values, or
    /// the value that they are padded with is no token.
    pub fn rows<S: AsRef<[u32]>>(&self, sequences: &[S]) -> Result<Array2<u32>> {
        let steps = self.steps(sequences.iter().map(|sequence| sequence.as_ref().len()), 1)?;
        if self.value.fract() != 0.0 || !(0.0..MOST_TOKENS as f32).contains(&self.value) {
            return Err(Error::Data(format!(
                "rows of tokens are padded with a token, a whole number from 0 to {}, got {}: set another `value`",
                MOST_TOKENS - 1,
                self.value
            )));
        }
        let mut rows = Array2::from_elem((sequences.len(), steps), self.value as u32);
        for (mut row, sequence) in rows.rows_mut().into_iter().zip(sequences) {
            let (from, to) = self.places(sequence.as_ref().len(), steps);
            let part = aview1(&sequence.as_ref()[from.0..from.1]);
            row.slice_axis_mut(Axis(0), Slice::from(to.0..to.1)).assign(&part);
        }
        Ok(rows)
    }

    /// Sequences of features, (steps, features) each, as an array: (N, steps, features).
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and [`Error::Data`] if one has another number of features than the first.
    ///
    /// ```
    /// use inkstone::data::PadSequences;
    /// use inkstone::ndarray::array;
    /// let sequences = [array![[1.0, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]];
    /// let views = sequences.each_ref().map(|sequence| sequence.view());
    /// let padded = PadSequences::new().value(-1.0).features(&views)?;
    /// assert_eq!(padded, array![[[-1.0, -1.0], [1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn features(&self, sequences: &[ArrayView2<'_, f32>]) -> Result<Array3<f32>> {
        let features = sequences.first().map_or(1, |sequence| sequence.ncols());
        let steps = self.steps(sequences.iter().map(|sequence| sequence.nrows()), features)?;
        if let Some(index) = sequences.iter().position(|sequence| sequence.ncols() != features) {
            let found = sequences[index].ncols();
            return Err(Error::Data(format!(
                "sequences must have the same number of features, got {features} of sequence 0 and {found} of sequence {index}"
            )));
        }
        let mut padded = Array3::from_elem((sequences.len(), steps, features), self.value);
        for (mut row, sequence) in padded.outer_iter_mut().zip(sequences) {
            let (from, to) = self.places(sequence.nrows(), steps);
            let part = sequence.slice_axis(Axis(0), Slice::from(from.0..from.1));
            row.slice_axis_mut(Axis(0), Slice::from(to.0..to.1)).assign(&part);
        }
        Ok(padded)
    }

    /// The length of all rows, with so many features in each step.
    fn steps(&self, lens: impl ExactSizeIterator<Item = usize>, features: usize) -> Result<usize> {
        let count = lens.len();
        match self.maxlen.or(lens.max()) {
            Some(steps) if steps > 0 && count > 0 => {
                let values = steps.checked_mul(count).and_then(|values| values.checked_mul(features));
                match values {
                    Some(0..=MAX_ELEMENTS) => Ok(steps),
                    _ => Err(Error::Data(format!(
                        "{count} padded sequences of {steps} steps have more than {MAX_ELEMENTS} values: set a smaller `maxlen`, or take \
                         fewer at a time"
                    ))),
                }
            }
            steps => Err(Error::Data(format!(
                "padded sequences must have at least one step, got {count} sequences of at most {}: set `maxlen`",
                steps.unwrap_or(0)
            ))),
        }
    }

    /// Which steps of a sequence go where in a row.
    fn places(&self, len: usize, steps: usize) -> ((usize, usize), (usize, usize)) {
        let kept = len.min(steps);
        let from = match self.truncating {
            End::Pre => len - kept,
            End::Post => 0,
        };
        let to = match self.padding {
            End::Pre => steps - kept,
            End::Post => 0,
        };
        ((from, from + kept), (to, to + kept))
    }
}
