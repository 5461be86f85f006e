//! Random augmentation of training images: the settings, and the order of the changes. Each image draws its numbers
//! from its own stream, so the number of threads does not matter.
//!
//! Shift, rotation, zoom, shear and elastic distortion are one map from the new image's pixels to places in the old
//! one, so an image is sampled only once. Flips and crops move whole pixels and sample nothing.

mod crop;
mod erase;
mod flip;
mod tone;
mod warp;

pub use flip::Flip;

use super::Dataset;
use crate::error::{Error, Result};
use crate::random::{Stream, normal, stream};
use crate::shape::Shape;
use crop::Window;
use erase::Rectangle;
use flip::Mirror;
use ndarray::{ArrayViewMut3, Axis};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tone::Tone;

/// Random changes to each image of a training batch, composed call by call; without any it changes nothing.
///
/// [`FitConfig::augment`](crate::FitConfig::augment) enables it for training; validation and prediction use the
/// original images. Each epoch draws new variations of each image. Pixels from outside the image repeat the edge,
/// except for [`crop`](Self::crop).
///
/// The order of the calls does not matter. Each image is warped (shift, rotation, zoom, shear and elastic distortion in
/// one map), cropped and flipped; then its brightness and its contrast change; then noise is added, and a rectangle
/// erased. Adding a flip, crop, brightness or contrast leaves the image's random warp, noise and rectangle as they are.
///
/// ```
/// use inkstone::data::Augment;
/// use inkstone::Dataset;
/// use inkstone::ndarray::Array4;
/// let augment = Augment::new().shift(2).rotate(10.0).zoom(0.1);
/// // Augmented images, to inspect:
/// let is_ink = |y: usize, x: usize| y.abs_diff(14) + x.abs_diff(14) < 5;
/// let images = Array4::from_shape_fn((3, 28, 28, 1), |(_, y, x, _)| if is_ink(y, x) { 255 } else { 0 });
/// let dataset = Dataset::from_bytes(images, vec![0, 1, 2])?;
/// let varied = dataset.augment(&augment, 1)?;
/// assert_eq!((varied.len(), varied.shape()), (3, dataset.shape()));
/// assert_ne!(varied.images(), dataset.images());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Augment {
    shift: f64,
    rotate: f64,
    zoom: f64,
    shear: f64,
    elastic: Elastic,
    noise: f64,
    erase: Erase,
    flip: Option<Flip>,
    crop: usize,
    brightness: f64,
    contrast: f64,
    value_range: Option<(f64, f64)>,
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

/// The least and the greatest end of a range of values.
const ENDS: std::ops::RangeInclusive<f64> = -1e6..=1e6;

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

    /// Mirrors it in these directions, in each with probability 1/2: Keras'
    /// [`RandomFlip`](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_flip/).
    ///
    /// [`Flip::HorizontalAndVertical`] makes the four outcomes (as it was, mirrored left to right, top to bottom, both)
    /// equally likely. Use it only where the mirror image has the same label: most digits and letters
    /// become something else.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::{Augment, Flip};
    /// use inkstone::ndarray::{Array4, Axis};
    /// let images = Array4::from_shape_fn((20, 3, 4, 1), |(_, y, x, _)| (10 * y + x) as u8);
    /// let dataset = Dataset::from_bytes(images, vec![0; 20])?;
    /// let flipped = dataset.augment(&Augment::new().flip(Flip::Horizontal), 1)?.images();
    /// let mut mirrored = dataset.images();
    /// mirrored.invert_axis(Axis(2));
    /// let changed = flipped.outer_iter().zip(mirrored.outer_iter()).filter(|(new, mirrored)| new == mirrored).count();
    /// assert!((4..=16).contains(&changed), "{changed} of 20");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn flip(self, flip: Flip) -> Self {
        Self { flip: Some(flip), ..self }
    }

    /// Pads it with this many zeros on every side and cuts out a window of its own size, at a random place: Keras'
    /// [`RandomCrop`](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_crop/) after
    /// `ZeroPadding2D`, and torchvision's `RandomCrop(size, padding=padding)`.
    ///
    /// With d and r drawn independently and uniformly from the integers -padding to padding, pixel (y, x) becomes the
    /// old pixel (y - d, x - r), or 0 in all channels if that is outside. The zeros are in the values that the model
    /// sees: after standardisation they are the mean. A padding of the image's size or more can move all of it out.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::Augment;
    /// use inkstone::ndarray::Array4;
    /// let white = Dataset::from_bytes(Array4::from_elem((9, 8, 8, 1), 255), vec![0; 9])?;
    /// for image in white.augment(&Augment::new().crop(2), 1)?.images().outer_iter() {
    ///     // At least 6 rows and 6 columns of 8 stay.
    ///     assert!((36.0..=64.0).contains(&image.sum()));
    /// }
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn crop(self, padding: usize) -> Self {
        Self { crop: padding, ..self }
    }

    /// Adds one random amount to all its values, up to this fraction of the [value range](Self::value_range) up or
    /// down: Keras'
    /// [`RandomBrightness`](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_brightness/).
    ///
    /// With u drawn uniformly from -factor to factor, x becomes x + u · (high - low). The factor is from 0 to 1.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::Augment;
    /// use inkstone::ndarray::Array4;
    /// let grey = Dataset::from_floats(Array4::from_elem((9, 8, 8, 1), 0.5), vec![0; 9])?;
    /// let varied = grey.augment(&Augment::new().brightness(0.2), 1)?.images();
    /// assert!(varied.iter().all(|value| (0.2999..0.7001).contains(value)));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn brightness(self, factor: impl Into<f64>) -> Self {
        Self { brightness: factor.into(), ..self }
    }

    /// Moves its values away from the mean of their channel, or towards it: Keras'
    /// [`RandomContrast`](https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_contrast/).
    ///
    /// With u drawn uniformly from 1 - factor to 1 + factor, x becomes (x - mean) · u + mean, where the mean is over
    /// the pixels of this image's channel. The factor is from 0 to 1; at u = 0 every value is the mean.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::Augment;
    /// use inkstone::ndarray::Array4;
    /// let halves = Array4::from_shape_fn((9, 8, 8, 1), |(_, y, _, _)| if y < 4 { 0.25 } else { 0.75 });
    /// let varied = Dataset::from_floats(halves, vec![0; 9])?.augment(&Augment::new().contrast(0.5), 1)?.images();
    /// for image in varied.outer_iter() {
    ///     let (dark, light) = (image[(0, 0, 0)], image[(7, 7, 0)]);
    ///     assert!((dark + light - 1.0).abs() < 1e-6, "the mean stays 0.5");
    ///     assert!((0.2499..0.7501).contains(&(light - dark)), "0.5 to 1.5 times the difference of 0.5");
    /// }
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn contrast(self, factor: impl Into<f64>) -> Self {
        Self { contrast: factor.into(), ..self }
    }

    /// Sets the range of the values that the model sees, for [`brightness`](Self::brightness) and
    /// [`contrast`](Self::contrast): each clips its results to the range, as Keras' layers do with theirs.
    ///
    /// Without this call the range is taken to be 0 to 1, which is that of byte images, and nothing is clipped:
    /// standardised images, whose values lie outside it, stay intact. Images of floats from 0 to 255 need
    /// `value_range(0, 255)`; without it a brightness of 0.2 would change them by 0.2 of 255. Values
    /// already outside the range are clipped too. The range has no effect on the other settings.
    ///
    /// ```
    /// use inkstone::Dataset;
    /// use inkstone::data::Augment;
    /// use inkstone::ndarray::Array4;
    /// let light = Dataset::from_floats(Array4::from_elem((9, 8, 8, 1), 250.0), vec![0; 9])?;
    /// let augment = Augment::new().brightness(0.2).value_range(0, 255);
    /// let varied = light.augment(&augment, 1)?.images();
    /// // From 250 - 51 up; 250 + 51 is clipped.
    /// assert!(varied.iter().all(|value| (198.9..=255.0).contains(value)));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    #[must_use]
    pub fn value_range(self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        Self { value_range: Some((low.into(), high.into())), ..self }
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
            ("the deviation of `elastic`", self.elastic.deviation, pixels.clone(), "from 0 to 1000000 pixels"),
            ("noise", self.noise, 0.0..=1e6, "from 0 to 1000000"),
            ("the probability of `erase`", self.erase.probability, 0.0..=1.0, "from 0 to 1"),
            ("the area of `erase`", self.erase.area, 0.0..=1.0, "from 0 to 1"),
            ("crop", self.crop as f64, pixels, "from 0 to 1000000 pixels"),
            ("brightness", self.brightness, 0.0..=1.0, "from 0 to 1"),
            ("contrast", self.contrast, 0.0..=1.0, "from 0 to 1"),
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
        if let Some((low, high)) = self.value_range
            && !(low < high && ENDS.contains(&low) && ENDS.contains(&high))
        {
            let expected = "from a lower to a higher number, both from -1000000 to 1000000";
            return Err(Error::Setting { name: "value_range", expected, received: format!("from {low} to {high}") });
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
        // All numbers are drawn before they are used, those of newer settings last: with the same seed, adding one of
        // them does not change the numbers of the older ones.
        let noise = (self.noise > 0.0).then(|| {
            old.iter_mut().for_each(|noise| *noise = self.noise as f32 * normal(random));
            old
        });
        let erased = (self.erase.probability > 0.0).then(|| Rectangle::draw(&self.erase, shape, random)).flatten();
        let mirror = self.flip.map(|flip| Mirror::draw(flip, random));
        let window = (self.crop > 0).then(|| Window::draw(self.crop, random));
        let tone = Tone::draw(self, random);

        if let Some(window) = window {
            window.apply(shape, image);
        }
        if let Some(mirror) = mirror {
            mirror.apply(shape, image);
        }
        tone.apply(shape, image);
        if let Some(noise) = noise {
            image.iter_mut().zip(noise).for_each(|(value, noise)| *value += *noise);
        }
        if let Some(rectangle) = erased {
            rectangle.erase(shape, image);
        }
    }

    /// Whether pixels move to places between pixels.
    fn moves(&self) -> bool {
        let Self { shift, rotate, zoom, shear, elastic, .. } = self;
        [*shift, *rotate, *zoom, *shear, elastic.deviation].iter().any(|amount| *amount > 0.0)
    }
}

impl Dataset {
    /// The data set with each image augmented once, from `seed`, and stored as floats, to inspect the result or to
    /// train on a fixed set; [`FitConfig::augment`](crate::FitConfig::augment) draws anew in each epoch.
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
