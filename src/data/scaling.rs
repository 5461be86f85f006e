//! Scales pixels before a model sees them. Stored pixels are unchanged; a data set applies its scaling when they are
//! read.

use super::Dataset;
use crate::error::{Error, Result};
use ndarray::{Array4, Axis};
use std::sync::Arc;

/// A factor and an offset for each channel: `x * factor + offset`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaling {
    pub(crate) factors: Vec<f32>,
    pub(crate) offsets: Vec<f32>,
}

impl Scaling {
    /// Scales images, (N, H, W, C), in place.
    pub(super) fn apply(&self, images: &mut Array4<f32>) {
        for ((mut channel, factor), offset) in images.axis_iter_mut(Axis(3)).zip(&self.factors).zip(&self.offsets) {
            channel.mapv_inplace(|value| value * factor + offset);
        }
    }

    /// What becomes of the value at this place of an example.
    pub(super) fn of(&self, place: usize, value: f32) -> f32 {
        let channel = place % self.factors.len();
        value * self.factors[channel] + self.offsets[channel]
    }

    /// This scaling, and then that one.
    fn then(&self, next: &Self) -> Self {
        let factors = self.factors.iter().zip(&next.factors).map(|(first, second)| first * second).collect();
        let after = next.factors.iter().zip(&next.offsets);
        let offsets = self.offsets.iter().zip(after).map(|(offset, (factor, next))| offset * factor + next).collect();
        Self { factors, offsets }
    }
}

/// The mean and variance of each channel of a training set, to normalise data sets to mean 0 and variance 1, like
/// Keras' [`Normalization`](https://keras.io/api/layers/preprocessing_layers/numerical/normalization/).
///
/// ```
/// use inkstone::Dataset;
/// use inkstone::data::Normalization;
/// use inkstone::ndarray::Array4;
/// let train = Dataset::from_bytes(Array4::from_shape_fn((2, 2, 2, 1), |(n, ..)| 255 * n as u8), vec![0, 1])?;
/// let normalization = Normalization::adapt(&train);
/// assert_eq!((normalization.mean(), normalization.variance()), (&[0.5][..], &[0.25][..]));
/// let scaled = normalization.apply(&train)?;
/// assert_eq!((scaled.images()[[0, 0, 0, 0]], scaled.images()[[1, 0, 0, 0]]), (-1.0, 1.0));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    mean: Vec<f32>,
    variance: Vec<f32>,
}

impl Normalization {
    /// Computes mean and variance of a data set. Use the training set only, so that no information about the test set
    /// leaks into training.
    #[must_use]
    pub fn adapt(train: &Dataset) -> Self {
        let (_, _, channels) = train.shape().as_image();
        let (mut sums, mut squares) = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
        // A few images at a time, as `images` copies them. The first pass gives the means, the second the squares
        // around them.
        let parts = || train.batch(1024).into_iter().flatten().map(|part| part.images());
        let count = (train.len() * train.shape().len().unwrap_or(channels) / channels) as f64;
        for images in parts() {
            images.axis_iter(Axis(3)).zip(&mut sums).for_each(|(channel, sum)| {
                *sum += channel.iter().map(|value| f64::from(*value)).sum::<f64>();
            });
        }
        let means: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        for images in parts() {
            images.axis_iter(Axis(3)).zip(&mut squares).zip(&means).for_each(|((channel, sum), mean)| {
                *sum += channel.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
            });
        }
        Self {
            mean: means.iter().map(|mean| *mean as f32).collect(),
            variance: squares.iter().map(|sum| (sum / count) as f32).collect(),
        }
    }

    /// The mean of each channel.
    #[must_use]
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The variance of each channel.
    #[must_use]
    pub fn variance(&self) -> &[f32] {
        &self.variance
    }

    /// The data set with every value normalised to `(x - mean) / deviation` when it is read; no pixel is copied. As in
    /// Keras, the deviation is at least 1e-7.
    ///
    /// # Errors
    /// [`Error::Data`] if its images have a different number of channels.
    pub fn apply(&self, dataset: &Dataset) -> Result<Dataset> {
        let factors: Vec<f32> = self.variance.iter().map(|variance| 1.0 / variance.sqrt().max(1e-7)).collect();
        let offsets = self.mean.iter().zip(&factors).map(|(mean, factor)| -mean * factor).collect();
        dataset.scaled(Scaling { factors, offsets })
    }
}

impl Dataset {
    /// The data set with every value `x * scale + offset`, after any earlier scaling, like Keras'
    /// [`Rescaling`](https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/). Images of bytes
    /// are already scaled to 0 to 1; no pixel is copied.
    ///
    /// # Errors
    /// [`Error::Setting`] if `scale` or `offset` is NaN or infinite.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::ndarray::Array4;
    /// let dataset = Dataset::from_bytes(Array4::zeros((1, 2, 2, 1)), vec![0])?;
    /// assert_eq!(dataset.rescale(2.0, -1.0)?.images()[[0, 0, 0, 0]], -1.0);
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn rescale(&self, scale: f32, offset: f32) -> Result<Self> {
        for (name, value) in [("scale", scale), ("offset", offset)] {
            if !value.is_finite() {
                return Err(Error::Setting { name, expected: "a finite number", received: value.to_string() });
            }
        }
        let (_, _, channels) = self.shape().as_image();
        self.scaled(Scaling { factors: vec![scale; channels], offsets: vec![offset; channels] })
    }

    fn scaled(&self, next: Scaling) -> Result<Self> {
        let (_, _, channels) = self.shape().as_image();
        if channels != next.factors.len() {
            return Err(Error::Data(format!(
                "the normalization was adapted to images of {} channels, got {}",
                next.factors.len(),
                self.shape()
            )));
        }
        let scaling = self.scaling.as_ref().map_or(next.clone(), |first| first.then(&next));
        if scaling.factors.iter().chain(&scaling.offsets).any(|value| !value.is_finite()) {
            return Err(Error::Data("the scalings multiply to more than an f32 can hold".into()));
        }
        let mut scaled = self.clone();
        scaled.scaling = Some(Arc::new(scaling));
        Ok(scaled)
    }
}
