//! What is said of networks that cannot be, and of models that cannot be taken apart as asked for.

use crate::common_custom_layers::Scale;
use inkstone::prelude::*;
use inkstone::{Error, Result};

fn compiled(described: Functional) -> Result<Model> {
    described.compile(Adam::default(), MeanSquaredError, [])
}

fn said<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

fn chain() -> Model {
    let described = Sequential::new([4]).add(Dense::new(3).activation(Relu)).add(Dense::new(2));
    described.compile(Adam::default(), MeanSquaredError, []).unwrap()
}

fn two_outputs() -> Functional {
    let input = Input::new([4]);
    let x = input.apply(Dense::new(3));
    Functional::new([&input], [&x.apply(Dense::new(2)), &x.apply(Dense::new(1))])
}

#[test]
fn networks_that_hang_together_nowhere_are_refused() {
    let (input, other) = (Input::new([4]), Input::new([4]));
    assert_eq!(
        said(compiled(Functional::new([&input], [&other.apply(Dense::new(2))]))),
        "the model has a Dense that depends on an input which is none of the 1 given: list it among the inputs"
    );
    assert_eq!(
        said(compiled(Functional::new([&input, &other], [&input.apply(Dense::new(2))]))),
        "the model has an input 1 of (4) that no output depends on: leave it out"
    );
    let nothing: [&Node; 0] = [];
    assert_eq!(said(compiled(Functional::new([&input], nothing))), "the model has no layers: add at least one `Dense`");
}

#[test]
fn shapes_that_do_not_add_are_told_with_what_helps() {
    let input = Input::new([8, 8, 2]);
    let y = input.apply(Conv2D::new(4, (3, 3)).padding(Same));
    assert_eq!(
        said(compiled(Functional::new([&input], [&Add::of([&input, &y]).apply(Flatten::new())]))),
        "layer 1 (Add) expects inputs of one shape, or that differ in axes of size 1 alone, got (8, 8, 2) and (8, 8, 4): bring them to one shape with a layer before \
         it, such as a `Conv2D` of 1 x 1 or a `Dense`"
    );
}

#[test]
fn outputs_of_one_name_are_refused() {
    let input = Input::new([4]);
    let outputs = [0, 1].map(|_| input.apply(Dense::new(2).name("twice")));
    assert_eq!(
        said(compiled(Functional::new([&input], &outputs))),
        "layer 1 (Dense \"twice\") has the name of layer 0 (Dense): give each layer a name of its own"
    );
    // One layer that gives two outputs: names are told apart by a number.
    let twin = Shared::new(Dense::new(2).name("twin"));
    let (left, right) = (Input::new([4]), Input::new([4]));
    let model = compiled(Functional::new([&left, &right], [&left.apply(&twin), &right.apply(&twin)])).unwrap();
    let zeros = [[0.0; 4]; 3];
    let zeros = inkstone::ndarray::arr2(&zeros);
    let targets = inkstone::ndarray::Array2::<f32>::zeros((3, 2));
    let scores = model.evaluate(((&zeros, &zeros), (&targets, &targets))).unwrap();
    assert_eq!(scores.names(), ["twin_loss", "twin_1_loss"]);
}

#[test]
fn layers_that_are_not_there_are_told_with_those_that_are() {
    let expected = "the model has no layer \"conv2d\": it has dense, dense_1";
    assert_eq!(said(chain().layers_up_to("conv2d")), expected);
    assert_eq!(said(chain().features("conv2d", &[[0.0; 4]])), expected);
    assert_eq!(said(chain().pretrained().freeze_layers(["dense", "conv2d"])), expected);
    assert_eq!(said(chain().pretrained().unfreeze_layers(["conv2d"])), expected);
    let many = (0..30).fold(Sequential::new([4]), |described, _| described.add(Dense::new(4)));
    let many = many.compile(Adam::default(), MeanSquaredError, []).unwrap();
    let error = said(many.layers_up_to("conv2d"));
    assert!(error.ends_with("dense_18, dense_19, 10 more"), "{error}");
}

#[test]
fn parts_that_cannot_be_are_told() {
    assert_eq!(
        said(chain().without_top(2)),
        "the model has 2 layers between its input and its output, expected more than the 2 to be left out"
    );
    let two = compiled(two_outputs()).unwrap();
    assert_eq!(
        said(two.without_top(1)),
        "the model has 2 outputs: say with `layers_up_to` which layer is to be the last"
    );
    assert_eq!(
        said(two.pretrained().add(Dense::new(2)).compile(Adam::default(), MeanSquaredError, [])),
        "the model has 2 outputs, so that `add` cannot tell what the Dense is for: take `layers_up_to` one layer"
    );

    let input = Input::new([4]);
    let twin = Shared::new(Dense::new(4));
    let x = Add::of([&input.apply(&twin), &input.apply(&twin).apply(&twin)]);
    let merged = compiled(Functional::new([&input], [&x.apply(Dense::new(1))])).unwrap();
    assert_eq!(
        said(merged.without_top(2)),
        "the model has 1 layers behind \"add\", which reads 2 values, expected 2 to be left out: say with `layers_up_to` which \
         layer is to be the last"
    );
    assert_eq!(
        said(merged.layers_up_to("dense")),
        "the model calls the layer \"dense\" 3 times: name a layer that is called once"
    );
}

#[test]
fn layers_of_users_own_types_freeze_their_weights_themselves() {
    let described = Sequential::new([4]).add(Scale { initial: 1.0 }).add(Dense::new(2));
    let model = described.compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(
        said(model.pretrained().freeze().compile(Adam::default(), MeanSquaredError, [])),
        "layer 0 (Scale) cannot be frozen: its type decides that scale/factors is trained; declare it `LayerWeight::frozen`, or \
         leave the layer unfrozen"
    );
    assert_eq!(model.features("scale", &[[1.0, 2.0, 3.0, 4.0]]).unwrap().as_slice(), Some(&[1.0, 2.0, 3.0, 4.0][..]));
}

#[test]
fn a_model_without_anything_to_train_is_not_fitted() {
    let mut frozen = chain().pretrained().freeze().compile(Adam::default(), MeanSquaredError, []).unwrap();
    let (x, y) = ([[0.5; 4]], [[1.0, 2.0]]);
    let y = inkstone::ndarray::arr2(&y);
    assert!(frozen.evaluate((&x, &y)).is_ok());
    let expected = "the model has nothing to train, as all of its 4 weights are frozen: leave a layer `trainable`, or take the \
                    model apart with `pretrained`, and `unfreeze_layers` or `add` one";
    let error = frozen.fit((&x, &y), FitConfig::new().verbose(0)).unwrap_err();
    assert!(matches!(error, Error::Model(_)));
    assert_eq!(error.to_string(), expected);
    assert_eq!(said(frozen.train_on_batch(&x, &y)), expected);
}
