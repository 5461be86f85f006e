//! Finds what an exporter has written out, and puts one operator in its place: layer normalizations, as mean, differences,
//! variance and what follows, what `group_norms` makes of such, and softplus. What it does not find stays as it was.

use super::super::message::{Attribute, Graph, Node, Tensor};
use super::tensors::{Constant, Numbers};
use std::collections::HashMap;

/// How many axes an operator that was put together normalizes over, from its first on: they may be others than the last.
pub(super) const COUNT: &str = "normalized_axes";

/// The most readers of a value that are looked at: a normalization's have three.
const MOST_READERS: usize = 8;

/// The graph with normalizations as one node each.
pub(super) fn joined(mut graph: Graph) -> Graph {
    let found: Vec<Found> = {
        let finder = Finder::new(&graph);
        let around = |index: usize| match &graph.node[index].op_type[..] {
            "Sqrt" => finder.normalization(index),
            "InstanceNormalization" => finder.around_instances(index),
            "Where" => finder.softplus(index),
            _ => None,
        };
        (0..graph.node.len()).filter_map(around).collect()
    };
    let mut is_inner = vec![false; graph.node.len()];
    for Found { nodes, last, node } in found {
        nodes.iter().for_each(|index| is_inner[*index] = true);
        graph.node[last] = node;
        is_inner[last] = false;
    }
    let mut readers: HashMap<String, usize> = HashMap::new();
    let outputs = graph.output.iter().map(|output| &output.name);
    for name in graph.node.iter().flat_map(|node| &node.input).chain(outputs) {
        *readers.entry(name.clone()).or_default() += 1;
    }
    for index in (0..graph.node.len()).rev().filter(|index| is_inner[*index]) {
        if graph.node[index].output.iter().all(|name| readers.get(name).is_none_or(|count| *count == 0)) {
            let node = std::mem::take(&mut graph.node[index]);
            node.input.iter().for_each(|name| *readers.entry(name.clone()).or_default() -= 1);
        }
    }
    graph.node.retain(|node| !node.output.is_empty() || !node.op_type.is_empty());
    graph
}

/// What was found.
pub(super) struct Found {
    /// All that it is made of.
    pub(super) nodes: Vec<usize>,
    /// The node that gives its output.
    pub(super) last: usize,
    /// What takes its place.
    pub(super) node: Node,
}

/// Values less their mean, divided by their deviation.
pub(super) struct Normalized<'a> {
    pub(super) x: &'a str,
    pub(super) axes: Vec<i64>,
    pub(super) epsilon: f32,
    pub(super) nodes: Vec<usize>,
    /// The node that gives them, and the weights that it or one before multiplies by and adds.
    pub(super) last: (usize, Option<&'a str>, Option<&'a str>),
}

pub(super) struct Finder<'a> {
    pub(super) nodes: &'a [Node],
    givers: HashMap<&'a str, usize>,
    pub(super) readers: HashMap<&'a str, Vec<usize>>,
    pub(super) tensors: HashMap<&'a str, &'a Tensor>,
}

impl<'a> Finder<'a> {
    fn new(graph: &'a Graph) -> Self {
        let (mut givers, mut readers) = (HashMap::new(), HashMap::<&str, Vec<usize>>::new());
        let mut tensors: HashMap<&str, &Tensor> =
            graph.initializer.iter().map(|tensor| (&tensor.name[..], tensor)).collect();
        for (index, node) in graph.node.iter().enumerate() {
            givers.extend(node.output.iter().map(|name| (&name[..], index)));
            node.input.iter().for_each(|name| readers.entry(name).or_default().push(index));
            if let ("Constant", [output], [Attribute { t: Some(tensor), .. }]) =
                (&node.op_type[..], &node.output[..], &node.attribute[..])
            {
                tensors.insert(output, tensor);
            }
        }
        Self { nodes: &graph.node, givers, readers, tensors }
    }

    /// The node of this operator that gives a value.
    pub(super) fn giver(&self, name: &str, operator: &str) -> Option<usize> {
        self.givers.get(name).copied().filter(|index| self.nodes[*index].op_type == operator)
    }

    /// The nodes of this operator that read a value.
    fn readers_of(&self, name: &str, operator: &str) -> impl Iterator<Item = usize> {
        let readers = self.readers.get(name).into_iter().flatten().copied().take(MOST_READERS);
        readers.filter(move |index| self.nodes[*index].op_type == operator)
    }

    /// The nodes of this operator that read a value, with the other value that each reads.
    fn beside(&self, name: &str, operator: &str) -> Vec<(usize, &'a str)> {
        let readers = self.readers_of(name, operator);
        readers.filter_map(|index| Some((index, other(&self.nodes[index], name)?))).collect()
    }

    pub(super) fn output(&self, index: usize) -> &'a str {
        self.nodes[index].output.first().map_or("", |name| &name[..])
    }

    /// A constant of at most so many numbers.
    pub(super) fn of_at_most(&self, name: &str, most: usize) -> Option<Constant> {
        let is_small = |tensor: &&&Tensor| {
            let lens = [tensor.raw_data.len() / 8, tensor.float_data.len(), tensor.double_data.len()];
            let more = [tensor.int32_data.len(), tensor.int64_data.len()];
            lens.into_iter().chain(more).all(|len| len <= most)
        };
        Constant::read(self.tensors.get(name).filter(is_small)?).ok()
    }

    /// A constant of a few numbers.
    fn small(&self, name: &str) -> Option<Constant> {
        self.of_at_most(name, 8)
    }

    fn single(&self, name: &str) -> Option<f32> {
        self.small(name)?.single()
    }

    /// Whether it is a constant of several numbers.
    fn is_weight(&self, name: &str) -> bool {
        self.tensors.get(name).is_some_and(|tensor| tensor.dims.iter().any(|dim| *dim != 1))
    }

    /// The axes of a mean that keeps them.
    fn axes(&self, mean: usize) -> Option<Vec<i64>> {
        let node = &self.nodes[mean];
        let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
        if attribute("keepdims").is_some_and(|keepdims| keepdims.i == Some(0)) {
            return None;
        }
        match (attribute("axes"), node.input.get(1)) {
            (Some(axes), None) => Some(axes.ints.clone()),
            (None, Some(name)) => match self.small(name)?.numbers {
                Numbers::Integers(axes) => Some(axes),
                Numbers::Floats(_) | Numbers::Filled(_) => None,
            },
            _ => None,
        }
    }

    /// The normalization that divides by this root.
    fn normalization(&self, root: usize) -> Option<Found> {
        let input = |index: usize, place: usize| self.nodes[index].input.get(place).map(|name| &name[..]);
        let sum = self.giver(input(root, 0)?, "Add")?;
        let (left, right) = (input(sum, 0)?, input(sum, 1)?);
        let (variance, epsilon) = match (self.single(left), self.single(right)) {
            (None, Some(epsilon)) => (left, epsilon),
            (Some(epsilon), None) => (right, epsilon),
            _ => return None,
        };
        let variance = self.giver(variance, "ReduceMean")?;
        let squares = input(variance, 0)?;
        let (square, centered) = match (self.giver(squares, "Mul"), self.giver(squares, "Pow")) {
            (Some(product), _) if input(product, 0) == input(product, 1) => (product, input(product, 0)?),
            (_, Some(power)) if self.single(input(power, 1)?) == Some(2.0) => (power, input(power, 0)?),
            _ => return None,
        };
        let difference = self.giver(centered, "Sub")?;
        let (x, mean) = (input(difference, 0)?, self.giver(input(difference, 1)?, "ReduceMean")?);
        let axes = self.axes(mean)?;
        if input(mean, 0)? != x || self.axes(variance)? != axes {
            return None;
        }
        let mut nodes = vec![mean, difference, square, variance, sum, root];
        let quotient = self.beside(self.output(root), "Div").into_iter();
        let quotient = quotient.map(|(index, _)| index).find(|index| input(*index, 0) == Some(centered));
        let last = match quotient {
            Some(quotient) => {
                nodes.push(quotient);
                self.scaled(quotient, &mut nodes)
            }
            None => self.folded(root, x, self.output(mean), &mut nodes)?,
        };
        let is_in_a_row = !axes.is_empty() && axes.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
        if !is_in_a_row {
            return self.around_means(Normalized { x, axes, epsilon, nodes, last });
        }
        let (last, gamma, beta) = last;
        let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let node = Node {
            input: vec![x.to_owned(), named(gamma), named(beta)],
            output: vec![self.output(last).to_owned()],
            name: self.nodes[last].name.clone(),
            op_type: "LayerNormalization".into(),
            attribute: vec![
                Attribute::float("epsilon", epsilon),
                Attribute::int("axis", axes[0]),
                Attribute::int(COUNT, axes.len() as i64),
            ],
            ..Node::default()
        };
        Some(Found { nodes, last, node })
    }

    /// A softplus that gives large values back as they are, which is the same in floats.
    fn softplus(&self, index: usize) -> Option<Found> {
        let [is_large, x, otherwise] = &self.nodes[index].input[..] else { return None };
        let (greater, softplus) = (self.giver(is_large, "Greater")?, self.giver(otherwise, "Softplus")?);
        let ([read, least], [of]) = (&self.nodes[greater].input[..], &self.nodes[softplus].input[..]) else {
            return None;
        };
        if read != x || of != x || self.single(least)? < 17.0 {
            return None;
        }
        let node = Node {
            input: vec![x.clone()],
            output: self.nodes[index].output.clone(),
            name: self.nodes[index].name.clone(),
            op_type: "Softplus".into(),
            ..Node::default()
        };
        Some(Found { nodes: vec![greater, softplus, index], last: index, node })
    }

    /// What is multiplied by a weight, and what another is added to, if each alone reads what is before it.
    pub(super) fn scaled(&self, quotient: usize, nodes: &mut Vec<usize>) -> (usize, Option<&'a str>, Option<&'a str>) {
        let (mut last, mut weights) = (quotient, [None, None]);
        for (weight, operator) in weights.iter_mut().zip(["Mul", "Add"]) {
            let output = self.output(last);
            if self.readers.get(output).map(Vec::len) != Some(1) {
                break;
            }
            if let [(index, other)] = self.beside(output, operator)[..]
                && self.is_weight(other)
            {
                (last, *weight) = (index, Some(other));
                nodes.push(index);
            }
        }
        (last, weights[0], weights[1])
    }

    /// `x * g + (beta - mean * g)`, where g is gamma divided by the root, as TensorFlow computes it.
    fn folded(
        &self,
        root: usize,
        x: &str,
        mean: &str,
        nodes: &mut Vec<usize>,
    ) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
        let only = |found: Vec<(usize, &'a str)>| found.first().copied().filter(|_| found.len() == 1);
        let inverse = self.readers_of(self.output(root), "Reciprocal").next()?;
        let scale = only(self.beside(self.output(inverse), "Mul")).filter(|(_, other)| self.is_weight(other));
        let (factor, gamma) = scale.map_or((inverse, None), |(index, gamma)| (index, Some(gamma)));
        let products = self.beside(self.output(factor), "Mul");
        let product = products.iter().find(|(_, other)| *other == x)?.0;
        let negative = self.readers_of(mean, "Neg").next()?;
        let shift = products.iter().find(|(_, other)| *other == self.output(negative))?.0;
        nodes.extend([inverse, factor, product, negative, shift]);
        let (last, offset) = only(self.beside(self.output(product), "Add"))?;
        if offset == self.output(shift) {
            return Some((last, gamma, None));
        }
        let (sum, beta) = only(self.beside(self.output(shift), "Add"))?;
        nodes.push(sum);
        (self.output(sum) == offset && self.is_weight(beta)).then_some((last, gamma, Some(beta)))
    }
}

/// The other of a node's two inputs.
fn other<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    match &node.input[..] {
        [left, right] if left == name => Some(right),
        [left, right] if right == name => Some(left),
        _ => None,
    }
}
