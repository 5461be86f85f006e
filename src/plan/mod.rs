//! Decides what a network becomes: checks every shape, lowers layers to operations, fuses those (`fuse`), picks
//! algorithms (`choose`), and lays out parameters (`parameters`) and gradients (`gradients`). It runs nothing.

mod choose;
mod cost;
mod fuse;
mod gradients;
mod outline;
mod parameters;
mod step;

pub(crate) use gradients::{GradientMemory, Wanted};
pub(crate) use outline::Outline;
pub(crate) use parameters::{Parameter, Parameters, layer_names};
pub(crate) use step::{
    ConvStep, Flow, FoldedNorm, ForwardAlgorithm, InputGradient, OverBatch, Placed, Step, Table, WeightGradient,
};

use crate::error::{Error, Result};
use crate::kernels::output::OutputFunction;
use crate::layers::{Arity, Call, Network, Source};
use crate::program::{Builder, Carried, Operand, Plain, Regularizer, ValueId, WeightId, WeightSpec};
use crate::shape::{MAX_ELEMENTS, Shape};
use cost::Costs;
use std::ops::Range;

/// A network as a program: steps over one chunk of examples, and where parameters and gradients lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// The values that the caller writes.
    pub(crate) inputs: Vec<Operand>,
    /// The shapes of each call's outputs.
    pub(crate) shapes: Vec<Vec<Shape>>,
    /// How many floats of one example each value has; those that fusion left over have none.
    pub(crate) lengths: Vec<usize>,
    /// The program.
    pub(crate) steps: Vec<Placed>,
    pub(crate) heads: Vec<Head>,
    pub(crate) gradients: GradientMemory,
    pub(crate) parameters: Parameters,
    /// The kernels whose gradients are summed over a whole batch at once.
    pub(crate) over_batch: Vec<OverBatch>,
    /// The tables whose gradients are kept occurrence by occurrence: one for each step that looks rows up.
    pub(crate) tables: Vec<Table>,
    /// For each input that holds tokens the first token that there is not.
    pub(crate) token_limits: Vec<Option<usize>>,
    /// Floats in the buffer of packed weights.
    pub(crate) packed_len: usize,
    /// The values that add to the loss.
    pub(crate) activities: Vec<(ValueId, Regularizer)>,
    /// The steps that make the masks of outputs, in their order.
    pub(crate) mask_steps: Vec<usize>,
    /// The states that go from a batch to the next.
    pub(crate) carried: Vec<Carried>,
    /// What every batch asks for.
    pub(crate) costs: Costs,
}

/// One output of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// The name of the layer that gives it.
    pub(crate) name: String,
    /// The value before the output function.
    pub(crate) value: ValueId,
    pub(crate) shape: Shape,
    /// The function of the last layer where that is no step, because the loss takes what comes before it.
    pub(crate) function: OutputFunction,
    /// Which of its steps count, if it is a sequence with a mask.
    pub(crate) mask: Option<ValueId>,
}

impl Head {
    /// How many values are scored at a time: those of a step of a sequence with a mask, otherwise all of an example.
    pub(crate) fn scored_len(&self) -> usize {
        let len = self.shape.axes().iter().product();
        if self.mask.is_some() { len / self.shape.axes()[0] } else { len }
    }
}

/// What each call of a network gives, and the weights of each layer.
struct Checked {
    shapes: Vec<Vec<Shape>>,
    weights: Vec<Vec<WeightSpec>>,
}

impl Plan {
    /// Checks and plans a network.
    ///
    /// # Errors
    /// [`Error::Layer`] for the first layer that cannot work on what it is given, [`Error::Model`] for a model that has
    /// no layers, has calls that cannot be, or is too large.
    pub(crate) fn new(network: &Network, wanted: Wanted) -> Result<Self> {
        Self::with_parameters(network, wanted, None)
    }

    /// - placed: where parameters lie, if that has been decided
    fn with_parameters(network: &Network, wanted: Wanted, placed: Option<&Parameters>) -> Result<Self> {
        check_outputs(network)?;
        let Checked { shapes, weights } = check(network)?;
        let parameters = parameters::lay_out(&network.layers, &weights)?;
        let mut builder = Builder::default();
        let inputs: Vec<Operand> = network.inputs.iter().map(|shape| builder.input(*shape)).collect();
        let Lowered { outputs, masks, activities } = lower(network, &parameters, &mut builder, &inputs)?;
        let regularized: Vec<ValueId> = activities.iter().map(|(value, _)| *value).collect();
        let Builder { mut lengths, mut operations, carried, .. } = builder;
        let values = |heads: &[Head]| heads.iter().map(|head| head.value).collect::<Vec<ValueId>>();
        let mut heads: Vec<Head> = outputs
            .iter()
            .zip(parameters::output_names(network))
            .zip(masks)
            .map(|((Operand { value, shape }, name), mask)| Head {
                name,
                value: *value,
                shape: *shape,
                function: OutputFunction::Linear,
                mask,
            })
            .collect();
        fuse::fuse(&mut operations, lengths.len(), &[values(&heads), regularized.clone()].concat(), wanted);
        for index in 0..heads.len() {
            if regularized.contains(&heads[index].value) {
                continue;
            }
            let all = values(&heads);
            let (value, function) = fuse::take_output_function(&mut operations, &lengths, &all, heads[index].value);
            (heads[index].value, heads[index].function) = (value, function);
        }
        let (over_batch, parameters) = match placed {
            Some(placed) => (Vec::new(), placed.clone()),
            None => {
                let over_batch = choose::over_batch(&operations, &parameters);
                let tables = choose::tables(&operations, &parameters);
                let is_over_batch =
                    |parameter| [&over_batch, &tables].iter().any(|ids| ids.contains(&WeightId(parameter)));
                let parameters = Parameters::place(parameters.all, is_over_batch);
                (over_batch, parameters)
            }
        };
        let choices = choose::Choices { operations: &operations, parameters: &parameters, over_batch: &over_batch };
        let (mut steps, packed_len) = choose::choose(choices, &lengths, &values(&heads), wanted);
        let tables = step::number_tables(&mut steps, &lengths);
        let mut is_used = vec![false; lengths.len()];
        let given = inputs.iter().map(|input| input.value).chain(carried.iter().map(|carried| carried.first));
        given.chain(steps.iter().map(|step| step.writes)).for_each(|ValueId(value)| is_used[value] = true);
        lengths.iter_mut().zip(is_used).filter(|(_, is_used)| !is_used).for_each(|(len, _)| *len = 0);
        let input_values: Vec<ValueId> = inputs.iter().map(|input| input.value).collect();
        let gradients = gradients::lay_out(&mut steps, &lengths, &input_values, &values(&heads), wanted);
        let over_batch = steps.iter().filter_map(|placed| placed.step.conv().and_then(ConvStep::over_batch)).collect();
        let mask_steps = mask_steps(&steps, &heads, lengths.len())?;
        let token_limits = inputs.iter().map(|input| step::token_limit(&steps, input.value)).collect();
        let costs = Costs::new(&steps, &lengths);
        Ok(Self {
            inputs,
            shapes,
            lengths,
            steps,
            heads,
            gradients,
            parameters,
            over_batch,
            tables,
            token_limits,
            packed_len,
            activities,
            mask_steps,
            carried,
            costs,
        })
    }

    /// The plan of the same network for inference alone, if it is another: if a normalization can become part of a
    /// kernel there.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn for_inference(&self, network: &Network) -> Result<Option<Self>> {
        let normalizes = |placed: &Placed| matches!(placed.step, Step::Plain(Plain::BatchNorm(_)));
        if !self.steps.iter().any(normalizes) {
            return Ok(None);
        }
        // The same weights serve both plans.
        let plan = Self::with_parameters(network, Wanted::Nothing, Some(&self.parameters))?;
        Ok((plan.steps.len() < self.steps.len()).then_some(plan))
    }

    /// The steps before which the chunks of a batch meet in training: a phase ends before each.
    pub(crate) fn meetings(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().enumerate().filter(|(_, placed)| placed.meets()).map(|(step, _)| step)
    }

    /// The steps of each phase: all, unless chunks meet on the way.
    pub(crate) fn phases(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = [0].into_iter().chain(self.meetings());
        starts.zip(self.meetings().chain([self.steps.len()])).map(|(start, end)| start..end)
    }

    /// The shape of one example of each input.
    pub(crate) fn input_shapes(&self) -> impl Iterator<Item = Shape> {
        self.inputs.iter().map(|input| input.shape)
    }

    /// The shape of one example of the first input.
    pub(crate) fn input(&self) -> Shape {
        self.inputs[0].shape
    }

    /// Values in one example of an input.
    pub(crate) fn input_len(&self, input: usize) -> usize {
        self.lengths[self.inputs[input].value.0]
    }

    /// The first output.
    pub(crate) fn head(&self) -> &Head {
        &self.heads[0]
    }

    /// Values in one example of an output.
    pub(crate) fn output_len(&self, head: usize) -> usize {
        self.lengths[self.heads[head].value.0]
    }

    /// The most values in one example of an output.
    pub(crate) fn widest_output(&self) -> usize {
        (0..self.heads.len()).map(|head| self.output_len(head)).max().unwrap_or(0)
    }

    /// Values in one example of all outputs together.
    pub(crate) fn outputs_len(&self) -> usize {
        (0..self.heads.len()).map(|head| self.output_len(head)).sum()
    }

    /// Values of the states of one example that go from a batch to the next.
    pub(crate) fn carried_len(&self) -> usize {
        self.carried.iter().map(|carried| carried.len).sum()
    }

    /// How many parameters there are.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parameters.all.iter().map(|parameter| parameter.range.len()).sum()
    }
}

/// The steps that the masks of outputs depend on, in their order.
///
/// - values: how many there are
///
/// # Errors
/// [`Error::Model`] if chunks meet on the way: masks are made before they do.
fn mask_steps(steps: &[Placed], heads: &[Head], values: usize) -> Result<Vec<usize>> {
    let mut is_wanted = vec![false; values];
    heads.iter().filter_map(|head| head.mask).for_each(|ValueId(mask)| is_wanted[mask] = true);
    let mut found = Vec::new();
    for (index, placed) in steps.iter().enumerate().rev() {
        if !is_wanted[placed.writes.0] {
            continue;
        }
        if placed.meets() {
            return Err(Error::Model(
                "ends with a sequence whose mask is made of what a `BatchNormalization` gives: put `Masking` before that"
                    .into(),
            ));
        }
        placed.reads.iter().for_each(|ValueId(read)| is_wanted[*read] = true);
        found.push(index);
    }
    found.reverse();
    Ok(found)
}

const CHECKED: &str = "every value that is read has been found to be there";

/// What a network's operations give.
struct Lowered {
    outputs: Vec<Operand>,
    /// The mask of each output.
    masks: Vec<Option<ValueId>>,
    /// The values that add to the loss.
    activities: Vec<(ValueId, Regularizer)>,
}

/// Adds the operations of all calls to a program.
fn lower(network: &Network, parameters: &Parameters, builder: &mut Builder, inputs: &[Operand]) -> Result<Lowered> {
    let mut weights = vec![Vec::new(); network.layers.len()];
    parameters.all.iter().enumerate().for_each(|(id, parameter)| weights[parameter.layer].push(WeightId(id)));
    // Each value with its mask.
    type Value = (Operand, Option<ValueId>);
    let inputs: Vec<Value> = inputs.iter().map(|input| (*input, None)).collect();
    let (mut results, mut activities) = (Vec::<Vec<Value>>::new(), Vec::new());
    let value = |results: &[Vec<Value>], source: &Source| *source.find(&inputs, results).expect(CHECKED);
    for (place, Call { layer: index, reads }) in network.calls.iter().enumerate() {
        let layer = &network.layers[*index];
        let reads: Vec<Value> = reads.iter().map(|source| value(&results, source)).collect();
        // Before and behind a layer that ends a mask may be one value.
        reads.iter().for_each(|(read, mask)| builder.set_mask(read.value, *mask));
        builder.call = place;
        let operands: Vec<Operand> = reads.iter().map(|(read, _)| *read).collect();
        let lowered = layer.describe().lower_all(builder, &operands, &weights[*index]);
        let given = lowered.map_err(|problem| layer.fault(*index, problem))?;
        let mask = builder.mask_by(layer.describe().mask_rule(), &reads, given[0]);
        activities.extend(layer.describe().activity_regularizer().map(|regularizer| (given[0].value, regularizer)));
        let before_states = layer.describe().outputs_before_states();
        let masked = |(place, output)| (output, mask.filter(|_| place < before_states));
        results.push(given.into_iter().enumerate().map(masked).collect());
    }
    let masks = network.outputs.iter().map(|source| value(&results, source).1).collect();
    let mut outputs: Vec<Operand> = Vec::new();
    for source in &network.outputs {
        let (output, _) = value(&results, source);
        // Each output has a value of its own, whose gradient the loss writes.
        let is_taken = inputs.iter().map(|(input, _)| input).chain(&outputs).any(|other| other.value == output.value);
        let value = if is_taken { builder.copy(output) } else { output };
        outputs.push(value);
    }
    Ok(Lowered { outputs, masks, activities })
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
    network.check()?;
    let (mut shapes, mut weights) = (Vec::new(), vec![None; network.layers.len()]);
    for Call { layer: index, reads } in &network.calls {
        let layer = &network.layers[*index];
        let fault = |problem| layer.fault(*index, problem);
        let inputs = reads.iter().map(|source| shape_of(network, &shapes, source)).collect::<Result<Vec<Shape>>>()?;
        match (layer.describe().arity(), inputs.len()) {
            (Arity::One | Arity::OneAndStates(_), 1) | (Arity::Two, 2) | (Arity::Several, 2..) => {}
            (Arity::OneAndStates(states), count) if count == states + 1 => {}
            (Arity::OneAndStates(states), count) => {
                return Err(fault(format!(
                    "takes one input and {states} initial states or none, got {count} inputs: the states are those \
                     of a layer of the same type with `return_state(true)`"
                )));
            }
            (Arity::One, count) => return Err(fault(format!("takes one input, got {count}"))),
            (Arity::Two, count) => {
                return Err(fault(format!(
                    "takes two inputs, got {count}: apply it with `{}::of` in a `Functional` network",
                    layer.kind()
                )));
            }
            (Arity::Several, count) => {
                return Err(fault(format!(
                    "takes two or more inputs, got {count}: apply it with `{}::of` in a `Functional` network",
                    layer.kind()
                )));
            }
        }
        let regularizer = layer.describe().activity_regularizer();
        let checked = regularizer.map_or(Ok(()), Regularizer::check);
        checked.map_err(|problem| fault(format!("expects an activity_regularizer {problem}")))?;
        let spec = layer.describe().spec(&inputs).map_err(fault)?;
        let first = weights[*index].get_or_insert_with(|| spec.weights.clone());
        if *first != spec.weights {
            return Err(fault("is called on inputs of different shapes, but has one set of weights".into()));
        }
        shapes.push([vec![spec.output], layer.describe().further_outputs(spec.output)].concat());
    }
    network.outputs.iter().try_for_each(|source| shape_of(network, &shapes, source).map(drop))?;
    Ok(Checked { shapes, weights: weights.into_iter().map(Option::unwrap_or_default).collect() })
}

/// Whether there is anything to plan.
fn check_outputs(network: &Network) -> Result<()> {
    if network.calls.is_empty() {
        return Err(Error::Model("has no layers: add at least one `Dense`".into()));
    }
    Ok(())
}

/// # Errors
/// [`Error::Model`] if there is no such output of a call.
fn shape_of(network: &Network, shapes: &[Vec<Shape>], source: &Source) -> Result<Shape> {
    source.find(&network.inputs, shapes).copied().ok_or_else(|| {
        let what = match source {
            Source::Input(index) => format!("input {index}"),
            Source::Call(call) => format!("the output of call {call}"),
            Source::Output { call, place } => format!("output {place} of call {call}"),
        };
        Error::Model(format!(
            "reads {what}, which there is not: only a layer with `return_state`, and a `Bidirectional` that merges nothing, \
             has outputs behind the first"
        ))
    })
}
