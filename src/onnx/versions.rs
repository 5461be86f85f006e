//! Decides which versions a file declares: the lowest set of operators in which all that its graph uses means what is
//! written here, and the file format that came with that set.

use super::message::{Graph, Node, OperatorSet};

/// The lowest set that is declared, of September 2019. Before it `Clip`, `Pad` and `Resize` took as attributes what they
/// read as inputs here, `Equal` compared no floats, and axes were not counted from the last.
const FLOOR: i64 = 11;
/// For sets up to each the file format that came with them; every set that `since` names is among them.
const FORMATS: [(i64, i64); 2] = [(11, 6), (13, 7)];

/// The set of operators that a file with this graph declares, and the version of its format.
pub(super) fn of(graph: &Graph) -> (OperatorSet, i64) {
    let version = graph.node.iter().map(since).fold(FLOOR, i64::max);
    let (_, format) = FORMATS.into_iter().find(|(newest, _)| version <= *newest).expect("each set has a format");
    (OperatorSet { version, ..OperatorSet::default() }, format)
}

/// The first set in which an operator means what is written here, with the inputs and attributes that it is given.
fn since(node: &Node) -> i64 {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    match &node.op_type[..] {
        // Up to then it was one over all axes from the given one on: the same for the last.
        "Softmax" if attribute("axis").is_none_or(|axis| axis.i != Some(-1)) => 13,
        // A scale for each part along an axis.
        "DequantizeLinear" | "QuantizeLinear" if attribute("axis").is_some() => 13,
        // Axes as an input.
        "ReduceSum" | "Squeeze" | "Unsqueeze" => 13,
        "Clip" | "Conv" | "ConvTranspose" | "Equal" | "Gemm" | "Pad" | "Resize" | "Softmax" => 11,
        "DequantizeLinear" | "QuantizeLinear" | "Slice" => 10,
        "BatchNormalization" | "Cast" | "Erf" | "Greater" | "PRelu" | "Where" => 9,
        "Expand" | "Max" | "Mean" | "Min" | "Sum" => 8,
        "Add" | "AveragePool" | "Div" | "GRU" | "LSTM" | "Mul" | "RNN" | "Sub" => 7,
        "Elu" | "Exp" | "HardSigmoid" | "LeakyRelu" | "Relu" | "Selu" | "Sigmoid" | "Sqrt" | "Tanh" => 6,
        "Reshape" => 5,
        "Concat" => 4,
        "Flatten" | "Gather" | "GlobalAveragePool" | "GlobalMaxPool" | "Identity" | "MatMul" | "MaxPool" | "Not"
        | "ReduceMean" | "ReduceMin" | "Softplus" | "Softsign" | "Transpose" => 1,
        other => unreachable!("`export_onnx` writes an operator {other} that has no line here"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Attribute;
    use super::*;

    fn declared(nodes: impl IntoIterator<Item = (&'static str, Vec<Attribute>)>) -> (i64, i64) {
        let node = |(name, attribute): (&str, _)| Node { op_type: name.into(), attribute, ..Node::default() };
        let (set, format) = of(&Graph { node: nodes.into_iter().map(node).collect(), ..Graph::default() });
        (set.version, format)
    }

    #[test]
    fn the_operator_that_needs_most_decides() {
        assert_eq!(declared([]), (11, 6));
        assert_eq!(declared([("Not", vec![]), ("Conv", vec![]), ("Relu", vec![])]), (11, 6));
        assert_eq!(declared([("Conv", vec![]), ("Squeeze", vec![]), ("Relu", vec![])]), (13, 7));
    }

    #[test]
    fn what_an_operator_is_given_counts() {
        let along = |axis: i64| vec![Attribute::int("axis", axis)];
        assert_eq!(declared([("Softmax", along(-1))]), (11, 6));
        assert_eq!(declared([("Softmax", along(1))]), (13, 7));
        assert_eq!(declared([("DequantizeLinear", vec![])]), (11, 6));
        assert_eq!(declared([("DequantizeLinear", along(0))]), (13, 7));
    }
}
