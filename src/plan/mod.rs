//! Decides what a model's layers become: checks every shape, and lays the program and its parameters out. It runs
//! nothing.

mod lower;
mod parameters;

pub(crate) use parameters::{Initial, Parameter, layer_names};

use crate::error::{Error, Result};
use crate::kernels::activation::Elementwise;
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::output::OutputFunction;
use crate::layers::Layer;
use crate::shape::{Shape, Window2d};
use std::ops::Range;

/// A model as a program: steps over one chunk of examples, and where their parameters lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The shape of one example.
    pub(crate) input: Shape,
    /// The shape of each layer's output.
    pub(crate) shapes: Vec<Shape>,
    /// The program.
    pub(crate) steps: Vec<Step>,
    /// Every kernel and bias, in the order of the layers.
    pub(crate) parameters: Vec<Parameter>,
    /// Floats in the flat parameter buffer.
    pub(crate) parameter_len: usize,
    /// Floats in the buffer of packed weights.
    pub(crate) packed_len: usize,
    /// The function of the last layer where that is no step, because the loss takes what comes before it.
    pub(crate) output: OutputFunction,
}

/// One step of the program: it reads the output of the step before and writes its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    /// Floats that one example has before the step.
    pub(crate) input_len: usize,
    /// Floats that one example has after the step.
    pub(crate) output_len: usize,
    /// Whether a step before this one has weights, so that the gradient of the input is needed.
    pub(crate) needs_input_gradient: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StepKind {
    /// A convolution or dense layer, with the pooling and activation that are fused behind it.
    Conv(ConvStep),
    /// A max pooling that could not be fused.
    MaxPool { window: Window2d, channels: usize },
    /// An activation that could not be fused.
    Activate(Elementwise),
    /// A softmax over the last axis, inside the model.
    Softmax { classes: usize },
    /// A dropout; `layer` tells its random numbers from those of others.
    Dropout { rate: f32, layer: usize },
}

/// A convolution; a dense layer is one with a 1x1 window on images of one pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConvStep {
    pub(crate) layout: ConvLayout,
    pub(crate) activation: Elementwise,
    /// The window and the channels, where the input needs a border first.
    pub(crate) border: Option<(Window2d, usize)>,
    /// Where the kernel lies in the parameters: (filters, window_len).
    pub(crate) weights: Range<usize>,
    /// Where the biases lie in the parameters; empty if there are none.
    pub(crate) biases: Range<usize>,
    /// Where the packed weights lie.
    pub(crate) packed: Range<usize>,
}

impl Plan {
    /// Checks and lowers a model.
    ///
    /// # Errors
    /// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] for a model that has
    /// no layers, does not end with a vector, or is too large.
    pub(crate) fn new(input: Shape, layers: &[Layer]) -> Result<Self> {
        if input.len().is_none() {
            return Err(Error::Model(format!(
                "has an input of {input}: every axis must be at least 1, and all together at most {}",
                crate::shape::MAX_ELEMENTS
            )));
        }
        let shapes = check_shapes(input, layers)?;
        match shapes.last() {
            Some(Shape::Vector(_)) => {}
            Some(shape) => {
                return Err(Error::Model(format!(
                    "ends with an output of {shape}, expected a vector with one value for each class: end it with \
                     `Flatten` and `Dense`"
                )));
            }
            None => {
                return Err(Error::Model("has no layers: add at least one `Dense`".into()));
            }
        }
        let (parameters, parameter_len) = parameters::lay_out(input, layers, &shapes)?;
        let mut steps = lower::lower(input, layers, &shapes, &parameters)?;
        let output = take_output_function(&mut steps);
        let packed_len = steps.iter().filter_map(Step::conv).map(|conv| conv.packed.end).max().unwrap_or(0);
        Ok(Self { input, shapes, steps, parameters, parameter_len, packed_len, output })
    }

    /// Values in one example.
    pub(crate) fn input_len(&self) -> usize {
        let (height, width, channels) = self.input.as_image();
        height * width * channels
    }

    /// The most values that one example has between two steps; a model may have no steps, and its output is its input.
    pub(crate) fn widest(&self) -> usize {
        self.steps.iter().map(|step| step.output_len).fold(self.input_len(), usize::max)
    }

    /// The same, inputs with the border that padding adds included.
    pub(crate) fn widest_padded(&self) -> usize {
        self.steps.iter().filter_map(Step::conv).map(|conv| conv.layout.image_len).fold(self.widest(), usize::max)
    }

    /// The shape of one output.
    pub(crate) fn output_shape(&self) -> Shape {
        self.shapes.last().copied().unwrap_or(self.input)
    }

    /// Values in one output: the number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.shapes.last().map_or(0, |shape| shape.as_image().2)
    }

    /// How many trainable parameters there are.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|parameter| parameter.range.len()).sum()
    }
}

impl Step {
    /// The convolution, if it is one.
    pub(crate) fn conv(&self) -> Option<&ConvStep> {
        match &self.kind {
            StepKind::Conv(conv) => Some(conv),
            StepKind::MaxPool { .. } | StepKind::Activate(_) | StepKind::Softmax { .. } | StepKind::Dropout { .. } => {
                None
            }
        }
    }
}

/// Takes a softmax or sigmoid off the end of the steps.
fn take_output_function(steps: &mut Vec<Step>) -> OutputFunction {
    let Some(last) = steps.last_mut() else { return OutputFunction::Linear };
    match &mut last.kind {
        // A softmax of every pixel, made a vector by `Flatten` behind it, is not one over the classes.
        StepKind::Softmax { classes } if *classes == last.output_len => {
            steps.pop();
            OutputFunction::Softmax
        }
        StepKind::Activate(Elementwise::Sigmoid) => {
            steps.pop();
            OutputFunction::Sigmoid
        }
        StepKind::Conv(conv) if conv.activation == Elementwise::Sigmoid => {
            conv.activation = Elementwise::Linear;
            OutputFunction::Sigmoid
        }
        StepKind::Conv(_)
        | StepKind::MaxPool { .. }
        | StepKind::Activate(_)
        | StepKind::Softmax { .. }
        | StepKind::Dropout { .. } => OutputFunction::Linear,
    }
}

/// The parameters that a plan of these layers has, without the plan, which takes more memory.
///
/// # Errors
/// As [`Plan::new`], of the layers' shapes.
pub(crate) fn parameters_of(input: Shape, layers: &[Layer]) -> Result<Vec<Parameter>> {
    let shapes = check_shapes(input, layers)?;
    parameters::lay_out(input, layers, &shapes).map(|(parameters, _)| parameters)
}

/// The shape of each layer's output.
fn check_shapes(input: Shape, layers: &[Layer]) -> Result<Vec<Shape>> {
    let mut shape = input;
    let shapes = layers.iter().enumerate().map(|(index, layer)| {
        shape = layer.output_shape(shape).map_err(|problem| Error::Layer { index, kind: layer.kind(), problem })?;
        Ok(shape)
    });
    shapes.collect()
}
