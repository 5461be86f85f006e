//! Names of layers in files, which may say anything.

use crate::common_model_file::{entry, with_entry};
use inkstone::prelude::*;
use serde_json::json;

fn model() -> Model {
    let described = Sequential::new([4]).add(Dense::new(3).name("body")).add(Dense::new(2).name("head"));
    described.seed(1).compile(Adam::default(), MeanSquaredError, []).unwrap()
}

/// What is said of the file with this in the place of the second layer's name.
fn refused(name: serde_json::Value) -> String {
    let bytes = model().to_bytes().unwrap();
    let mut entry = entry(&bytes);
    entry["model"]["network"]["layers"][1]["Dense"]["name"] = name;
    Model::from_bytes(&with_entry(&bytes, entry)).unwrap_err().to_string()
}

#[test]
fn tensors_have_the_names_of_their_layers() {
    let bytes = model().to_bytes().unwrap();
    let mut names = safetensors::SafeTensors::deserialize(&bytes)
        .unwrap()
        .names()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    names.sort();
    assert_eq!(names, ["body/bias", "body/kernel", "head/bias", "head/kernel"]);
}

#[test]
fn names_that_cannot_be_are_refused() {
    for name in ["", "a/b", "head/kernel", "\u{1b}[31m", "optimizer", "training", "../../etc"] {
        let expected = "the bytes: expected a model that can be, found one where layer 1 (Dense) has the name ";
        let error = refused(json!(name));
        assert!(error.starts_with(expected) && error.contains(&format!("{name:?}")), "{error}");
    }
    assert!(refused(json!("x".repeat(100_000))).contains("has a name of 100000 characters: use at most 100"));
    assert!(refused(json!("body")).contains("layer 1 (Dense \"body\") has the name of layer 0 (Dense)"));
    assert!(refused(json!(7)).contains("at network.layers[1].Dense.name: invalid type: integer `7`"));
    assert!(refused(json!("tail")).contains("missing: tail/kernel"), "{}", refused(json!("tail")));
}
