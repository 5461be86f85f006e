//! Decides how images are varied at random while training: the settings, and the order of what is done. It draws every
//! number from a stream of the image's own, so that the number of threads changes nothing.
//!
//! All geometry is one map from the new image's pixels to places in the old one, so an image is sampled only once.

mod erase;
mod warp;

use super::Dataset;
use crate::error::{Error, Result};
use crate::random::{Stream, normal, stream};
use crate::shape::Shape;
use ndarray::{ArrayViewMut3, Axis};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Random changes to each image of a training batch, composed call by call; without any it changes nothing.
///
/// [`FitConfig::augment`](crate::FitConfig::augment) switches it on for training; validation and prediction see the images as they
/// are. Each image is drawn anew in each epoch. What moves in from outside repeats the edge.
///
/// ```
/// use inkstone::data::Augment;
/// use inkstone::Dataset;
/// use inkstone::ndarray::Array4;
/// let augment = Augment::new().shift(2).rotate(10.0).zoom(0.1);
/// // What it makes of a data set, to be looked at:
/// let images = Array4::from_shape_fn((3, 28, 28, 1), |(_, y, x, _)| if y.abs_diff(14) + x.abs_diff(14) < 5 { 255 } else { 0 });
/// let dataset = Dataset::from_bytes(images, vec![0, 1, 2])?;
/// let varied = dataset.augment(&augment, 1)?;
/// assert_eq!((varied.len(), varied.shape()), (3, dataset.shape()));
/// assert_ne!(varied.images(), dataset.images());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Augment {
    shift: f64,
    rotate: f64,
    zoom: f64,
    shear: f64,
    elastic: Elastic,
    noise: f64,
    erase: Erase,
}

/// Displacements drawn at the corners of a grid, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Elastic {
    deviation: f64,
    spacing: f64,
}

/// Rectangles taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Erase {
    probability: f64,
    area: f64,
}

/// The widest distance between the corners of the grid of elastic distortion.
const SPACING: std::ops::RangeInclusive<f64> = 2.0..=1e6;

impl Augment {
    /// No changes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves by up to this many pixels up or down, and left or right.
    #[must_use]
    pub fn shift(self, pixels: impl Into<f64>) -> Self {
        Self { shift: pixels.into(), ..self }
    }

    /// Turns by up to this many degrees, either way.
    #[must_use]
    pub fn rotate(self, degrees: impl Into<f64>) -> Self {
        Self { rotate: degrees.into(), ..self }
    }

    /// Makes it larger or smaller by up to this fraction, height and width each by its own: 0.1 is from 0.9 to 1.1
    /// times.
    #[must_use]
    pub fn zoom(self, fraction: impl Into<f64>) -> Self {
        Self { zoom: fraction.into(), ..self }
    }

    /// Slants it by up to this many degrees, either way.
    #[must_use]
    pub fn shear(self, degrees: impl Into<f64>) -> Self {
        Self { shear: degrees.into(), ..self }
    }

    /// Distorts it smoothly: points `spacing` pixels apart, at least 2, are displaced by normal random amounts of this
    /// deviation in pixels, with a cubic spline between them (after [Simard, Steinkraus and
    /// Platt](https://doi.org/10.1109/ICDAR.2003.1227801), whose fields are smoothed by a Gaussian).
    #[must_use]
    pub fn elastic(self, deviation: impl Into<f64>, spacing: impl Into<f64>) -> Self {
        Self { elastic: Elastic { deviation: deviation.into(), spacing: spacing.into() }, ..self }
    }

    /// Adds normal noise of this deviation to each value as the model sees it.
    #[must_use]
    pub fn noise(self, deviation: impl Into<f64>) -> Self {
        Self { noise: deviation.into(), ..self }
    }

    /// With this probability, sets a rectangle to 0 that covers up to this fraction of the image, at least a fiftieth
    /// ([Random erasing](https://arxiv.org/abs/1708.04896)).
    #[must_use]
    pub fn erase(self, probability: impl Into<f64>, area: impl Into<f64>) -> Self {
        Self { erase: Erase { probability: probability.into(), area: area.into() }, ..self }
    }

    /// # Errors
    /// [`Error::Setting`] for a value out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let pixels = 0.0..=1e6;
        let checks = [
            ("shift", self.shift, pixels.clone(), "from 0 to 1000000 pixels"),
            ("rotate", self.rotate, 0.0..=180.0, "from 0 to 180 degrees"),
            ("zoom", self.zoom, 0.0..=0.9, "from 0 to 0.9"),
            ("shear", self.shear, 0.0..=80.0, "from 0 to 80 degrees"),
            ("the deviation of `elastic`", self.elastic.deviation, pixels, "from 0 to 1000000 pixels"),
            ("noise", self.noise, 0.0..=1e6, "from 0 to 1000000"),
            ("the probability of `erase`", self.erase.probability, 0.0..=1.0, "from 0 to 1"),
            ("the area of `erase`", self.erase.area, 0.0..=1.0, "from 0 to 1"),
        ];
        for (name, value, range, expected) in checks {
            if !range.contains(&value) {
                return Err(Error::Setting { name, expected, received: value.to_string() });
            }
        }
        let Elastic { deviation, spacing } = self.elastic;
        if deviation > 0.0 && !SPACING.contains(&spacing) {
            let expected = "from 2 to 1000000 pixels";
            return Err(Error::Setting { name: "the spacing of `elastic`", expected, received: spacing.to_string() });
        }
        Ok(())
    }

    /// How many floats [`Augment::apply`] needs beside an image of this shape.
    pub(crate) fn scratch_len(shape: Shape) -> usize {
        let (height, width, channels) = shape.as_image();
        height * width * channels + warp::field_len(height, width)
    }

    /// Changes one image, (H, W, C), in place.
    ///
    /// - scratch: at least [`Augment::scratch_len`] floats
    pub(crate) fn apply(&self, shape: Shape, random: &mut impl Rng, image: &mut [f32], scratch: &mut [f32]) {
        let (old, field) = scratch.split_at_mut(image.len());
        if self.moves() {
            old.copy_from_slice(image);
            warp::warp(self, shape, random, old, field, image);
        }
        if self.noise > 0.0 {
            image.iter_mut().for_each(|value| *value += self.noise as f32 * normal(random));
        }
        if self.erase.probability > 0.0 {
            erase::erase(&self.erase, shape, random, image);
        }
    }

    /// Whether pixels move.
    fn moves(&self) -> bool {
        let Self { shift, rotate, zoom, shear, elastic, noise: _, erase: _ } = self;
        [*shift, *rotate, *zoom, *shear, elastic.deviation].iter().any(|amount| *amount > 0.0)
    }
}

impl Dataset {
    /// The images as `augment` varies them, each drawn once from `seed`; stored as floats. To look at them, or to train
    /// on a fixed set; [`FitConfig::augment`](crate::FitConfig::augment) draws anew in each epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value of `augment` out of range.
    pub fn augment(&self, augment: &Augment, seed: u64) -> Result<Self> {
        augment.check()?;
        let mut images = self.images();
        let shape = self.shape();
        let each = images.axis_iter_mut(Axis(0)).enumerate();
        let each: Vec<(usize, ArrayViewMut3<'_, f32>)> = each.collect();
        each.into_par_iter().for_each_init(
            || vec![0.0; Augment::scratch_len(shape)],
            |scratch, (example, mut image)| {
                let mut random = stream(seed, Stream::Augment { step: 0, example });
                let image = image.as_slice_mut().expect("`images` gives an array in memory order");
                augment.apply(shape, &mut random, image, scratch);
            },
        );
        self.with_inputs(images)
    }
}
