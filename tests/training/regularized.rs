//! Regularizers and constraints of weights against Keras: the losses and weights of some steps, of an epoch, and what
//! `evaluate` says. `tests/fixtures/make_weights.py` made the numbers.

use crate::common::assert_close;
use inkstone::layers::Layer;
use inkstone::prelude::*;
use inkstone::{Mode, Optimizer, Weight};
use ndarray::{Array4, ArrayD, IxDyn};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Fixture {
    images: usize,
    steps: HashMap<String, Steps>,
}

#[derive(Deserialize)]
struct Steps {
    evaluated: f64,
    losses: Vec<f64>,
    weights: Vec<Vec<f32>>,
    /// The loss of an epoch of batches of 4, and that of the first five images after it.
    epoch: [f64; 2],
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/weights.json")).unwrap()
}

/// The formula of the script: numbers from -0.5 up to 0.5.
fn numbers(salt: u64, count: usize) -> Vec<f32> {
    let number = |index: u64| {
        let mixed = (index * 2_654_435_761 + salt * 974_711 + 12_345) % (1 << 32);
        let mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % (1 << 32);
        ((mixed ^ (mixed >> 13)) % (1 << 24)) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count as u64).map(number).collect()
}

fn examples(count: usize) -> (Array4<f32>, Vec<usize>) {
    let images = Array4::from_shape_vec((count, 5, 4, 2), numbers(100, count * 40)).unwrap();
    (images, (0..count).map(|index| index * 7 % 3).collect())
}

/// The script's settings of this name.
fn settings(name: &str) -> (Conv2D, Dense) {
    let (l1, l2, both) = (Regularizer::l1, Regularizer::l2, Regularizer::l1_l2);
    let max_norm = Constraint::max_norm;
    let filter = [0, 1, 2];
    let (conv, dense) = (Conv2D::new(4, (2, 3)).activation(Tanh), Dense::new(3).activation(Softmax));
    match name {
        "none" => (conv, dense),
        "l2" => (conv.kernel_regularizer(l2(0.05)), dense.kernel_regularizer(l2(0.02)).bias_regularizer(l2(0.1))),
        "l1" => (conv.kernel_regularizer(l1(0.02)), dense.kernel_regularizer(l1(0.01)).bias_regularizer(l1(0.03))),
        "l1_l2" => (conv.bias_regularizer(both(0.02, 0.3)), dense.kernel_regularizer(both(0.01, 0.05))),
        "max_norm" => (conv.kernel_constraint(max_norm(0.6).axis(filter)), dense.kernel_constraint(max_norm(0.8))),
        "max_norm_of_rows" => (conv.kernel_constraint(max_norm(0.3)), dense.bias_constraint(max_norm(0.05))),
        "non_neg" => {
            let dense = dense.kernel_constraint(Constraint::NonNeg).bias_constraint(Constraint::NonNeg);
            (conv.kernel_constraint(Constraint::NonNeg), dense)
        }
        "unit_norm" => {
            let conv = conv.kernel_constraint(Constraint::unit_norm().axis(filter));
            (conv, dense.kernel_constraint(Constraint::unit_norm().axis([1])))
        }
        "min_max_norm" => {
            let some_way = Constraint::MinMaxNorm { min_value: 0.5, max_value: 0.9, rate: 0.5, axis: vec![1, 2] };
            (conv.kernel_constraint(some_way), dense.kernel_constraint(Constraint::min_max_norm(0.0, 1.0)))
        }
        "l2_and_max_norm" => {
            let conv = conv.kernel_regularizer(l2(0.05)).kernel_constraint(max_norm(0.5).axis(filter));
            (conv, dense.kernel_regularizer(l2(0.02)).kernel_constraint(Constraint::NonNeg))
        }
        "activity" => (conv.activity_regularizer(both(0.01, 0.02)), dense),
        "activity_and_l2" => {
            let conv = conv.activity_regularizer(l2(0.05)).kernel_regularizer(l2(0.02));
            (conv, dense.kernel_regularizer(l1(0.01)))
        }
        "frozen" => (conv.kernel_regularizer(l2(0.5)).trainable(false), dense.kernel_regularizer(l2(0.05))),
        other => panic!("{other}"),
    }
}

fn optimizer(name: &str) -> Optimizer {
    match name {
        "plain" => Sgd::new(0.2).into(),
        "clipnorm" => Sgd::new(0.2).clipnorm(0.1),
        "global_clipnorm" => Sgd::new(0.2).global_clipnorm(0.15),
        "clipvalue" => Sgd::new(0.2).clipvalue(0.02),
        "adam_w_with_average" => {
            AdamW::new(0.02).weight_decay(0.1).use_ema(true).ema_momentum(0.5).ema_overwrite_frequency(2)
        }
        other => panic!("{other}"),
    }
}

/// A model with the script's weights.
fn model((conv, dense): (Conv2D, Dense), optimizer: impl Into<Optimizer>) -> Model {
    let described = Sequential::new([5, 4, 2]).add(conv).add(Flatten::new()).add(dense).seed(2);
    let mut model = described.compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
    let weights = model.get_weights().into_iter().enumerate().map(|(salt, Weight { name, values })| {
        let numbers = numbers(salt as u64, values.len());
        Weight { name, values: ArrayD::from_shape_vec(IxDyn(values.shape()), numbers).unwrap() }
    });
    model.set_weights(&weights.collect::<Vec<_>>()).unwrap();
    model
}

#[track_caller]
fn assert_loss(what: &str, actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 3e-6 * expected, "{what}: {actual}, Keras has {expected}");
}

#[test]
fn steps_are_those_of_keras() {
    let fixture = fixture();
    assert_eq!(fixture.steps.len(), 17);
    let (x, y) = examples(fixture.images);
    for (case, expected) in &fixture.steps {
        let (name, by) = case.split_once(", ").unwrap();
        let mut trained = model(settings(name), optimizer(by));
        assert_loss(case, trained.evaluate((&x, &y)).unwrap().loss, expected.evaluated);
        for (step, loss) in expected.losses.iter().enumerate() {
            let scores = trained.train_on_batch(&x, &y).unwrap();
            assert_loss(&format!("{case}, step {step}"), scores.loss, *loss);
        }
        for (weight, expected) in trained.get_weights().iter().zip(&expected.weights) {
            assert_close(&format!("{case}, {}", weight.name), &weight.values, expected, 1e-5, 2e-6);
        }
        let mut fitted = model(settings(name), optimizer(by));
        let first = (x.slice_axis(ndarray::Axis(0), (..5).into()).to_owned(), y[..5].to_vec());
        let config = FitConfig::new().batch_size(4).shuffle(false).verbose(0);
        let history = fitted.fit((&x, &y), config.validation_data((&first.0, &first.1))).unwrap();
        let [epoch] = &history.epochs[..] else { panic!("one epoch") };
        assert_loss(&format!("{case}, epoch"), epoch.training.loss, expected.epoch[0]);
        assert_loss(&format!("{case}, validation"), epoch.validation.as_ref().unwrap().loss, expected.epoch[1]);
    }
}

/// The parts of a step give its bits, and the gradients of the loss have the penalties' in them.
#[test]
fn parts_of_a_step_have_penalties_and_constraints_too() {
    let (x, y) = examples(10);
    for (name, by) in [
        ("l2_and_max_norm", "plain"),
        ("l2_and_max_norm", "global_clipnorm"),
        ("l2_and_max_norm", "adam_w_with_average"),
        ("activity_and_l2", "plain"),
    ] {
        let (mut whole, mut parts) = (model(settings(name), optimizer(by)), model(settings(name), optimizer(by)));
        for _step in 0..3 {
            let (_, gradients) = whole.gradients(&x, &y).unwrap();
            let scores = whole.train_on_batch(&x, &y).unwrap();
            let pass = parts.forward(&x, Mode::Training).unwrap();
            let (of_pass, d_outputs) = parts.compute_loss(&pass, &y).unwrap();
            let found = parts.backward(pass, d_outputs).unwrap();
            assert_eq!((of_pass, &found.weights), (scores, &gradients));
            parts.apply_gradients(&found.weights).unwrap();
            assert_eq!(parts.get_weights(), whole.get_weights());
        }
    }
    // A gradient of the output is one of the output alone.
    let gradients = |name: &str| {
        let model = model(settings(name), optimizer("plain"));
        let pass = model.forward(&x, Mode::Training).unwrap();
        let ones = ArrayD::ones(pass.output().shape());
        model.backward(pass, ones).unwrap()
    };
    assert_eq!(gradients("l2"), gradients("none"));
    assert_eq!(gradients("activity"), gradients("none"));
}

/// Dense layers of many weights, whose gradients are found when they are read, and batches that go in rounds.
#[test]
fn large_layers_and_batches_have_them_too() {
    let compiled = |regularizer: Option<Regularizer>, optimizer: Optimizer| {
        let described = Sequential::new([300])
            .add(
                Dense::new(70)
                    .kernel_regularizer(regularizer)
                    .bias_initializer(Initializer::Ones)
                    .bias_regularizer(regularizer),
            )
            .add(Dense::new(1))
            .seed(3);
        described.compile(optimizer, MeanSquaredError, []).unwrap()
    };
    for count in [40, 9000] {
        let x = ndarray::Array2::from_shape_fn((count, 300), |(n, x)| ((n * 31 + x * 7) % 23) as f32 / 23.0 - 0.5);
        let y = vec![0.5_f32; count];
        for by in ["plain", "clipvalue", "clipnorm"] {
            let (mut with, mut without) =
                (compiled(Some(Regularizer::l1_l2(0.01, 0.1)), optimizer(by)), compiled(None, optimizer(by)));
            let (penalised, plain) = (with.gradients(&x, &y).unwrap(), without.gradients(&x, &y).unwrap());
            let weights = with.get_weights();
            let squares = |weight: &Weight| weight.values.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>();
            let magnitudes = |weight: &Weight| weight.values.iter().map(|w| f64::from(w.abs())).sum::<f64>();
            let expected = weights[..2].iter().map(|w| 0.01 * magnitudes(w) + 0.1 * squares(w)).sum::<f64>();
            let found = penalised.0.loss - plain.0.loss;
            assert!((found - expected).abs() < 1e-6 * expected, "{found}, expected {expected}");
            for ((weight, found), plain) in weights.iter().zip(&penalised.1).zip(&plain.1) {
                let factor = if weight.name.starts_with("dense/") { 1.0 } else { 0.0 };
                let expected = &plain.values + &weight.values.mapv(|w| factor * (0.01 * w.signum() + 0.2 * w));
                assert_close(&weight.name, &found.values, &expected, 1e-5, 1e-6);
            }
            // A step takes the gradients that `gradients` returns.
            let mut by_hand = compiled(None, optimizer(by));
            by_hand.apply_gradients(&penalised.1).unwrap();
            with.train_on_batch(&x, &y).unwrap();
            assert_eq!(with.get_weights(), by_hand.get_weights(), "{by} of {count}");
        }
    }
}

/// An epoch that is interrupted keeps what penalties have added.
#[test]
fn checkpoints_in_an_epoch_keep_the_sum_of_penalties() {
    let (x, y) = examples(10);
    let folder = tempfile::tempdir().unwrap();
    let train = |interrupts_after: Option<usize>, path: &std::path::Path| {
        let mut model = model(settings("l2"), optimizer("plain"));
        let stop = LambdaCallback::new().on_train_batch_end(move |batch, _, training| {
            if Some(batch) == interrupts_after {
                training.interrupt();
            }
            Ok(())
        });
        let config = FitConfig::new().batch_size(3).epochs(2).verbose(0).callback(stop);
        model.fit((&x, &y), config.backup(BackupAndRestore::new(path))).map(|history| (history, model.get_weights()))
    };
    let (whole, weights) = train(None, &folder.path().join("whole")).unwrap();
    let path = folder.path().join("cut");
    let _ = train(Some(1), &path).unwrap();
    let (resumed, resumed_weights) = train(None, &path).unwrap();
    let losses =
        |history: &inkstone::History| history.epochs.iter().map(|epoch| epoch.training.loss).collect::<Vec<_>>();
    assert_eq!((losses(&resumed), resumed_weights), (losses(&whole), weights));
}

#[test]
fn outputs_have_losses_of_their_own_and_the_sum_has_penalties() {
    let input = Input::new([2]);
    let outputs = ["left", "right"].map(|name| {
        input.apply(
            Dense::new(1).name(name).kernel_initializer(Initializer::Ones).kernel_regularizer(Regularizer::l1(0.5)),
        )
    });
    let model = Functional::new([&input], &outputs).compile(Adam::default(), MeanSquaredError, []).unwrap();
    let scores = model.evaluate((&[[1.0, 2.0]], (&[3.0], &[2.0]))).unwrap();
    assert_eq!(scores.names(), ["left_loss", "right_loss"]);
    assert_eq!((scores.outputs[0].loss, scores.outputs[1].loss, scores.loss), (0.0, 1.0, 3.0));
}

#[test]
fn gradients_of_regularized_models_are_those_of_their_losses() {
    let (x, y) = examples(4);
    for name in ["l2_and_max_norm", "activity_and_l2"] {
        let model = model(settings(name), optimizer("plain"));
        inkstone::testing::check_model_gradients(&model, (&x, &y)).unwrap();
    }
}

/// A pooling is not fused into a convolution whose output adds to the loss, and a value that is read twice adds once.
#[test]
fn outputs_add_to_the_loss_whatever_reads_them() {
    let l2 = Regularizer::l2(0.3);
    let pixels = |(n, y, x, c)| ((n * 31 + y * 7 + x * 5 + c * 3) % 17) as f32 / 17.0 - 0.4;
    let x = Array4::from_shape_fn((3, 6, 6, 2), pixels);
    let described = |regularizer: Option<Regularizer>| {
        let input = Input::new([6, 6, 2]);
        let conv = Conv2D::new(3, (3, 3)).activation(Sigmoid).activity_regularizer(regularizer).name("stem");
        let stem = input.apply(conv);
        let pooled = stem.apply(MaxPooling2D::new((2, 2))).apply(Flatten::new());
        let flat = stem.apply(Flatten::new()).apply(Dense::new(12).activation(Tanh).activity_regularizer(regularizer));
        let output =
            Add::of([&pooled, &flat]).apply(Dense::new(2).activation(Sigmoid).activity_regularizer(regularizer));
        let network = Functional::new([&input], [&output, &stem]).seed(2);
        network.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap()
    };
    let (with, without) = (described(Some(l2)), described(None));
    let targets = (ndarray::Array2::zeros((3, 2)), Array4::<f32>::zeros((3, 4, 4, 3)));
    let data = (&x, (&targets.0, &targets.1));
    let stem = &with.predict_all(&x).unwrap()[1];
    let scores = with.evaluate(data).unwrap().loss - without.evaluate(data).unwrap().loss;
    let least = 0.3 * f64::from(stem.iter().map(|y| y * y).sum::<f32>()) / 3.0;
    assert!(scores > least && scores < 1.5 * least, "{scores}, of the stem {least}");
    inkstone::testing::check_model_gradients(&with, data).unwrap();
}

#[test]
fn losses_that_look_before_a_last_function_refuse_a_regularizer_of_it() {
    let last = Dense::new(3).activation(Softmax).activity_regularizer(Regularizer::l1(0.1));
    let described = Sequential::new([4]).add(last);
    let compiled = described.clone().compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
    let error = compiled.unwrap_err().to_string();
    let advice = "; an activity_regularizer on a last softmax or sigmoid hides it from the loss: leave it out there";
    assert!(error.starts_with("the model gives no probabilities") && error.ends_with(advice), "{error}");
    assert!(described.compile(Adam::default(), MeanSquaredError, []).is_ok());
}

#[test]
fn files_and_descriptions_keep_them() {
    for name in [
        "l2",
        "l1_l2",
        "activity_and_l2",
        "max_norm_of_rows",
        "non_neg",
        "unit_norm",
        "min_max_norm",
        "l2_and_max_norm",
    ] {
        let (conv, dense) = settings(name);
        let described = Sequential::new([5, 4, 2]).add(conv).add(Flatten::new()).add(dense).seed(5);
        assert_eq!(Sequential::from_json(&described.to_json()).unwrap(), described);
        let bytes = postcard::to_stdvec(&described).unwrap();
        assert_eq!(postcard::from_bytes::<Sequential>(&bytes).unwrap(), described);
        let model = model(settings(name), optimizer("plain"));
        let loaded = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
        assert_eq!((loaded.layers(), loaded.get_weights()), (model.layers(), model.get_weights()));
    }
    let layer = |field: &str| {
        let json = format!(r#"{{"input": [4], "layers": [{{"Dense": {{"units": 3, {field}}}}}]}}"#);
        Sequential::from_json(&json).map(|described| described.layers()[0].clone())
    };
    let dense = Dense::new(3);
    for (written, expected) in [
        (r#""kernel_regularizer": {"l2": 0.5}"#, dense.clone().kernel_regularizer(Regularizer::l2(0.5))),
        (r#""bias_regularizer": {"l1": 0.5}"#, dense.clone().bias_regularizer(Regularizer::l1(0.5))),
        (r#""kernel_regularizer": "l2""#, dense.clone().kernel_regularizer(Regularizer::l2(0.01))),
        (r#""kernel_regularizer": "l1_l2""#, dense.clone().kernel_regularizer(Regularizer::l1_l2(0.01, 0.01))),
        (r#""bias_regularizer": "l1""#, dense.clone().bias_regularizer(Regularizer::l1(0.01))),
        (r#""kernel_regularizer": null"#, dense.clone()),
        (r#""kernel_constraint": "max_norm""#, dense.clone().kernel_constraint(Constraint::max_norm(2.0))),
        (r#""bias_constraint": "non_neg""#, dense.clone().bias_constraint(Constraint::NonNeg)),
        (r#""kernel_constraint": "unit_norm""#, dense.clone().kernel_constraint(Constraint::unit_norm())),
        (
            r#""kernel_constraint": {"min_max_norm": {"min_value": 0.5, "axis": [1]}}"#,
            dense.clone().kernel_constraint(Constraint::min_max_norm(0.5, 1.0).axis([1])),
        ),
    ] {
        assert_eq!(layer(written).unwrap(), Layer::from(expected), "{written}");
    }
    for (written, expected) in [
        (r#""kernel_regularizer": {"l3": 0.5}"#, "unknown field `l3`, expected `l1` or `l2`"),
        (
            r#""kernel_regularizer": "l3""#,
            "invalid value: string \"l3\", expected a regularizer, as \"l2\" or {\"l2\": 0.01}",
        ),
        (r#""kernel_constraint": "small""#, "unknown variant `small`, expected one of `max_norm`, `non_neg`"),
        (r#""kernel_constraint": {"non_neg": 3}"#, "invalid type: integer `3`, expected unit"),
        (r#""kernel_constraint": {"unit_norm": {"axis": [-1]}}"#, "invalid value: integer `-1`, expected usize"),
    ] {
        let error = layer(written).unwrap_err().to_string();
        assert!(error.contains(", at layers[0].Dense.kernel_") && error.contains(expected), "{error}");
    }
}
