//! Checkpoints as files: what stands in them, and what is refused of the state of a training.

use crate::common_model_file::{entry, with_entry};
use crate::common_unknown_fields::with_unknown;
use crate::saving::small;
use inkstone::callbacks::{LambdaCallback, SaveFreq};
use inkstone::prelude::*;
use ndarray::{Array2, Array3, Array4};
use serde_json::{Value, json};
use std::fs;

/// A checkpoint in the middle of an epoch, with a callback that remembers weights.
fn checkpoint() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let backup = BackupAndRestore::new(folder.path()).save_freq(SaveFreq::Batches(1)).keep(9);
    let points = Array4::from_shape_fn((8, 1, 1, 2), |(n, _, _, f)| (n * 2 + f) as f32 / 16.0);
    let config = FitConfig::new().epochs(2).batch_size(3).verbose(0);
    let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
    small().fit((&points, &[0, 1, 2, 0, 1, 2, 0, 1]), config.callback(stopping).backup(backup)).unwrap();
    fs::read(folder.path().join("step-000000000005.safetensors")).unwrap()
}

/// What is said of a checkpoint whose entry was changed this way.
fn changed_checkpoint(change: impl FnOnce(&mut Value)) -> String {
    let bytes = checkpoint();
    let mut entry = entry(&bytes);
    change(&mut entry);
    let changed = with_entry(&bytes, entry);
    let error = Model::resume_from_bytes(&changed).unwrap_err().to_string();
    assert_eq!(Model::from_bytes(&changed).unwrap_err().to_string(), error, "whatever is wanted of it");
    error
}

#[test]
fn the_state_of_a_training_stands_in_an_entry_of_its_own() {
    let bytes = checkpoint();
    let entry = entry(&bytes);
    assert_eq!(entry["format_version"], json!(3));
    let training = json!({
        "step": 5,
        "momentum_product": 1.0_f64.to_bits(),
        "position": {
            "epoch": 1, "batches": 2, "examples": 8, "batch_size": 3, "shuffle": true, "learning_rate": 0.001, "stops": false,
            "began": 0
        },
        "callbacks": [{
            "callback": "EarlyStopping",
            "values": {
                "best": entry["training"]["callbacks"][0]["values"]["best"], "best_epoch": 0, "stopped_epoch": null, "wait": 0
            },
            "weights": true
        }]
    });
    assert_eq!(entry["training"], training);
    let again = with_entry(&bytes, entry);
    assert_eq!(Model::resume_from_bytes(&again).unwrap().checkpoint_to_bytes().unwrap(), bytes);
}

#[test]
fn states_that_no_training_has_are_refused() {
    let refusal = |change: fn(&mut Value)| changed_checkpoint(|entry| change(&mut entry["training"]));
    let metadata = |reason: &str| {
        format!(
            "the bytes: expected metadata of a model, found something else ({reason}): something else changed the file, or it \
             is damaged"
        )
    };
    let huge = refusal(|training| training["step"] = json!(u64::MAX));
    assert_eq!(huge, metadata("more steps than there can be"));
    for product in [f64::NAN, -0.5, 1.5, f64::INFINITY] {
        let error = changed_checkpoint(|entry| entry["training"]["momentum_product"] = json!(product.to_bits()));
        assert_eq!(error, metadata("a product of momenta that is not from 0 to 1"));
    }
    let position = metadata("a position that no training has");
    assert_eq!(refusal(|training| training["position"]["epoch"] = json!(u64::MAX)), position);
    assert_eq!(refusal(|training| training["position"]["batch_size"] = json!(0)), position);
    assert_eq!(refusal(|training| training["position"]["examples"] = json!(1_u64 << 40)), position);
    assert_eq!(refusal(|training| training["position"]["began"] = json!(6)), position);
    let batches = refusal(|training| training["position"]["batches"] = json!(4));
    assert_eq!(batches, metadata("a position past the end of an epoch"));
    let rate = refusal(|training| training["position"]["learning_rate"] = json!(1e300));
    assert!(rate.contains("found something else ("), "{rate}");
    let rate = refusal(|training| training["position"]["learning_rate"] = json!(-0.5));
    assert_eq!(rate, metadata("a learning rate that is negative or no number"));
}

/// The numbers of a tensor of sums.
fn sums_of(bytes: &[u8], name: &str) -> Vec<f64> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|sum| f64::from_le_bytes(*sum)).collect()
}

/// The file with other numbers in a tensor of sums, or without it.
fn with_sums(bytes: &[u8], name: &str, sums: Option<&[f64]>) -> Vec<u8> {
    let data: Vec<u8> = sums.iter().flat_map(|sums| sums.iter()).flat_map(|sum| sum.to_le_bytes()).collect();
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut tensors = file.tensors();
    tensors.retain(|(found, _)| found != name);
    tensors.extend(sums.map(|sums| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F64, vec![sums.len()], &data);
        (name.to_owned(), view.unwrap())
    }));
    let metadata = [("inkstone".to_owned(), entry(bytes).to_string())].into_iter().collect();
    with_entry(&safetensors::serialize(tensors, Some(metadata)).unwrap(), entry(bytes))
}

/// A checkpoint in the middle of an epoch of a model with states: those of a GRU's three units, of four examples.
fn checkpoint_with_states() -> Vec<u8> {
    let described = Sequential::new([2, 1]).add(GRU::new(3).stateful(true)).add(Dense::new(1));
    let mut model = described.seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let mut bytes = Vec::new();
    let save = LambdaCallback::new().on_train_batch_end(|batch, _, training| {
        if batch == 0 {
            bytes = training.model().checkpoint_to_bytes()?;
        }
        Ok(())
    });
    let (x, y) = (Array3::<f32>::ones((8, 2, 1)), Array2::<f32>::ones((8, 1)));
    model.fit((&x, &y), FitConfig::new().batch_size(4).shuffle(false).verbose(0).callback(save)).unwrap();
    bytes
}

#[test]
fn states_of_layers_that_are_missing_or_no_numbers_are_refused() {
    const STATES: &str = "training/states";
    let bytes = checkpoint_with_states();
    let states = sums_of(&bytes, STATES);
    assert_eq!(states.len(), 12);
    assert!(states.iter().all(|state| *state != 0.0));
    assert_eq!(with_sums(&bytes, STATES, Some(&states)).len(), bytes.len());
    let with = |place: usize, value: f64| {
        let mut states = states.clone();
        states[place] = value;
        Some(states)
    };
    let not_finite = |value: &str| {
        format!(
            "expected finite values, found {value} in training/states, at index 5 of its values: use a copy from before"
        )
    };
    let too_few = "different: training/states is F64 [11], expected F64 [12]".to_owned();
    let longer = [&states[..], &[0.5]].concat();
    for (changed, expected) in [
        (None, "missing: training/states [12]".to_owned()),
        (Some(states[..11].to_vec()), too_few),
        (Some(longer), "different: training/states is F64 [13], expected F64 [12]".to_owned()),
        (with(5, f64::NAN), not_finite("NaN")),
        (with(5, f64::NEG_INFINITY), not_finite("-inf")),
        // More than `f32` has.
        (with(5, 1e39), not_finite("inf")),
    ] {
        let changed = with_sums(&bytes, STATES, changed.as_deref());
        for loaded in [Model::resume_from_bytes(&changed), Model::from_bytes(&changed)] {
            let error = loaded.unwrap_err().to_string();
            assert!(error.starts_with("the bytes: expected ") && error.contains(&expected), "{error}");
        }
    }
    let sound = with_sums(&bytes, STATES, with(5, 0.25).as_deref());
    assert_eq!(sums_of(&Model::resume_from_bytes(&sound).unwrap().checkpoint_to_bytes().unwrap(), STATES)[5], 0.25);
}

#[test]
fn scores_that_are_no_numbers_are_refused() {
    let bytes = checkpoint();
    let of_file = sums_of(&bytes, "training/scores");
    for (index, value, is_taken) in [
        (0, f64::NAN, false),
        (0, f64::INFINITY, false),
        (1, f64::NAN, false),
        (1, f64::INFINITY, true),
        (0, 2.0, true),
    ] {
        let mut sums = of_file.clone();
        sums[index] = value;
        let changed = with_sums(&bytes, "training/scores", Some(&sums));
        for loaded in [Model::resume_from_bytes(&changed), Model::from_bytes(&changed)] {
            assert_eq!(loaded.is_ok(), is_taken, "{value} at {index}");
            if let Err(error) = loaded {
                let expected = format!("expected finite values, found {value} in training/scores, at index {index}");
                assert!(error.to_string().contains(&expected), "{error}");
            }
        }
    }
}

#[test]
fn tensors_of_a_training_must_be_there_and_no_others() {
    let weights = |lines: &str| format!("the bytes: expected the weights of the model, found others:{lines}");
    assert_eq!(
        changed_checkpoint(|entry| entry["training"]["position"] = Value::Null),
        weights("\n  extra: training/scores [3]")
    );
    assert_eq!(
        changed_checkpoint(|entry| entry["training"]["callbacks"] = json!([])),
        weights("\n  extra: callbacks/0/dense/bias [3]\n  extra: callbacks/0/dense/kernel [2, 3]")
    );
    assert_eq!(
        changed_checkpoint(|entry| entry["model"]["optimizer"]["algorithm"]["Adam"]["amsgrad"] = json!(true)),
        weights(
            "\n  missing: optimizer/velocity_hat/dense/kernel [2, 3]\n  missing: optimizer/velocity_hat/dense/bias [3]"
        )
    );
    assert_eq!(
        changed_checkpoint(|entry| entry["model"]["objectives"][0]["metrics"] = json!([])),
        weights("\n  different: training/scores is F64 [3], expected F64 [1]")
    );
    let many = changed_checkpoint(|entry| {
        entry["model"]["objectives"][0]["metrics"] = json!([{"Auc": {"curve": "Roc", "num_thresholds": u64::MAX}}]);
    });
    assert!(many.starts_with("the bytes: expected "), "{many}");
    let without = changed_checkpoint(|entry| {
        entry["format_version"] = json!(2);
        drop(entry.as_object_mut().unwrap().remove("training"));
    });
    assert!(without.contains("a checkpoint without `training`"), "{without}");
    let old = changed_checkpoint(|entry| entry["format_version"] = json!(1));
    assert!(old.contains("found the unknown entry `training`"), "{old}");
    let alone = changed_checkpoint(|entry| drop(entry.as_object_mut().unwrap().remove("model")));
    assert!(alone.contains("found weights only"), "{alone}");
}

#[test]
fn an_unknown_field_of_a_training_is_refused_wherever_it_is() {
    let bytes = checkpoint();
    let mut entries = Vec::new();
    with_unknown(&entry(&bytes), &mut entries);
    let mut values = 0;
    for entry in entries {
        let loaded = Model::resume_from_bytes(&with_entry(&bytes, entry.clone()));
        // What a callback remembers is its own, and `fit` compares the names.
        if entry["training"]["callbacks"][0]["values"].get("unknown").is_some() {
            let points = Array4::<f32>::zeros((8, 1, 1, 2));
            let stopping = EarlyStopping::new("loss").patience(9).restore_best_weights(true);
            let config = FitConfig::new().epochs(2).batch_size(3).verbose(0).callback(stopping);
            let error = loaded.unwrap().fit((&points, &[0; 8]), config).unwrap_err().to_string();
            assert!(error.starts_with("the callbacks must be those of the checkpoint, EarlyStopping"), "{error}");
            values += 1;
            continue;
        }
        let error = loaded.unwrap_err().to_string();
        assert!(error.starts_with("the bytes: expected metadata of a model, found "), "{error}\n{entry}");
    }
    assert_eq!(values, 1);
}
