//! Selects and orders the examples of a data set. No pixel is copied: a selection is a list of indices.

use super::{Dataset, Example};
use crate::error::{Error, Result};
use crate::random::{Stream, stream};
use crate::shape::MAX_ELEMENTS;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

impl Dataset {
    /// The first `count` examples; all if there are fewer.
    ///
    /// # Errors
    /// [`Error::Setting`] if `count` is 0: a data set is never empty.
    pub fn take(&self, count: usize) -> Result<Self> {
        if count == 0 {
            let expected = "at least 1, as a data set is never empty";
            return Err(Error::Setting { name: "count of `take`", expected, received: "0".into() });
        }
        Ok(self.range_of(0..count.min(self.len())))
    }

    /// All but the first `count` examples.
    ///
    /// # Errors
    /// [`Error::Setting`] if that leaves none: a data set is never empty.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((4, 2, 2, 1)), vec![0, 1, 2, 3])?;
    /// assert_eq!(dataset.skip(3)?.labels(), [3]);
    /// assert_eq!(
    ///     dataset.skip(4).unwrap_err().to_string(),
    ///     "count of `skip` must be less than the number of examples, got 4 of 4"
    /// );
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn skip(&self, count: usize) -> Result<Self> {
        if count >= self.len() {
            let received = format!("{count} of {}", self.len());
            let expected = "less than the number of examples";
            return Err(Error::Setting { name: "count of `skip`", expected, received });
        }
        Ok(self.range_of(count..self.len()))
    }

    /// The examples at these indices, in this order; indices may repeat.
    ///
    /// # Errors
    /// [`Error::Data`] if there are no indices, or one is out of range.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((4, 2, 2, 1)), vec![0, 1, 2, 3])?;
    /// assert_eq!(dataset.select(&[2, 0, 2])?.labels(), [2, 0, 2]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let len = self.len();
        if indices.is_empty() || indices.len() > MAX_ELEMENTS {
            return Err(Error::Data(format!(
                "`select` takes from 1 to {MAX_ELEMENTS} indices, as a data set is never empty, got {}",
                indices.len()
            )));
        }
        match indices.iter().position(|index| *index >= len) {
            None => Ok(self.choose(indices)),
            Some(place) => Err(Error::Data(format!(
                "indices of `select` must be from 0 to {}, as there are {len} examples, got {} at index {place}",
                len - 1,
                indices[place]
            ))),
        }
    }

    /// The examples for which `keep` is true, in their order.
    ///
    /// # Errors
    /// [`Error::Data`] if there are none: a data set is never empty.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((4, 2, 2, 1)), vec![0, 1, 2, 1])?;
    /// let ones = dataset.filter(|example| example.label() == Some(1))?;
    /// assert_eq!(ones.labels(), [1, 1]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn filter(&self, mut keep: impl FnMut(Example<'_>) -> bool) -> Result<Self> {
        let kept: Vec<usize> = self.iter().filter(|example| keep(*example)).map(|example| example.index()).collect();
        if kept.is_empty() {
            return Err(Error::Data(format!(
                "`filter` must keep at least one example, as a data set is never empty, got none of {}",
                self.len()
            )));
        }
        Ok(self.choose(&kept))
    }

    /// The examples in an order drawn from `seed`.
    ///
    /// [`fit`](crate::Model::fit) shuffles on its own; use this to draw random parts.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((100, 2, 2, 1)), (0..100).collect())?;
    /// let shuffled = dataset.shuffle(1);
    /// assert_ne!(shuffled.labels(), dataset.labels());
    /// assert_eq!(shuffled.labels(), dataset.shuffle(1).labels());
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn shuffle(&self, seed: u64) -> Self {
        let mut examples: Vec<usize> = (0..self.len()).collect();
        examples.shuffle(&mut stream(seed, Stream::Dataset));
        self.choose(&examples)
    }

    /// Splits the data set at random, from `seed`: the first part has `fraction` of the examples of each class,
    /// rounded, or of all examples if there are no classes; the second has the rest. Both keep the order of the
    /// examples.
    ///
    /// # Errors
    /// [`Error::Setting`] if `fraction` is not between 0 and 1, [`Error::Data`] if rounding leaves a part empty.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((100, 2, 2, 1)), (0..100).map(|n| n % 2).collect())?;
    /// let (train, validation) = dataset.split(0.8, 1)?;
    /// assert_eq!((train.class_counts(), validation.class_counts()), (vec![40, 40], vec![10, 10]));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::Setting {
                name: "fraction",
                expected: "between 0 and 1",
                received: fraction.to_string(),
            });
        }
        let mut of_class: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for example in self {
            of_class.entry(example.label()).or_default().push(example.index());
        }
        let mut random = stream(seed, Stream::Dataset);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for examples in of_class.values_mut() {
            examples.shuffle(&mut random);
            let count = (examples.len() as f64 * fraction).round() as usize;
            let (left, right) = examples.split_at(count);
            first.extend_from_slice(left);
            second.extend_from_slice(right);
        }
        if first.is_empty() || second.is_empty() {
            let largest = of_class.values().map(Vec::len).max().unwrap_or(0);
            return Err(Error::Data(if self.labels().is_empty() {
                format!("{fraction} of the examples, rounded, leaves a part empty: there are {largest}")
            } else {
                format!(
                    "{fraction} of each class, rounded, leaves a part empty: the largest class has {largest} examples"
                )
            }));
        }
        first.sort_unstable();
        second.sort_unstable();
        Ok((self.choose(&first), self.choose(&second)))
    }

    /// Consecutive parts of `size` examples; the last may be smaller.
    ///
    /// # Errors
    /// [`Error::Setting`] if `size` is 0.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((10, 2, 2, 1)), vec![0; 10])?;
    /// assert_eq!(dataset.batch(4)?.map(|batch| batch.len()).collect::<Vec<_>>(), [4, 4, 2]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn batch(&self, size: usize) -> Result<impl Iterator<Item = Self> + '_> {
        if size == 0 {
            return Err(Error::Setting { name: "size", expected: "at least 1", received: "0".into() });
        }
        let starts = (0..self.len()).step_by(size);
        Ok(starts.map(move |start| self.range_of(start..start.saturating_add(size).min(self.len()))))
    }
}
