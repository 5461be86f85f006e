//! Makes a network of a description: models within models become their layers, and layers that are called again are the same
//! layers.

use super::description::{Kind, Member, Part, Reference};
use super::weights::Weights;
use crate::error::{Error, KerasFault};
use crate::layers::{Call, Layer, Network, Source};
use crate::model::Weight;
use crate::plan::Outline;
use crate::program::WeightSpec;
use crate::shape::Shape;
use std::collections::HashSet;

/// The most calls of layers: models that call models within them twice would be many more.
const MAX_CALLS: usize = 1 << 16;

/// The most members of models, counted each time that a model is called.
const MAX_VISITS: usize = 1 << 20;

/// The most reshapings with a size that is left open: each looks at all that is before it.
const MAX_OPEN: usize = 256;

/// Keras' name, class and folder of a layer of ours.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) name: String,
    class: String,
    folder: String,
}

/// The network so far.
#[derive(Default)]
pub(super) struct Builder {
    network: Network,
    origins: Vec<Origin>,
    names: HashSet<String>,
    /// Calls that work along an axis that must be the last.
    along: Vec<(usize, i64)>,
    /// How many members of models have been gone through.
    visits: usize,
}

/// A network whose shapes are known.
pub(super) struct Checked {
    pub(super) network: Network,
    pub(super) origins: Vec<Origin>,
    pub(super) shapes: Vec<Vec<Shape>>,
}

/// What a member's call gives.
#[derive(Clone)]
enum Given {
    Call(usize),
    Several(Vec<Source>),
}

impl Builder {
    /// The network of a model.
    pub(super) fn assemble(mut part: Part) -> Result<Checked, KerasFault> {
        let mut builder = Self::default();
        let inputs: Vec<Source> = (0..part.inputs.len()).map(Source::Input).collect();
        for input in &part.inputs {
            match part.members.get(input.member).map(|member| &member.kind) {
                Some(Kind::Input(shape)) => builder.network.inputs.push(*shape),
                _ => return Err(KerasFault::Graph("has an input that is no InputLayer".into())),
            }
        }
        builder.network.outputs = builder.part(&mut part, &inputs)?;
        builder.check()
    }

    /// The values that a model gives of others.
    fn part(&mut self, part: &mut Part, inputs: &[Source]) -> Result<Vec<Source>, KerasFault> {
        if inputs.len() != part.inputs.len() {
            let (name, expected, found) = (&part.name, part.inputs.len(), inputs.len());
            return Err(KerasFault::Graph(format!("calls {name:?} with {found} values, expected {expected}")));
        }
        self.visits += part.members.len();
        if self.visits > MAX_VISITS {
            return Err(KerasFault::Graph(format!(
                "calls models within models with more than {MAX_VISITS} layers in all"
            )));
        }
        let mut values: Vec<Vec<Option<Given>>> =
            part.members.iter().map(|member| vec![None; member.nodes.len()]).collect();
        let mut is_started: Vec<Vec<bool>> =
            part.members.iter().map(|member| vec![false; member.nodes.len()]).collect();
        for (end, source) in part.inputs.iter().zip(inputs) {
            if let Some(value) = values.get_mut(end.member).and_then(|nodes| nodes.get_mut(end.node)) {
                *value = Some(Given::Several(vec![*source]));
            }
        }
        for member in 0..part.members.len() {
            for node in 0..part.members[member].nodes.len() {
                let mut waiting = vec![(member, node)];
                while let Some((member, node)) = waiting.last().copied() {
                    if values[member][node].is_some() {
                        waiting.pop();
                        continue;
                    }
                    let reads = part.members[member].nodes[node].reads.clone();
                    if let Some(read) = reads.iter().find(|read| values[read.member].get(read.node).is_none()) {
                        let (other, call) = (&part.members[read.member].name, read.node);
                        return Err(
                            part.members[member].fault(format!("reads call {call} of {other:?}, which there is not"))
                        );
                    }
                    let missing = reads.iter().filter(|read| values[read.member][read.node].is_none());
                    let missing: Vec<(usize, usize)> = missing.map(|read| (read.member, read.node)).collect();
                    if missing.is_empty() {
                        let reads = reads.iter().map(|read| of(&values, read)).collect::<Option<Vec<Source>>>();
                        let reads =
                            reads.ok_or_else(|| part.members[member].fault("reads an output that there is not"))?;
                        values[member][node] = Some(self.call_member(&mut part.members[member], node, &reads)?);
                        waiting.pop();
                    } else if std::mem::replace(&mut is_started[member][node], true) {
                        return Err(part.members[member].fault("reads what depends on itself"));
                    } else {
                        waiting.extend(missing);
                    }
                }
            }
        }
        let outputs: Option<Vec<Source>> = part.outputs.iter().map(|end| of(&values, end)).collect();
        outputs
            .ok_or_else(|| KerasFault::Graph(format!("has a model {:?} with an output that there is not", part.name)))
    }

    /// Calls a member.
    fn call_member(&mut self, member: &mut Member, node: usize, reads: &[Source]) -> Result<Given, KerasFault> {
        let Member { name, class, kind, .. } = member;
        let origin = |folder: &str| Origin { name: name.clone(), class: class.clone(), folder: folder.to_owned() };
        let (layer, axis) = match kind {
            Kind::Input(_) => return Err(member.fault("is an input that is not listed among the inputs")),
            Kind::Part(part) => return self.part(part, reads).map(Given::Several),
            Kind::Operator(layers) => (self.layer(layers[node].clone(), origin("")), None),
            Kind::Layer { layer, axis, folder, index } => {
                let index = *index.get_or_insert_with(|| self.layer((**layer).clone(), origin(folder)));
                (index, *axis)
            }
        };
        if self.network.calls.len() >= MAX_CALLS {
            return Err(KerasFault::Graph(format!("calls layers more than {MAX_CALLS} times")));
        }
        if reads.is_empty() {
            return Err(member.fault("is called without a value"));
        }
        self.network.calls.push(Call { layer, reads: reads.to_vec() });
        let call = self.network.calls.len() - 1;
        self.along.extend(axis.filter(|axis| *axis != -1).map(|axis| (call, axis)));
        Ok(Given::Call(call))
    }

    /// Adds a layer. Its name is Keras', unless one within another model has it, or ours take no such name.
    fn layer(&mut self, mut layer: Layer, origin: Origin) -> usize {
        let is_sound = |letter: char| letter.is_alphanumeric() || "_-.@".contains(letter);
        let name: String =
            origin.name.chars().take(100).map(|letter| if is_sound(letter) { letter } else { '_' }).collect();
        let is_reserved = ["", "optimizer", "callbacks", "training"].contains(&&name[..]);
        if !is_reserved && self.names.insert(name.clone()) {
            layer.set_name(name);
        }
        self.network.layers.push(layer);
        self.origins.push(origin);
        self.network.layers.len() - 1
    }

    /// Checks that layers fit each other, and leaves out those that no output needs.
    fn check(self) -> Result<Checked, KerasFault> {
        let Self { network, origins, along, .. } = self;
        let fault = |error: Error, origins: &[Origin]| match error {
            Error::Layer { index, problem, .. } => {
                let Origin { name, class, .. } = origins[index].clone();
                KerasFault::Layer { name, class, problem }
            }
            Error::Model(problem) => KerasFault::Graph(format!("makes a model that {problem}")),
            other => KerasFault::Graph(format!("makes a model that cannot be: {other}")),
        };
        let network = filled(network).map_err(KerasFault::Graph)?;
        let (reached, layers) = network.ending_at(&network.outputs);
        if reached.inputs.len() != network.inputs.len() {
            return Err(KerasFault::Graph("has an input that no output depends on".into()));
        }
        let is_needless = network.calls.len() != reached.calls.len();
        let origins: Vec<Origin> = layers.iter().map(|layer| origins[*layer].clone()).collect();
        let Outline { shapes, .. } = Outline::new(&reached).map_err(|error| fault(error, &origins))?;
        for (call, axis) in along {
            if is_needless {
                return Err(KerasFault::Graph("calls layers that no output depends on".into()));
            }
            let Call { layer, reads } = &reached.calls[call];
            let rank = reads[0].find(&reached.inputs, &shapes).map_or(0, |shape| shape.axes().len());
            if axis != rank as i64 {
                let Origin { name, class, .. } = origins[*layer].clone();
                let problem = format!("has axis {axis}, expected -1: use `Permute` before and behind it");
                return Err(KerasFault::Layer { name, class, problem });
            }
        }
        Ok(Checked { network: reached, origins, shapes })
    }
}

/// The network with the sizes that reshapings leave open, of which there is one for each at most.
fn filled(mut network: Network) -> Result<Network, String> {
    let open = network.calls.iter().enumerate().filter(|(_, call)| open_shape(&network.layers[call.layer]).is_some());
    let open: Vec<usize> = open.map(|(index, _)| index).collect();
    if open.len() > MAX_OPEN {
        return Err(format!("has {} calls of Reshape with -1, expected at most {MAX_OPEN}", open.len()));
    }
    for index in open {
        let Call { layer, reads } = network.calls[index].clone();
        // Another call may have found it.
        let Some(shape) = open_shape(&network.layers[layer]) else { continue };
        let (before, _) = network.ending_at(&reads[..1]);
        let len = match before.outputs[0] {
            Source::Input(input) => before.inputs[input].len(),
            _ => Outline::new(&before)
                .ok()
                .and_then(|outline| before.outputs[0].find(&before.inputs, &outline.shapes)?.len()),
        };
        let known: usize =
            shape.axes().iter().filter(|axis| **axis != 0).fold(1, |product, axis| product.saturating_mul(*axis));
        let is_one = shape.axes().iter().filter(|axis| **axis == 0).count() == 1;
        let size = len.filter(|len| is_one && len % known == 0).map(|len| len / known);
        let Some(size) = size else {
            return Err(format!(
                "has a Reshape whose -1 stands for no number: its input has {len:?} values, the other axes {known}"
            ));
        };
        let axes: Vec<usize> = shape.axes().iter().map(|axis| if *axis == 0 { size } else { *axis }).collect();
        if let (Layer::Reshape(reshape), Some(shape)) = (&mut network.layers[layer], Shape::new(&axes)) {
            reshape.target_shape = shape;
        }
    }
    Ok(network)
}

/// The shape of a reshaping with a size that its input tells.
fn open_shape(layer: &Layer) -> Option<Shape> {
    match layer {
        Layer::Reshape(reshape) => Some(reshape.target_shape).filter(|shape| shape.axes().contains(&0)),
        _ => None,
    }
}

/// The value that is meant.
fn of(values: &[Vec<Option<Given>>], read: &Reference) -> Option<Source> {
    match values.get(read.member)?.get(read.node)?.as_ref()? {
        Given::Several(sources) => sources.get(read.tensor).copied(),
        Given::Call(call) if read.tensor == 0 => Some(Source::Call(*call)),
        Given::Call(call) => Some(Source::Output { call: *call, place: read.tensor }),
    }
}

impl Checked {
    /// How many values the weights have.
    pub(super) fn weights_len(&self) -> u64 {
        let all = self.specs();
        let lens = all
            .iter()
            .flatten()
            .map(|spec| spec.shape.iter().fold(1_u64, |len, axis| len.saturating_mul(*axis as u64)));
        lens.fold(0, u64::saturating_add)
    }

    /// How many bytes a file of the weights can need: an optimizer keeps some numbers for each, and layers have a few folders.
    pub(super) fn file_bytes(&self) -> u64 {
        let of_layers = (self.network.layers.len() as u64 + 1).saturating_mul(1 << 16);
        self.weights_len().saturating_mul(8 * size_of::<f32>() as u64).saturating_add(of_layers)
    }

    /// What each layer declares of its weights.
    fn specs(&self) -> Vec<Vec<WeightSpec>> {
        let mut specs = vec![Vec::new(); self.network.layers.len()];
        let mut is_known = vec![false; self.network.layers.len()];
        for Call { layer, reads } in &self.network.calls {
            if !std::mem::replace(&mut is_known[*layer], true) {
                let shapes = reads.iter().filter_map(|read| read.find(&self.network.inputs, &self.shapes).copied());
                let spec = self.network.layers[*layer].describe().spec(&shapes.collect::<Vec<_>>());
                specs[*layer] = spec.map(|spec| spec.weights).unwrap_or_default();
            }
        }
        specs
    }

    /// The weights of all layers.
    pub(super) fn weights(&self, weights: &Weights) -> Result<Vec<Option<Vec<Weight>>>, KerasFault> {
        let layers = self.network.layers.iter().zip(&self.origins).zip(self.specs());
        let read = layers
            .map(|((layer, origin), specs)| weights.of_layer(layer, &origin.name, &origin.folder, &specs).map(Some));
        read.collect()
    }
}
