//! What model files say of privacy is checked before it is believed.

use crate::common_model_file::{entry, with_entry};
use inkstone::Error;
use inkstone::prelude::*;
use inkstone::privacy::DpSgd;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The file of a model that was trained privately for four steps.
fn file() -> Vec<u8> {
    let described = Sequential::new([2]).add(Dense::new(2).activation(Softmax)).seed(1);
    let mut model = described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
    let private = DpSgd::new(1.5, 1.0).delta(1e-3);
    let config = FitConfig::new().batch_size(1).differential_privacy(private).verbose(0);
    model.fit((&[[0.0, 1.0]; 4], &[0, 1, 0, 1]), config).unwrap();
    model.to_bytes().unwrap()
}

/// The file with something else about privacy.
fn with_privacy(bytes: &[u8], privacy: Value) -> Vec<u8> {
    let mut entry = entry(bytes);
    assert!(entry["model"]["privacy"].is_array(), "{entry}");
    entry["model"]["privacy"] = privacy;
    with_entry(bytes, entry)
}

fn of(sampling_rate: impl Into<Value>, noise_multiplier: impl Into<Value>, steps: impl Into<Value>) -> Value {
    let (rate, noise, steps) = (sampling_rate.into(), noise_multiplier.into(), steps.into());
    json!({ "sampling_rate": rate, "noise_multiplier": noise, "steps": steps })
}

#[test]
fn entries_that_no_training_leaves_are_refused() {
    let bytes = file();
    let found = entry(&bytes)["model"]["privacy"].clone();
    assert_eq!(found, json!([of(0.25, 1.5, 4)]));
    let refused = |privacy: Value, expected: &str| {
        let started = Instant::now();
        let error = Model::from_bytes(&with_privacy(&bytes, privacy)).unwrap_err();
        assert!(matches!(error, Error::ModelFile { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("privacy") && error.contains(expected), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    };
    refused(json!([of(0.25, -1.5, 4)]), "noise_multiplier must be finite and at least 0, got -1.5");
    refused(json!([of(1.25, 1.5, 4)]), "sampling_rate must be from 0 to 1, got 1.25");
    refused(json!([of(-0.25, 1.5, 4)]), "sampling_rate must be from 0 to 1, got -0.25");
    // JSON has no NaN: what stands for it is no number.
    refused(json!([of(0.25, Value::Null, 4)]), "null");
    refused(json!([of("NaN", 1.5, 4)]), "NaN");
    refused(json!([of(0.25, 1.5, -4)]), "-4");
    refused(json!([of(0.25, 1.5, 0.5)]), "0.5");
    refused(
        json!([of(0.25, 1.5, u64::MAX), of(0.5, 1.5, 1)]),
        "steps must be at most u64::MAX, with those before, got 1",
    );
    let many: Vec<Value> = (0..5000).map(|n| of(0.25, 1.0 + f64::from(n), 1)).collect();
    refused(json!(many), "mechanisms must be at most 1000 pairs of a rate and a noise, got 5000");
    refused(json!({ "epsilon": 0.1 }), "privacy");
    refused(json!([{ "sampling_rate": 0.25, "noise_multiplier": 1.5, "steps": 4, "epsilon": 0.1 }]), "epsilon");
}

/// JSON may write more than a float holds.
#[test]
fn noise_beyond_all_numbers_is_refused() {
    let bytes = file();
    let mut entry = entry(&bytes);
    entry["model"]["privacy"][0]["noise_multiplier"] = json!(1.75);
    let mut entry = entry.to_string();
    assert_eq!(entry.matches("1.75").count(), 1);
    entry = entry.replace("1.75", "1e999");
    // The checksum need not be right: the entry is no JSON of ours already.
    let header = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let metadata = [("inkstone".to_owned(), entry)].into_iter().collect();
    let changed = safetensors::serialize(header.tensors(), Some(metadata)).unwrap();
    let error = Model::from_bytes(&changed).unwrap_err().to_string();
    assert!(error.contains("number out of range"), "{error}");
}

/// They are odd, but mean something: epsilon is found, and in reasonable time.
#[test]
fn extreme_entries_have_an_epsilon() {
    let bytes = file();
    for (privacy, least, most) in [
        (json!([of(0.25, 1e300, 4)]), 0.0, 1e-6),
        (json!([of(0.25, 1e-300, 4)]), f64::INFINITY, f64::INFINITY),
        (json!([of(1e-300, 1.0, 4)]), 0.0, 1e-6),
        (json!([of(1.0, 1.0, u64::MAX)]), 1e6, f64::INFINITY),
        (json!([of(5e-324, f64::MAX, u64::MAX)]), 0.0, 1e-6),
    ] {
        let started = Instant::now();
        let model = Model::from_bytes(&with_privacy(&bytes, privacy.clone())).unwrap();
        let found = model.privacy().epsilon(1e-5).unwrap();
        assert!(found >= least && found <= most, "{privacy}: {found}");
        assert!(started.elapsed() < Duration::from_secs(20), "{privacy}: {:?}", started.elapsed());
    }
}
