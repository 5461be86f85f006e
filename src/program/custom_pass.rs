//! What a layer of a user's own works with: slices of inputs, outputs, weights and gradients.

use super::{InitialValues, Role, WeightSpec, glorot_limit};
use crate::shape::Shape;
use std::ops::{Index, IndexMut, Range};

/// One weight of a [`CustomLayer`](super::CustomLayer): its name within the layer, its shape, and how its first values
/// are drawn.
///
/// ```
/// use inkstone::custom::LayerWeight;
/// let kernel = LayerWeight::glorot_uniform("kernel", [64, 10]);
/// let mean = LayerWeight::zeros("mean", [64]).frozen();
/// # let _ = (kernel, mean);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeight {
    name: &'static str,
    shape: Vec<usize>,
    initial: InitialValues,
    role: Role,
}

impl LayerWeight {
    /// A weight whose values start as 0.
    #[must_use]
    pub fn zeros(name: &'static str, shape: impl Into<Vec<usize>>) -> Self {
        Self { name, shape: shape.into(), initial: InitialValues::Zeros, role: Role::Trained }
    }

    /// A weight whose values all start as this number.
    #[must_use]
    pub fn constant(name: &'static str, shape: impl Into<Vec<usize>>, value: f32) -> Self {
        Self { initial: InitialValues::Constant(value), ..Self::zeros(name, shape) }
    }

    /// A weight whose values are drawn evenly from `-limit` to `limit`.
    #[must_use]
    pub fn uniform(name: &'static str, shape: impl Into<Vec<usize>>, limit: f32) -> Self {
        Self { initial: InitialValues::Uniform { limit }, ..Self::zeros(name, shape) }
    }

    /// A kernel whose last two axes are what it reads and what it gives, drawn as the kernels of
    /// [`Dense`](crate::layers::Dense) are.
    #[must_use]
    pub fn glorot_uniform(name: &'static str, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let limit = glorot_limit(&shape).unwrap_or(1.0);
        Self::uniform(name, shape, limit)
    }

    /// The weight, kept as it is in training.
    #[must_use]
    pub fn frozen(self) -> Self {
        Self { role: Role::Frozen, ..self }
    }

    pub(crate) fn into_spec(self) -> WeightSpec {
        let Self { name, shape, initial, role } = self;
        WeightSpec { initial, role, ..WeightSpec::zeros(name, shape) }
    }
}

/// What a [`CustomLayer`](super::CustomLayer)'s forward pass works with.
#[derive(Debug)]
#[non_exhaustive]
pub struct LayerForward<'a> {
    /// How many examples there are.
    pub examples: usize,
    /// The shape of one example of the input.
    pub input_shape: Shape,
    /// The shape of one example of the output.
    pub output_shape: Shape,
    /// The inputs: (examples, values of one input).
    pub input: &'a [f32],
    /// The weights.
    pub weights: WeightValues<'a>,
    /// The outputs, all 0, to be written: (examples, values of one output).
    pub output: &'a mut [f32],
}

/// What a [`CustomLayer`](super::CustomLayer)'s backward pass works with, after the forward pass of the same examples.
#[derive(Debug)]
#[non_exhaustive]
pub struct LayerBackward<'a> {
    /// How many examples there are.
    pub examples: usize,
    /// The shape of one example of the input.
    pub input_shape: Shape,
    /// The shape of one example of the output.
    pub output_shape: Shape,
    /// The inputs: (examples, values of one input).
    pub input: &'a [f32],
    /// The outputs that the forward pass has written: (examples, values of one output).
    pub output: &'a [f32],
    /// The gradients of the outputs, of the same shape.
    pub d_output: &'a [f32],
    /// The weights.
    pub weights: WeightValues<'a>,
    /// The gradients of the inputs, all 0, to be written: (examples, values of one input). `None` where nothing before
    /// the layer is trained.
    pub d_input: Option<&'a mut [f32]>,
    /// The gradients of the weights, summed over all examples so far, to be added to.
    pub d_weights: WeightGradients<'a>,
}

/// Where one weight of a layer lies in the flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeightPlace {
    pub(crate) range: Range<usize>,
    pub(crate) is_trained: bool,
}

/// The weights of a layer: `weights[0]` is the first that [`CustomLayer::weights`](super::CustomLayer::weights) named,
/// in row-major order.
#[derive(Clone, Copy, Debug)]
pub struct WeightValues<'a> {
    pub(crate) flat: &'a [f32],
    pub(crate) places: &'a [WeightPlace],
}

impl Index<usize> for WeightValues<'_> {
    type Output = [f32];

    fn index(&self, weight: usize) -> &[f32] {
        &self.flat[self.places[weight].range.clone()]
    }
}

/// The gradients of the weights of a layer, in the order of [`WeightValues`]. Of a weight that is not trained it is
/// empty.
#[derive(Debug)]
pub struct WeightGradients<'a> {
    pub(crate) flat: &'a mut [f32],
    pub(crate) places: &'a [WeightPlace],
}

impl WeightGradients<'_> {
    fn range(&self, weight: usize) -> Range<usize> {
        let WeightPlace { range, is_trained } = &self.places[weight];
        if *is_trained { range.clone() } else { 0..0 }
    }
}

impl Index<usize> for WeightGradients<'_> {
    type Output = [f32];

    fn index(&self, weight: usize) -> &[f32] {
        &self.flat[self.range(weight)]
    }
}

impl IndexMut<usize> for WeightGradients<'_> {
    fn index_mut(&mut self, weight: usize) -> &mut [f32] {
        let range = self.range(weight);
        &mut self.flat[range]
    }
}
