//! Small files that describe models of much memory or work with each kind of layer: refused at once, with a reason.

use crate::common_model_file::{entry, with_entry};
use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Error, LoadLimits, ModelFault, Shape};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The file of a model, with another network in it.
fn with_network(bytes: &[u8], network: Value) -> Vec<u8> {
    let mut entry = entry(bytes);
    entry["model"]["network"] = network;
    with_entry(bytes, entry)
}

fn file(input: impl Into<Shape>, layers: impl IntoIterator<Item = Layer>) -> Vec<u8> {
    let described = layers.into_iter().fold(Sequential::new(input), Sequential::add);
    described.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap().to_bytes().unwrap()
}

/// A file without weights of these layers, one behind the other.
fn chain(input: Value, layers: Value) -> Vec<u8> {
    with_network(&file([2], [Activation::new(Tanh).into()]), json!({ "inputs": [input], "layers": layers }))
}

/// Why a file is not loaded, which takes little time.
#[track_caller]
fn fault(bytes: &[u8], limits: LoadLimits) -> ModelFault {
    let started = Instant::now();
    let error = Model::from_bytes_with(bytes, limits).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    match error {
        Error::ModelFile { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[track_caller]
fn refused_by_limits(bytes: &[u8]) -> (u64, &'static str) {
    match fault(bytes, LoadLimits::new()) {
        ModelFault::Limit { needed, setting, .. } => (needed, setting),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shapes_that_no_tensor_has_are_refused() {
    let refused =
        |input: Value, layer: Value, expected: &str| match fault(&chain(input, json!([layer])), LoadLimits::new()) {
            ModelFault::Description(problem) => assert!(problem.contains(expected), "{problem}"),
            other => panic!("{other:?}"),
        };
    let too_large = "each tensor must have between 1 and";
    refused(json!([2]), json!({ "RepeatVector": { "n": 1_u64 << 40 } }), too_large);
    refused(json!([2]), json!({ "RepeatVector": { "n": u64::MAX } }), too_large);
    refused(json!([1, 1, 1]), json!({ "UpSampling2D": { "size": [1 << 20, 1 << 20] } }), too_large);
    refused(json!([1, 1, 1]), json!({ "UpSampling2D": { "size": [u64::MAX, u64::MAX] } }), too_large);
    refused(
        json!([4, 4, 1]),
        json!({ "Cropping2D": { "cropping": [[3, 1], [0, 0]] } }),
        "at least one pixel must be left",
    );
    refused(json!([4, 4, 1]), json!({ "Cropping2D": { "cropping": [[0, u64::MAX], [1, 1]] } }), "at least one pixel");
    let transposed = |strides: u64| json!({ "Conv2DTranspose": { "filters": 1, "kernel_size": [1, 1], "strides": [strides, strides] } });
    refused(json!([9, 9, 1]), transposed(1 << 20), too_large);
    refused(json!([9, 9, 1]), transposed(1 << 28), "not too large");
    refused(json!([9, 9, 1]), transposed(u64::MAX), "not too large");
    let dilated =
        |rate: u64| json!({ "Conv1D": { "filters": 1, "kernel_size": 3, "padding": "causal", "dilation_rate": rate } });
    refused(json!([9, 1]), dilated(1 << 28), "the window must be at least 1 and at most 2^28");
    refused(json!([9, 1]), dilated(u64::MAX), "reaches too far");
    refused(json!([9, 9, 1]), json!({ "ZeroPadding2D": { "padding": [[1_u64 << 40, 0], [0, 0]] } }), "");
}

#[test]
fn large_values_without_weights_are_refused() {
    let norms = |name: &str, rest: Value| {
        let mut settings = json!({ "center": false, "scale": false });
        settings.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!([{ name: settings }])
    };
    for (input, layers) in [
        (json!([1 << 28]), norms("LayerNormalization", json!({}))),
        (json!([1 << 14, 1 << 14]), norms("LayerNormalization", json!({ "axis": [1] }))),
        (json!([1 << 14, 1 << 14]), norms("GroupNormalization", json!({ "groups": -1 }))),
        (json!([1 << 14, 1 << 14]), json!([{ "Normalization": { "mean": 0.5, "variance": 1, "axis": 1 } }])),
        (json!([1, 1, 4]), json!([{ "UpSampling2D": { "size": [1 << 13, 1 << 13], "interpolation": "bilinear" } }])),
        (json!([4]), json!([{ "RepeatVector": { "n": 1 << 26 } }])),
        (json!([1 << 13, 1 << 13, 4]), json!([{ "Permute": { "dims": [3, 1, 2] } }])),
    ] {
        let (needed, setting) = refused_by_limits(&chain(input, layers.clone()));
        assert!(needed > 2 << 30 && setting == "memory", "{layers}: {needed}");
    }
}

#[test]
fn merged_values_are_as_large_as_all_axes_together() {
    let merged = |inputs: Value, reads: &[Value]| {
        let network = json!({
            "inputs": inputs, "layers": [{ "Add": {} }], "calls": [{ "layer": 0, "reads": reads }], "outputs": [{ "Call": 0 }],
        });
        with_network(&file([2], [Activation::new(Tanh).into()]), network)
    };
    let both = [json!({ "Input": 0 }), json!({ "Input": 1 })];
    let (needed, setting) = refused_by_limits(&merged(json!([[1 << 14, 1], [1 << 14]]), &both));
    assert!(needed > 2 << 30 && setting == "memory", "{needed}");
    match fault(&merged(json!([[1 << 20, 1], [1 << 20]]), &both), LoadLimits::new()) {
        ModelFault::Description(problem) => {
            assert!(problem.contains("has an output of (1048576, 1048576)"), "{problem}")
        }
        other => panic!("{other:?}"),
    }
    // Very many reads, the last of which differs.
    let many: Vec<Value> = (0..40_000).map(|_| json!({ "Input": 0 })).chain([json!({ "Input": 1 })]).collect();
    match fault(&merged(json!([[3], [2]]), &many), LoadLimits::new()) {
        ModelFault::Description(problem) => assert!(problem.contains("got (3) and (2)"), "{problem}"),
        other => panic!("{other:?}"),
    }
}

/// A deep chain of calls of one layer, each on what the one before it gives.
fn called(bytes: &[u8], times: usize) -> Vec<u8> {
    let reads = |call: usize| call.checked_sub(1).map_or(json!({ "Input": 0 }), |before| json!({ "Call": before }));
    let calls: Vec<Value> = (0..times).map(|call| json!({ "layer": 0, "reads": [reads(call)] })).collect();
    let mut network = entry(bytes)["model"]["network"].clone();
    network["calls"] = json!(calls);
    network["outputs"] = json!([reads(times)]);
    with_network(bytes, network)
}

#[test]
fn a_layer_that_is_called_often_counts_as_often() {
    let groups = file([1, 1, 1024], [Conv2D::new(1024, (1, 1)).groups(1024).use_bias(false).into()]);
    let sequences = file([1, 512], [Conv1D::new(512, 1).groups(512).use_bias(false).into()]);
    let taps = DepthwiseConv2D::new((300, 300)).padding(Same).use_bias(false);
    let taps = file([1, 1, 1], [taps.into()]);
    let numbers = file([100_000], [Normalization::new(vec![0.0; 100_000], vec![1.0; 100_000]).into()]);
    for (of_one, times) in [(&groups, 1000), (&sequences, 2000), (&taps, 1000), (&numbers, 3000)] {
        assert!(Model::from_bytes(of_one).is_ok());
        assert!(Model::from_bytes(&called(of_one, 2)).is_ok());
        let bytes = called(of_one, times);
        assert!(bytes.len() < 2_000_000, "{}", bytes.len());
        let (needed, setting) = refused_by_limits(&bytes);
        assert!(needed > 2 << 30 && setting == "memory", "{needed}");
    }
}

#[test]
fn the_plan_for_inference_is_counted_as_well() {
    let norm = BatchNormalization::new();
    let bytes = file([512, 512, 1], [Conv2D::new(1, (1, 1)).into(), norm.into(), Flatten::new().into()]);
    // What is needed grows until all of it is known: the lists, a plan, and the second plan.
    let (mut all, mut limits) = (Vec::new(), LoadLimits::new().memory(0));
    while let Err(Error::ModelFile { fault: ModelFault::Limit { needed, .. }, .. }) =
        Model::from_bytes_with(&bytes, limits)
    {
        all.push(needed);
        limits = limits.memory(needed);
    }
    let [lists, one, both] = all[..] else { panic!("{all:?}") };
    // The list of where windows start has four bytes for each pixel, in either plan.
    let list = 512 * 512 * 4;
    assert!((list..list + 10_000).contains(&lists), "{lists}");
    assert!((list..list + 10_000).contains(&(both - one)), "{one} and {both}");
}
