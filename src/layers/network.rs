//! Layers and how they are connected: what `Sequential` and `Functional` describe, and `plan` turns into a program.

use super::Layer;
use crate::error::{Error, Result};
use crate::shape::Shape;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A network as data: calls of layers, each on inputs of the network or outputs of earlier calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Network {
    /// The shapes of its inputs.
    pub(crate) inputs: Vec<Shape>,
    pub(crate) layers: Vec<Layer>,
    /// In an order in which they can be computed. A layer that is called twice shares its weights.
    pub(crate) calls: Vec<Call>,
    pub(crate) outputs: Vec<Source>,
}

/// A layer applied to something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The layer's index.
    pub(crate) layer: usize,
    pub(crate) reads: Vec<Source>,
}

/// Where a layer's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// The input of the network with this index.
    Input(usize),
    /// The output of the call with this index; the first of its outputs, if it has several.
    Call(usize),
    /// Another output of a call: a final state. Its place is at least 1.
    Output { call: usize, place: usize },
}

impl Source {
    /// What is known of it, by what is known of the network's inputs and of each call's outputs; `None` if there is no
    /// such value.
    pub(crate) fn find<'a, T>(&self, inputs: &'a [T], calls: &'a [Vec<T>]) -> Option<&'a T> {
        match *self {
            Self::Input(index) => inputs.get(index),
            Self::Call(call) => calls.get(call)?.first(),
            // Each output has one name.
            Self::Output { place: 0, .. } => None,
            Self::Output { call, place } => calls.get(call)?.get(place),
        }
    }
}

impl Network {
    /// Layers one after the other.
    pub(crate) fn chain(input: Shape, layers: Vec<Layer>) -> Self {
        let (calls, outputs) = Self::chained(layers.len());
        Self { inputs: vec![input], layers, calls, outputs }
    }

    /// The calls and the output of a chain of this many layers.
    fn chained(layers: usize) -> (Vec<Call>, Vec<Source>) {
        let before = |index: usize| index.checked_sub(1).map_or(Source::Input(0), Source::Call);
        let calls = (0..layers).map(|layer| Call { layer, reads: vec![before(layer)] }).collect();
        (calls, vec![before(layers)])
    }

    /// The part of a network that these outputs depend on, and for each of its layers the index that it had.
    pub(crate) fn ending_at(&self, outputs: &[Source]) -> (Self, Vec<usize>) {
        let (inputs, calls) = self.reached(outputs);
        let mut is_called = vec![false; self.layers.len()];
        self.calls.iter().zip(&calls).for_each(|(call, is_reached)| is_called[call.layer] |= is_reached);
        let [new_inputs, new_calls, new_layers] = [&inputs, &calls, &is_called].map(|kept| places(kept));
        let moved = |source: &Source| match *source {
            Source::Input(index) => Source::Input(new_inputs[index]),
            Source::Call(index) => Source::Call(new_calls[index]),
            Source::Output { call, place } => Source::Output { call: new_calls[call], place },
        };
        let calls = self.calls.iter().zip(&calls).filter(|(_, is_reached)| **is_reached);
        let calls = calls
            .map(|(call, _)| Call { layer: new_layers[call.layer], reads: call.reads.iter().map(moved).collect() });
        let layers: Vec<usize> = (0..self.layers.len()).filter(|layer| is_called[*layer]).collect();
        let network = Self {
            inputs: self.inputs.iter().zip(&inputs).filter(|(_, is_read)| **is_read).map(|(shape, _)| *shape).collect(),
            layers: layers.iter().map(|layer| self.layers[*layer].clone()).collect(),
            calls: calls.collect(),
            outputs: outputs.iter().map(moved).collect(),
        };
        (network, layers)
    }

    /// Which inputs and which calls these outputs depend on.
    fn reached(&self, outputs: &[Source]) -> (Vec<bool>, Vec<bool>) {
        let mut inputs = vec![false; self.inputs.len()];
        let mut calls = vec![false; self.calls.len()];
        let mut reach = |calls: &mut [bool], source: &Source| match *source {
            Source::Input(index) => inputs[index] = true,
            Source::Call(index) | Source::Output { call: index, .. } => calls[index] = true,
        };
        outputs.iter().for_each(|output| reach(&mut calls, output));
        for index in (0..self.calls.len()).rev() {
            if calls[index] {
                self.calls[index].reads.iter().for_each(|source| reach(&mut calls, source));
            }
        }
        (inputs, calls)
    }

    /// Whether outputs of layers add to the loss.
    pub(crate) fn regularizes_activity(&self) -> bool {
        self.layers.iter().any(|layer| layer.describe().activity_regularizer().is_some())
    }

    /// Whether it is a chain of layers between one input and one output.
    pub(crate) fn is_chain(&self) -> bool {
        let (calls, outputs) = Self::chained(self.layers.len());
        self.inputs.len() == 1 && (&self.calls, &self.outputs) == (&calls, &outputs)
    }
}

/// The most inputs, and the most outputs, of a network.
const MAX_ENDS: usize = 256;

impl Network {
    /// Checks that every layer is called, every call reads what is there before it, and every input is read. A file may
    /// say anything.
    ///
    /// # Errors
    /// [`Error::Model`] with the first fault.
    pub(crate) fn check(&self) -> Result<()> {
        for (ends, count) in [("inputs", self.inputs.len()), ("outputs", self.outputs.len())] {
            if !(1..=MAX_ENDS).contains(&count) {
                return Err(Error::Model(format!("has {count} {ends}, expected 1 to {MAX_ENDS}")));
            }
        }
        self.check_names()?;
        let mut is_called = vec![false; self.layers.len()];
        let read = |source: &Source, calls: usize, reader: &str| match *source {
            Source::Input(index) if index < self.inputs.len() => Ok(()),
            Source::Input(_) => Err(Error::Model(format!(
                "has {reader} that depends on an input which is none of the {} given: list it among the inputs",
                self.inputs.len()
            ))),
            Source::Call(index) | Source::Output { call: index, .. } if index < calls => Ok(()),
            Source::Call(index) | Source::Output { call: index, .. } => Err(Error::Model(format!(
                "has {reader} that reads call {index}, expected one of the {calls} before it"
            ))),
        };
        for (index, call) in self.calls.iter().enumerate() {
            let Some(layer) = self.layers.get(call.layer) else {
                let (layers, layer) = (self.layers.len(), call.layer);
                return Err(Error::Model(format!("has {layers} layers, and calls layer {layer} in call {index}")));
            };
            is_called[call.layer] = true;
            call.reads.iter().try_for_each(|source| read(source, index, &format!("a {}", layer.title())))?;
        }
        self.outputs.iter().try_for_each(|source| read(source, self.calls.len(), "an output"))?;
        self.check_reached()?;
        if let Some(index) = is_called.iter().position(|is_called| !is_called) {
            return Err(Error::Model(format!("never calls layer {index} ({})", self.layers[index].title())));
        }
        Ok(())
    }
}

impl Network {
    /// Checks that every call and every input is one that an output depends on: others would be computed in vain.
    fn check_reached(&self) -> Result<()> {
        let (inputs, calls) = self.reached(&self.outputs);
        if let Some(index) = calls.iter().position(|is_reached| !is_reached) {
            let layer = self.layers[self.calls[index].layer].title();
            return Err(Error::Model(format!("has a call {index} ({layer}) that no output depends on: leave it out")));
        }
        match inputs.iter().position(|is_reached| !is_reached) {
            None => Ok(()),
            Some(index) => {
                let shape = self.inputs[index];
                Err(Error::Model(format!("has an input {index} of {shape} that no output depends on: leave it out")))
            }
        }
    }
}

/// For each place how many before it are kept: its place among those.
fn places(kept: &[bool]) -> Vec<usize> {
    let count = |before: &mut usize, is_kept: &bool| {
        let place = *before;
        *before += usize::from(*is_kept);
        Some(place)
    };
    kept.iter().scan(0, count).collect()
}

/// How a network is written for people: a chain has neither calls nor outputs. Formats that do not name fields hold all
/// four.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    inputs: Cow<'a, [Shape]>,
    layers: Cow<'a, [Layer]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calls: Option<Cow<'a, [Call]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outputs: Option<Cow<'a, [Source]>>,
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return (&self.inputs, &self.layers, &self.calls, &self.outputs).serialize(serializer);
        }
        let unless_chain = (!self.is_chain()).then_some(());
        let written = Written {
            inputs: Cow::Borrowed(&self.inputs),
            layers: Cow::Borrowed(&self.layers),
            calls: unless_chain.map(|()| Cow::Borrowed(&self.calls[..])),
            outputs: unless_chain.map(|()| Cow::Borrowed(&self.outputs[..])),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let (inputs, layers, calls, outputs) = Deserialize::deserialize(deserializer)?;
            return Ok(Self { inputs, layers, calls, outputs });
        }
        let Written { inputs, layers, calls, outputs } = Written::deserialize(deserializer)?;
        let (chain_calls, chain_outputs) = Self::chained(layers.len());
        Ok(Self {
            inputs: inputs.into_owned(),
            layers: layers.into_owned(),
            calls: calls.map_or(chain_calls, Cow::into_owned),
            outputs: outputs.map_or(chain_outputs, Cow::into_owned),
        })
    }
}
