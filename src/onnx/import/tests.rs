//! Files that are damaged or hostile: an error each, no panic, no memory beyond the file's own size and the limits.

use super::super::message::{
    Attribute, Dimension, Graph, ModelFile, Node, OperatorSet, Tensor, TensorShape, TensorType, ValueInfo, ValueType,
};
use crate::error::{Error, OnnxFault};
use crate::prelude::*;
use crate::pretrained::Pretrained;
use crate::random::{Stream, stream};
use crate::saving::LoadLimits;
use prost::Message;
use rand::RngExt;

fn import(bytes: &[u8]) -> Result<Pretrained, Error> {
    Pretrained::from_onnx(bytes, LoadLimits::new().memory(1 << 26).operations(1 << 30))
}

/// Files with most operators, of a few kilobytes.
fn files() -> Vec<Vec<u8>> {
    let images = Sequential::new([8, 7, 2])
        .add(Conv2D::new(4, (3, 2)).padding(Padding::Same).activation(Gelu))
        .add(BatchNormalization::new())
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2DTranspose::new(3, (3, 3)).strides((2, 2)).activation(Relu6))
        .add(UpSampling2D::new((2, 1)))
        .add(Cropping2D::new((1, 1)))
        .add(AveragePooling2D::new((2, 2)).padding(Padding::Same))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax));
    let sequences = Sequential::new([4, 3])
        .add(LSTM::new(2).return_sequences(true))
        .add(GRU::new(3))
        .add(RepeatVector::new(2))
        .add(Bidirectional::new(SimpleRNN::new(2)))
        .add(Dense::new(2).activation(Sigmoid));
    let bytes =
        |model: Sequential| model.seed(1).compile(Adam::default(), MeanSquaredError, []).unwrap().to_onnx().unwrap();
    vec![bytes(images), bytes(sequences)]
}

#[test]
fn a_file_that_ends_anywhere_is_refused_or_read() {
    for bytes in files() {
        assert!(import(&bytes).is_ok());
        let read = (0..bytes.len()).filter(|len| import(&bytes[..*len]).is_ok()).count();
        // Only metadata, which come behind the graph, may be missing; the operator set comes there, too.
        assert!(read < 100, "{read}");
    }
}

#[test]
fn changed_bytes_never_panic() {
    let mut random = stream(1, Stream::Dataset);
    for bytes in files() {
        for _ in 0..500 {
            let mut damaged = bytes.clone();
            let place = random.random_range(0..bytes.len());
            damaged[place] ^= random.random_range(1..=255_u8);
            let _ = import(&damaged);
        }
    }
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Node {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Node { op_type: operator.into(), input: names(inputs), output: names(&[output]), ..Node::default() }
}

fn end(name: &str, axes: &[i64]) -> ValueInfo {
    let dim = axes.iter().map(|axis| Dimension { dim_value: Some(*axis), dim_param: None }).collect();
    let tensor_type = Some(TensorType { elem_type: 1, shape: Some(TensorShape { dim }) });
    ValueInfo { name: name.into(), kind: Some(ValueType { tensor_type }), ..ValueInfo::default() }
}

/// A graph from the input `x` of this shape to the output `y`.
fn file(axes: &[i64], nodes: Vec<Node>, weights: Vec<Tensor>) -> Vec<u8> {
    let graph = Graph {
        node: nodes,
        initializer: weights,
        input: vec![end("x", axes)],
        output: vec![end("y", axes)],
        ..Graph::default()
    };
    let opset_import = vec![OperatorSet { version: 17, ..OperatorSet::default() }];
    ModelFile { graph: Some(graph), opset_import, ..ModelFile::default() }.encode_to_vec()
}

fn fault(bytes: &[u8]) -> String {
    import(bytes).unwrap_err().to_string()
}

#[test]
fn graphs_that_make_no_sense_are_refused_with_the_node() {
    let refused = |nodes: Vec<Node>, expected: &str| {
        let error = fault(&file(&[1, 4], nodes, vec![Tensor::new("w", &[4, 4], &[0.5; 16])]));
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    };
    let titled = |name: &str, node: Node| Node { name: name.into(), ..node };
    refused(
        vec![titled("odd", node("Det", &["x"], "y"))],
        "node \"odd\" (Det), which is an operator that no layer expresses",
    );
    refused(vec![node("Relu", &["z"], "y")], "node \"y\" (Relu), which reads \"z\", which nothing gives before it");
    refused(vec![node("Relu", &["y"], "z"), node("Relu", &["z"], "y")], "reads \"y\", which nothing gives before it");
    refused(vec![node("Relu", &["x"], "x")], "gives the name \"x\" a second time");
    refused(vec![node("Relu", &["x"], "z")], "has the output \"y\", which no node gives");
    refused(vec![node("Add", &["x"], "y")], "lacks input 1");
    refused(vec![node("MatMul", &["x", "x"], "y")], "computes its input 1, \"x\", where only a constant is supported");
    refused(vec![node("Relu", &["w"], "y")], "reads a constant as input 0");
    refused(vec![node("Flatten", &["x"], "a"), node("Div", &["a", "x"], "y")], "divides a value by another");
    let odd = Node { attribute: vec![Attribute::int("odd", 1)], ..node("Relu", &["x"], "y") };
    refused(vec![odd], "has the attribute \"odd\", which is not supported");
    let foreign = Node { domain: "com.microsoft".into(), ..node("FusedConv", &["x"], "y") };
    refused(vec![foreign], "is an operator of \"com.microsoft\"");
    let batch = Node { attribute: vec![Attribute::int("axis", 0)], ..node("Softmax", &["x"], "y") };
    refused(vec![batch], "works along axis 0, that of the batch");
    let log = node("LogSoftmax", &["x"], "z");
    refused(vec![log, node("Relu", &["z"], "y")], "gives logarithms to another node");
}

/// The node that takes the place of others is refused with what the file says of them.
#[test]
fn normalizations_of_groups_that_make_no_sense_are_refused() {
    let groups = |groups: i64, back: &[i64], gamma: &[usize]| {
        let nodes = vec![
            node("Reshape", &["x", "cut"], "a"),
            node("InstanceNormalization", &["a", "one", "zero"], "b"),
            node("Reshape", &["b", "back"], "c"),
            node("Mul", &["c", "gamma"], "y"),
        ];
        let len = usize::try_from(groups).unwrap();
        let filled =
            |name: &str, axes: &[usize], value: f32| Tensor::new(name, axes, &vec![value; axes.iter().product()]);
        let weights = vec![
            Tensor::of_integers("cut", &[0, groups, -1]),
            Tensor::of_integers("back", back),
            filled("one", &[len], 1.0),
            filled("zero", &[len], 0.0),
            filled("gamma", gamma, 2.0),
        ];
        file(&[1, 6, 4, 4], nodes, weights)
    };
    assert!(import(&groups(3, &[0, 6, 4, 4], &[6, 1, 1])).is_ok());
    for (bytes, problem) in [
        (groups(4, &[0, 6, 4, 4], &[6, 1, 1]), "cuts 6 channels into 4 groups"),
        (
            groups(3, &[0, 6, 16], &[6, 1]),
            "normalizes (N, 6, 4, 4) in parts and gives [0, 6, 16], which is not supported",
        ),
        (groups(3, &[0, 6, -1, -1], &[6, 1, 1]), "in parts and gives [0, 6, -1, -1], which is not supported"),
        (groups(3, &[0, 6, 4, 4], &[4]), "is a normalization with weights of other axes, which is not supported"),
        (groups(3, &[0, 6, 4, 4], &[2, 1, 1]), "has weights of [2], expected [6] for its input"),
    ] {
        assert!(fault(&bytes).contains(problem), "{}", fault(&bytes));
    }
}

#[test]
fn files_of_another_kind_are_refused() {
    assert!(fault(b"").contains("expected operators of the opsets 9 to 28, found 0"));
    assert!(fault(b"no model").contains("expected an ONNX file, found something else"));
    let mut old = ModelFile::decode(&file(&[1, 4], vec![node("Relu", &["x"], "y")], Vec::new())[..]).unwrap();
    old.opset_import[0].version = 8;
    assert!(fault(&old.encode_to_vec()).contains("found 8"));
    let folder = tempfile::tempdir().unwrap();
    let error = Model::import_onnx(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Onnx { fault: OnnxFault::NotAFile, .. }), "{error}");
    assert!(matches!(Model::import_onnx(folder.path().join("none")).unwrap_err(), Error::Io { .. }));
}

#[test]
fn small_files_that_promise_much_are_refused() {
    for axes in [&[1, 0][..], &[1, -5], &[1, i64::MAX], &[1, 1 << 20, 1 << 20], &[], &[1, 1 << 29]] {
        assert!(import(&file(axes, vec![node("Relu", &["x"], "y")], Vec::new())).is_err(), "{axes:?}");
    }
    let huge = Tensor { dims: vec![1 << 40, 1 << 40], data_type: 1, ..Tensor::default() };
    assert!(fault(&file(&[1, 4], vec![node("Relu", &["x"], "y")], vec![huge])).contains("impossible shape"));
    let sizes = |name: &str, values: &[i64]| Tensor::of_integers(name, values);
    let fill = |to: &[i64]| {
        let nodes = vec![node("ConstantOfShape", &["s"], "w"), node("MatMul", &["x", "w"], "y")];
        file(&[1, 4], nodes, vec![sizes("s", to)])
    };
    assert!(fault(&fill(&[4, 1 << 28])).contains("fills a larger constant"));
    let expand = vec![node("Unsqueeze", &["x", "a"], "z"), node("Expand", &["z", "s"], "y")];
    let axes = || sizes("a", &[1]);
    assert!(fault(&file(&[1, 4], expand.clone(), vec![axes(), sizes("s", &[1, 1 << 40, 4])])).contains("Expand"));
    assert!(import(&file(&[1, 4], expand, vec![axes(), sizes("s", &[1, 1 << 24, 4])])).is_err());
    // A thousand numbers, twice as many with each node.
    let doubled = (0..40).map(|index| {
        let (from, to) = (format!("s{index}"), format!("s{}", index + 1));
        Node { attribute: vec![Attribute::int("axis", 0)], ..node("Concat", &[&from, &from], &to) }
    });
    let nodes = doubled.chain([node("Relu", &["x"], "y")]).collect();
    let error = fault(&file(&[1, 4], nodes, vec![sizes("s0", &[1; 1000])]));
    assert!(error.contains("computes more whole numbers than a shape has"), "{error}");
    // One kernel in ten thousand layers of other settings.
    let copies = (0..10_000).map(|index| {
        let slope = Attribute::float("alpha", 1.0 + index as f32);
        let gemm = node("Gemm", &[&format!("v{index}"), "w"], &format!("v{}", index + 1));
        Node { attribute: vec![slope], ..gemm }
    });
    let nodes =
        [node("Identity", &["x"], "v0")].into_iter().chain(copies).chain([node("Relu", &["v9999"], "y")]).collect();
    let weights = vec![Tensor::new("w", &[64, 64], &vec![0.1; 64 * 64])];
    let error = fault(&file(&[1, 64], nodes, weights));
    assert!(error.contains("makes more copies of the file's numbers"), "{error}");
}
