//! Optimizers against Keras: the weights after each of twenty steps, in a model and on variables of one's own.
//! `tests/fixtures/make_optimizers.py` made the numbers.

use approx::abs_diff_eq;
use inkstone::prelude::*;
use inkstone::{Error, Model, Optimizer, Weight};
use ndarray::{Array4, ArrayD, IxDyn};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Fixture {
    x: Vec<f32>,
    y: Vec<usize>,
    kernel: Vec<f32>,
    bias: Vec<f32>,
    cases: HashMap<String, Vec<Step>>,
    after_fit: Step,
    lengths: [usize; 2],
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    on_variables: HashMap<String, Vec<Vec<f32>>>,
}

#[derive(Deserialize)]
struct Step {
    kernel: Vec<f32>,
    bias: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/optimizers.json")).unwrap()
}

/// A dense layer with the fixture's weights, and its examples.
fn model(fixture: &Fixture, optimizer: impl Into<Optimizer>) -> (Model, Array4<f32>) {
    let mut model = Sequential::new([4])
        .add(Dense::new(3).activation(Softmax))
        .compile(optimizer, SparseCategoricalCrossentropy::default(), [])
        .unwrap();
    let weight = |name: &str, shape: &[usize], values: &[f32]| Weight {
        name: name.into(),
        values: ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap(),
    };
    model
        .set_weights(&[weight("dense/kernel", &[4, 3], &fixture.kernel), weight("dense/bias", &[3], &fixture.bias)])
        .unwrap();
    (model, Array4::from_shape_vec((6, 1, 1, 4), fixture.x.clone()).unwrap())
}

#[track_caller]
fn assert_weights(what: &str, model: &Model, expected: &Step) {
    let weights = model.get_weights();
    let actual = weights.iter().flat_map(|weight| weight.values.iter());
    for (actual, expected) in actual.zip(expected.kernel.iter().chain(&expected.bias)) {
        let close = abs_diff_eq!(actual, expected, epsilon = 5e-6);
        assert!(close, "{what}: {actual}, Keras has {expected}");
    }
}

#[track_caller]
fn compare_with_keras(case: &str, optimizer: impl Into<Optimizer>) {
    let fixture = fixture();
    let (mut model, x) = model(&fixture, optimizer);
    assert_eq!(fixture.cases[case].len(), 20);
    for (step, expected) in fixture.cases[case].iter().enumerate() {
        model.train_on_batch(&x, &fixture.y).unwrap();
        assert_weights(&format!("{case}, step {step}"), &model, expected);
    }
}

/// Keras takes `1 - beta_2` in double precision and the rest of Adam in single, here all of it is taken from the single
/// number: with 0.999 that makes 7e-6 of a step, and twenty steps go 0.6 at the most. Rounding of weights and steps is
/// less.
const ON_VARIABLES: f32 = 5e-6;

#[track_caller]
fn compare_on_variables(case: &str, optimizer: impl Into<Optimizer>) {
    let fixture = fixture();
    let mut optimizer = optimizer.build(fixture.lengths).unwrap();
    let mut parameters = fixture.start;
    let (after_training, steps) = fixture.on_variables[case].split_last().unwrap();
    assert_eq!(steps.len(), 20);
    let assert_close = |what: &str, actual: &[f32], expected: &[f32]| {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            let close = abs_diff_eq!(actual, expected, epsilon = ON_VARIABLES);
            assert!(close, "{case}, {what}: {actual}, Keras has {expected}");
        }
    };
    for (step, (gradients, expected)) in fixture.gradients.iter().zip(steps).enumerate() {
        optimizer.apply(gradients, &mut parameters).unwrap();
        assert_close(&format!("step {step}"), &parameters, expected);
    }
    optimizer.finalize_variable_values(&mut parameters).unwrap();
    assert_close("after training", &parameters, after_training);
}

#[test]
fn adam_with_default_settings_is_keras_s() {
    compare_with_keras("adam", Adam::default());
}

#[test]
fn adam_with_other_settings_is_keras_s() {
    compare_with_keras("adam_other", Adam::new(0.05).beta_1(0.7).beta_2(0.95).epsilon(1e-3));
}

#[test]
fn sgd_is_keras_s() {
    compare_with_keras("sgd", Sgd::default());
}

#[test]
fn sgd_with_momentum_is_keras_s() {
    compare_with_keras("sgd_momentum", Sgd::new(0.1).momentum(0.9));
}

#[test]
fn sgd_with_nesterov_momentum_is_keras_s() {
    compare_with_keras("sgd_nesterov", Sgd::new(0.1).momentum(0.9).nesterov(true));
}

#[test]
fn clipping_by_norm_in_a_model_is_keras_s() {
    compare_with_keras("sgd_clipnorm", Sgd::new(0.1).clipnorm(0.2));
    compare_with_keras("sgd_global_clipnorm", Sgd::new(0.1).global_clipnorm(0.2));
}

#[test]
fn an_average_that_overwrites_a_model_s_weights_is_keras_s() {
    compare_with_keras("adamw_ema", AdamW::new(0.02).use_ema(true).ema_momentum(0.9).ema_overwrite_frequency(3));
}

#[test]
fn fit_ends_with_the_average_as_in_keras() {
    let fixture = fixture();
    let (mut model, x) = model(&fixture, Sgd::new(0.5).use_ema(true).ema_momentum(0.6));
    let config = FitConfig::new().batch_size(2).epochs(3).shuffle(false).verbose(0);
    model.fit((&x, &fixture.y[..]), config).unwrap();
    assert_weights("after fit", &model, &fixture.after_fit);
}

#[test]
fn adam_on_variables_is_keras_s() {
    compare_on_variables("adam", Adam::default());
    compare_on_variables("adam_other", Adam::new(0.05).beta_1(0.7).beta_2(0.95).epsilon(1e-3));
    compare_on_variables("adam_amsgrad", Adam::new(0.02).beta_2(0.9).amsgrad(true));
    compare_on_variables("adam_schedule", Adam::new(ExponentialDecay::new(0.1, 4, 0.5)));
}

#[test]
fn adamw_is_keras_s() {
    compare_on_variables("adamw", AdamW::new(0.02));
    compare_on_variables("adamw_amsgrad", AdamW::new(0.02).weight_decay(0.3).beta_2(0.9).amsgrad(true));
    compare_on_variables("adamw_schedule", AdamW::new(CosineDecay::new(0.1, 15)).weight_decay(0.3));
}

#[test]
fn sgd_on_variables_is_keras_s() {
    compare_on_variables("sgd", Sgd::default());
    compare_on_variables("sgd_momentum", Sgd::new(0.1).momentum(0.9));
    compare_on_variables("sgd_nesterov", Sgd::new(0.1).momentum(0.9).nesterov(true));
}

#[test]
fn rms_prop_is_keras_s() {
    compare_on_variables("rmsprop", RmsProp::default());
    compare_on_variables("rmsprop_other", RmsProp::new(0.02).rho(0.7).epsilon(1e-3));
    compare_on_variables("rmsprop_momentum", RmsProp::new(0.02).momentum(0.6));
    compare_on_variables("rmsprop_centered", RmsProp::new(0.02).centered(true).epsilon(1e-4));
    let both = RmsProp::new(0.02).centered(true).momentum(0.6).epsilon(1e-4);
    compare_on_variables("rmsprop_centered_momentum", both);
}

#[test]
fn adagrad_is_keras_s() {
    compare_on_variables("adagrad", Adagrad::default());
    compare_on_variables("adagrad_other", Adagrad::new(0.2).initial_accumulator_value(0.5).epsilon(1e-2));
}

#[test]
fn nadam_is_keras_s() {
    compare_on_variables("nadam", Nadam::default());
    compare_on_variables("nadam_other", Nadam::new(0.02).beta_1(0.7).beta_2(0.95).epsilon(1e-3));
}

#[test]
fn lion_is_keras_s() {
    compare_on_variables("lion", Lion::default());
    compare_on_variables("lion_other", Lion::new(0.02).beta_1(0.6).beta_2(0.8).weight_decay(0.3));
}

#[test]
fn clipping_is_keras_s() {
    let sgd = || Sgd::new(0.1).momentum(0.9);
    compare_on_variables("clipnorm", sgd().clipnorm(1.0));
    compare_on_variables("clipvalue", sgd().clipvalue(0.2));
    compare_on_variables("global_clipnorm", sgd().global_clipnorm(1.0));
    compare_on_variables("adam_global_clipnorm", Adam::new(0.02).global_clipnorm(0.5));
}

#[test]
fn weight_decay_is_keras_s() {
    compare_on_variables("weight_decay", Sgd::new(0.1).weight_decay(0.3));
}

#[test]
fn the_average_of_weights_is_keras_s() {
    let adam = || Adam::new(0.02).use_ema(true).ema_momentum(0.7);
    compare_on_variables("ema", Sgd::new(0.1).use_ema(true));
    compare_on_variables("ema_momentum", adam());
    compare_on_variables("ema_overwrite", adam().ema_overwrite_frequency(3));
    let always = Sgd::new(0.1).use_ema(true).ema_momentum(0.7).ema_overwrite_frequency(1);
    compare_on_variables("ema_overwrite_always", always);
}

#[test]
fn all_options_together_are_keras_s() {
    let rms_prop = RmsProp::new(0.02).centered(true).momentum(0.6).epsilon(1e-4);
    let optimizer = rms_prop.clipnorm(0.7).weight_decay(0.1).use_ema(true).ema_momentum(0.8);
    compare_on_variables("everything", optimizer.ema_overwrite_frequency(6));
}

/// Each variable's norm is found for itself, wherever it lies and however long it is.
#[test]
fn clipping_by_norm_treats_variables_as_if_each_had_an_optimizer_of_its_own() {
    let lengths = [1, 0, 30_000, 7, 1023, 8192, 2];
    let len = lengths.iter().sum();
    let mut gradients: Vec<f32> = (0..len).map(|i: usize| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    gradients[30_001..30_008].fill(1e-3); // Not to be clipped.
    let optimizer = Sgd::new(1.0).momentum(0.5).clipnorm(0.25);
    let mut together = vec![0.0; len];
    let mut built = optimizer.clone().build(lengths).unwrap();
    (0..3).for_each(|_| built.apply(&gradients, &mut together).unwrap());
    let mut start = 0;
    for len in lengths {
        let mut alone = vec![0.0; len];
        let mut built = optimizer.clone().build([len]).unwrap();
        (0..3).for_each(|_| built.apply(&gradients[start..][..len], &mut alone).unwrap());
        assert_eq!(together[start..][..len], alone, "the variable of {len}");
        start += len;
    }
    let norm = together[1..30_001].iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
    let expected = 0.25 * (1.0 + 1.5 + 1.75);
    assert!((norm - expected).abs() < 1e-5, "{norm}");
    assert_eq!(together[30_001], -1e-3 * (1.0 + 1.5 + 1.75));
}

#[test]
fn gradients_that_are_not_finite_show_in_the_weights() {
    for optimizer in [
        Optimizer::from(Adam::default()),
        Adam::default().amsgrad(true).into(),
        Sgd::default().into(),
        RmsProp::default().into(),
        Adagrad::default().into(),
        Nadam::default().into(),
        Lion::default().into(),
        Sgd::default().clipvalue(1.0),
        Sgd::default().clipnorm(1.0),
    ] {
        let mut weights = [1.0, 1.0];
        optimizer.clone().build([2]).unwrap().apply(&[f32::NAN, 0.5], &mut weights).unwrap();
        assert!(weights[0].is_nan(), "{optimizer:?}: {weights:?}");
    }
    let mut weights = [1.0, 1.0];
    Sgd::default().global_clipnorm(1.0).build([2]).unwrap().apply(&[f32::INFINITY, 0.5], &mut weights).unwrap();
    assert!(weights.iter().all(|weight| weight.is_nan()), "as in Keras, {weights:?}");
}

#[test]
fn the_learning_rate_can_be_set_between_steps() {
    let mut built = Sgd::new(0.5).build([1]).unwrap();
    let mut weight = [0.0];
    built.apply(&[1.0], &mut weight).unwrap();
    built.set_learning_rate(0.25).unwrap();
    assert_eq!((built.learning_rate(), built.iterations()), (0.25, 1));
    built.apply(&[1.0], &mut weight).unwrap();
    assert_eq!(weight, [-0.75]);
}

#[test]
fn the_learning_rate_of_a_schedule_is_that_of_the_next_step() {
    let mut built = Sgd::new(PiecewiseConstantDecay::new([0], [0.5, 0.25])).build([1]).unwrap();
    assert_eq!(built.learning_rate(), 0.5);
    built.apply(&[1.0], &mut [0.0]).unwrap();
    assert_eq!(built.learning_rate(), 0.25);
}

#[test]
fn an_optimizer_goes_through_json_and_back() {
    let optimizer =
        RmsProp::new(WarmUp::new(5, PiecewiseConstantDecay::new([3], [0.5, 0.25]))).momentum(0.5).clipnorm(1.0);
    let json = serde_json::to_string(&optimizer).unwrap();
    assert_eq!(serde_json::from_str::<Optimizer>(&json).unwrap(), optimizer);
    let unknown = json.replacen("\"clipnorm\"", "\"clip\"", 1);
    assert!(serde_json::from_str::<Optimizer>(&unknown).unwrap_err().to_string().contains("unknown field `clip`"));
}

#[test]
fn slices_of_another_length_are_refused() {
    let mut built = Sgd::default().build([2, 1]).unwrap();
    let mut refused = |gradients: &[f32], parameters: &mut [f32], expected: &str| {
        let error = built.apply(gradients, parameters).unwrap_err();
        assert!(matches!(error, Error::Data(_)));
        assert_eq!(error.to_string(), expected);
        assert_eq!(built.iterations(), 0);
    };
    refused(&[0.0; 2], &mut [0.0; 3], "the optimizer was built for 3 parameters, got 2 gradients");
    refused(&[0.0; 3], &mut [0.0; 4], "the optimizer was built for 3 parameters, got 4 parameters");
    let error = built.finalize_variable_values(&mut []).unwrap_err();
    assert_eq!(error.to_string(), "the optimizer was built for 3 parameters, got 0 parameters");
}

#[test]
fn more_parameters_than_memory_has_are_refused() {
    for lengths in [vec![usize::MAX], vec![1 << 28, 1], vec![5, usize::MAX - 2]] {
        let error = Adam::default().build(lengths).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("an optimizer works on at most 268435456 parameters, got "), "{text}");
    }
}
