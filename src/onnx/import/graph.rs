//! Walks through a graph: what each name stands for so far, and which file knows an operator.

use super::super::message::{Graph, Node};
use super::inputs::Inputs;
use super::network::{Added, Arranged, Builder};
use super::node::Op;
use super::tensors::Constant;
use super::value::{Order, Value};
use crate::error::OnnxFault;
use crate::layers::Source;
use std::collections::HashMap;
use std::rc::Rc;

/// How a file was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) opset: i64,
    pub(super) origin: Origin,
    /// How many the file has.
    pub(super) bytes: usize,
}

/// Who has written a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `export_onnx`: inputs and outputs lie as ours do.
    Ours,
    /// Images have their channels first.
    PyTorch,
    Other,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Value(Value),
    Constant(Rc<Constant>),
    Unfinished(Unfinished),
}

/// A function that takes several nodes, on the way.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    pub(super) of: Value,
    pub(super) so_far: SoFar,
}

/// How much of GELU there is: `x * (1 + erf(x / sqrt(2))) / 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SoFar {
    Erf,
    /// 1 more than that.
    Raised,
    /// Half of that.
    Halved,
    /// That times x, not halved.
    Doubled,
}

/// A graph on its way to a network.
pub(super) struct Importer<'a> {
    pub(super) builder: Builder,
    known: HashMap<&'a str, Known>,
    /// How often each name is read, the graph's outputs counted.
    readers: HashMap<&'a str, usize>,
    /// How often each name is an output of the graph.
    ends: HashMap<&'a str, usize>,
    pub(super) origin: Origin,
    /// How many examples the graph was made for, if that is fixed.
    pub(super) batch: Option<i64>,
    /// How many numbers may still be copied.
    budget: usize,
    outputs: Vec<Source>,
}

/// More numbers than the file has may be copied: weights that several layers have, say.
const COPIES: usize = 4;
/// So many numbers may be copied in any case.
const FREE_COPIES: usize = 1 << 20;

impl<'a> Importer<'a> {
    /// The network of a graph, with weights.
    pub(super) fn import(graph: &'a Graph, written: Written) -> Result<Builder, OnnxFault> {
        let mut readers: HashMap<&str, usize> = HashMap::new();
        let mut ends: HashMap<&str, usize> = HashMap::new();
        graph.output.iter().for_each(|output| *ends.entry(&output.name).or_default() += 1);
        let outputs = graph.output.iter().map(|output| &output.name);
        for name in graph.node.iter().flat_map(|node| &node.input).chain(outputs) {
            *readers.entry(name).or_default() += 1;
        }
        let Written { opset, origin, bytes } = written;
        let budget = (bytes / 4).saturating_mul(COPIES).saturating_add(FREE_COPIES);
        let (builder, known) = (Builder::default(), HashMap::new());
        let mut importer = Self { builder, known, readers, ends, origin, batch: None, budget, outputs: Vec::new() };
        for tensor in &graph.initializer {
            let fault = |problem| OnnxFault::Tensor { name: tensor.name.clone(), problem };
            let constant = Constant::read(tensor).map_err(fault)?;
            importer.define(&tensor.name, Known::Constant(Rc::new(constant))).map_err(OnnxFault::Graph)?;
        }
        Inputs::new(graph).read(&mut importer).map_err(OnnxFault::Graph)?;
        for node in &graph.node {
            importer.node(node, opset).map_err(|problem| OnnxFault::Node {
                node: Op::title(node),
                operator: node.op_type.clone(),
                problem,
            })?;
        }
        for output in &graph.output {
            importer
                .output(&output.name)
                .map_err(|problem| OnnxFault::Graph(format!("has the output {:?}, which {problem}", output.name)))?;
        }
        if importer.outputs.is_empty() {
            return Err(OnnxFault::Graph("has no output".into()));
        }
        importer.builder.network.outputs = importer.outputs;
        Ok(importer.builder)
    }

    fn node(&mut self, node: &'a Node, opset: i64) -> Result<(), String> {
        if !(node.domain.is_empty() || node.domain == "ai.onnx") {
            return Err(format!(
                "is an operator of {:?}, expected one of ONNX' own: export the model without it",
                node.domain
            ));
        }
        let op = Op::new(node, opset);
        if self.constants(&op)? {
            return Ok(());
        }
        let op = &op;
        match &node.op_type[..] {
            "Conv" => self.convolution(op),
            "ConvTranspose" => self.transposed_convolution(op),
            "MaxPool" => self.max_pool(op),
            "AveragePool" => self.average_pool(op),
            "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceMax" => self.pool_all(op),
            "Gemm" => self.import_gemm(op),
            "MatMul" => self.import_product(op),
            "BatchNormalization" => self.batch_norm(op),
            "LayerNormalization" => self.layer_norm(op),
            "InstanceNormalization" | "GroupNormalization" => self.group_norm(op),
            "Relu" | "Sigmoid" | "Tanh" | "Softplus" | "Softsign" | "Exp" | "Mish" | "Neg" | "LeakyRelu" | "Elu"
            | "Celu" | "Selu" | "Gelu" | "HardSigmoid" | "HardSwish" | "Swish" | "ThresholdedRelu" => {
                self.import_activation(op)
            }
            "Clip" => self.import_clip(op),
            "PRelu" => self.leak(op),
            "Softmax" | "LogSoftmax" => self.import_softmax(op),
            "Erf" => self.erf(op),
            "Identity" | "Dropout" | "Cast" | "SpatialDropout" => self.same(op),
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(op),
            "Sum" | "Mean" | "Max" | "Min" => self.import_merge(op),
            "Concat" => self.import_concat(op),
            "Transpose" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Expand" => self.shaping(op),
            "Pad" => self.import_pad(op),
            "Slice" => self.import_slice(op),
            "Split" => self.import_split(op),
            "Gather" => self.import_gather(op),
            "Resize" | "Upsample" => self.import_resize(op),
            "RNN" | "LSTM" | "GRU" => self.recurrent(op),
            _ => Err("is an operator that no layer expresses".into()),
        }?;
        op.check_attributes()
    }

    pub(super) fn define(&mut self, name: &'a str, known: Known) -> Result<(), String> {
        match self.known.insert(name, known) {
            None => Ok(()),
            Some(_) => Err(format!("gives the name {name:?} a second time")),
        }
    }

    /// Names an output of a node.
    pub(super) fn give(&mut self, op: &Op<'a>, place: usize, known: Known) -> Result<(), String> {
        match op.output(place) {
            None => Ok(()),
            Some(name) => self.define(name, known),
        }
    }

    pub(super) fn give_value(&mut self, op: &Op<'a>, value: Value) -> Result<(), String> {
        self.give(op, 0, Known::Value(value))
    }

    /// Whether another node, or the graph, reads an output.
    pub(super) fn is_read(&self, op: &Op<'a>, place: usize) -> bool {
        op.output(place).is_some_and(|name| self.readers.contains_key(name))
    }

    /// Whether nothing but the graph's outputs reads what a node gives.
    pub(super) fn is_output_alone(&self, op: &Op<'a>) -> bool {
        op.output(0).is_some_and(|name| self.readers.get(name) == self.ends.get(name))
    }

    /// Whether an input is read by this node alone.
    pub(super) fn is_read_once(&self, op: &Op<'a>, place: usize) -> bool {
        op.input(place).is_some_and(|name| self.readers.get(name) == Some(&1))
    }

    pub(super) fn known(&self, op: &Op<'a>, place: usize) -> Result<&Known, String> {
        let name = op.input(place).ok_or_else(|| format!("lacks input {place}"))?;
        self.known.get(name).ok_or_else(|| {
            format!(
                "reads {name:?}, which nothing gives before it: nodes must be in an order in which they can be computed"
            )
        })
    }

    /// An input that the model computes.
    pub(super) fn value(&self, op: &Op<'a>, place: usize) -> Result<Value, String> {
        match self.known(op, place)? {
            Known::Value(value) => Ok(value.clone()),
            Known::Constant(_) => Err(format!(
                "reads a constant as input {place}, where only a value that depends on the \
                                               model's inputs is supported"
            )),
            Known::Unfinished(_) => Err("reads the error function, which is supported as a part of GELU alone".into()),
        }
    }

    /// An input that must be known before the model runs; `None` if it is left out.
    pub(super) fn constant(&mut self, op: &Op<'a>, place: usize) -> Result<Option<Rc<Constant>>, String> {
        if op.input(place).is_none() {
            return Ok(None);
        }
        let constant = match self.known(op, place)? {
            Known::Constant(constant) => Rc::clone(constant),
            Known::Value(_) | Known::Unfinished(_) => {
                let name = op.input(place).unwrap_or_default();
                return Err(format!("computes its input {place}, {name:?}, where only a constant is supported"));
            }
        };
        self.copies(constant.stored())?;
        Ok(Some(constant))
    }

    /// The same where it must not be left out.
    pub(super) fn needed(&mut self, op: &Op<'a>, place: usize) -> Result<Rc<Constant>, String> {
        self.constant(op, place)?.ok_or_else(|| format!("lacks input {place}"))
    }

    /// Notes that so many numbers are copied.
    pub(super) fn copies(&mut self, numbers: usize) -> Result<(), String> {
        let left = self.budget.checked_sub(numbers);
        self.budget = left.ok_or("makes more copies of the file's numbers than a model of its size needs")?;
        Ok(())
    }

    /// A value with its axes in this order, in this shape, through a layer: the sizes of the axes stay.
    pub(super) fn same_sizes(
        &mut self,
        value: &Value,
        order: &[usize],
        lens: &[usize],
        added: Added<'_>,
    ) -> Result<Value, String> {
        let arranged = self.builder.arranged(value, order)?;
        let x = self.builder.shaped(arranged.source, lens)?;
        let y = self.builder.add(added, &[x])?;
        Ok(Arranged::value(value, y, order, &arranged.lens))
    }

    /// An output of the graph: images with their channels last, anything else in the order of its axes.
    fn output(&mut self, name: &str) -> Result<(), String> {
        let value = match self.known.get(name) {
            Some(Known::Value(value)) => value.clone(),
            Some(Known::Constant(_)) => return Err("does not depend on an input".into()),
            Some(Known::Unfinished(_)) => return Err("is a part of GELU".into()),
            None => return Err("no node gives".into()),
        };
        let own: Vec<usize> = (0..value.rank()).filter(|axis| !value.is_batch(*axis)).collect();
        let natural = value.natural();
        let is_image = value.batch() == 0 && value.rank() > 2 && natural.last() == Some(&1);
        let is_image = is_image && value.order == Order::ChannelsFirst && self.origin != Origin::Ours;
        let order = if is_image { natural } else { own };
        let arranged = self.builder.arranged(&value, &order)?;
        let source = self.builder.shaped(arranged.source, &arranged.lens)?;
        self.outputs.push(source);
        Ok(())
    }
}
