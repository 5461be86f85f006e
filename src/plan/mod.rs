//! Decides what a network becomes: checks every shape, lowers layers to operations, fuses those (`fuse`), picks
//! algorithms (`choose`), and lays out parameters (`parameters`) and gradients (`gradients`). It runs nothing.

mod choose;
mod cost;
mod fuse;
mod gradients;
mod parameters;
mod step;

pub(crate) use gradients::{GradientMemory, Wanted};
pub(crate) use parameters::{Parameter, Parameters, layer_names};
pub(crate) use step::{
    Add, Concatenate, ConvStep, CustomStep, Dropout, Flow, ForwardAlgorithm, InputGradient, Placed, Pooling, Softmax,
    Step, WeightGradient,
};

use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::layers::{Arity, Call, Network, Source};
use crate::program::{Builder, Operand, ValueId, WeightId, WeightSpec};
use crate::shape::{MAX_ELEMENTS, Shape};

/// A network as a program: steps over one chunk of examples, and where parameters and gradients lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The values that the caller writes.
    pub(crate) inputs: Vec<Operand>,
    /// The shape of each call's output.
    pub(crate) shapes: Vec<Shape>,
    /// How many floats of one example each value has; those that fusion left over have none.
    pub(crate) lengths: Vec<usize>,
    /// The program.
    pub(crate) steps: Vec<Placed>,
    pub(crate) heads: Vec<Head>,
    pub(crate) gradients: GradientMemory,
    pub(crate) parameters: Parameters,
    /// Floats in the buffer of packed weights.
    pub(crate) packed_len: usize,
}

/// One output of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Head {
    /// The value before the output function.
    pub(crate) value: ValueId,
    pub(crate) shape: Shape,
    /// The function of the last layer where that is no step, because the loss takes what comes before it.
    pub(crate) function: OutputFunction,
}

/// What each call of a network gives, and the weights of each layer.
struct Checked {
    shapes: Vec<Shape>,
    weights: Vec<Vec<WeightSpec>>,
}

impl Plan {
    /// Checks and plans a network.
    ///
    /// # Errors
    /// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] for a model that has
    /// no layers, does not end with a vector, or is too large.
    pub(crate) fn new(network: &Network, wanted: Wanted) -> Result<Self> {
        let Checked { shapes, weights } = check(network)?;
        check_outputs(network, &shapes)?;
        let parameters = parameters::lay_out(&network.layers, &weights)?;
        let mut builder = Builder::default();
        let inputs: Vec<Operand> = network.inputs.iter().map(|shape| builder.input(*shape)).collect();
        let outputs = lower(network, &parameters, &mut builder, &inputs)?;
        let Builder { mut lengths, mut operations, .. } = builder;
        let values = |heads: &[Head]| heads.iter().map(|head| head.value).collect::<Vec<ValueId>>();
        let mut heads: Vec<Head> = outputs
            .iter()
            .map(|Operand { value, shape }| Head { value: *value, shape: *shape, function: OutputFunction::Linear })
            .collect();
        fuse::fuse(&mut operations, &values(&heads));
        for index in 0..heads.len() {
            let all = values(&heads);
            let (value, function) = fuse::take_output_function(&mut operations, &lengths, &all, heads[index].value);
            (heads[index].value, heads[index].function) = (value, function);
        }
        let (mut steps, packed_len) = choose::choose(&operations, &parameters, &lengths, &values(&heads), wanted);
        let inputs_and_written = inputs.iter().map(|input| input.value).chain(steps.iter().map(|step| step.writes));
        let used: Vec<ValueId> = inputs_and_written.collect();
        for (value, len) in lengths.iter_mut().enumerate() {
            if !used.contains(&ValueId(value)) {
                *len = 0;
            }
        }
        let input_values: Vec<ValueId> = inputs.iter().map(|input| input.value).collect();
        let gradients = gradients::lay_out(&mut steps, &lengths, &input_values, &values(&heads), wanted);
        Ok(Self { inputs, shapes, lengths, steps, heads, gradients, parameters, packed_len })
    }

    /// The shape of one example of the first input.
    pub(crate) fn input(&self) -> Shape {
        self.inputs[0].shape
    }

    /// Values in one example of the first input.
    pub(crate) fn input_len(&self) -> usize {
        self.lengths[self.inputs[0].value.0]
    }

    /// The first output.
    pub(crate) fn head(&self) -> &Head {
        &self.heads[0]
    }

    /// The most values that one example has in one place, inputs with the border that padding adds included.
    pub(crate) fn widest_padded(&self) -> usize {
        let convs = self.steps.iter().filter_map(|placed| placed.step.conv());
        let padded = convs.map(|conv| conv.layout.image_len);
        padded.chain(self.lengths.iter().copied()).max().unwrap_or(0)
    }

    /// The shape of one output.
    pub(crate) fn output_shape(&self) -> Shape {
        self.head().shape
    }

    /// Values in one output: the number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.head().shape.as_image().2
    }

    /// How many parameters there are.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parameters.all.iter().map(|parameter| parameter.range.len()).sum()
    }
}

/// What a plan of a network has, without the plan, which takes more memory.
pub(crate) struct Outline {
    /// The shape of each call's output.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) parameters: Parameters,
}

impl Outline {
    /// # Errors
    /// As [`Plan::new`], of the layers' shapes.
    pub(crate) fn new(network: &Network) -> Result<Self> {
        let Checked { shapes, weights } = check(network)?;
        let parameters = parameters::lay_out(&network.layers, &weights)?;
        Ok(Self { shapes, parameters })
    }
}

/// Adds the operations of all calls to a program; returns the network's outputs.
fn lower(
    network: &Network,
    parameters: &Parameters,
    builder: &mut Builder,
    inputs: &[Operand],
) -> Result<Vec<Operand>> {
    let mut results: Vec<Operand> = Vec::new();
    let operand = |results: &[Operand], source: &Source| match *source {
        Source::Input(index) => inputs[index],
        Source::Call(index) => results[index],
    };
    for Call { layer: index, reads } in &network.calls {
        let layer = &network.layers[*index];
        let of_layer = parameters.all.iter().enumerate().filter(|(_, parameter)| parameter.layer == *index);
        let weights: Vec<WeightId> = of_layer.map(|(id, _)| WeightId(id)).collect();
        let reads: Vec<Operand> = reads.iter().map(|source| operand(&results, source)).collect();
        builder.layer = *index;
        let lowered = layer.describe().lower(builder, &reads, &weights);
        results.push(lowered.map_err(|problem| Error::Layer { index: *index, kind: layer.kind(), problem })?);
    }
    Ok(network.outputs.iter().map(|source| operand(&results, source)).collect())
}

/// The shape of each call's output, and the weights of each layer.
fn check(network: &Network) -> Result<Checked> {
    for input in &network.inputs {
        if input.len().is_none() {
            return Err(Error::Model(format!(
                "has an input of {input}: every axis must be at least 1, and all together at most {MAX_ELEMENTS}"
            )));
        }
    }
    let (mut shapes, mut weights) = (Vec::new(), vec![None; network.layers.len()]);
    for Call { layer: index, reads } in &network.calls {
        let layer = &network.layers[*index];
        let fault = |problem| Error::Layer { index: *index, kind: layer.kind(), problem };
        let inputs: Vec<Shape> = reads.iter().map(|source| shape_of(network, &shapes, source)).collect();
        match layer.describe().arity() {
            Arity::One if inputs.len() == 1 => {}
            Arity::One => return Err(fault(format!("takes one input, got {}", inputs.len()))),
        }
        let spec = layer.describe().spec(&inputs).map_err(fault)?;
        let first = weights[*index].get_or_insert_with(|| spec.weights.clone());
        if *first != spec.weights {
            return Err(fault("is called on inputs of different shapes, but has one set of weights".into()));
        }
        shapes.push(spec.output);
    }
    Ok(Checked { shapes, weights: weights.into_iter().map(Option::unwrap_or_default).collect() })
}

/// Whether the outputs are what a loss can take.
fn check_outputs(network: &Network, shapes: &[Shape]) -> Result<()> {
    if network.calls.is_empty() {
        return Err(Error::Model("has no layers: add at least one `Dense`".into()));
    }
    for output in &network.outputs {
        match shape_of(network, shapes, output) {
            Shape::Vector(_) => {}
            shape @ Shape::Image { .. } => {
                return Err(Error::Model(format!(
                    "ends with an output of {shape}, expected a vector: end it with `Flatten` for a value for each channel of \
                     each pixel, as an autoencoder has, or with `Flatten` and `Dense` for a value for each class"
                )));
            }
        }
    }
    Ok(())
}

fn shape_of(network: &Network, shapes: &[Shape], source: &Source) -> Shape {
    match *source {
        Source::Input(index) => network.inputs[index],
        Source::Call(index) => shapes[index],
    }
}
