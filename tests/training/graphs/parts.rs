//! A `Sequential` inside a graph.

use crate::small::quiet;
use inkstone::prelude::*;

fn tower() -> Sequential {
    Sequential::new([6, 6, 2])
        .add(Conv2D::new(4, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(5).activation(Tanh))
}

/// Inputs and outputs of a network that tells how alike two images are.
fn twins(left_and_right: [Shared; 2]) -> Functional {
    let (left, right) = (Input::new([6, 6, 2]), Input::new([6, 6, 2]));
    let [of_left, of_right] = left_and_right;
    let x = Subtract::of([&left.apply(of_left), &right.apply(of_right)]);
    Functional::new([&left, &right], [&x.apply(Dense::new(1))]).seed(3)
}

fn compiled(described: Functional) -> Model {
    described.compile(Adam::new(0.01), MeanSquaredError, []).unwrap()
}

fn images(seed: usize) -> inkstone::ndarray::Array4<f32> {
    inkstone::ndarray::Array4::from_shape_fn((8, 6, 6, 2), |(n, y, x, c)| {
        ((n * 31 + y * 17 + x * 7 + c * 3 + seed * 13) % 19) as f32 / 19.0
    })
}

/// The layers one by one.
#[test]
fn a_sequential_in_a_graph_is_its_layers() {
    let input = Input::new([6, 6, 2]);
    let x = input.apply(Conv2D::new(4, (3, 3)).activation(Relu)).apply(Flatten::new());
    let by_hand = Functional::new([&input], [&x.apply(Dense::new(5).activation(Tanh))]).seed(3);
    let input = Input::new([6, 6, 2]);
    let applied = Functional::new([&input], [&input.apply(tower())]).seed(3);
    assert_eq!(compiled(applied).get_weights(), compiled(by_hand).get_weights());
}

#[test]
fn a_sequential_that_is_shared_has_one_set_of_weights() {
    let tower = Shared::new(tower());
    let mut shared = compiled(twins([tower.clone(), tower]));
    let of_tower = 3 * 3 * 2 * 4 + 4 + 64 * 5 + 5;
    assert_eq!(shared.parameter_count(), of_tower + 6);
    let two = compiled(twins([self::tower().into(), self::tower().into()]));
    assert_eq!(two.parameter_count(), 2 * of_tower + 6);

    let (x, y) = (images(0), [0.5; 8]);
    // The same image on both sides gives the bias alone, before and after training.
    assert!(shared.predict((&x, &x)).unwrap().iter().all(|difference| *difference == 0.0));
    shared.fit(((&x, &images(1)), &y), quiet().epochs(3)).unwrap();
    let bias = shared.get_weight("dense_1/bias").unwrap().values[[0]];
    assert!(shared.predict((&x, &x)).unwrap().iter().all(|difference| *difference == bias));
    assert!(two.predict((&x, &x)).unwrap().iter().any(|difference| *difference != 0.0));
}

#[test]
fn a_file_keeps_what_is_shared() {
    let tower = Shared::new(tower());
    let mut model = compiled(twins([tower.clone(), tower]));
    let (x, y) = ((images(0), images(1)), [0.5; 8]);
    model.fit(((&x.0, &x.1), &y), quiet().epochs(2)).unwrap();
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.layers(), model.layers());
    assert_eq!(loaded.summary(), model.summary());
    assert_eq!(loaded.predict((&x.0, &x.1)).unwrap(), model.predict((&x.0, &x.1)).unwrap());
}

#[test]
fn a_sequential_on_a_value_of_another_shape_is_refused() {
    let input = Input::new([8, 8, 2]);
    let refused = |output: &Node| {
        let described = Functional::new([&input], [output]);
        described.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&input.apply(tower())),
        "the model has a `Sequential` for inputs of (6, 6, 2) that is applied to input 0, which is (8, 8, 2): describe it with \
         `Sequential::new` of that shape"
    );
    assert_eq!(
        refused(&input.apply(MaxPooling2D::new((2, 2)).name("pool")).apply(tower())),
        "the model has a `Sequential` for inputs of (6, 6, 2) that is applied to the output of a MaxPooling2D \"pool\", which is \
         (4, 4, 2): describe it with `Sequential::new` of that shape"
    );
}

#[test]
fn a_sequential_without_layers_gives_what_it_is_applied_to() {
    let input = Input::new([4]);
    let nothing = input.apply(Sequential::new([4]));
    let model = compiled(Functional::new([&input], [&nothing.apply(Dense::new(2))]));
    assert_eq!(model.layer_names(), ["dense"]);
    let as_input = Functional::new([&nothing], [&nothing.apply(Dense::new(2))]);
    let error = as_input.compile(Adam::default(), MeanSquaredError, []).unwrap_err().to_string();
    assert_eq!(error, "the model has the output of a Sequential among its inputs: make them with `Input::new`");
}

/// Dropped link by link: a long chain takes no room on the stack.
#[test]
fn many_sequentials_in_a_row_are_dropped_one_by_one() {
    let link = Shared::new(Sequential::new([4]).add(Activation::new(Relu)));
    let end = (0..200_000).fold(Input::new([4]), |node, _| node.apply(&link));
    drop(end);
}
