//! Lowers layers to steps: the only place where fusion is decided.

use super::parameters::{BIAS, KERNEL, of_layers};
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
        builder.push(index..index + count, kinds, shape, output);
        (index, shape) = (index + count, output);
    }
    Ok(builder.steps)
}

struct Builder<'a> {
    layers: &'a [Layer],
    parameters: &'a [Parameter],
    packed_end: usize,
    steps: Vec<Step>,
    /// Whether any step so far has parameters.
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
        let packed = ConvLayout::packed_len_of(window, channels, filters, pool);
        if packed.is_none_or(|packed| packed > MAX_ELEMENTS) {
            return Err(self.fault(index, format!("needs more than {MAX_ELEMENTS} values to pack its kernel")));
        }
        let layout = ConvLayout::new(window, channels, filters, pool);
        let packed = self.packed_end..self.packed_end + layout.packed_len();
        self.packed_end = packed.end;
        let step = StepKind::Conv(ConvStep {
            activation: elementwise(activation).unwrap_or(Elementwise::Linear),
            border: window.pads().then_some((*window, channels)),
            weights: self.range(index, KERNEL),
            biases: self.range(index, BIAS),
            layout,
            packed,
        });
        Ok(match elementwise(activation) {
            Some(_) => vec![step],
            None => vec![step, StepKind::Softmax { classes: filters }],
        })
    }

    /// Where the weight of this name lies in the parameters of a layer; an empty range if the layer has none.
    fn range(&self, index: usize, weight: &str) -> Range<usize> {
        let found = of_layers(self.parameters, index..index + 1).iter().find(|parameter| parameter.weight == weight);
        found.map_or(0..0, |parameter| parameter.range.clone())
    }

    /// Adds the steps of these layers; only the first of them changes the shape, and has the parameters.
    fn push(&mut self, layers: Range<usize>, kinds: Vec<StepKind>, input: Shape, output: Shape) {
        let have_weights = !of_layers(self.parameters, layers).is_empty();
        let len = |shape: Shape| shape.as_image().0 * shape.as_image().1 * shape.as_image().2;
        for (place, kind) in kinds.into_iter().enumerate() {
            let input_len = len(if place == 0 { input } else { output });
            let needs_input_gradient = self.has_weights;
            self.has_weights |= have_weights;
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

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::*;
    use crate::layers::ActivationFunction::{Softmax, Tanh};
    use crate::layers::{Dense, Dropout, Flatten};

    fn packed_len(input: impl Into<Shape>, layer: impl Into<Layer>) -> std::result::Result<usize, String> {
        let plan = Plan::new(input.into(), &[layer.into(), Flatten::new().into()]);
        plan.map(|plan| plan.packed_len).map_err(|error| error.to_string())
    }

    #[test]
    fn wide_dense_layers_have_the_packed_kernel_that_they_need() {
        assert_eq!(packed_len([1024], Dense::new(65_536)), Ok(1025 * 65_536));
        assert_eq!(packed_len([1 << 22], Dense::new(1)), Ok(((1 << 22) + 1) * 16));
        let refused = packed_len([1 << 24], Dense::new(1));
        assert_eq!(refused.unwrap_err(), "layer 0 (Dense) needs more than 268435456 values to pack its kernel");
    }

    #[test]
    fn kernels_that_are_transformed_are_packed_twice() {
        // Tiles of 3x3 outputs take 25 numbers for 9 weights.
        let conv = |filters| Conv2D::new(filters, (3, 3));
        assert_eq!(packed_len([5, 5, 512], conv(512)), Ok((9 * 512 + 1) * 512 + 25 * 513 * 512));
        assert!(packed_len([5, 5, 4096], conv(4096)).is_err(), "9 * 4096 * 4096 = 151 million weights");
        assert!(packed_len([6, 7, 4096], conv(4096)).is_ok(), "of an output without whole tiles");
    }

    #[test]
    fn weights_are_found_by_their_whole_name_and_layer() {
        let layers: Vec<Layer> =
            vec![Dense::new(3).use_bias(false).into(), Dropout::new(0.5).into(), Dense::new(2).into()];
        let plan = Plan::new([4].into(), &layers).unwrap();
        let ranges = plan.steps.iter().filter_map(Step::conv).map(|conv| (conv.weights.clone(), conv.biases.clone()));
        assert_eq!(ranges.collect::<Vec<_>>(), [(0..12, 0..0), (16..22, 32..34)]);
        let mut parameters = plan.parameters;
        parameters[1].weight = "recurrent_kernel";
        let builder =
            Builder { layers: &layers, parameters: &parameters, packed_end: 0, steps: vec![], has_weights: false };
        assert_eq!([builder.range(0, KERNEL), builder.range(2, KERNEL), builder.range(2, BIAS)], [0..12, 0..0, 32..34]);
    }

    #[test]
    fn steps_behind_the_first_parameters_need_input_gradients() {
        let layers: Vec<Layer> =
            vec![Activation::new(Tanh).into(), Dense::new(3).activation(Softmax).into(), Dropout::new(0.5).into()];
        let plan = Plan::new([4].into(), &layers).unwrap();
        let needs: Vec<bool> = plan.steps.iter().map(|step| step.needs_input_gradient).collect();
        assert_eq!(needs, [false, false, true, true]);
    }
}
