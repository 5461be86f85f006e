//! Layers of users' own types in files and in JSON: their names, configurations and weights, and what is told of types
//! that nobody has named.

use crate::common_custom_layers::Scale;
use inkstone::custom::{CustomLayer, CustomObjects, LayerBackward, LayerForward};
use inkstone::prelude::*;
use inkstone::{Error, LoadLimits, LoadOptions, ModelFault, Shape};
use ndarray::Array4;
use serde::{Deserialize, Serialize};

fn described() -> Sequential {
    Sequential::new([4, 4, 2])
        .add(Scale { initial: 0.3 })
        .add(Conv2D::new(3, (3, 3)).activation(Relu))
        .add(Scale { initial: 1.5 })
        .add(Flatten::new())
        .add(Dense::new(2).activation(Softmax))
        .seed(5)
}

fn model() -> Model {
    described().compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

fn known() -> CustomObjects {
    CustomObjects::new().layer::<Scale>()
}

#[test]
fn a_file_keeps_them_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let images = Array4::from_shape_fn((9, 4, 4, 2), |(n, y, x, c)| ((n * 7 + y * 5 + x * 3 + c) % 11) as f32 / 11.0);
    let classes = [0, 1, 0, 1, 0, 1, 1, 0, 1];
    let mut model = model();
    let config = |epochs| FitConfig::new().epochs(epochs).batch_size(4).verbose(0);
    model.fit((&images, &classes), config(1)).unwrap();
    model.save(&path).unwrap();
    let loaded = Model::load_with(&path, known()).unwrap();
    assert_eq!(loaded.layers(), model.layers());
    assert_eq!(loaded.get_weights(), model.get_weights());
    assert_eq!(loaded.get_weights()[0].name, "scale/factors");
    assert_eq!(loaded.predict(&images).unwrap(), model.predict(&images).unwrap());
    assert_eq!(loaded.to_bytes().unwrap(), model.to_bytes().unwrap());
    // Training goes on from a checkpoint as if nothing had been between.
    let mut resumed = Model::resume_from_bytes_with(&model.checkpoint_to_bytes().unwrap(), known()).unwrap();
    for model in [&mut model, &mut resumed] {
        model.fit((&images, &classes), config(3)).unwrap();
    }
    assert_eq!(resumed.get_weights(), model.get_weights());
    // A model built by the program needs no names of types.
    let mut built = self::model();
    built.load_weights(&path).unwrap();
    assert_eq!(built.get_weights(), loaded.get_weights());
}

#[test]
fn a_type_that_nobody_names_is_told_with_what_to_do() {
    let bytes = model().to_bytes().unwrap();
    let error = Model::from_bytes(&bytes).unwrap_err();
    assert!(matches!(&error, Error::ModelFile { fault: ModelFault::CustomObject(_), .. }));
    assert_eq!(
        error.to_string(),
        "the bytes: expected a model whose types are all known, found one that has a layer, number 0, that is the custom layer \
         `Scale`, whose type is not known: pass `CustomObjects::new().layer::<Scale>()`, where `Scale` is the type with this \
         `NAME`, to `Model::load_with` or `Sequential::from_json_with`"
    );
    let checkpoint = model().checkpoint_to_bytes().unwrap();
    let error = Model::resume_from_bytes(&checkpoint).unwrap_err();
    assert!(matches!(error, Error::ModelFile { fault: ModelFault::CustomObject(_), .. }));
}

#[test]
fn json_names_them_and_their_configurations() {
    let json = described().to_json();
    assert!(json.contains(r#"{"Custom":{"name":"Scale","config":{"initial":0.30"#), "{json}");
    assert_eq!(Sequential::from_json_with(&json, &known()).unwrap(), described());
    // Without the type it is a description as any other, and no model.
    let unknown = Sequential::from_json(&json).unwrap();
    assert_eq!(unknown, described());
    assert_eq!(unknown.to_json(), json);
    let error = unknown.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string();
    assert!(
        error.starts_with("layer 0 (Custom) is the custom layer `Scale`, whose type is not known: pass"),
        "{error}"
    );
    let error = Sequential::from_json_with(&json, &CustomObjects::new()).unwrap_err().to_string();
    let start =
        "the description of the model, at layers[0].Custom: is the custom layer `Scale`, whose type is not known";
    assert!(error.starts_with(start), "{error}");
    for (config, problem) in [
        (r#"{"initial": "x"}"#, "invalid type: string \"x\", expected f32"),
        (r#"{"initial": 1.0, "final": 2.0}"#, "unknown field `final`, expected `initial`"),
        ("null", "invalid type: null, expected struct Scale"),
    ] {
        let json = format!(r#"{{"input": [4], "layers": [{{"Custom": {{"name": "Scale", "config": {config}}}}}]}}"#);
        let error = Sequential::from_json_with(&json, &known()).unwrap_err().to_string();
        assert!(error.contains("which refuses its configuration") && error.ends_with(problem), "{error}");
    }
    let error = Sequential::from_json(r#"{"input": [4], "layers": [{"Custom": {"name": "Scale"}}]}"#).unwrap_err();
    assert!(error.to_string().contains("missing field `config`"), "{error}");
}

#[test]
fn formats_that_do_not_describe_themselves_hold_them_too() {
    let bytes = postcard::to_stdvec(&described()).unwrap();
    let mut read: Sequential = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read, described());
    read = Sequential::from_json_with(&read.to_json(), &known()).unwrap();
    assert!(read.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).is_ok());
}

/// A vector of as many values as it is told.
#[derive(Debug, Serialize, Deserialize)]
struct Wide {
    len: usize,
}

impl CustomLayer for Wide {
    const NAME: &'static str = "Wide";

    fn output_shape(&self, _: Shape) -> Result<Shape, String> {
        Ok(Shape::from([self.len]))
    }

    fn forward(&self, _: LayerForward<'_>) {}

    fn backward(&self, _: LayerBackward<'_>) {}
}

#[test]
fn a_small_file_cannot_make_one_take_much_memory_or_time() {
    let wide = |len| {
        let model = Sequential::new([2]).add(Wide { len }).add(Wide { len: 2 });
        model.compile(Sgd::default(), MeanSquaredError, []).unwrap().to_bytes().unwrap()
    };
    let options = |limits| LoadOptions::new().limits(limits).custom_objects(CustomObjects::new().layer::<Wide>());
    let refused = |bytes: &[u8], limits| match Model::from_bytes_with(bytes, options(limits)).unwrap_err() {
        Error::ModelFile { fault: ModelFault::Limit { needed, setting, .. }, .. } => (needed, setting),
        error => panic!("{error}"),
    };
    let bytes = wide(1 << 20);
    assert!(bytes.len() < 2000);
    let (needed, setting) = refused(&bytes, LoadLimits::new().memory(4 << 20));
    assert!(setting == "memory" && needed > 4 << 20, "{needed} bytes");
    let (needed, setting) = refused(&bytes, LoadLimits::new().operations(1 << 20));
    assert!(setting == "operations" && needed > 1 << 20, "{needed} operations");
    assert!(Model::from_bytes_with(&bytes, options(LoadLimits::new())).is_ok());
}

#[cfg(feature = "onnx")]
#[test]
fn onnx_has_no_operator_for_them() {
    assert_eq!(
        model().to_onnx().unwrap_err().to_string(),
        "layer 0 (Scale) is a layer of your own, which ONNX has no operator for: export a model of the crate's layers, or `save` it"
    );
}
