//! Tokens: whole numbers that stand for words or other things. They are kept as floats, which hold every one that a
//! table may have a row for.

use super::dataset::{Dataset, Stored};
use super::inputs::OrderedImages;
use super::values::Values;
use crate::error::{Error, Result};
use ndarray::Array2;

/// The first token that a float may not hold.
pub(crate) const MOST_TOKENS: u32 = 1 << 24;

impl Dataset {
    /// A data set of rows of tokens, (N, steps), with a class for each: what
    /// [`Embedding`](crate::layers::Embedding) makes vectors of. [`PadSequences`](super::PadSequences) makes rows of
    /// sequences of different lengths.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no rows, rows of no tokens, not exactly one label for each row, or a token is 2^24
    /// or more.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::array;
    /// let reviews = Dataset::from_tokens(array![[4, 2, 0], [3, 4, 5]], vec![0, 1])?;
    /// assert_eq!((reviews.len(), reviews.shape().to_string()), (2, "(3)".to_string()));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn from_tokens(tokens: Array2<u32>, labels: Vec<usize>) -> Result<Self> {
        Self::from_table(floats(&tokens)?, labels)
    }

    /// A data set of rows of tokens, (N, steps), with target values for each.
    ///
    /// - values: for each output, (N, outputs), or of a model of one output for each row, (N)
    ///
    /// # Errors
    /// As [`from_tokens`](Self::from_tokens), of values instead of labels, and [`Error::Data`] if a value is NaN or
    /// infinite.
    pub fn from_tokens_and_values(tokens: Array2<u32>, values: impl Into<Values>) -> Result<Self> {
        Self::from_table_and_values(floats(&tokens)?, values)
    }
}

/// Tokens as they are kept.
fn floats(tokens: &Array2<u32>) -> Result<Array2<f32>> {
    check_most(tokens.indexed_iter().map(|((row, column), token)| ([row, column], *token)))?;
    Ok(tokens.mapv(|token| token as f32))
}

/// # Errors
/// [`Error::Data`] for the first token that a float may not hold.
pub(super) fn check_most(tokens: impl IntoIterator<Item = ([usize; 2], u32)>) -> Result<()> {
    match tokens.into_iter().find(|(_, token)| *token >= MOST_TOKENS) {
        None => Ok(()),
        Some(([row, column], token)) => Err(Error::Data(format!(
            "tokens must be less than {MOST_TOKENS}, got {token} at position {column} of example {row}"
        ))),
    }
}

/// Whether the values of inputs that hold tokens are tokens.
///
/// - limits: for each input the first token that there is not, if it holds tokens; lens: the values of one example
///
/// # Errors
/// [`Error::Data`] for the first value that is not whole or not in range.
pub(crate) fn check_tokens(
    inputs: &[OrderedImages<'_>],
    limits: &[Option<usize>],
    lens: impl Iterator<Item = usize>,
) -> Result<()> {
    for (index, ((input, limit), len)) in inputs.iter().zip(limits).zip(lens).enumerate() {
        let Some(limit) = limit else { continue };
        let of_input = if inputs.len() > 1 { format!("input {index}: ") } else { String::new() };
        input.find_no_token(*limit, len).map_or(Ok(()), |([example, position], value)| {
            Err(Error::Data(format!(
                "{of_input}tokens must be whole numbers from 0 to {}, got {value} at position {position} of example {example}: \
                 the `input_dim` of an `Embedding` is one more than the largest token",
                limit - 1
            )))
        })?;
    }
    Ok(())
}

impl OrderedImages<'_> {
    /// The first value that is no token less than `limit`: its example, its place in that, and the value.
    ///
    /// - len: the values of one example
    fn find_no_token(&self, limit: usize, len: usize) -> Option<([usize; 2], f32)> {
        let (pixels, order) = (self.pixels(), self.order());
        let value = |example: usize, position: usize| {
            let place = order.map_or(example, |order| order[example] as usize) * len + position;
            let value = match pixels.stored {
                Stored::Bytes(bytes) => f32::from(bytes[place]) / 255.0,
                Stored::Floats(floats) => floats[place],
            };
            pixels.scaling.map_or(value, |scaling| scaling.of(position, value))
        };
        let is_token = |value: f32| value >= 0.0 && value < limit as f32 && value.fract() == 0.0;
        (0..self.len()).find_map(|example| {
            let position = (0..len).find(|position| !is_token(value(example, *position)))?;
            Some(([example, position], value(example, position)))
        })
    }
}
