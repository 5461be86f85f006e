//! Layers and how they are connected: what `Sequential` describes, and `plan` turns into a program.

use super::Layer;
use crate::shape::Shape;

/// A network as data: calls of layers, each on inputs of the network or outputs of earlier calls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Network {
    /// The shapes of its inputs.
    pub(crate) inputs: Vec<Shape>,
    pub(crate) layers: Vec<Layer>,
    /// In an order in which they can be computed. A layer that is called twice shares its weights.
    pub(crate) calls: Vec<Call>,
    pub(crate) outputs: Vec<Source>,
}

/// A layer applied to something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The layer's index.
    pub(crate) layer: usize,
    pub(crate) reads: Vec<Source>,
}

/// Where a layer's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The input of the network with this index.
    Input(usize),
    /// The output of the call with this index.
    Call(usize),
}

impl Network {
    /// Layers one after the other.
    pub(crate) fn chain(input: Shape, layers: Vec<Layer>) -> Self {
        let before = |index: usize| index.checked_sub(1).map_or(Source::Input(0), Source::Call);
        let calls = (0..layers.len()).map(|layer| Call { layer, reads: vec![before(layer)] }).collect();
        let outputs = vec![before(layers.len())];
        Self { inputs: vec![input], layers, calls, outputs }
    }
}
