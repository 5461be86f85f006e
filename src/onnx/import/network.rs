//! Puts layers together: each with its weights, and those in front of it that bring values into the order it reads.

use super::value::{Axis, Order, Sign, Steps, Value};
use crate::layers::{Call, Dense, Flatten, Layer, Network, Permute, Reshape, Source};
use crate::model::Weight;
use crate::shape::{MAX_RANK, Shape};
use ndarray::ArrayD;
use std::collections::{HashMap, HashSet};

/// A layer that is added, and what it comes from.
pub(super) struct Added<'a> {
    pub(super) layer: Layer,
    pub(super) weights: Vec<ArrayD<f32>>,
    /// The node that it is named after, if any.
    pub(super) name: &'a str,
    /// The names of its weights in the file: a layer with the same ones is the same layer.
    pub(super) from: Vec<String>,
}

impl Added<'_> {
    /// A layer without weights or a name.
    pub(super) fn plain(layer: impl Into<Layer>) -> Self {
        Self { layer: layer.into(), weights: Vec::new(), name: "", from: Vec::new() }
    }
}

/// The network so far.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) network: Network,
    pub(super) weights: Vec<Option<Vec<Weight>>>,
    /// Of the outputs of each call.
    shapes: Vec<Vec<Shape>>,
    names: HashSet<String>,
    /// The layers that have weights of these names.
    shared: HashMap<Vec<String>, usize>,
}

/// A value brought into an order.
pub(super) struct Arranged {
    pub(super) source: Source,
    /// The sizes of its axes in that order.
    pub(super) lens: Vec<usize>,
}

impl Builder {
    pub(super) fn input(&mut self, lens: &[usize]) -> Result<Source, String> {
        let shape = shape_of(lens)?;
        if shape.len().is_none() {
            return Err(format!("has an input of {shape}: each tensor must have 1 to 2^28 values"));
        }
        self.network.inputs.push(shape);
        Ok(Source::Input(self.network.inputs.len() - 1))
    }

    pub(super) fn shape(&self, source: Source) -> Shape {
        *source.find(&self.network.inputs, &self.shapes).expect("a source is of this network")
    }

    /// Adds a call of a layer.
    pub(super) fn add(&mut self, added: Added<'_>, reads: &[Source]) -> Result<Source, String> {
        let Added { mut layer, weights, name, from } = added;
        let shapes: Vec<Shape> = reads.iter().map(|read| self.shape(*read)).collect();
        let spec = layer.describe().spec(&shapes).map_err(|problem| format!("as a {} {problem}", layer.kind()))?;
        let given = |index: usize| weights.get(index).map_or(&[][..], |weight| weight.shape());
        let wrong = (0..spec.weights.len().max(weights.len()))
            .find(|index| spec.weights.get(*index).is_none_or(|weight| weight.shape != given(*index)));
        if let Some(index) = wrong {
            let expected = spec.weights.get(index).map_or(&[][..], |weight| &weight.shape[..]);
            return Err(format!("has weights of {:?}, expected {expected:?} for its input", given(index)));
        }
        if weights.iter().any(|weight| weight.iter().any(|value| !value.is_finite())) {
            return Err("has weights that are NaN or infinite".into());
        }
        let known = self.shared.get(&from).copied().filter(|_| !from.is_empty());
        let index = match known.filter(|index| is_like(&self.network.layers[*index], &layer)) {
            Some(index) => index,
            None => {
                if let Some(name) = layer_name(name).filter(|name| self.names.insert(name.clone())) {
                    layer.set_name(name);
                }
                self.shared.insert(from, self.network.layers.len());
                self.network.layers.push(layer);
                let names = spec.weights.iter().map(|weight| weight.name.to_string());
                let weights = names.zip(weights).map(|(name, values)| Weight { name, values });
                self.weights.push(Some(weights.collect()));
                self.network.layers.len() - 1
            }
        };
        let outputs = [vec![spec.output], self.network.layers[index].describe().further_outputs(spec.output)].concat();
        self.network.calls.push(Call { layer: index, reads: reads.to_vec() });
        self.shapes.push(outputs);
        Ok(Source::Call(self.network.calls.len() - 1))
    }

    /// A value in another shape of as many values.
    pub(super) fn shaped(&mut self, source: Source, lens: &[usize]) -> Result<Source, String> {
        let shape = shape_of(lens)?;
        match (self.shape(source) == shape, lens) {
            (true, _) => Ok(source),
            (false, [_]) => self.add(Added::plain(Flatten::new()), &[source]),
            (false, _) => self.add(Added::plain(Reshape::new(shape)), &[source]),
        }
    }

    /// A value with the axes of this order one after the other in memory.
    pub(super) fn arranged(&mut self, value: &Value, order: &[usize]) -> Result<Arranged, String> {
        if value.steps == Steps::Reversed {
            return Err(
                "reads the states of a reversed sequence in the order of its steps, which is not supported".into()
            );
        }
        let lens = order.iter().map(|axis| value.len(*axis)).collect();
        let places = value.places(order);
        if places.is_sorted() {
            return Ok(Arranged { source: value.source, lens });
        }
        // Axes that stay side by side are turned as one.
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for place in places {
            match runs.last_mut() {
                Some((start, len)) if *start + *len == place => *len += 1,
                _ => runs.push((place, 1)),
            }
        }
        if runs.len() > MAX_RANK {
            return Err(format!("turns {} axes, expected at most {MAX_RANK}", runs.len()));
        }
        let mut sorted = runs.clone();
        sorted.sort_unstable();
        let size = |(start, len): &(usize, usize)| value.dims[*start..start + len].iter().product();
        let source = self.shaped(value.source, &sorted.iter().map(size).collect::<Vec<_>>())?;
        let dims: Vec<usize> = runs.iter().map(|run| 1 + sorted.partition_point(|other| other < run)).collect();
        Ok(Arranged { source: self.add(Added::plain(Permute::new(dims)), &[source])?, lens })
    }

    /// What a value is this many times, if a layer has made it so.
    pub(super) fn unscaled(&self, source: Source, scale: f32) -> Option<Source> {
        let Source::Call(index) = source else { return None };
        let call = &self.network.calls[index];
        match &self.network.layers[call.layer] {
            Layer::Rescaling(layer) if (layer.scale - scale).abs() < 1e-6 && layer.offset == 0.0 => {
                call.reads.first().copied()
            }
            _ => None,
        }
    }

    /// Adds a bias to the dense layer that gives this value, if it has none. Such a layer is called once.
    pub(super) fn add_bias(&mut self, source: Source, bias: &ArrayD<f32>) -> bool {
        let Source::Call(index) = source else { return false };
        let layer = self.network.calls[index].layer;
        match &mut self.network.layers[layer] {
            Layer::Dense(dense) if !dense.use_bias && bias.shape() == [dense.units] => {
                *dense = Dense { use_bias: true, ..dense.clone() };
            }
            _ => return false,
        }
        let bias = Weight { name: "bias".into(), values: bias.clone() };
        self.weights[layer].get_or_insert_default().push(bias);
        true
    }
}

impl Arranged {
    /// What a layer makes of it: the axes lie as they were arranged, and have these sizes.
    ///
    /// - of: the value that was arranged in this order
    pub(super) fn value(of: &Value, source: Source, order: &[usize], lens: &[usize]) -> Value {
        let mut places = vec![None; of.rank()];
        order.iter().enumerate().for_each(|(place, axis)| places[*axis] = Some(place));
        let kept = if of.natural() == order { of.order } else { Order::AsWritten };
        Value::new(source, lens, &places, kept)
    }
}

impl Value {
    /// What a layer makes of it value by value.
    pub(super) fn replaced(&self, source: Source, sign: Sign) -> Self {
        Self { source, sign, ..self.clone() }
    }

    /// Whether two values lie alike.
    pub(super) fn lies_like(&self, other: &Self) -> bool {
        let is_own = |axes: &[Axis]| axes.to_vec();
        (&self.dims, is_own(&self.axes), self.steps) == (&other.dims, is_own(&other.axes), other.steps)
    }
}

pub(super) fn shape_of(lens: &[usize]) -> Result<Shape, String> {
    // One value of an example is a vector.
    let lens = if lens.is_empty() { &[1] } else { lens };
    Shape::new(lens)
        .ok_or_else(|| format!("has a value of {} axes, expected at most {MAX_RANK} beside the batch", lens.len()))
}

/// Whether two layers differ in their names at most.
fn is_like(known: &Layer, new: &Layer) -> bool {
    let mut new = new.clone();
    if let Some(name) = known.given_name() {
        new.set_name(name.into_owned());
    }
    *known == new
}

/// A layer's name from that of a node; `None` if there is none left.
fn layer_name(node: &str) -> Option<String> {
    let is_sound = |letter: char| letter.is_alphanumeric() || "_-.@".contains(letter);
    let name: String =
        node.trim_matches('/').chars().take(100).map(|letter| if is_sound(letter) { letter } else { '_' }).collect();
    let is_reserved = ["optimizer", "callbacks", "training"].contains(&&name[..]);
    (!name.is_empty() && !is_reserved).then_some(name)
}
