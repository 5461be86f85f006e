//! Models taken apart: what is kept of them, what is trained, and what an inner layer gives.

use crate::cases::{KINDS, inputs, model};
use crate::small::quiet;
use inkstone::ndarray::{Array2, Array4, Axis};
use inkstone::prelude::*;
use inkstone::{Weight, ops};

fn data() -> (Array4<f32>, Vec<usize>) {
    let images = Array4::from_shape_fn((12, 6, 6, 2), |(n, y, x, c)| ((n * 31 + y * 7 + x * x + c) % 17) as f32 / 17.0);
    (images, (0..12).map(|n| n % 3).collect())
}

fn trained() -> Model {
    let mut model = Sequential::new([6, 6, 2])
        .add(Conv2D::new(4, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(8).activation(Relu))
        .add(Dropout::new(0.25))
        .add(Dense::new(3).activation(Softmax))
        .seed(11)
        .compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let (images, labels) = data();
    model.fit((&images, &labels), quiet().epochs(2)).unwrap();
    model
}

fn compiled(part: Pretrained) -> Model {
    part.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

/// Which of a model's weights differ from these.
fn changed(model: &Model, before: &[Weight]) -> Vec<String> {
    let after = model.get_weights();
    assert_eq!(after.len(), before.len());
    after.into_iter().zip(before).filter(|(after, before)| after != *before).map(|(after, _)| after.name).collect()
}

#[test]
fn weights_are_kept_and_new_layers_drawn() {
    let old = trained();
    let base = old.without_top(1).unwrap();
    assert_eq!(base.layer_names(), ["conv2d", "flatten", "dense", "dropout"]);
    let new = compiled(base.freeze().add(Dense::new(3).activation(Softmax)).seed(5));
    assert_eq!((new.steps(), new.epochs(), new.seed()), (0, 0, 5));
    assert_eq!(changed(&new, &old.get_weights()), ["dense_1/kernel", "dense_1/bias"]);
    assert!(new.get_weight("dense_1/bias").unwrap().values.iter().all(|bias| *bias == 0.0));
}

#[test]
fn frozen_layers_stay_and_thawed_ones_are_trained() {
    let (images, labels) = data();
    let mut head = compiled(trained().without_top(1).unwrap().freeze().add(Dense::new(3).activation(Softmax)));
    let before = head.get_weights();
    head.fit((&images, &labels), quiet().epochs(1)).unwrap();
    assert_eq!(changed(&head, &before), ["dense_1/kernel", "dense_1/bias"]);

    let mut last_two = compiled(head.pretrained().unfreeze_layers(["dense"]).unwrap());
    let before = last_two.get_weights();
    assert_eq!(before, head.get_weights());
    last_two.fit((&images, &labels), quiet().epochs(1)).unwrap();
    assert_eq!(changed(&last_two, &before), ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]);

    let mut all = compiled(last_two.pretrained().unfreeze().freeze_layers(["dense_1"]).unwrap());
    let before = all.get_weights();
    all.fit((&images, &labels), quiet().epochs(1)).unwrap();
    assert_eq!(changed(&all, &before), ["conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"]);
}

/// A model that was put together anew is as any other: its file has all of it, and its seed repeats it.
#[test]
fn what_was_put_together_is_saved_and_repeated() {
    let (images, labels) = data();
    let with_head = || {
        let mut model =
            compiled(trained().layers_up_to("flatten").unwrap().freeze().add(Dense::new(3).activation(Softmax)));
        model.fit((&images, &labels), quiet().epochs(2)).unwrap();
        model
    };
    let model = with_head();
    assert_eq!(model.seed(), 11, "that of the model that it comes from");
    assert_eq!(model.get_weights(), with_head().get_weights());
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.get_weights(), model.get_weights());
    assert_eq!(loaded.summary(), model.summary());
    let again = compiled(loaded.pretrained());
    assert_eq!(again.predict(&images).unwrap(), model.predict(&images).unwrap());
}

#[test]
fn every_layer_is_kept_and_can_be_frozen() {
    for case in KINDS.iter().flat_map(|kind| (0..6).map(|seed| kind.case(seed))) {
        let compile = |part: Pretrained| part.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
        let mut old = model(&case).compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), []).unwrap();
        let images = inputs(&case, 3);
        old.train_on_batch(&images, &[0, 1, 2]).unwrap();
        let new = compile(old.pretrained().freeze()).unwrap();
        assert_eq!(new.get_weights(), old.get_weights(), "{case:?}");
        assert!(new.predict(&images).unwrap() == old.predict(&images).unwrap(), "{case:?}");
        assert!(new.summary().to_string().contains(" Trainable params: 0 "), "{case:?}");
        let mut thawed = compile(new.pretrained().unfreeze()).unwrap();
        thawed.train_on_batch(&images, &[0, 1, 2]).unwrap();
        assert_ne!(thawed.get_weights(), old.get_weights(), "{case:?}");
    }
}

#[test]
fn features_are_what_a_layer_gives() {
    let (images, _) = data();
    let model = trained();
    let flat = model.features("flatten", &images).unwrap();
    assert_eq!(flat.shape(), [12, 4 * 4 * 4]);
    let flat: Array2<f32> = flat.into_dimensionality().unwrap();
    let kernel: Array2<f32> = model.get_weight("dense/kernel").unwrap().values.into_dimensionality().unwrap();
    let bias = model.get_weight("dense/bias").unwrap().values.into_dimensionality().unwrap();
    let expected = ops::dense(flat.view(), kernel.view(), Some(bias.view())).unwrap().mapv(|value| value.max(0.0));
    let found = model.features("dense", &images).unwrap();
    assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
    // Nothing is dropped.
    assert_eq!(model.features("dropout", &images).unwrap(), found);
    assert_eq!(model.features("dense_1", &images).unwrap(), model.predict(&images).unwrap());
}

/// What lies beside the path to a layer goes, and what stays keeps its name.
#[test]
fn parts_of_a_graph_keep_their_names() {
    let (left, right) = (Input::new([4]), Input::new([3]));
    let of_left = left.apply(Dense::new(5).activation(Relu));
    let of_right = right.apply(Dense::new(5).activation(Relu));
    let both = Add::of([&of_left, &of_right]);
    let described = Functional::new([&left, &right], [&both.apply(Dense::new(3).activation(Softmax))]);
    let model = described.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []).unwrap();
    let table = Array2::from_shape_fn((2, 3), |(n, f)| (n + 2 * f) as f32 / 4.0);

    let part = model.layers_up_to("dense_1").unwrap();
    assert_eq!(part.layer_names(), ["dense_1"]);
    let part = compiled(part.add(Dense::new(3).activation(Softmax)));
    assert_eq!(part.layer_names(), ["dense_1", "dense"]);
    assert_eq!(part.get_weight("dense_1/kernel").unwrap(), model.get_weight("dense_1/kernel").unwrap());
    assert_eq!(part.features("dense_1", &table).unwrap(), model.features("dense_1", &table).unwrap());

    let other = Array2::<f32>::zeros((2, 4));
    let sum = model.features("add", (&other, &table)).unwrap();
    let bias = model.get_weight("dense/bias").unwrap().values.mapv(|bias| bias.max(0.0));
    let expected = model.features("dense_1", &table).unwrap() + bias.insert_axis(Axis(0));
    assert_eq!(sum, expected);
}

/// A graph of images and of two numbers, with a part of a model in it.
fn with_numbers(part: Pretrained) -> Model {
    let (image, numbers) = (Input::new([6, 6, 2]), Input::new([2]));
    let joined = Concatenate::of([&numbers.apply(Dense::new(2)), &image.apply(part)]);
    let output = joined.apply(Dense::new(3).activation(Softmax));
    let described = Functional::new([&image, &numbers], [&output]).seed(3);
    described.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), []).unwrap()
}

#[test]
fn a_part_of_a_model_becomes_a_part_of_a_graph() {
    let (old, (images, labels)) = (trained(), data());
    let numbers = Array2::from_shape_fn((12, 2), |(n, x)| (n * x) as f32 / 12.0);
    let part = || old.layers_up_to("dense").unwrap();
    for (part, expected) in [
        (part().freeze(), vec!["dense/kernel", "dense/bias", "dense_2/kernel", "dense_2/bias"]),
        (
            part().freeze_layers(["conv2d"]).unwrap(),
            vec!["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias"],
        ),
    ] {
        let mut new = with_numbers(part);
        assert_eq!(new.layer_names(), ["dense", "conv2d", "flatten", "dense_1", "concatenate", "dense_2"]);
        for (name, of_old) in [("conv2d", "conv2d"), ("dense_1", "dense")] {
            for weight in ["kernel", "bias"] {
                let [new, old] =
                    [new.get_weight(&format!("{name}/{weight}")), old.get_weight(&format!("{of_old}/{weight}"))];
                assert_eq!(new.unwrap().values, old.unwrap().values, "{name}/{weight}");
            }
        }
        let before = new.get_weights();
        new.fit(((&images, &numbers), &labels), quiet().epochs(1)).unwrap();
        assert_eq!(changed(&new, &before), expected);
        // Its file is that of any model.
        let read = Model::from_bytes(&new.to_bytes().unwrap()).unwrap();
        assert_eq!(read.get_weights(), new.get_weights());
    }
}

#[test]
fn a_part_that_is_shared_has_one_set_of_weights() {
    let old = trained();
    let (left, right) = (Input::new([6, 6, 2]), Input::new([6, 6, 2]));
    let part = Shared::new(old.layers_up_to("flatten").unwrap());
    let output = Subtract::of([&left.apply(&part), &right.apply(&part)]);
    let twins = Functional::new([&left, &right], [&output]).compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(twins.layer_names(), ["conv2d", "flatten", "subtract"]);
    assert_eq!(twins.parameter_count(), 3 * 3 * 2 * 4 + 4);
    let (images, _) = data();
    let (first, second) = (images.clone(), images.mapv(|x| 1.0 - x));
    let [of_first, of_second] = [&first, &second].map(|images| old.features("flatten", images).unwrap());
    assert_eq!(twins.predict((&first, &second)).unwrap(), &of_first - &of_second);
}

#[test]
fn a_part_that_does_not_fit_is_refused_with_a_reason() {
    let refused = |input: Node, part: Pretrained| {
        let output = input.apply(part).apply(Flatten::new()).apply(Dense::new(1));
        let compiled = Functional::new([&input], [&output]).compile(Adam::default(), MeanSquaredError, []);
        compiled.map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Input::new([6, 6, 3]), trained().layers_up_to("flatten").unwrap()),
        "the model has a `Pretrained` for inputs of (6, 6, 2) that is applied to input 0, which is (6, 6, 3): apply it to \
         values of its own shape"
    );
    let input = Input::new([4]);
    let ends = [input.apply(Dense::new(2)), input.apply(Dense::new(3))];
    let both = Functional::new([&input], &ends).compile(Adam::default(), MeanSquaredError, []).unwrap();
    assert_eq!(
        refused(Input::new([4]), both.pretrained()),
        "the model has a `Pretrained` that is applied to one value, which takes one input and one output, and has 1 and \
         2: `layers_up_to` gives the part up to one layer"
    );
}
