//! A graph under construction: a chain of nodes, each of which reads what the one before it gives. It keeps track of
//! how axes lie, and turns them where an operator needs it.

use super::message::{Attribute, Graph, Node, Tensor, ValueInfo};
use crate::model::Weight;
use crate::shape::Shape;

/// What the graph's input is called.
pub(super) const INPUT: &str = "input";
/// What the graph's output is called.
pub(super) const OUTPUT: &str = "output";

/// How the axes of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// (N, H, W, C), as images come in.
    ChannelsLast,
    /// (N, C, H, W), as ONNX' convolutions and poolings take and give them.
    ChannelsFirst,
    /// (N, features).
    Vector,
}

impl Layout {
    /// The axis of channels or features.
    pub(super) fn channels(self) -> i64 {
        match self {
            Self::ChannelsLast => 3,
            Self::ChannelsFirst | Self::Vector => 1,
        }
    }
}

/// The chain so far.
pub(super) struct Chain {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    /// The value that the next node reads.
    value: String,
    layout: Layout,
}

impl Chain {
    pub(super) fn new(input: Shape) -> Self {
        let layout = match input {
            Shape::Image { .. } => Layout::ChannelsLast,
            Shape::Vector(_) => Layout::Vector,
        };
        Self { nodes: Vec::new(), initializers: Vec::new(), value: INPUT.into(), layout }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the last node is one of this operator.
    pub(super) fn is_behind(&self, operator: &str) -> bool {
        self.nodes.last().is_some_and(|node| node.op_type == operator)
    }

    /// Adds a node that reads the chain's value and these weights, and gives a value of this layout under the node's
    /// name.
    pub(super) fn push(
        &mut self,
        name: String,
        operator: &str,
        weights: Vec<Tensor>,
        attribute: Vec<Attribute>,
        layout: Layout,
    ) {
        let mut input = vec![std::mem::replace(&mut self.value, name.clone())];
        input.extend(weights.iter().map(|weight| weight.name.clone()));
        self.initializers.extend(weights);
        self.layout = layout;
        self.nodes.push(Node { input, output: vec![name.clone()], name, op_type: operator.into(), attribute });
    }

    /// Turns an image's axes as ONNX' layers of images, `layer` the next one, want them.
    pub(super) fn channels_first(&mut self, layer: &str) {
        match self.layout {
            Layout::ChannelsLast => {
                let order = Attribute::ints("perm", [0, 3, 1, 2]);
                self.push(format!("{layer}/channels_first"), "Transpose", vec![], vec![order], Layout::ChannelsFirst);
            }
            Layout::ChannelsFirst | Layout::Vector => {}
        }
    }

    /// Turns an image's axes back.
    pub(super) fn channels_last(&mut self, layer: &str) {
        match self.layout {
            Layout::ChannelsFirst => {
                let order = Attribute::ints("perm", [0, 2, 3, 1]);
                self.push(format!("{layer}/channels_last"), "Transpose", vec![], vec![order], Layout::ChannelsLast);
            }
            Layout::ChannelsLast | Layout::Vector => {}
        }
    }

    /// The graph, its last value the output.
    pub(super) fn finish(mut self, input: ValueInfo, output: ValueInfo) -> Graph {
        if self.nodes.is_empty() {
            let layout = self.layout;
            self.push("identity".into(), "Identity", vec![], vec![], layout);
        }
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec![OUTPUT.into()];
        }
        Graph {
            node: self.nodes,
            name: "inkstone".into(),
            initializer: self.initializers,
            input: vec![input],
            output: vec![output],
        }
    }
}

/// A bias, or the kernel of a dense layer, which ONNX can take in Keras' layout: (features, units).
pub(super) fn weight(weight: &Weight) -> Tensor {
    Tensor::new(&weight.name, weight.values.shape(), &weight.values)
}

/// A convolution's kernel, (kernel height, kernel width, channels, filters) made (filters, channels, kernel height,
/// kernel width).
pub(super) fn convolution_kernel(weight: &Weight) -> Tensor {
    let turned = weight.values.view().permuted_axes(&[3, 2, 0, 1][..]);
    Tensor::new(&weight.name, turned.shape(), &turned)
}
