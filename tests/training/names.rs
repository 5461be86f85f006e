//! Layers with names of a user's choice.

use inkstone::custom::{CustomLayer, LayerBackward, LayerForward, LayerWeight};
use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Error, Shape};
use serde::{Deserialize, Serialize};

fn compiled(layers: impl IntoIterator<Item = Layer>) -> inkstone::Result<Model> {
    let described = layers.into_iter().fold(Sequential::new([4, 4, 1]), Sequential::add);
    described.seed(1).compile(Adam::default(), MeanSquaredError, [])
}

/// The error of a model with a layer of this name.
fn fault(name: &str) -> String {
    compiled([Flatten::new().into(), Dense::new(1).name(name).into()]).unwrap_err().to_string()
}

#[test]
fn names_are_those_of_layers_weights_and_the_summary() {
    let model = compiled([
        Conv2D::new(2, (2, 2)).name("stem").into(),
        Activation::new(Relu).name("relu").into(),
        MaxPooling2D::new((2, 2)).name("pool").into(),
        Flatten::new().name("flat.1").into(),
        Dense::new(3).into(),
        Dropout::new(0.5).name("größer@2").into(),
        Dense::new(2).name("head").into(),
    ])
    .unwrap();
    assert_eq!(model.layer_names(), ["stem", "relu", "pool", "flat.1", "dense", "größer@2", "head"]);
    let weights: Vec<String> = model.get_weights().into_iter().map(|weight| weight.name).collect();
    assert_eq!(weights, ["stem/kernel", "stem/bias", "dense/kernel", "dense/bias", "head/kernel", "head/bias"]);
    let summary = model.summary().to_string();
    assert!(summary.contains("│ stem (Conv2D)    ") && summary.contains("│ head (Dense)     "), "{summary}");
    let long = compiled([Flatten::new().name("f".repeat(100)).into()]).unwrap().summary().to_string();
    let widths: Vec<usize> = long.lines().skip(1).take(5).map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{long}");
    assert!(long.contains(&format!("{}…", "f".repeat(30))), "{long}");
}

#[test]
fn every_layer_has_one() {
    let image = Input::new([4, 4, 1]);
    let x = image.apply(ZeroPadding2D::new((1, 1)).name("a")).apply(AveragePooling2D::new((2, 2)).name("b"));
    let x = x.apply(Reshape::new([3, 3, 1]).name("c"));
    let (left, right) = (x.apply(GlobalAveragePooling2D::new().name("d")), x.apply(GlobalAveragePooling2D::new()));
    let (joined, sum) = (Concatenate::new().name("e"), Add::new().name("f"));
    let layers = [Layer::from(joined), sum.into()];
    assert!(layers.iter().all(|layer| format!("{layer:?}").contains("name: Some(")));
    let output = Add::of([&left, &right]);
    let model = Functional::new([&image], [&output]).compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(model.layer_names(), ["a", "b", "c", "d", "global_average_pooling2d", "add"]);
}

#[test]
fn layers_without_a_name_take_none_that_was_given() {
    let model = compiled([
        Flatten::new().into(),
        Dense::new(2).into(),
        Dense::new(2).name("dense").into(),
        Dense::new(2).name("dense_2").into(),
        Dense::new(2).into(),
    ]);
    assert_eq!(model.unwrap().layer_names(), ["flatten", "dense_1", "dense", "dense_2", "dense_3"]);
}

#[test]
fn two_layers_of_one_name_are_an_error() {
    let twice = [Dense::new(2).name("head").into(), Flatten::new().name("head").into()];
    assert_eq!(
        compiled(twice).unwrap_err().to_string(),
        "layer 1 (Flatten \"head\") has the name of layer 0 (Dense): give each layer a name of its own"
    );
    let (left, right) = (Input::new([2]), Input::new([2]));
    let twin = Shared::new(Dense::new(3).name("twin"));
    let output = Concatenate::of([&left.apply(&twin), &right.apply(&twin)]);
    let model = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(model.layer_names(), ["twin", "concatenate"]);
}

#[test]
fn names_that_cannot_be_are_errors() {
    for name in ["", "a/b", "a b", "a\nb", "a\u{202e}b", "a,b", "\"", "a\0"] {
        assert_eq!(
            fault(name),
            format!("layer 1 (Dense) has the name {name:?}: use letters, digits and _-.@, at least one")
        );
    }
    for name in ["optimizer", "callbacks", "training"] {
        let problem = "which checkpoints use themselves: choose another one";
        assert_eq!(fault(name), format!("layer 1 (Dense) has the name {name:?}, {problem}"));
    }
    assert_eq!(fault(&"ß".repeat(101)), "layer 1 (Dense) has a name of 101 characters: use at most 100");
    assert!(compiled([Flatten::new().into(), Dense::new(1).name("ß".repeat(100)).into()]).is_ok());
}

#[test]
fn errors_say_the_name() {
    let error = compiled([Dropout::new(2.0).name("drop").into()]).unwrap_err();
    assert!(matches!(&error, Error::Layer { index: 0, kind: "Dropout", name: Some(name), .. } if name == "drop"));
    let expected = "layer 0 (Dropout \"drop\") expects a rate of at least 0 and less than 1, got 2";
    assert_eq!(error.to_string(), expected);
}

/// An output named `val` has a loss that would be called as that of the validation data.
#[test]
fn scores_of_one_name_are_an_error() {
    let input = Input::new([2]);
    let outputs =
        |first: &str, second: &str| [input.apply(Dense::new(1).name(first)), input.apply(Dense::new(1).name(second))];
    let compiled =
        |outputs: [Node; 2]| Functional::new([&input], &outputs).compile(Adam::default(), MeanSquaredError, []);
    assert_eq!(
        compiled(outputs("val", "other")).unwrap_err().to_string(),
        "the model has two scores that logs would call val_loss: give the layers of its outputs other names"
    );
    let error = compiled(outputs("size", "val_size")).unwrap_err().to_string();
    assert!(error.contains("would call val_size_loss"), "{error}");
    let mut model = compiled(outputs("size", "colour")).unwrap();
    let scores = model.train_on_batch(&[[0.0, 1.0]], (&[0.5], &[1.0])).unwrap();
    assert_eq!(scores.names(), ["size_loss", "colour_loss"]);
}

#[derive(Debug, Serialize, Deserialize)]
struct Scale {
    name: Option<String>,
}

impl CustomLayer for Scale {
    const NAME: &'static str = "Scale";

    fn layer_name(&self) -> Option<String> {
        self.name.clone()
    }

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        Ok(input)
    }

    fn weights(&self, _input: Shape) -> Vec<LayerWeight> {
        vec![LayerWeight::constant("factor", [1], 1.0)]
    }

    fn forward(&self, pass: LayerForward<'_>) {
        pass.output.copy_from_slice(pass.input);
    }

    fn backward(&self, _pass: LayerBackward<'_>) {}
}

#[test]
fn layers_of_a_users_own_have_names_too() {
    let named = |name: &str| Scale { name: Some(name.into()) };
    let model = compiled([named("gain").into(), Scale { name: None }.into(), Flatten::new().into()]).unwrap();
    assert_eq!(model.layer_names(), ["gain", "scale", "flatten"]);
    let error = compiled([named("a/b").into()]).unwrap_err().to_string();
    assert_eq!(error, "layer 0 (Scale) has the name \"a/b\": use letters, digits and _-.@, at least one");
}

#[test]
fn descriptions_and_files_keep_names() {
    let described = Sequential::new([4]).add(Dense::new(3).name("head")).add(Dropout::new(0.5)).seed(5);
    let json = described.to_json();
    assert!(json.contains(r#""trainable":true,"name":"head"}},{"Dropout":{"rate":0.5}}"#), "{json}");
    assert_eq!(Sequential::from_json(&json).unwrap(), described);
    let bytes = postcard::to_stdvec(&described).unwrap();
    assert_eq!(postcard::from_bytes::<Sequential>(&bytes).unwrap(), described);
    let mut model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    model.train_on_batch(&[[0.0, 1.0, 2.0, 3.0]], &[[0.5, 1.0, 2.0]]).unwrap();
    let loaded = Model::resume_from_bytes(&model.checkpoint_to_bytes().unwrap()).unwrap();
    assert_eq!((loaded.layer_names(), loaded.get_weights()), (model.layer_names(), model.get_weights()));
}
