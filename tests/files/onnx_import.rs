//! What is imported from ONNX predicts as the program that wrote the file, and trains on.

use crate::common_onnx_cases::{Case, cases, trained};
use crate::common_peer_values::{Fixture, Values, difference, largest};
use inkstone::Error;
use inkstone::data::synthetic;
use inkstone::layers::Layer;
use inkstone::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A node test of the package `onnx`, whose inputs but the first are weights.
#[derive(Deserialize)]
struct NodeTest {
    name: String,
    operator: String,
    model: String,
    inputs: Vec<Values>,
    outputs: Vec<Values>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/onnx_import"))
}

/// What is not imported: PyTorch's newer exporter takes cells apart, and tf2onnx leaves Keras' GRU a loop.
const REFUSED: [(&str, &str); 2] = [
    ("keras_gru", "(Less), which is an operator that no layer expresses"),
    ("rnn_dynamo", "found node \"node_add\" (Add), which has a constant of more axes than its value"),
];

/// Kinds of cases whose exports are composed of operators that no layer is.
const COMPOSED: [&str; 5] = ["Embedding", "LayerNormalization", "Masking", "ReLU", "every activation function"];

#[test]
fn our_own_exports_come_back() {
    let (mut refused, mut count, mut largest) = (BTreeMap::new(), 0, 0.0_f32);
    for Case { name, model, inputs } in cases().into_iter().chain([trained()]) {
        let Ok(bytes) = model.to_onnx() else { continue };
        match Model::from_onnx(&bytes) {
            Ok(imported) => {
                let (expected, found) = (model.predict(&inputs).unwrap(), imported.predict(&inputs).unwrap());
                let difference = difference(&found, &expected);
                assert!(difference < 1e-5, "{name}: {difference}");
                (largest, count) = (largest.max(difference), count + 1);
            }
            Err(error) => drop(refused.insert(name, error.to_string())),
        }
    }
    eprintln!("{count} models come back, the largest difference is {largest:e}; {} are refused:", refused.len());
    refused.iter().for_each(|(name, error)| eprintln!("{name}: {error}"));
    assert!(count >= 230, "{count}");
    let is_known = |name: &String| COMPOSED.iter().any(|kind| name.starts_with(kind)) || name.starts_with("drawn");
    let others: Vec<&String> = refused.keys().filter(|name| !is_known(name)).collect();
    assert!(others.len() <= 3, "{others:?}");
}

#[test]
fn what_pytorch_and_keras_export_predicts_as_onnx_runtime_does() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let fixture: Fixture = serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
        let model = match (Model::import_onnx(&path), REFUSED.iter().find(|(refused, _)| *refused == name)) {
            (Ok(model), None) => model,
            (Err(error), Some((_, problem))) => {
                assert!(error.to_string().ends_with(problem), "{error}");
                continue;
            }
            (Ok(_), Some(_)) => panic!("{name} is imported"),
            (Err(error), None) => panic!("{error}"),
        };
        let Fixture { inputs, mut outputs } = fixture;
        if name == "log_softmax" {
            // The import gives the probabilities.
            outputs[0].values.iter_mut().for_each(|value| *value = value.exp());
        }
        let difference = largest(&model, &inputs, &outputs);
        eprintln!("{name}: {difference:e}");
        assert!(difference < 1e-5, "{name}: {difference}");
        count += 1;
    }
    assert!(count > 36, "{count}");
}

#[test]
fn the_node_tests_of_onnx_give_what_they_should() {
    let packed = fs::File::open(folder().join("nodes.json.gz")).unwrap();
    let tests: Vec<NodeTest> = serde_json::from_reader(flate2::read::GzDecoder::new(packed)).unwrap();
    let (mut passed, mut refused) = (BTreeMap::<String, usize>::new(), Vec::new());
    for NodeTest { name, operator, model, inputs, outputs } in tests {
        let digits = model.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect();
        match Model::from_onnx(&bytes) {
            Ok(model) => {
                let difference = largest(&model, &inputs, &outputs);
                assert!(difference < 1e-5, "{name}: {difference}");
                *passed.entry(operator).or_default() += 1;
            }
            Err(error) => refused.push((name, error)),
        }
    }
    let count: usize = passed.values().sum();
    eprintln!("{count} node tests pass: {passed:?}; {} are refused:", refused.len());
    refused.iter().for_each(|(name, error)| eprintln!("{name}: {error}"));
    assert!(count >= 170, "{count}");
    assert!(refused.iter().all(|(_, error)| matches!(error, Error::Onnx { .. })));
}

/// What exporters have taken apart is one layer again, with its weights.
#[test]
fn normalizations_of_groups_come_back() {
    let layers = |name: &str| {
        let model = Model::import_onnx(folder().join(name)).unwrap();
        let groups = |layer: &Layer| match layer {
            Layer::GroupNormalization(norm) => Some((norm.groups, norm.scale, norm.center)),
            _ => None,
        };
        model.layers().iter().filter_map(groups).collect::<Vec<_>>()
    };
    let of_pytorch = [(3, true, true), (2, false, false), (1, true, true), (8, true, true)];
    assert_eq!(layers("groups_legacy17.onnx"), of_pytorch);
    // PyTorch's newer exporter writes weights that do nothing, and no shapes where each channel is a group.
    let of_dynamo = [(3, true, true), (2, true, true), (1, true, true), (-1, true, true)];
    assert_eq!(layers("groups_dynamo.onnx"), of_dynamo);
    assert_eq!(layers("keras_group_norm.onnx"), [(3, true, true), (2, true, false), (8, false, true), (1, true, true)]);
    let ours = Sequential::new([4, 5, 6]).add(GroupNormalization::new().groups(2).scale(false));
    let bytes = ours.compile(Adam::default(), MeanSquaredError, []).unwrap().to_onnx().unwrap();
    let imported = Model::from_onnx(&bytes).unwrap();
    assert!(matches!(imported.layers(), [Layer::GroupNormalization(_)]), "{:?}", imported.layers());
}

#[test]
fn an_imported_network_trains_on() {
    let path = folder().join("lenet_legacy17.onnx");
    let digits = synthetic::digits(600, 1).unwrap();
    let pretrained = Pretrained::import_onnx(&path).unwrap().seed(1);
    let mut model = pretrained.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let history = model.fit(&digits, FitConfig::new().epochs(4).verbose(0)).unwrap();
    let losses = history.losses();
    assert!(losses[3] < 0.7 * losses[0], "{losses:?}");
    let before = Pretrained::import_onnx(&path).unwrap().freeze();
    let mut frozen = before
        .add(Dense::new(10).activation(Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let kernel = frozen.get_weights()[0].values.clone();
    frozen.fit(&digits, FitConfig::new().epochs(1).verbose(0)).unwrap();
    assert_eq!(frozen.get_weights()[0].values, kernel);
}
