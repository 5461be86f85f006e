//! Decides which images of a data set are taken, and in which order. No pixel is copied: a part or another order is a
//! list of places.

use super::Dataset;
use crate::error::{Error, Result};
use crate::random::{Stream, stream};
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

impl Dataset {
    /// The first `count` images, at least 1; all if there are fewer.
    #[must_use]
    pub fn take(&self, count: usize) -> Self {
        self.range_of(0..count.clamp(1, self.len()))
    }

    /// The images in an order drawn from `seed`.
    ///
    /// [`fit`](crate::Model::fit) shuffles by itself; this is for parts that are to be drawn at random.
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

    /// Two parts drawn from `seed`: the first has `fraction` of the images of each class, rounded, the second the
    /// others. Both keep the order of the images.
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
        let mut of_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (example, label) in self.labels().iter().enumerate() {
            of_class.entry(*label).or_default().push(example);
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
            return Err(Error::Data(format!(
                "{fraction} of each class, rounded, leaves a part empty: the largest class has {largest} images"
            )));
        }
        first.sort_unstable();
        second.sort_unstable();
        Ok((self.choose(&first), self.choose(&second)))
    }

    /// Parts of `size` images, one after the other; the last may be smaller.
    ///
    /// # Errors
    /// [`Error::Setting`] if `size` is 0.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((10, 2, 2, 1)), vec![0; 10])?;
    /// assert_eq!(dataset.batches(4)?.map(|batch| batch.len()).collect::<Vec<_>>(), [4, 4, 2]);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn batches(&self, size: usize) -> Result<impl Iterator<Item = Self> + '_> {
        if size == 0 {
            return Err(Error::Setting { name: "size", expected: "at least 1", received: "0".into() });
        }
        let starts = (0..self.len()).step_by(size);
        Ok(starts.map(move |start| self.range_of(start..start.saturating_add(size).min(self.len()))))
    }
}
