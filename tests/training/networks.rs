//! Networks with branches, several inputs and several outputs.

use inkstone::ndarray::{Array1, Array2, Array4, ArrayD};
use inkstone::prelude::*;
use inkstone::{Error, Inputs, Targets, Weight};

/// A residual network: a value that is read twice, and one that is concatenated with itself.
fn residual() -> Model {
    let input = Input::new([6, 6, 2]);
    let x = input.apply(Conv2D::new(5, (3, 3)).padding(Same).activation(Relu));
    let y = x.apply(Conv2D::new(5, (3, 3)).padding(Same).activation(Tanh)).apply(Conv2D::new(5, (1, 1)));
    let x = Add::of([&x, &y, &x]).apply(Activation::new(Relu));
    let x = Concatenate::of([&x, &x]).apply(MaxPooling2D::new((2, 2)));
    let output = x.apply(Flatten::new()).apply(Dense::new(3).activation(Softmax));
    let network = Functional::new([&input], [&output]).seed(3);
    network.compile(Sgd::new(0.1).momentum(0.9), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

/// Images and a row of numbers, to a class and two numbers; a layer that both outputs stand on, and one that is called
/// twice.
fn two_ends() -> Model {
    let (image, row) = (Input::new([6, 6, 2]), Input::new([7]));
    let twin = Shared::new(Dense::new(4).activation(Tanh));
    let left = image.apply(Conv2D::new(3, (3, 3)).activation(Relu)).apply(Flatten::new()).apply(Dense::new(7));
    let x = Concatenate::of([&left.apply(&twin), &row.apply(&twin)]);
    let class = x.apply(Dropout::new(0.25)).apply(Dense::new(3).activation(Softmax));
    let numbers = Add::of([&x.apply(Dense::new(2)), &row.apply(Dense::new(2))]);
    let objectives = [
        Objective::new(SparseCategoricalCrossentropy::default()).metrics([Accuracy]),
        Objective::new(MeanSquaredError).weight(0.25).metrics([Metric::MeanAbsoluteError]),
    ];
    Functional::new([&image, &row], [&class, &numbers]).seed(5).compile_with(Adam::new(0.01), objectives).unwrap()
}

struct Examples {
    images: Array4<f32>,
    rows: Array2<f32>,
    classes: Vec<usize>,
    numbers: Array2<f32>,
}

fn examples(count: usize) -> Examples {
    let number = |index: usize| ((index * 7919 % 1000) as f32) / 500.0 - 1.0;
    Examples {
        images: Array4::from_shape_fn((count, 6, 6, 2), |(n, y, x, c)| number(((n * 6 + y) * 6 + x) * 2 + c)),
        rows: Array2::from_shape_fn((count, 7), |(n, f)| number(n * 7 + f + 3)),
        classes: (0..count).map(|n| n % 3).collect(),
        numbers: Array2::from_shape_fn((count, 2), |(n, f)| number(n * 2 + f + 11)),
    }
}

impl Examples {
    fn inputs(&self) -> Inputs<'_> {
        (&self.images, &self.rows).into()
    }

    fn targets(&self) -> Targets<'_> {
        (&self.classes, &self.numbers).into()
    }
}

fn quiet<'a>() -> FitConfig<'a> {
    FitConfig::new().batch_size(8).verbose(0)
}

/// Central differences of a model's loss, against the gradients that it finds.
fn check_gradients(model: &mut Model, loss_and_gradients: &mut dyn FnMut(&mut Model) -> (f64, Vec<Weight>)) {
    let (_, gradients) = loss_and_gradients(model);
    let weights = model.get_weights();
    assert_eq!(gradients.len(), weights.len());
    for (index, gradient) in gradients.iter().enumerate() {
        let largest = gradient.values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 1e-4, "{}: no gradient", gradient.name);
        for (place, expected) in gradient.values.indexed_iter().step_by(7) {
            let step = 1e-3_f32;
            let mut loss_at = |offset: f32| {
                let mut changed = weights.clone();
                changed[index].values[place.clone()] += offset;
                model.set_weights(&changed).unwrap();
                loss_and_gradients(model).0
            };
            let found = ((loss_at(step) - loss_at(-step)) / f64::from(2.0 * step)) as f32;
            let tolerance = 0.02 * largest + 1e-3;
            assert!(
                (found - expected).abs() <= tolerance,
                "{} {place:?}: {expected}, differences {found}",
                gradient.name
            );
        }
    }
}

#[test]
fn gradients_through_branches_are_those_of_central_differences() {
    let data = examples(6);
    check_gradients(&mut residual(), &mut |model| {
        let (scores, gradients) = model.gradients(&data.images, &data.classes).unwrap();
        (scores.loss, gradients)
    });
}

#[test]
fn gradients_of_several_outputs_are_those_of_the_weighted_sum_of_their_losses() {
    let data = examples(6);
    check_gradients(&mut two_ends(), &mut |model| {
        let (scores, gradients) = model.gradients(data.inputs(), data.targets()).unwrap();
        let [class, numbers] = [scores.outputs[0].loss, scores.outputs[1].loss];
        assert!((scores.loss - (class + 0.25 * numbers)).abs() < 1e-6);
        (scores.loss, gradients)
    });
}

#[test]
fn a_network_of_branches_learns() {
    let data = examples(48);
    let mut model = two_ends();
    let history = model.fit((data.inputs(), data.targets()), quiet().epochs(60)).unwrap();
    let names = ["dense_2_accuracy", "dense_2_loss", "add_mean_absolute_error", "add_loss", "loss", "learning_rate"];
    assert_eq!(history.names(), names);
    let losses = history.losses();
    assert!(losses[59] < 0.6 * losses[0], "{losses:?}");
    let scores = model.evaluate((data.inputs(), data.targets())).unwrap();
    let expected = [("dense_2_accuracy", scores.outputs[0].metrics[0].1), ("add_loss", scores.outputs[1].loss)];
    for (name, value) in expected {
        assert_eq!(scores.get(name).unwrap(), value);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = examples(30);
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = two_ends();
            model.fit((data.inputs(), data.targets()), quiet().epochs(2)).unwrap();
            bits(&model)
        })
    };
    let expected = trained(1);
    for threads in [2, 3, 5, 8] {
        assert_eq!(trained(threads), expected, "{threads} threads");
    }
}

fn bits(model: &Model) -> Vec<u32> {
    model.get_weights().iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect()
}

#[test]
fn what_is_saved_predicts_the_same_and_trains_on_the_same() {
    let data = examples(24);
    let mut model = two_ends();
    model.fit((data.inputs(), data.targets()), quiet().epochs(1)).unwrap();
    let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.objectives(), model.objectives());
    assert_eq!((loaded.input_shapes(), loaded.output_shapes()), (model.input_shapes(), model.output_shapes()));
    let expected = model.predict_all(data.inputs()).unwrap();
    assert_eq!(loaded.predict_all(data.inputs()).unwrap(), expected);
    assert_eq!(loaded.into_predictor().predict_all(data.inputs()).unwrap(), expected);

    // In the middle of an epoch.
    let mut middle = Vec::new();
    let save = inkstone::callbacks::LambdaCallback::new().on_train_batch_end(|batch, _, training| {
        if batch == 1 && middle.is_empty() {
            middle = training.model().checkpoint_to_bytes()?;
        }
        Ok(())
    });
    let mut whole = two_ends();
    let history = whole.fit((data.inputs(), data.targets()), quiet().epochs(2).callback(save)).unwrap();
    let mut resumed = Model::resume_from_bytes(&middle).unwrap();
    let noop = inkstone::callbacks::LambdaCallback::new();
    let again = resumed.fit((data.inputs(), data.targets()), quiet().epochs(2).callback(noop)).unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
    assert_eq!(again.losses(), history.losses());
}

#[test]
fn outputs_have_shapes_of_their_own_and_targets_may_have_them_too() {
    let input = Input::new([4, 4, 2]);
    let output = input.apply(Conv2D::new(3, (3, 3)).padding(Same));
    let mut model = Functional::new([&input], [&output]).seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let x = Array4::from_shape_fn((5, 4, 4, 2), |(n, y, x, c)| (n + 2 * y + 3 * x + c) as f32 / 10.0);
    let images = Array4::from_shape_fn((5, 4, 4, 3), |(n, y, x, c)| (n * y + x * c) as f32 / 10.0);
    let rows = images.to_shape((5, 48)).unwrap().to_owned();
    let predicted: ArrayD<f32> = model.predict_all(&x).unwrap().remove(0);
    assert_eq!(predicted.shape(), [5, 4, 4, 3]);
    let expected = (predicted - &images).mapv(|difference| f64::from(difference * difference)).mean().unwrap();
    let loss = model.evaluate((&x, &images)).unwrap().loss;
    assert!((loss - expected).abs() < 1e-5, "{loss}, expected {expected}");
    assert_eq!(model.evaluate((&x, &rows)).unwrap().loss, loss);
    let before = model.train_on_batch(&x, &images).unwrap().loss;
    assert!(model.train_on_batch(&x, &images.into_dyn()).unwrap().loss < before);
}

#[test]
fn sequences_go_through_dense_layers_step_by_step() {
    let input = Input::new([5, 3]);
    let output = input.apply(Dense::new(4).activation(Tanh)).apply(Flatten::new()).apply(Dense::new(1));
    let mut model = Functional::new([&input], [&output]).seed(2).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    assert_eq!(model.get_weights()[0].values.shape(), [3, 4]);
    let x = inkstone::ndarray::Array3::from_shape_fn((6, 5, 3), |(n, t, f)| ((n * 5 + t) * 3 + f) as f32 / 45.0 - 1.0);
    let y = Array1::from_shape_fn(6, |n| n as f32 / 3.0 - 1.0);
    check_gradients(&mut model, &mut |model| {
        let (scores, gradients) = model.gradients(&x, &y).unwrap();
        (scores.loss, gradients)
    });
    let summary = model.summary().to_string();
    assert!(summary.contains("(None, 5, 4)"), "{summary}");
}

fn refused(network: Functional) -> String {
    let error = network.compile(Adam::default(), MeanSquaredError, []).unwrap_err();
    assert!(matches!(error, Error::Model(_) | Error::Layer { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn what_cannot_be_connected_is_told() {
    let (a, b) = (Input::new([4]), Input::new([3]));
    let dense = |node: &Node| node.apply(Dense::new(2));
    let output = Add::of([&dense(&a), &dense(&b)]);
    assert_eq!(
        refused(Functional::new([&a], [&output])),
        "the model has a Dense that depends on an input which is none of the 1 given: list it among the inputs"
    );
    assert_eq!(
        refused(Functional::new([&a, &b], [&dense(&a)])),
        "the model has an input 1 of (3) that no output depends on: leave it out"
    );
    assert_eq!(
        refused(Functional::new([&dense(&a)], [&output])),
        "the model has the output of a Dense among its inputs: make them with `Input::new`"
    );
    assert_eq!(
        refused(Functional::new([&a, &b], [&Add::of([&a, &b])])),
        "layer 0 (Add) expects inputs of one shape, or that differ in axes of size 1 alone, got (4) and (3): bring them to one shape with a layer before it, such as a \
         `Conv2D` of 1 x 1 or a `Dense`"
    );
    assert_eq!(
        refused(Functional::new([&a], [&Add::of([&a])])),
        "layer 0 (Add) takes two or more inputs, got 1: apply it with `Add::of` in a `Functional` network"
    );
    let twin = Shared::new(Dense::new(2));
    assert_eq!(
        refused(Functional::new([&a, &b], [&Add::of([&a.apply(&twin), &b.apply(&twin)])])),
        "layer 0 (Dense) is called on inputs of different shapes, but has one set of weights"
    );
    assert_eq!(refused(Functional::new([&a], [])), "the model has no layers: add at least one `Dense`");
    let two = Functional::new([&a, &b], [&dense(&a), &dense(&b)]);
    let error = two.compile_with(Adam::default(), [Objective::new(MeanSquaredError)]).unwrap_err();
    assert_eq!(error.to_string(), "the model has 2 outputs, got 1 objectives: give one for each output");
}

#[test]
fn data_that_do_not_fit_the_inputs_or_outputs_are_told() {
    let data = examples(4);
    let mut model = two_ends();
    let error = |result: inkstone::Result<()>| result.unwrap_err().to_string();
    assert_eq!(
        error(model.predict_all(&data.images).map(drop)),
        "the model has 2 inputs, got 1: give a tuple or a vector of inputs"
    );
    assert_eq!(
        error(model.predict_all((&data.images, &data.images)).map(drop)),
        "input 1: the model expects rows of 7 features, a table of (N, 7), got images of (6, 6, 2): add `Flatten`, as in \
         `Sequential::new([6, 6, 2]).add(Flatten::new())`"
    );
    let fewer = examples(3);
    assert_eq!(
        error(model.predict_all((&data.images, &fewer.rows)).map(drop)),
        "all inputs must have the same number of examples, got 4 of input 0 and 3 of input 1"
    );
    assert_eq!(
        error(model.predict(data.inputs()).map(drop)),
        "the model has 2 outputs: call `predict_all`, which returns those of each"
    );
    assert_eq!(
        error(model.train_on_batch(data.inputs(), &data.classes).map(drop)),
        "the model has 2 outputs, got targets for 1: give a tuple or a vector of targets"
    );
    assert_eq!(
        error(model.train_on_batch(data.inputs(), (&data.classes, &data.classes)).map(drop)),
        "of output add: labels must be from 0 to 1, as the model has 2 outputs, got 2 at index 2"
    );
}

#[test]
fn callbacks_monitor_the_scores_of_each_output() {
    use inkstone::callbacks::{EarlyStopping, LambdaCallback};
    let data = examples(16);
    for (name, better) in [("dense_2_accuracy", 1.0), ("add_loss", -1.0), ("val_add_mean_absolute_error", -1.0)] {
        let mut values = Vec::new();
        let keep = LambdaCallback::new().on_epoch_end(|_, logs, _| {
            values.push(better * logs.get(name).unwrap());
            Ok(())
        });
        let stopping = EarlyStopping::new(name).patience(2);
        let config = quiet().epochs(40).validation_data((data.inputs(), data.targets()));
        two_ends().fit((data.inputs(), data.targets()), config.callback(stopping).callback(keep)).unwrap();
        let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let place = values.iter().position(|value| *value == best).unwrap();
        let stopped_early = values.len() < 40;
        assert!(!stopped_early || values.len() == place + 3, "{name}: best of {} at {place}", values.len());
    }
    let config = quiet().class_weight([(0, 2.0)]);
    let error = two_ends().fit((data.inputs(), data.targets()), config).unwrap_err().to_string();
    assert_eq!(
        error,
        "class_weight must be given for a model with one output, got weights of classes for several outputs"
    );
}

#[test]
fn calls_that_no_output_depends_on_are_refused() {
    let json = r#"{"network": {"inputs": [[2], [2]], "layers": [{"Dense": {"units": 1}}, {"Dense": {"units": 1}}],
        "calls": [{"layer": 0, "reads": [{"Input": 0}]}, {"layer": 1, "reads": [{"Input": 1}]}], "outputs": [{"Call": 0}]}}"#;
    let network: Functional = serde_json::from_str(json).unwrap();
    assert_eq!(refused(network), "the model has a call 1 (Dense) that no output depends on: leave it out");
}

#[test]
fn outputs_of_one_layer_and_of_others_have_names_of_their_own() {
    let (a, b) = (Input::new([2]), Input::new([2]));
    let twin = Shared::new(Dense::new(1));
    let outputs = [a.apply(&twin), b.apply(&twin), a.apply(Dense::new(1))];
    let mut model = Functional::new([&a, &b], &outputs).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let (x, y) = ([[0.5, 1.0]], [1.0]);
    let scores = model.train_on_batch((&x, &x), (&y, &y, &y)).unwrap();
    assert_eq!(scores.names(), ["dense_loss", "dense_1_loss", "dense_1_1_loss"]);
}

#[test]
fn each_call_of_a_shared_dropout_drops_other_values() {
    let input = Input::new([64]);
    let dropout = Shared::new(Dropout::new(0.5));
    let outputs = [input.apply(&dropout), input.apply(&dropout)];
    let model = Functional::new([&input], &outputs).seed(1).compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let pass = model.forward(&[[1.0; 64]], inkstone::Mode::Training).unwrap();
    assert_ne!(pass.outputs()[0], pass.outputs()[1]);
}

#[test]
fn a_long_chain_of_nodes_is_made_and_dropped() {
    let input = Input::new([1]);
    let output = (0..200_000).fold(input.clone(), |node, _| node.apply(Activation::new(Relu)));
    drop(output);
}

#[test]
fn a_description_is_plain_data() {
    let input = Input::new([4]);
    let x = input.apply(Dense::new(4));
    let network = Functional::new([&input], [&Add::of([&x, &input])]).seed(9);
    let bytes = postcard::to_stdvec(&network).unwrap();
    assert_eq!(postcard::from_bytes::<Functional>(&bytes).unwrap(), network);
    let json = serde_json::to_string(&network).unwrap();
    assert_eq!(serde_json::from_str::<Functional>(&json).unwrap(), network);
    assert!(
        json.contains(r#""calls":[{"layer":0,"reads":[{"Input":0}]},{"layer":1,"reads":[{"Call":0},{"Input":0}]}]"#),
        "{json}"
    );
}
