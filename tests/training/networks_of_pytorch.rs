//! Networks with skip connections drawn at random: outputs, loss and all gradients against PyTorch's, which
//! `tests/fixtures/make_networks.py` has written down.

use inkstone::Mode;
use inkstone::Weight;
use inkstone::ndarray::{Array4, ArrayD};
use inkstone::prelude::*;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn places(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
}

fn sizes(value: &Value) -> Vec<usize> {
    places(value).into_iter().map(|size| size as usize).collect()
}

fn function(name: &Value) -> ActivationFunction {
    serde_json::from_value(name.clone()).unwrap()
}

/// The network that a case describes.
fn build(case: &Value) -> Model {
    let axes = sizes(&case["input"]);
    let input = Input::new([axes[0], axes[1], axes[2]]);
    let mut nodes: Vec<Node> = Vec::new();
    let at = |nodes: &[Node], place: i64| usize::try_from(place).map_or(input.clone(), |place| nodes[place].clone());
    for node in case["nodes"].as_array().unwrap() {
        let reads: Vec<Node> = places(&node["reads"]).into_iter().map(|place| at(&nodes, place)).collect();
        let next = if let Some(conv) = node.get("conv") {
            let filters = conv["filters"].as_u64().unwrap() as usize;
            let layer = Conv2D::new(filters, (3, 3)).padding(Same).activation(function(&conv["activation"]));
            reads[0].apply(layer)
        } else if node.get("add").is_some() {
            Add::of(&reads)
        } else {
            Concatenate::of(&reads)
        };
        nodes.push(next);
    }
    let means: Vec<Node> =
        places(&case["ends"]).into_iter().map(|place| at(&nodes, place).apply(GlobalAveragePooling2D::new())).collect();
    let features = if let [mean] = &means[..] { mean.clone() } else { Concatenate::of(&means) };
    let output = features.apply(Dense::new(3).activation(Softmax));
    let network = Functional::new([&input], [&output]);
    network.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap()
}

#[track_caller]
fn assert_close(what: &str, found: impl IntoIterator<Item = f32>, expected: &[f32]) {
    let found: Vec<f32> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3_f32, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 2e-5 * largest, "{what}[{index}]: {found}, expected {expected}");
    }
}

/// The weights of the case under the model's names. Those are in the order in which `Functional` meets the layers,
/// which is not that of the case: each layer is found by its kernel's shape among those that are left, and tried in
/// turn.
fn assign(model: &mut Model, case: &Value) -> Vec<usize> {
    let weights = model.get_weights();
    let order = call_order(case);
    let mut assigned: Vec<Weight> = Vec::new();
    for (weight, place) in weights.iter().zip(&order) {
        let given = &case["weights"][*place];
        assert_eq!(sizes(&given["shape"]), weight.values.shape(), "{}", weight.name);
        let values = ArrayD::from_shape_vec(weight.values.shape(), numbers(&given["values"])).unwrap();
        assigned.push(Weight { name: weight.name.clone(), values });
    }
    model.set_weights(&assigned).unwrap();
    order
}

/// The places of the case's weights in the order in which a walk from the output meets their layers: what a node reads
/// before the node itself.
fn call_order(case: &Value) -> Vec<usize> {
    let nodes = case["nodes"].as_array().unwrap();
    let mut of_node = Vec::new();
    let mut next = 0;
    for node in nodes {
        let has_weights = node.get("conv").is_some();
        of_node.push(has_weights.then_some(next));
        next += if has_weights { 2 } else { 0 };
    }
    fn visit(nodes: &[Value], place: i64, seen: &mut Vec<i64>) {
        if place < 0 || seen.contains(&place) {
            return;
        }
        places(&nodes[place as usize]["reads"]).into_iter().for_each(|read| visit(nodes, read, seen));
        seen.push(place);
    }
    let mut seen = Vec::new();
    places(&case["ends"]).into_iter().for_each(|end| visit(nodes, end, &mut seen));
    let convs = seen.into_iter().filter_map(|place| of_node[place as usize]);
    convs.chain([next]).flat_map(|first| [first, first + 1]).collect()
}

#[test]
fn networks_with_skip_connections_agree_with_pytorch() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/networks.json")).unwrap();
    let cases = fixture["networks"].as_array().unwrap();
    assert!(cases.len() >= 9);
    for (index, case) in cases.iter().enumerate() {
        let mut model = build(case);
        let order = assign(&mut model, case);
        let axes = sizes(&case["input"]);
        let labels = sizes(&case["labels"]);
        let x = Array4::from_shape_vec((labels.len(), axes[0], axes[1], axes[2]), numbers(&case["x"])).unwrap();
        let pass = model.forward(&x, Mode::Training).unwrap();
        assert_close("probabilities", pass.output().iter().copied(), &numbers(&case["probabilities"]));
        let (scores, d_outputs) = model.compute_loss(&pass, &labels).unwrap();
        assert!((scores.loss - case["loss"].as_f64().unwrap()).abs() < 1e-5, "network {index}: {}", scores.loss);
        let gradients = model.backward(pass, d_outputs).unwrap();
        for (gradient, place) in gradients.weights.iter().zip(order) {
            let what = format!("network {index}, {}", gradient.name);
            assert_close(&what, gradient.values.iter().copied(), &numbers(&case["gradients"][place]));
        }
        let what = format!("network {index}, the input");
        assert_close(&what, gradients.inputs[0].iter().copied(), &numbers(&case["input_gradient"]));
        let (_, again) = model.gradients(&x, &labels).unwrap();
        assert_eq!(again, gradients.weights, "network {index}");
    }
}
