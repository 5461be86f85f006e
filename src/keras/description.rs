//! Reads the description of a model: its members with their calls, of a `Sequential` as of a functional model, and models
//! within it likewise. It decides nothing of what layers are; `layer` does.

use super::functions::snake_case;
use super::layer::{self, Read, class_of};
use crate::error::KerasFault;
use crate::layers::{Activation, ActivationFunction, Add, Layer, Multiply, Rescaling, Subtract};
use crate::shape::Shape;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The most layers of a model, those of models within it not counted.
const MAX_MEMBERS: usize = 1 << 16;

/// A model, or one within it.
#[derive(Default)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) members: Vec<Member>,
    pub(super) inputs: Vec<Reference>,
    pub(super) outputs: Vec<Reference>,
    /// What its outputs are called, in their order.
    pub(super) output_names: Vec<String>,
}

/// A value in a model: an output of one call of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) member: usize,
    pub(super) node: usize,
    pub(super) tensor: usize,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) kind: Kind,
    pub(super) nodes: Vec<Node>,
}

/// A call of a member.
pub(super) struct Node {
    pub(super) reads: Vec<Reference>,
    /// The number that an operator has beside a value, and its place.
    number: Option<(usize, f32)>,
}

pub(super) enum Kind {
    Input(Shape),
    Layer {
        layer: Box<Layer>,
        /// The axis that must be the last.
        axis: Option<i64>,
        /// Where its weights are.
        folder: String,
        /// Its place among our layers, once it has been called.
        index: Option<usize>,
    },
    /// What is written with an operator, as `x + y`: a layer for each call.
    Operator(Vec<Layer>),
    Part(Box<Part>),
}

impl Part {
    /// - object: with the class and the config of the model
    /// - folder: where the weights are, empty or with a slash at its end
    pub(super) fn read(object: &Map<String, Value>, folder: &str) -> Result<Self, KerasFault> {
        let class = class_of(object);
        if !is_model(class) {
            let problem =
                format!("is a {class:?}: save a Sequential or a functional model, as a class of one's own has code");
            return Err(KerasFault::Graph(problem));
        }
        let config = object.get("config").and_then(Value::as_object).ok_or_else(|| graph("has no config"))?;
        let name = text(config.get("name")).to_owned();
        let layers = config.get("layers").and_then(Value::as_array);
        let layers = layers
            .ok_or_else(|| graph(format!("is a class of one's own derived from {class}, whose code is never run")))?;
        if layers.len() > MAX_MEMBERS {
            return Err(graph(format!("has {} layers, expected at most {MAX_MEMBERS}", layers.len())));
        }
        let mut part = Self { name, ..Self::default() };
        let mut counts: HashMap<String, usize> = HashMap::new();
        for member in layers {
            let member = member.as_object().ok_or_else(|| graph("has a layer that is no object"))?;
            let read = Member::read(member, folder, &mut counts)?;
            part.members.push(read);
        }
        match class {
            "Sequential" => part.chain(config)?,
            _ => part.connect(config, layers)?,
        }
        Ok(part)
    }

    /// Each member reads the one before it.
    fn chain(&mut self, config: &Map<String, Value>) -> Result<(), KerasFault> {
        if !matches!(self.members.first(), Some(Member { kind: Kind::Input(_), .. })) {
            let shape = config.get("build_input_shape").ok_or_else(|| {
                graph(format!(
                    "has a Sequential {:?} without an input: call `model.build(input_shape)` before saving",
                    self.name
                ))
            })?;
            let shape = input_shape(shape)
                .map_err(|problem| graph(format!("has a Sequential {:?} that {problem}", self.name)))?;
            let input = Member {
                name: "input".into(),
                class: "InputLayer".into(),
                kind: Kind::Input(shape),
                nodes: Vec::new(),
            };
            self.members.insert(0, input);
        }
        let value = |member| Reference { member, node: 0, tensor: 0 };
        for (index, member) in self.members.iter_mut().enumerate() {
            let reads = index.checked_sub(1).map(value).into_iter().collect();
            member.nodes = vec![Node { reads, number: None }];
        }
        let last = self.members.len() - 1;
        (self.inputs, self.outputs) = (vec![value(0)], vec![value(last)]);
        self.output_names = vec![self.members[last].name.clone()];
        Ok(())
    }

    /// Members read what their calls say.
    fn connect(&mut self, config: &Map<String, Value>, layers: &[Value]) -> Result<(), KerasFault> {
        let mut names = HashMap::new();
        for (index, member) in self.members.iter().enumerate() {
            if names.insert(member.name.clone(), index).is_some() {
                return Err(graph(format!("has two layers of the name {:?}", member.name)));
            }
        }
        for (member, object) in self.members.iter_mut().zip(layers) {
            let nodes = object.get("inbound_nodes").and_then(Value::as_array).into_iter().flatten();
            let nodes = nodes.map(|node| Node::read(node, &names)).collect::<Result<Vec<_>, String>>();
            member.nodes = nodes.map_err(|problem| member.fault(problem))?;
            let has_number = member.nodes.iter().any(|node| node.number.is_some());
            if has_number && !matches!(member.kind, Kind::Operator(_)) {
                return Err(member.fault("is called with a number, which is not supported"));
            }
            member.write_operators()?;
            if matches!(member.kind, Kind::Input(_)) {
                member.nodes = vec![Node { reads: Vec::new(), number: None }];
            }
        }
        let ends = |key: &str| {
            let mut found = Vec::new();
            let value = config.get(key).ok_or_else(|| graph(format!("has no {key}")))?;
            history(value, &names, "", &mut found).map_err(|problem| graph(format!("has {key} that {problem}")))?;
            Ok::<_, KerasFault>(found)
        };
        self.inputs = ends("input_layers")?.into_iter().map(|(_, end)| end).collect();
        let outputs = ends("output_layers")?;
        self.outputs = outputs.iter().map(|(_, end)| *end).collect();
        let name =
            |(key, end): (String, Reference)| if key.is_empty() { self.members[end.member].name.clone() } else { key };
        self.output_names = outputs.into_iter().map(name).collect();
        Ok(())
    }
}

impl Member {
    /// - counts: how many members of each class there have been
    fn read(
        object: &Map<String, Value>,
        folder: &str,
        counts: &mut HashMap<String, usize>,
    ) -> Result<Self, KerasFault> {
        let class = class_of(object).to_owned();
        let config = object.get("config").and_then(Value::as_object);
        let named = object.get("name").or_else(|| config.and_then(|config| config.get("name")));
        let name = text(named).to_owned();
        let fault = |problem: String| KerasFault::Layer { name: name.clone(), class: class.clone(), problem };
        let module = text(object.get("module"));
        let kind = if module.starts_with("keras.src.ops.") {
            Kind::Operator(Vec::new())
        } else {
            let base = snake_case(&class);
            let count = counts.entry(base.clone()).or_default();
            let number = if *count == 0 { String::new() } else { format!("_{count}") };
            *count += 1;
            let folder = format!("{folder}layers/{base}{number}");
            match &class[..] {
                "InputLayer" => {
                    let shape = config.and_then(|config| config.get("batch_shape")).unwrap_or(&Value::Null);
                    let is_set = |key: &str| config.is_some_and(|config| config.get(key) == Some(&Value::Bool(true)));
                    if let Some(key) = ["sparse", "ragged", "optional"].into_iter().find(|key| is_set(key)) {
                        return Err(fault(format!("has {key} true, expected false")));
                    }
                    Kind::Input(input_shape(shape).map_err(fault)?)
                }
                class if is_model(class) => Kind::Part(Box::new(Part::read(object, &format!("{folder}/"))?)),
                _ => {
                    let Read { layer, axis } = layer::read(object).map_err(fault)?;
                    Kind::Layer { layer: Box::new(layer), axis, folder, index: None }
                }
            }
        };
        Ok(Self { name, class, kind, nodes: Vec::new() })
    }

    pub(super) fn fault(&self, problem: impl Into<String>) -> KerasFault {
        KerasFault::Layer { name: self.name.clone(), class: self.class.clone(), problem: problem.into() }
    }

    /// Finds the layers that operators stand for, of which each call has one.
    fn write_operators(&mut self) -> Result<(), KerasFault> {
        if !matches!(self.kind, Kind::Operator(_)) {
            return Ok(());
        }
        let layer = |node: &Node| -> Option<Layer> {
            Some(match (&self.class[..], node.reads.len(), node.number) {
                ("Add", 2, None) => Add::new().into(),
                ("Subtract", 2, None) => Subtract::new().into(),
                ("Multiply", 2, None) => Multiply::new().into(),
                ("Add", 1, Some((_, number))) => Rescaling::new(1.0).offset(number).into(),
                ("Multiply", 1, Some((_, number))) => Rescaling::new(number).into(),
                ("Subtract", 1, Some((0, number))) => Rescaling::new(-1.0).offset(number).into(),
                ("Subtract", 1, Some((1, number))) => Rescaling::new(1.0).offset(-number).into(),
                ("Divide" | "TrueDivide", 1, Some((1, number))) => Rescaling::new(1.0 / number).into(),
                ("Relu", 1, None) => Activation::new(ActivationFunction::Relu).into(),
                ("Sigmoid", 1, None) => Activation::new(ActivationFunction::Sigmoid).into(),
                ("Tanh", 1, None) => Activation::new(ActivationFunction::Tanh).into(),
                _ => return None,
            })
        };
        let layers: Option<Vec<Layer>> = self.nodes.iter().map(layer).collect();
        let problem = "is an operator that no layer expresses: of operators, `+`, `-` and `*` of two values, or of a value and a \
                       number, are supported";
        self.kind = Kind::Operator(layers.ok_or_else(|| self.fault(problem))?);
        Ok(())
    }
}

impl Node {
    fn read(node: &Value, names: &HashMap<String, usize>) -> Result<Self, String> {
        let mut read = Self { reads: Vec::new(), number: None };
        let arguments = node.get("args").ok_or("has a call of another form than that of Keras 3")?;
        for (place, argument) in arguments.as_array().into_iter().flatten().enumerate() {
            match argument {
                Value::Number(number) if place < 2 && read.number.is_none() => {
                    read.number = number.as_f64().map(|number| (place, number as f32));
                }
                Value::Null => {}
                Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    return Err(format!("is called with {argument} as argument {place}, which is not supported"));
                }
                Value::Array(_) | Value::Object(_) => tensors(argument, names, &mut read.reads)?,
            }
        }
        for (key, argument) in node.get("kwargs").and_then(Value::as_object).into_iter().flatten() {
            match (&key[..], argument) {
                (_, Value::Null) | ("training", Value::Bool(false)) => {}
                ("initial_state" | "x1" | "x2", Value::Array(_) | Value::Object(_)) => {
                    tensors(argument, names, &mut read.reads)?
                }
                _ => return Err(format!("is called with {key}, which is not supported")),
            }
        }
        Ok(read)
    }
}

/// The values in an argument, in order.
fn tensors(value: &Value, names: &HashMap<String, usize>, found: &mut Vec<Reference>) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| tensors(value, names, found)),
        Value::Object(object) if class_of(object) == "__keras_tensor__" => {
            let place = object.get("config").and_then(|config| config.get("keras_history"));
            let mut ends = Vec::new();
            history(place.unwrap_or(&Value::Null), names, "", &mut ends)?;
            found.extend(ends.into_iter().map(|(_, end)| end));
            Ok(())
        }
        Value::Object(object) if object.get("class_name").is_none() => {
            object.values().try_for_each(|value| tensors(value, names, found))
        }
        other => Err(format!(
            "is called with {}, which is not supported",
            other.to_string().chars().take(80).collect::<String>()
        )),
    }
}

/// Values as lists of a member's name, its call and the output, in whatever structure, each with the key that it has.
fn history(
    value: &Value,
    names: &HashMap<String, usize>,
    key: &str,
    found: &mut Vec<(String, Reference)>,
) -> Result<(), String> {
    match value {
        Value::Array(place) if place.first().is_some_and(Value::is_string) => {
            let number =
                |index: usize| place.get(index).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
            let (name, node, tensor) = (text(place.first()), number(1), number(2));
            let member = *names.get(name).ok_or_else(|| format!("reads {name:?}, which is no layer"))?;
            let (Some(node), Some(tensor)) = (node, tensor) else {
                return Err(format!("reads {name:?} without a number of its call"));
            };
            found.push((key.to_owned(), Reference { member, node, tensor }));
            Ok(())
        }
        Value::Array(values) => values.iter().try_for_each(|value| history(value, names, key, found)),
        Value::Object(values) => values.iter().try_for_each(|(key, value)| history(value, names, key, found)),
        _ => Err("reads something that is no value of a layer".into()),
    }
}

/// The shape of an example, from that of a batch.
fn input_shape(shape: &Value) -> Result<Shape, String> {
    let axes = shape.as_array().and_then(|axes| axes.get(1..));
    let sizes =
        axes.and_then(|axes| axes.iter().map(|axis| usize::try_from(axis.as_u64()?).ok()).collect::<Option<Vec<_>>>());
    let found = sizes.and_then(|sizes| Shape::new(&sizes)).filter(|shape| shape.len().is_some());
    found.ok_or_else(|| {
        format!("has an input of shape {shape}: expected the sizes of one to four axes behind the batch, as `Input((28, 28, 1))` has")
    })
}

/// Whether it is a model, not a layer.
fn is_model(class: &str) -> bool {
    matches!(class, "Sequential" | "Functional" | "Model")
}

pub(super) fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

fn graph(problem: impl Into<String>) -> KerasFault {
    KerasFault::Graph(problem.into())
}
