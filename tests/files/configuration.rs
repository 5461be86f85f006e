//! Models described in JSON: short forms and defaults that are Keras', and errors that tell the place.

use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Error, Shape};
use serde_json::{Value, json};

/// A model of one layer that JSON describes.
fn layer(description: Value) -> Layer {
    let described = json!({"input": [28, 28, 1], "layers": [description]}).to_string();
    Sequential::from_json(&described).unwrap().layers()[0].clone()
}

#[test]
fn fields_that_are_left_out_have_keras_defaults() {
    let cases: [(Value, Layer); 8] = [
        (json!({"Conv2D": {"filters": 8, "kernel_size": [3, 2]}}), Conv2D::new(8, (3, 2)).into()),
        (json!({"MaxPooling2D": {}}), MaxPooling2D::new((2, 2)).into()),
        (json!("MaxPooling2D"), MaxPooling2D::new((2, 2)).into()),
        (json!({"Dense": {"units": 5}}), Dense::new(5).into()),
        (json!({"Flatten": {}}), Flatten::new().into()),
        (json!("Flatten"), Flatten::new().into()),
        (json!({"Activation": {"function": "Tanh"}}), Activation::new(Tanh).into()),
        (json!({"Dropout": {"rate": 0.5}}), Dropout::new(0.5).into()),
    ];
    for (description, expected) in cases {
        assert_eq!(layer(description), expected);
    }
}

#[test]
fn functions_and_paddings_have_keras_names_too() {
    let conv = json!({"Conv2D": {"filters": 8, "kernel_size": [3, 3], "padding": "same", "activation": "relu"}});
    assert_eq!(layer(conv), Conv2D::new(8, (3, 3)).padding(Same).activation(Relu).into());
    let pool = json!({"MaxPooling2D": {"pool_size": [3, 3], "strides": [1, 2], "padding": "valid"}});
    assert_eq!(layer(pool), MaxPooling2D::new((3, 3)).strides((1, 2)).padding(Valid).into());
    for (name, function) in
        [("linear", Linear), ("relu", Relu), ("sigmoid", Sigmoid), ("tanh", Tanh), ("softmax", Softmax)]
    {
        assert_eq!(layer(json!({"Activation": {"activation": name}})), Activation::new(function).into());
    }
}

#[test]
fn shapes_are_lists_of_axes_or_what_is_saved() {
    let input = |shape: Value| {
        Sequential::from_json(&json!({"input": shape, "layers": []}).to_string()).map(|described| described.input())
    };
    assert_eq!(input(json!([28, 27, 1])).unwrap(), Shape::from([28, 27, 1]));
    assert_eq!(input(json!([784])).unwrap(), Shape::from([784]));
    assert_eq!(input(json!({"Vector": 784})).unwrap(), Shape::from([784]));
    let image = json!({"Image": {"height": 28, "width": 27, "channels": 1}});
    assert_eq!(input(image).unwrap(), Shape::from([28, 27, 1]));
    assert_eq!(input(json!([7, 3])).unwrap(), Shape::from([7, 3]));
    assert_eq!(input(json!([5, 7, 3, 2])).unwrap(), Shape::from([5, 7, 3, 2]));
    for (wrong, expected) in [
        (
            json!([]),
            "at input: invalid length 0, expected a shape of one to four axes, as [height, width, channels] or [features]",
        ),
        (
            json!([1, 2, 3, 4, 5]),
            "at input: invalid length 5, expected a shape of one to four axes, as [height, width, channels] or [features]",
        ),
        (json!([28, -1, 1]), "at input[1]: invalid value: integer `-1`, expected usize"),
        (
            json!(784),
            "at input: invalid type: integer `784`, expected a shape of one to four axes, as [height, width, channels] or [features]",
        ),
        (
            json!({"Image": {"height": 1, "width": 1, "channels": 1, "depth": 1}}),
            "at input.Image.depth: unknown field `depth`",
        ),
    ] {
        let error = input(wrong).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the description of the model, {expected}")), "{error}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let dense = r#"{"Dense": {"units": 3}}"#;
    for (layers, expected) in [
        (
            r#"[{"Dense": {"units": 3, "kernel_quantizer": "l2"}}]"#.to_owned(),
            "at layers[0].Dense.kernel_quantizer: unknown field `kernel_quantizer`, expected one of `units`, `activation`, \
          `use_bias`, `trainable`, `kernel_initializer`, `bias_initializer`, `kernel_regularizer`",
        ),
        (
            format!(r#"[{dense}, {{"Conv2D": {{"filters": "many", "kernel_size": [3, 3]}}}}]"#),
            "at layers[1].Conv2D.filters: invalid type: string \"many\", expected usize at line 1 column",
        ),
        (
            format!(r#"[{dense}, {dense}, {{"Conv2D": {{"filters": 3}}}}]"#),
            "at layers[2].Conv2D: missing field `kernel_size` at line 1 column",
        ),
        (r#"["Dense"]"#.to_owned(), "at layers[0]: \"Dense\" alone: missing field `units`"),
        (
            r#"["Conv3D"]"#.to_owned(),
            "at layers[0]: \"Conv3D\" alone: unknown variant `Conv3D`, expected one of `Conv2D`",
        ),
        (r#"[{"Flatten": {}, "Dense": {"units": 1}}]"#.to_owned(), "at layers[0]"),
        (r#"[{}]"#.to_owned(), "at layers[0]"),
        (
            r#"[3]"#.to_owned(),
            "at layers[0]: invalid type: integer `3`, expected a layer, as {\"Dense\": {\"units\": 10}} or \"Flatten\"",
        ),
        (
            r#"[{"Dense": {"units": 3, "activation": "mush"}}]"#.to_owned(),
            "at layers[0].Dense.activation: unknown variant `mush`, expected one of `Linear`",
        ),
        (r#"[{"Dense": {"units": -3}}]"#.to_owned(), "at layers[0].Dense.units: invalid value: integer `-3`"),
        (
            r#"[{"Flatten": {"data_format": 1}}]"#.to_owned(),
            "at layers[0].Flatten.data_format: unknown field `data_format`",
        ),
    ] {
        let error = Sequential::from_json(&format!(r#"{{"input": [4], "layers": {layers}}}"#)).unwrap_err();
        assert!(matches!(error, Error::Json { .. }));
        assert!(error.to_string().starts_with(&format!("the description of the model, {expected}")), "{error}");
    }
    let at_all = |json: &str| Sequential::from_json(json).unwrap_err().to_string();
    assert_eq!(at_all(""), "the description of the model: EOF while parsing a value at line 1 column 0");
    assert_eq!(
        at_all(r#"{"input": [4], "layers": []} {}"#),
        "the description of the model: trailing characters at line 1 column 30"
    );
    assert_eq!(at_all(r#"{"input": [4]}"#), "the description of the model: missing field `layers` at line 1 column 14");
    assert!(
        at_all(r#"{"input": [4], "layers": [], "sed": 3}"#).contains(", at sed: unknown field `sed`, expected one of")
    );
    let deep = format!(r#"{{"input": [4], "layers": {}"#, "[".repeat(100_000));
    assert!(at_all(&deep).starts_with("the description of the model, at layers[0]: invalid type: sequence"));
}

#[test]
fn what_is_written_is_read_again_and_has_the_form_that_people_write() {
    let described = Sequential::new([9, 8, 2])
        .add(Conv2D::new(4, (3, 2)).padding(Same).strides((2, 1)).use_bias(false))
        .add(MaxPooling2D::new((2, 2)).strides((1, 1)))
        .add(Activation::new(Tanh))
        .add(Dropout::new(0.1 + 0.2))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(u64::MAX);
    assert_eq!(Sequential::from_json(&described.to_json()).unwrap(), described);
    assert_eq!(serde_json::from_str::<Sequential>(&described.to_json()).unwrap(), described);
    let expected = json!({
        "input": [9, 8, 2],
        "layers": [
            {"Conv2D": {
                "filters": 4, "kernel_size": [3, 2], "strides": [2, 1], "padding": "Same", "activation": "Linear", "use_bias": false,
                "trainable": true
            }},
            {"MaxPooling2D": {"pool_size": [2, 2], "strides": [1, 1], "padding": "Valid"}},
            {"Activation": {"function": "Tanh"}},
            {"Dropout": {"rate": 0.3}},
            {"Flatten": {}},
            {"Dense": {"units": 3, "activation": "Softmax", "use_bias": true, "trainable": true}}
        ],
        "seed": u64::MAX
    });
    let mut written: Value = serde_json::from_str(&described.to_json()).unwrap();
    written["layers"][3]["Dropout"]["rate"] = json!(0.3);
    assert_eq!(written, expected);
}
