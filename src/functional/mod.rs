//! Describing a network with branches, several inputs or several outputs: nodes are put together, nothing is computed.

mod compile;
mod node;
mod outputs;

pub use node::{Input, Node, Shared};

use crate::layers::{Call, Network, Source};
use crate::pretrained::Learned;
use node::{Described, PartOfNetwork, Value};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// A network of any form, as [Keras' functional API](https://keras.io/guides/functional_api/): layers are applied to
/// [`Node`]s, from one or several [`Input`]s to one or several outputs. [`compile`] checks it and makes it a
/// [`Model`](crate::Model).
///
/// ```
/// use inkstone::prelude::*;
/// let input = Input::new([28, 28, 1]);
/// let x = input.apply(Conv2D::new(16, (3, 3)).padding(Padding::Same).activation(Relu));
/// let y = x.apply(Conv2D::new(16, (3, 3)).padding(Padding::Same));
/// let x = Add::of([&x, &y]).apply(Activation::new(Relu)).apply(GlobalAveragePooling2D::new());
/// let output = x.apply(Dense::new(10).activation(Softmax));
/// let model = Functional::new([&input], [&output])
///     .seed(42)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// assert_eq!(model.layer_names()[2], "add");
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// It is plain data, which [serde](https://serde.rs) reads and writes: layers, and calls of layers, each on inputs and
/// on outputs of calls before it. The weights of a [`Pretrained`](crate::Pretrained) that is part of it are not
/// written: a model's file has those.
///
/// [`compile`]: Functional::compile
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Functional {
    network: Network,
    #[serde(default)]
    seed: Option<u64>,
    /// What was given as an input and is none: its type.
    #[serde(skip)]
    not_an_input: Option<&'static str>,
    /// The values that a `Sequential` or a `Pretrained` was applied to.
    #[serde(skip)]
    expected: Vec<(Source, PartOfNetwork)>,
    /// For each layer the weights that it has from a model; empty if none has any.
    #[serde(skip)]
    learned: Vec<Option<Learned>>,
}

impl Functional {
    /// The network between these inputs and these outputs: 1 to 256 of each.
    #[must_use]
    pub fn new<'n>(inputs: impl IntoIterator<Item = &'n Node>, outputs: impl IntoIterator<Item = &'n Node>) -> Self {
        let mut collected = Collected::default();
        inputs.into_iter().for_each(|input| collected.add_input(input));
        for output in outputs {
            let source = collected.source(output);
            collected.network.outputs.push(source);
        }
        let Collected { network, not_an_input, expected, learned, .. } = collected;
        // As a description that was read has it.
        let learned = if learned.iter().any(Option::is_some) { learned } else { Vec::new() };
        Self { network, seed: None, not_an_input, expected, learned }
    }

    /// Fixes initial weights, shuffling and dropout, as [`Sequential::seed`](crate::Sequential::seed).
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }
}

/// The part of a network that has been found so far.
#[derive(Default)]
struct Collected {
    network: Network,
    sources: HashMap<*const Value, Source>,
    /// The index of each layer, by its address.
    layers: HashMap<*const Described, usize>,
    not_an_input: Option<&'static str>,
    expected: Vec<(Source, PartOfNetwork)>,
    learned: Vec<Option<Learned>>,
}

impl Collected {
    fn add_input(&mut self, node: &Node) {
        match &*node.0 {
            Value::Input(shape) => {
                self.sources.entry(node.address()).or_insert(Source::Input(self.network.inputs.len()));
                self.network.inputs.push(*shape);
            }
            // `compile` says so.
            Value::Expected { part, .. } => self.not_an_input = Some(part.kind),
            Value::Output { layer, .. } => self.not_an_input = Some(layer.layer.kind()),
            Value::Further { .. } => self.not_an_input = Some("layer with states"),
        }
    }

    /// Where a node's value comes from. What it depends on is collected before it.
    fn source(&mut self, node: &Node) -> Source {
        let mut path = vec![node];
        while let Some(node) = path.last().copied() {
            if self.sources.contains_key(&node.address()) {
                path.pop();
                continue;
            }
            let missing: Vec<&Node> =
                node.reads().iter().rev().filter(|read| !self.sources.contains_key(&read.address())).collect();
            if missing.is_empty() {
                self.add_call(node);
                path.pop();
            } else {
                path.extend(missing);
            }
        }
        self.sources[&node.address()]
    }

    /// Adds a node, whose inputs have been collected.
    fn add_call(&mut self, node: &Node) {
        let source = match &*node.0 {
            // An input that was not given: there is none of this index.
            Value::Input(_) => Source::Input(usize::MAX),
            Value::Expected { part, .. } => {
                let source = self.sources[&node.reads()[0].address()];
                self.expected.push((source, part.clone()));
                source
            }
            Value::Further { first, place } => match self.sources[&first[0].address()] {
                Source::Call(call) => Source::Output { call, place: *place },
                other @ (Source::Input(_) | Source::Output { .. }) => other,
            },
            Value::Output { layer, reads } => {
                let Collected { network, sources, layers, learned, .. } = self;
                let index = *layers.entry(Arc::as_ptr(layer)).or_insert_with(|| {
                    network.layers.push(layer.layer.clone());
                    learned.push(layer.learned.clone());
                    network.layers.len() - 1
                });
                let reads = reads.iter().map(|read| sources[&read.address()]).collect();
                network.calls.push(Call { layer: index, reads });
                Source::Call(network.calls.len() - 1)
            }
        };
        self.sources.insert(node.address(), source);
    }
}
