//! Checks for layers and losses of your own: whether a backward pass gives the gradients of its forward pass.
//!
//! [`check_gradients`] takes a layer, [`check_model_gradients`] a compiled model with its loss. Both move each number a
//! little down and up, and compare how much the result changes, the *central difference*, with the gradient.
//!
//! # What counts as equal
//!
//! The difference over a step `h` is wrong by about `h^2`, and by the rounding of `f32` divided by `h`: about `1e-7 * r
//! / h` for a result of size `r`. A gradient may differ from it by a part of itself
//! ([`relative`](GradientCheck::relative)), by a twentieth of that part of the largest gradient of the same weight, and
//! by four times that rounding. So a check with the defaults finds any factor or sign that is wrong, and terms that are
//! missing, but not an error of less than a hundredth.
//!
//! A function with a kink, as ReLU at 0, has two differences there, to the left and to the right: all that is between
//! them passes. Inputs are drawn so that no two numbers, and none and 0, are within two steps of each other; where
//! kinks lie elsewhere, a smaller [`step`](GradientCheck::step) meets fewer of them.

mod layer;
mod model;

use crate::data::LabelledInputs;
use crate::error::{Error, Result};
use crate::layers::Layer;
use crate::model::Model;
use crate::plan::Parameter;
use crate::program::StoredOrder;
use crate::shape::Shape;

/// How gradients are compared with central differences: the settings of [`check_gradients`] and
/// [`check_model_gradients`].
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::testing::GradientCheck;
/// let check = GradientCheck::new().step(1e-3).relative(0.05);
/// check.layer(Conv2D::new(3, (2, 2)).activation(Tanh), [4, 4, 2])?;
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GradientCheck {
    /// How far a number is moved each way; 0.005.
    pub step: f32,
    /// Which part of itself a gradient may be wrong by; 0.01.
    pub relative: f32,
    /// How many values of each weight, and of the input, are checked, evenly spread over it; 400.
    pub values: usize,
}

impl Default for GradientCheck {
    fn default() -> Self {
        Self { step: 5e-3, relative: 1e-2, values: 400 }
    }
}

/// Compares a layer's gradients with central differences, on two examples of this shape, which are drawn at random, but
/// the same each time: the gradients of the input, and of every weight that is trained, whose values are moved from
/// where they start by up to 0.25.
///
/// It takes two forward passes for each value, so let the shape be small.
///
/// # Errors
/// [`Error::Gradient`] for the first gradient that is not the difference,
/// [`Error::Layer`] if the layer cannot work on this shape.
///
/// ```
/// use inkstone::custom::{CustomLayer, LayerBackward, LayerForward};
/// use inkstone::{Shape, testing};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Square;
///
/// impl CustomLayer for Square {
///     const NAME: &'static str = "Square";
///
///     fn output_shape(&self, input: Shape) -> Result<Shape, String> {
///         Ok(input)
///     }
///
///     fn forward(&self, pass: LayerForward<'_>) {
///         pass.output.iter_mut().zip(pass.input).for_each(|(y, x)| *y = x * x);
///     }
///
///     // The factor 2 is missing.
///     fn backward(&self, pass: LayerBackward<'_>) {
///         let Some(d_input) = pass.d_input else { return };
///         for ((dx, x), dy) in d_input.iter_mut().zip(pass.input).zip(pass.d_output) {
///             *dx = x * dy;
///         }
///     }
/// }
///
/// let error = testing::check_gradients(Square, [3]).unwrap_err().to_string();
/// assert!(error.starts_with("the gradient of the input at [0, 0] is "), "{error}");
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn check_gradients(layer: impl Into<Layer>, input: impl Into<Shape>) -> Result<()> {
    GradientCheck::new().layer(layer, input)
}

/// Compares the gradients of a model's loss on a batch with central differences: of every weight that is trained, from
/// where it stands. The model is not changed. This checks a loss of your own, and a layer of your own among others.
///
/// It takes two forward passes for each value, so let the model and the batch be small.
///
/// # Errors
/// [`Error::Gradient`] for the first gradient that is not the difference, [`Error::Data`] if
/// the batch does not fit the model.
///
/// ```
/// use inkstone::prelude::*;
/// use inkstone::testing;
/// let model = Sequential::new([2])
///     .add(Dense::new(5).activation(Tanh))
///     .add(Dense::new(3).activation(Softmax))
///     .compile(Sgd::default(), SparseCategoricalCrossentropy::default(), [])?;
/// testing::check_model_gradients(&model, (&[[0.5, -1.0], [2.0, 0.1]], &[0, 2]))?;
/// # Ok::<(), inkstone::Error>(())
/// ```
pub fn check_model_gradients<'a>(model: &Model, batch: impl Into<LabelledInputs<'a>>) -> Result<()> {
    GradientCheck::new().model(model, batch)
}

impl GradientCheck {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how far a number is moved each way.
    #[must_use]
    pub fn step(self, step: f32) -> Self {
        Self { step, ..self }
    }

    /// Sets which part of itself a gradient may be wrong by.
    #[must_use]
    pub fn relative(self, relative: f32) -> Self {
        Self { relative, ..self }
    }

    /// Sets how many values of each weight, and of the input, are checked.
    #[must_use]
    pub fn values(self, values: usize) -> Self {
        Self { values, ..self }
    }

    /// As [`check_gradients`].
    ///
    /// # Errors
    /// As [`check_gradients`].
    pub fn layer(&self, layer: impl Into<Layer>, input: impl Into<Shape>) -> Result<()> {
        self.check_settings()?;
        layer::check(self, layer.into(), input.into())
    }

    /// As [`check_model_gradients`].
    ///
    /// # Errors
    /// As [`check_model_gradients`].
    pub fn model<'a>(&self, model: &Model, batch: impl Into<LabelledInputs<'a>>) -> Result<()> {
        self.check_settings()?;
        model::check(self, model, batch.into())
    }

    /// # Errors
    /// [`Error::Setting`] for a number that makes no sense.
    fn check_settings(&self) -> Result<()> {
        let positive = [("step", self.step), ("relative", self.relative)];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                let received = value.to_string();
                return Err(Error::Setting { name, expected: "finite and more than 0", received });
            }
        }
        if self.values == 0 {
            return Err(Error::Setting { name: "values", expected: "at least 1", received: "0".into() });
        }
        Ok(())
    }

    /// Compares gradients with differences.
    ///
    /// - result: what they are the gradients of, with one of the values, at a place, set to a number
    fn compare(&self, tensor: &Tensor<'_>, size: f64, mut result: impl FnMut(usize, f32) -> f64) -> Result<()> {
        let Tensor { values, gradients, .. } = tensor;
        let places: Vec<usize> = (0..values.len()).step_by(values.len().div_ceil(self.values).max(1)).collect();
        let Some(first) = places.first() else { return Ok(()) };
        let middle = result(*first, values[*first]);
        let differences: Vec<Differences> = places
            .iter()
            .map(|place| {
                // As far as the numbers really are apart.
                let [low, value, high] = [values[*place] - self.step, values[*place], values[*place] + self.step];
                let (below, above) = (result(*place, low), result(*place, high));
                let [low, value, high] = [low, value, high].map(f64::from);
                Differences {
                    left: (middle - below) / (value - low),
                    central: (above - below) / (high - low),
                    right: (above - middle) / (high - value),
                }
            })
            .collect();
        let largest = differences.iter().fold(0.0_f64, |largest, at| largest.max(at.central.abs()));
        let rounding = 4.0 * f64::from(f32::EPSILON) * size / f64::from(self.step);
        for (place, expected) in places.into_iter().zip(differences) {
            let received = gradients[place];
            let tolerance = f64::from(self.relative) * (expected.central.abs() + 0.05 * largest) + rounding;
            if !expected.meet(f64::from(received), tolerance) {
                return Err(Error::Gradient {
                    of: tensor.name.clone(),
                    index: tensor.index(place),
                    expected: expected.central as f32,
                    received,
                    tolerance: tolerance as f32,
                });
            }
        }
        Ok(())
    }
}

/// How a result changes with one value: below it, around it, above it.
struct Differences {
    left: f64,
    central: f64,
    right: f64,
}

impl Differences {
    /// Whether a gradient is one of them, or between those of both sides of a kink. NaN never is.
    fn meet(&self, gradient: f64, tolerance: f64) -> bool {
        let (low, high) = (self.left.min(self.right), self.left.max(self.right));
        gradient >= low - tolerance && gradient <= high + tolerance
    }
}

/// Numbers with their gradients.
struct Tensor<'a> {
    name: String,
    /// In memory.
    shape: Vec<usize>,
    stored: StoredOrder,
    values: &'a [f32],
    gradients: &'a [f32],
}

impl<'a> Tensor<'a> {
    /// A weight out of flat buffers.
    fn of(parameter: &Parameter, values: &'a [f32], gradients: &'a [f32]) -> Self {
        Self {
            name: parameter.name.clone(),
            shape: parameter.stored_shape(),
            stored: parameter.stored,
            values: &values[parameter.range.clone()],
            gradients: &gradients[parameter.range.clone()],
        }
    }

    /// The index of a value as users count axes.
    fn index(&self, place: usize) -> Vec<usize> {
        let mut rest = place;
        let mut index: Vec<usize> = self.shape.iter().rev().map(|axis| (rest % axis, rest /= axis).0).collect();
        index.reverse();
        match self.stored {
            StoredOrder::AsShaped => {}
            StoredOrder::LastAxisFirst => index.rotate_left(1),
        }
        index
    }
}
