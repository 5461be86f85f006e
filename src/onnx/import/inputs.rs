//! Decides how the inputs of a graph lie in ours: which axis is the batch, and whether an image's channels come first.

use super::super::message::{BFLOAT16, DOUBLE, Dimension, FLOAT, FLOAT16, Graph, INT32, INT64, Node, ValueInfo};
use super::graph::{Importer, Known, Origin};
use super::group_norms::CHANNELS;
use super::value::{Order, Value};
use std::collections::{HashMap, HashSet, VecDeque};

/// What the nodes that read an input take it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// An image or a sequence whose channels come first.
    ChannelsFirst,
    /// A sequence whose steps come before the batch.
    StepsFirst,
    /// What its axes say.
    AsWritten,
}

pub(super) struct Inputs<'a> {
    graph: &'a Graph,
    /// The nodes that read a name.
    readers: HashMap<&'a str, Vec<&'a Node>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let mut readers: HashMap<&str, Vec<&Node>> = HashMap::new();
        for node in &graph.node {
            node.input.iter().for_each(|input| readers.entry(input).or_default().push(node));
        }
        Self { graph, readers }
    }

    /// Defines all inputs that are not weights.
    pub(super) fn read(&self, importer: &mut Importer<'a>) -> Result<(), String> {
        let weights: HashSet<&str> = self.graph.initializer.iter().map(|tensor| &tensor.name[..]).collect();
        let inputs: Vec<&ValueInfo> =
            self.graph.input.iter().filter(|input| !weights.contains(&input.name[..])).collect();
        for input in inputs {
            self.input(importer, input)
                .map_err(|problem| format!("has the input {:?}, which {problem}", input.name))?;
        }
        Ok(())
    }

    fn input(&self, importer: &mut Importer<'a>, input: &'a ValueInfo) -> Result<(), String> {
        let tensor = input.kind.as_ref().and_then(|kind| kind.tensor_type.as_ref()).ok_or("is no tensor")?;
        if ![FLOAT, FLOAT16, BFLOAT16, DOUBLE, INT32, INT64].contains(&tensor.elem_type) {
            return Err(format!("has elements of type {}, expected floats, or whole numbers", tensor.elem_type));
        }
        let dims = &tensor.shape.as_ref().ok_or("has no shape: export the model with fixed sizes")?.dim;
        let size = |dim: &Dimension| dim.dim_value.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        let sizes: Vec<Option<usize>> = dims.iter().map(size).collect();
        let taken = match importer.origin {
            Origin::Ours => Taken::AsWritten,
            Origin::PyTorch => self.taken(&input.name).unwrap_or_else(|| guess(&sizes)),
            Origin::Other => self.taken(&input.name).unwrap_or(Taken::AsWritten),
        };
        let batch = usize::from(taken == Taken::StepsFirst);
        if sizes.len() <= batch {
            return Err(format!("has {} axes, expected one for the batch", sizes.len()));
        }
        let len = |axis: usize| {
            sizes[axis].ok_or_else(|| {
                format!(
                    "has no fixed size along axis {axis}: export the model with fixed sizes of all axes but the batch"
                )
            })
        };
        let (lens, places, order): (Vec<usize>, Vec<Option<usize>>, Order) = match taken {
            Taken::ChannelsFirst if sizes.len() > 2 => {
                let own = (2..sizes.len()).chain([1]).map(len).collect::<Result<_, _>>()?;
                let last = sizes.len() - 2;
                (own, [None, Some(last)].into_iter().chain((0..last).map(Some)).collect(), Order::ChannelsFirst)
            }
            Taken::ChannelsFirst | Taken::StepsFirst | Taken::AsWritten => {
                let own = (0..sizes.len()).filter(|axis| *axis != batch).map(len).collect::<Result<_, _>>()?;
                let place = |axis: usize| (axis != batch).then(|| axis - usize::from(axis > batch));
                (own, (0..sizes.len()).map(place).collect(), Order::AsWritten)
            }
        };
        let source = importer.builder.input(&lens)?;
        importer.batch = importer.batch.or(sizes[batch].map(|size| size as i64));
        importer.define(&input.name, Known::Value(Value::new(source, &lens, &places, order)))
    }

    /// What the first nodes that mind the order of axes take an input for; `None` if there are none.
    fn taken(&self, input: &'a str) -> Option<Taken> {
        let (mut waiting, mut seen) = (VecDeque::from([input]), HashSet::from([input]));
        while let Some(name) = waiting.pop_front() {
            for node in self.readers.get(name).into_iter().flatten() {
                if node.input.first().is_some_and(|first| first == name) {
                    match &node.op_type[..] {
                        _ if has_channels_last(node) => return Some(Taken::AsWritten),
                        "Conv"
                        | "ConvTranspose"
                        | "MaxPool"
                        | "AveragePool"
                        | "GlobalAveragePool"
                        | "GlobalMaxPool"
                        | "BatchNormalization"
                        | "InstanceNormalization"
                        | "GroupNormalization"
                        | "Resize"
                        | "Upsample" => {
                            return Some(Taken::ChannelsFirst);
                        }
                        "RNN" | "LSTM" | "GRU" => {
                            let layout = node.attribute.iter().find(|attribute| attribute.name == "layout");
                            let is_batch_first = layout.is_some_and(|layout| layout.i == Some(1));
                            return Some(if is_batch_first { Taken::AsWritten } else { Taken::StepsFirst });
                        }
                        "Transpose" => return Some(Taken::AsWritten),
                        _ => {}
                    }
                }
                if KEEP_ORDER.contains(&&node.op_type[..]) {
                    let outputs = node.output.iter().map(|output| &output[..]);
                    waiting.extend(outputs.filter(|output| seen.insert(output)));
                }
            }
        }
        None
    }
}

/// Operators whose outputs have the axes of their inputs.
const KEEP_ORDER: [&str; 28] = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Softsign",
    "Exp",
    "Mish",
    "Neg",
    "LeakyRelu",
    "Elu",
    "Celu",
    "Selu",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "ThresholdedRelu",
    "Clip",
    "Identity",
    "Dropout",
    "Cast",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Sum",
    "Concat",
    "Pad",
    "Slice",
];

/// Whether it was put together from operators that take channels for the last axis.
fn has_channels_last(node: &Node) -> bool {
    node.attribute.iter().any(|attribute| attribute.name == CHANNELS && attribute.i == Some(-1))
}

/// An image of PyTorch's has its channels first where no node says so, if that axis alone has a size that colours have.
fn guess(sizes: &[Option<usize>]) -> Taken {
    let are_colours = |axis: usize| sizes[axis].is_some_and(|size| size == 1 || size == 3);
    if sizes.len() == 4 && are_colours(1) && !are_colours(3) { Taken::ChannelsFirst } else { Taken::AsWritten }
}
