//! Lowers layers to steps: the only place where fusion is decided.

use super::{ConvStep, Parameter, Step, StepKind};
use crate::error::{Error, Result};
use crate::kernels::activation::Elementwise;
use crate::kernels::conv2d::ConvLayout;
use crate::layers::{Activation, ActivationFunction, Conv2D, Layer, MaxPooling2D};
use crate::shape::{MAX_ELEMENTS, Padding, Shape, Window2d};
use std::ops::Range;

/// The steps for these layers, whose shapes have been checked.
pub(super) fn lower(input: Shape, layers: &[Layer], shapes: &[Shape], parameters: &[Parameter]) -> Result<Vec<Step>> {
    let mut builder = Builder { layers, parameters, packed_end: 0, steps: Vec::new(), has_weights: false };
    let mut index = 0;
    let mut shape = input;
    while index < layers.len() {
        let (kinds, count) = builder.next(index, shape)?;
        let output = shapes[index + count - 1];
        builder.push(kinds, shape, output);
        (index, shape) = (index + count, output);
    }
    Ok(builder.steps)
}

struct Builder<'a> {
    layers: &'a [Layer],
    parameters: &'a [Parameter],
    packed_end: usize,
    steps: Vec<Step>,
    has_weights: bool,
}

impl Builder<'_> {
    /// The steps for the layers from `index` on that belong together, and how many layers those are.
    fn next(&mut self, index: usize, input: Shape) -> Result<(Vec<StepKind>, usize)> {
        use Layer::{Activation as Activate, Conv2D as Conv, Dense, Dropout, Flatten, MaxPooling2D as MaxPool};
        Ok(match &self.layers[index..] {
            [Conv(conv), MaxPool(pool), Activate(then), ..] if is_linear(conv.activation) && fuses(pool, then) => {
                (self.conv(index, input, conv, Some(pool), then.function)?, 3)
            }
            [Conv(conv), Activate(then), MaxPool(pool), ..] if is_linear(conv.activation) && fuses(pool, then) => {
                (self.conv(index, input, conv, Some(pool), then.function)?, 3)
            }
            [Conv(conv), MaxPool(pool), ..] if fuses(pool, &Activation::new(conv.activation)) => {
                (self.conv(index, input, conv, Some(pool), conv.activation)?, 2)
            }
            [Conv(conv), Activate(then), ..] if is_linear(conv.activation) => {
                (self.conv(index, input, conv, None, then.function)?, 2)
            }
            [Conv(conv), ..] => (self.conv(index, input, conv, None, conv.activation)?, 1),
            [Dense(dense), Activate(then), ..] if is_linear(dense.activation) => {
                (self.dense(index, input, dense.units, then.function)?, 2)
            }
            [Dense(dense), ..] => (self.dense(index, input, dense.units, dense.activation)?, 1),
            [MaxPool(pool), ..] => {
                let window = pool.window(input).map_err(|problem| self.fault(index, problem))?;
                (vec![StepKind::MaxPool { window, channels: input.as_image().2 }], 1)
            }
            [Activate(activation), ..] => (activation_alone(activation.function, input), 1),
            [Dropout(dropout), ..] => (vec![StepKind::Dropout { rate: dropout.rate, layer: index }], 1),
            [Flatten(_), ..] => (Vec::new(), 1),
            [] => (Vec::new(), 0),
        })
    }

    /// A convolution with what follows it.
    fn conv(
        &mut self,
        index: usize,
        input: Shape,
        conv: &Conv2D,
        pool: Option<&MaxPooling2D>,
        activation: ActivationFunction,
    ) -> Result<Vec<StepKind>> {
        let window = conv.window(input).map_err(|problem| self.fault(index, problem))?;
        let out = Shape::Image { height: window.out.0, width: window.out.1, channels: conv.filters };
        let pool = pool.map(|pool| pool.window(out).map_err(|problem| self.fault(index + 1, problem))).transpose()?;
        self.weighted(index, &window, input.as_image().2, conv.filters, pool.as_ref(), activation)
    }

    /// A dense layer is a convolution on an image of one pixel.
    fn dense(
        &mut self,
        index: usize,
        input: Shape,
        units: usize,
        activation: ActivationFunction,
    ) -> Result<Vec<StepKind>> {
        let window =
            Window2d::new((1, 1), (1, 1), (1, 1), Padding::Valid).map_err(|problem| self.fault(index, problem))?;
        self.weighted(index, &window, input.as_image().2, units, None, activation)
    }

    fn weighted(
        &mut self,
        index: usize,
        window: &Window2d,
        channels: usize,
        filters: usize,
        pool: Option<&Window2d>,
        activation: ActivationFunction,
    ) -> Result<Vec<StepKind>> {
        let padded = window.padded.0.checked_mul(window.padded.1).and_then(|pixels| pixels.checked_mul(channels));
        if padded.is_none_or(|padded| padded > MAX_ELEMENTS) {
            return Err(self.fault(index, format!("needs an input padded to more than {MAX_ELEMENTS} values")));
        }
        let packed = ConvLayout::packed_bound(window, channels, filters);
        if packed.is_none_or(|packed| packed > MAX_ELEMENTS) {
            return Err(self.fault(index, format!("needs more than {MAX_ELEMENTS} values to pack its kernel")));
        }
        let layout = ConvLayout::new(window, channels, filters, pool);
        let packed = self.packed_end..self.packed_end + layout.packed_len();
        self.packed_end = packed.end;
        let step = StepKind::Conv(ConvStep {
            activation: elementwise(activation).unwrap_or(Elementwise::Linear),
            border: window.pads().then_some((*window, channels)),
            weights: self.range(index, "kernel"),
            biases: self.range(index, "bias"),
            layout,
            packed,
        });
        Ok(match elementwise(activation) {
            Some(_) => vec![step],
            None => vec![step, StepKind::Softmax { classes: filters }],
        })
    }

    /// Where a layer's kernel or bias lies; an empty range if it has none.
    fn range(&self, index: usize, weight: &str) -> Range<usize> {
        let found =
            self.parameters.iter().find(|parameter| parameter.layer == index && parameter.name.ends_with(weight));
        found.map_or(0..0, |parameter| parameter.range.clone())
    }

    /// Adds steps; only the first of them changes the shape.
    fn push(&mut self, kinds: Vec<StepKind>, input: Shape, output: Shape) {
        let len = |shape: Shape| shape.as_image().0 * shape.as_image().1 * shape.as_image().2;
        for (place, kind) in kinds.into_iter().enumerate() {
            let input_len = len(if place == 0 { input } else { output });
            let needs_input_gradient = self.has_weights;
            self.has_weights |= matches!(kind, StepKind::Conv(_));
            self.steps.push(Step { kind, input_len, output_len: len(output), needs_input_gradient });
        }
    }

    fn fault(&self, index: usize, problem: String) -> Error {
        Error::Layer { index, kind: self.layers[index].kind(), problem }
    }
}

/// The most outputs that a fused pooling takes the maximum of: a band of twelve of its windows stays in the cache.
const MAX_FUSED_POOL: usize = 256;

fn is_linear(activation: ActivationFunction) -> bool {
    activation == ActivationFunction::Linear
}

/// Whether pooling and activation can follow the convolution band by band: no output is pooled twice, none is padding,
/// a band stays small, and the activation looks at one value at a time.
fn fuses(pool: &MaxPooling2D, activation: &Activation) -> bool {
    let (size, strides) = (pool.pool_size, pool.strides.unwrap_or(pool.pool_size));
    pool.padding == Padding::Valid
        && strides.0 >= size.0
        && strides.1 >= size.1
        && size.0.saturating_mul(size.1) <= MAX_FUSED_POOL
        && elementwise(activation.function).is_some()
}

fn elementwise(function: ActivationFunction) -> Option<Elementwise> {
    match function {
        ActivationFunction::Linear => Some(Elementwise::Linear),
        ActivationFunction::Relu => Some(Elementwise::Relu),
        ActivationFunction::Sigmoid => Some(Elementwise::Sigmoid),
        ActivationFunction::Tanh => Some(Elementwise::Tanh),
        ActivationFunction::Softmax => None,
    }
}

fn activation_alone(function: ActivationFunction, input: Shape) -> Vec<StepKind> {
    match elementwise(function) {
        Some(Elementwise::Linear) => Vec::new(),
        Some(activation) => vec![StepKind::Activate(activation)],
        None => vec![StepKind::Softmax { classes: input.as_image().2 }],
    }
}
