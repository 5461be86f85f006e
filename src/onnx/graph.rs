//! A graph under construction: nodes that read values and give one each. It keeps track of how the axes of each value
//! lie, and turns them where an operator needs it.

use super::message::{Attribute, Graph, Node, Tensor, ValueInfo};
use crate::model::Weight;
use crate::shape::Shape;
use std::collections::HashMap;

/// How the axes of a value lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// (N, H, W, C), as images come in.
    ChannelsLast,
    /// (N, C, H, W), as ONNX' convolutions and poolings take and give them.
    ChannelsFirst,
    /// (N, ..., features), with so many axes behind the batch.
    Plain { rank: usize },
}

impl Layout {
    /// How a value of this shape comes in.
    pub(super) fn of(shape: Shape) -> Self {
        match shape.axes() {
            [_, _, _] => Self::ChannelsLast,
            axes => Self::Plain { rank: axes.len() },
        }
    }

    /// The axis of channels or features.
    pub(super) fn channels(self) -> i64 {
        match self {
            Self::ChannelsLast => 3,
            Self::ChannelsFirst => 1,
            Self::Plain { rank } => rank as i64,
        }
    }
}

/// A value of the graph.
#[derive(Clone, Debug)]
pub(super) struct Value {
    name: String,
    pub(super) layout: Layout,
}

impl Value {
    /// An input of the graph.
    pub(super) fn input(name: String, shape: Shape) -> Self {
        Self { name, layout: Layout::of(shape) }
    }

    /// The same, of another layout.
    pub(super) fn laid_out(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }
}

/// What a node does, beside what it reads.
#[derive(Default)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) weights: Vec<Tensor>,
    pub(super) attributes: Vec<Attribute>,
    /// How many outputs that nobody reads come before the one that is.
    pub(super) unread: usize,
    /// What it reads behind its weights; `None` for what is left out.
    pub(super) behind: Vec<Option<Value>>,
}

impl Operator {
    /// An operator without weights or attributes.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(super) fn with_weights(self, weights: impl IntoIterator<Item = Tensor>) -> Self {
        Self { weights: weights.into_iter().collect(), ..self }
    }

    pub(super) fn with_attributes(self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        Self { attributes: attributes.into_iter().collect(), ..self }
    }
}

/// The graph so far.
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    initializers: Vec<Tensor>,
    /// Values with their axes turned, by their names.
    turned: HashMap<String, Value>,
    /// The mask that the last layer has made.
    pub(super) made_mask: Option<Value>,
}

impl Builder {
    /// Adds a node that reads these values and its weights, and gives a value of this layout under the node's name.
    pub(super) fn push(&mut self, name: String, operator: Operator, reads: &[&Value], layout: Layout) -> Value {
        let Operator { name: op_type, weights, attributes: attribute, unread, behind } = operator;
        let reads = reads.iter().map(|value| value.name.clone());
        let behind = behind.into_iter().map(|value| value.map_or_else(String::new, |value| value.name));
        let input = reads.chain(weights.iter().map(|weight| weight.name.clone())).chain(behind).collect();
        // A layer that is called twice has one set of weights.
        let is_new = |weight: &Tensor| self.initializers.iter().all(|known| known.name != weight.name);
        let weights: Vec<Tensor> = weights.into_iter().filter(is_new).collect();
        self.initializers.extend(weights);
        self.nodes.push(Node {
            input,
            output: std::iter::repeat_n(String::new(), unread).chain([name.clone()]).collect(),
            name: name.clone(),
            op_type: op_type.into(),
            attribute,
            domain: String::new(),
        });
        Value { name, layout }
    }

    /// Another output of the node that gives this value, at this place among all of them.
    pub(super) fn output(&mut self, of: &Value, place: usize, name: String, layout: Layout) -> Value {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.output.contains(&of.name)) {
            node.output.resize(node.output.len().max(place + 1), String::new());
            node.output[place].clone_from(&name);
        }
        Value { name, layout }
    }

    /// A weight as a value that a node reads before others.
    pub(super) fn weight_value(&mut self, weight: Tensor) -> Value {
        let value = Value { name: weight.name.clone(), layout: Layout::Plain { rank: 1 } };
        if self.initializers.iter().all(|known| known.name != weight.name) {
            self.initializers.push(weight);
        }
        value
    }

    /// Whether an output is this value, as it is or turned.
    fn reads(&self, output: &Value, value: &Value) -> bool {
        let turned = self.turned.get(&output.name);
        output.name == value.name || turned.is_some_and(|turned| turned.name == value.name)
    }

    /// Whether a value is given by this operator.
    pub(super) fn is_given_by(&self, value: &Value, operator: &str) -> bool {
        self.nodes.iter().any(|node| node.op_type == operator && node.output[0] == value.name)
    }

    /// An image with its axes as ONNX' layers of images, `layer` the next one, want them.
    pub(super) fn channels_first(&mut self, value: &Value, layer: &str) -> Value {
        match value.layout {
            Layout::ChannelsLast => self.turn(value, layer, "channels_first", [0, 3, 1, 2], Layout::ChannelsFirst),
            Layout::ChannelsFirst | Layout::Plain { .. } => value.clone(),
        }
    }

    /// An image with its axes turned back.
    pub(super) fn channels_last(&mut self, value: &Value, layer: &str) -> Value {
        match value.layout {
            Layout::ChannelsFirst => self.turn(value, layer, "channels_last", [0, 2, 3, 1], Layout::ChannelsLast),
            Layout::ChannelsLast | Layout::Plain { .. } => value.clone(),
        }
    }

    /// The value turned, once for all that read it so.
    fn turn(&mut self, value: &Value, layer: &str, suffix: &str, order: [usize; 4], layout: Layout) -> Value {
        if let Some(turned) = self.turned.get(&value.name) {
            return turned.clone();
        }
        let operator = Operator::new("Transpose").with_attributes([Attribute::ints("perm", order)]);
        // A layer that turns several values names them after those.
        let name = match self.nodes.iter().any(|node| node.name == format!("{layer}/{suffix}")) {
            true => format!("{layer}/{}/{suffix}", value.name),
            false => format!("{layer}/{suffix}"),
        };
        let turned = self.push(name, operator, &[value], layout);
        self.turned.insert(value.name.clone(), turned.clone());
        turned
    }

    /// The graph with these outputs, channels last: each a value and what is said of it.
    pub(super) fn finish(mut self, inputs: Vec<ValueInfo>, outputs: Vec<(Value, ValueInfo)>) -> Graph {
        for (index, (value, info)) in outputs.iter().enumerate() {
            let value = self.channels_last(value, &info.name);
            let is_read_later = outputs[index + 1..].iter().any(|(later, _)| self.reads(later, &value));
            let is_read = is_read_later || self.nodes.iter().any(|node| node.input.contains(&value.name));
            match self.nodes.iter_mut().find(|node| node.output[0] == value.name) {
                // Nobody else knows the value by its name.
                Some(node) if !is_read => node.output[0].clone_from(&info.name),
                Some(_) | None => {
                    self.push(info.name.clone(), Operator::new("Identity"), &[&value], value.layout);
                }
            }
        }
        Graph {
            node: self.nodes,
            name: "inkstone".into(),
            initializer: self.initializers,
            input: inputs,
            output: outputs.into_iter().map(|(_, info)| info).collect(),
        }
    }
}

/// A bias, or the kernel of a dense layer, which ONNX can take in Keras' layout: (features, units).
pub(super) fn weight(weight: &Weight) -> Tensor {
    Tensor::new(&weight.name, weight.values.shape(), &weight.values)
}

/// The kernel of a convolution of sequences, (kernel size, channels, filters) made (filters, channels, kernel size).
pub(super) fn sequence_kernel(weight: &Weight) -> Tensor {
    let turned = weight.values.view().permuted_axes(&[2, 1, 0][..]);
    Tensor::new(&weight.name, turned.shape(), &turned)
}
