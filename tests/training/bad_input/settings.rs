//! Numbers that make no sense.

use super::*;

#[track_caller]
fn rate_refused(rate: f32, written: &str) {
    refused(
        head(image().add(Dropout::new(rate))),
        &format!("layer 0 (Dropout) expects a rate of at least 0 and less than 1, got {written}"),
    );
}

#[test]
fn a_dropout_rate_that_is_nan_is_refused() {
    rate_refused(f32::NAN, "NaN");
}

#[test]
fn a_dropout_rate_of_one_or_more_is_refused() {
    rate_refused(1.0, "1");
    rate_refused(f32::INFINITY, "inf");
}

#[test]
fn a_negative_dropout_rate_is_refused() {
    rate_refused(-0.1, "-0.1");
}

#[test]
fn activation_layers_with_arguments_that_make_no_sense_are_refused() {
    let refused = |layer: inkstone::layers::Layer, kind: &str, problem: &str| {
        refused(head(image().add(layer)), &format!("layer 0 ({kind}) expects a finite {problem}"));
    };
    let (nan, infinite) = (f32::NAN, f32::INFINITY);
    let leaky = |slope| LeakyReLU::new().negative_slope(slope).into();
    refused(leaky(-0.3), "LeakyReLU", "negative_slope of at least 0, got -0.3");
    refused(leaky(nan), "LeakyReLU", "negative_slope of at least 0, got NaN");
    refused(leaky(infinite), "LeakyReLU", "negative_slope of at least 0, got inf");
    refused(ELU::new().alpha(-1.0).into(), "ELU", "alpha of at least 0, got -1");
    refused(ReLU::new().negative_slope(-1.0).into(), "ReLU", "negative_slope of at least 0, got -1");
    refused(ReLU::new().threshold(nan).into(), "ReLU", "threshold of at least 0, got NaN");
    refused(ReLU::new().max_value(-6.0).into(), "ReLU", "max_value of at least 0, got -6");
    refused(ReLU::new().max_value(infinite).into(), "ReLU", "max_value of at least 0, got inf");
}

/// As a description may say.
#[test]
fn activation_layers_of_a_description_are_refused_alike() {
    for (layer, problem) in [
        (
            r#"{"LeakyReLU": {"negative_slope": -0.3}}"#,
            "layer 0 (LeakyReLU) expects a finite negative_slope of at least 0, got -0.3",
        ),
        (r#"{"ReLU": {"max_value": -1}}"#, "layer 0 (ReLU) expects a finite max_value of at least 0, got -1"),
    ] {
        let described = Sequential::from_json(&format!(r#"{{"input": [3], "layers": [{layer}]}}"#)).unwrap();
        assert_eq!(compile_error(described), problem);
    }
    let unknown = Sequential::from_json(r#"{"input": [3], "layers": [{"LeakyReLU": {"alpha": 0.3}}]}"#).unwrap_err();
    assert!(unknown.to_string().contains("unknown field `alpha`, expected `negative_slope`"), "{unknown}");
}

#[test]
fn a_schedule_with_numbers_that_make_no_sense_is_refused() {
    let schedule = || OneCycle::new(0.1, 10);
    let refused = |schedule: OneCycle, error: &str| {
        optimizer_refused(Adam::new(schedule), error);
        optimizer_refused(Sgd::new(schedule), error);
    };
    refused(OneCycle::new(f32::NAN, 10), "max_learning_rate must be finite and at least 0, got NaN");
    refused(OneCycle::new(-0.1, 10), "max_learning_rate must be finite and at least 0, got -0.1");
    refused(OneCycle::new(0.1, 0), "total_steps must be at least 1, got 0");
    refused(schedule().rising(1.5), "rising must be from 0 to 1, got 1.5");
    refused(schedule().rising(f64::NAN), "rising must be from 0 to 1, got NaN");
    refused(schedule().div_factor(0.0), "div_factor must be finite and more than 0, got 0");
    refused(schedule().final_div_factor(-1.0), "final_div_factor must be finite and more than 0, got -1");
}

#[test]
fn keras_schedules_with_numbers_that_make_no_sense_are_refused() {
    fn refused(schedule: impl Into<LearningRate>, error: &str) {
        optimizer_refused(Lion::new(schedule), error);
    }
    let nan = f32::NAN;
    refused(
        PiecewiseConstantDecay::new([1, 2], [0.1, 0.2]),
        "values must be one more than boundaries, got 2 boundaries and 2 values",
    );
    refused(
        PiecewiseConstantDecay::new([], []),
        "values must be one more than boundaries, got 0 boundaries and 0 values",
    );
    refused(PiecewiseConstantDecay::new([2, 2], [0.1, 0.2, 0.3]), "boundaries must be in rising order, got 2 before 2");
    refused(PiecewiseConstantDecay::new([2], [0.1, -0.2]), "values must be finite and at least 0, got -0.2");
    refused(ExponentialDecay::new(nan, 1, 0.5), "initial_learning_rate must be finite and at least 0, got NaN");
    refused(ExponentialDecay::new(0.1, 0, 0.5), "decay_steps must be at least 1, got 0");
    refused(ExponentialDecay::new(0.1, 1, 0.0), "decay_rate must be finite and more than 0, got 0");
    let cosine = CosineDecay::new(0.1, 5);
    refused(CosineDecay::new(-0.1, 5), "initial_learning_rate must be finite and at least 0, got -0.1");
    refused(CosineDecay::new(0.1, 0), "decay_steps must be at least 1, got 0");
    refused(cosine.alpha(nan), "alpha must be finite and at least 0, got NaN");
    refused(cosine.warmup_target(nan), "warmup_target must be finite and at least 0, got NaN");
    refused(cosine.warmup_steps(3), "warmup_target must be set if warmup_steps is, got 3 warmup_steps without it");
    refused(WarmUp::new(0, 0.1), "steps must be at least 1, got 0");
    refused(WarmUp::new(1, 0.1).start_factor(1.5), "start_factor must be from 0 to 1, got 1.5");
    refused(WarmUp::new(1, nan), "learning_rate must be finite and at least 0, got NaN");
    refused(WarmUp::new(1, cosine.alpha(-1.0)), "alpha must be finite and at least 0, got -1");
}

#[test]
fn numbers_of_other_optimizers_that_make_no_sense_are_refused() {
    optimizer_refused(RmsProp::default().rho(1.0), "rho must be at least 0 and less than 1, got 1");
    optimizer_refused(RmsProp::default().momentum(-0.5), "momentum must be from 0 to 1, got -0.5");
    optimizer_refused(RmsProp::default().epsilon(0.0), "epsilon must be finite and more than 0, got 0");
    optimizer_refused(Adagrad::default().epsilon(f32::NAN), "epsilon must be finite and more than 0, got NaN");
    optimizer_refused(
        Adagrad::default().initial_accumulator_value(-1.0),
        "initial_accumulator_value must be finite and at least 0, got -1",
    );
    optimizer_refused(AdamW::default().beta_1(1.0), "beta_1 must be at least 0 and less than 1, got 1");
    optimizer_refused(Nadam::default().beta_2(1.0), "beta_2 must be at least 0 and less than 1, got 1");
    optimizer_refused(Lion::default().beta_1(0.0), "beta_1 must be more than 0 and at most 1, got 0");
    optimizer_refused(Lion::default().beta_2(2.0), "beta_2 must be from 0 to 1, got 2");
}

#[test]
fn options_of_an_optimizer_that_make_no_sense_are_refused() {
    let adam = Adam::default;
    optimizer_refused(adam().clipnorm(0.0), "clipnorm must be finite and more than 0, got 0");
    optimizer_refused(adam().clipvalue(-1.0), "clipvalue must be finite and more than 0, got -1");
    optimizer_refused(adam().global_clipnorm(f32::NAN), "global_clipnorm must be finite and more than 0, got NaN");
    optimizer_refused(adam().weight_decay(-0.1), "weight_decay must be finite and at least 0, got -0.1");
    optimizer_refused(
        AdamW::default().weight_decay(f32::INFINITY),
        "weight_decay must be finite and at least 0, got inf",
    );
    optimizer_refused(adam().use_ema(true).ema_momentum(1.5), "ema_momentum must be from 0 to 1, got 1.5");
    optimizer_refused(adam().ema_overwrite_frequency(0), "ema_overwrite_frequency must be at least 1, got 0");
    optimizer_refused(
        adam().clipnorm(1.0).clipvalue(0.5),
        "clipping must be only one of clipnorm, clipvalue and global_clipnorm, got clipnorm 1 and clipvalue 0.5",
    );
}

#[test]
fn a_learning_rate_cannot_be_set_where_a_schedule_sets_it_or_where_it_makes_no_sense() {
    let compile = |optimizer: Optimizer| {
        head(image()).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
    };
    let mut scheduled = compile(Adam::new(WarmUp::new(3, 0.25)).into());
    assert_eq!(
        scheduled.set_learning_rate(0.1).unwrap_err().to_string(),
        "learning_rate must be a number to be set later, not a schedule, got WarmUp"
    );
    let mut constant = compile(Adam::new(0.25).into());
    assert_eq!(
        constant.set_learning_rate(-1.0).unwrap_err().to_string(),
        "learning_rate must be finite and at least 0, got -1"
    );
    assert_eq!(constant.learning_rate(), 0.25);
}

#[test]
fn a_learning_rate_that_is_nan_is_refused() {
    optimizer_refused(Adam::new(f32::NAN), "learning_rate must be finite and at least 0, got NaN");
    optimizer_refused(Sgd::new(f32::NAN), "learning_rate must be finite and at least 0, got NaN");
}

#[test]
fn a_learning_rate_that_is_infinite_is_refused() {
    optimizer_refused(Adam::new(f32::INFINITY), "learning_rate must be finite and at least 0, got inf");
    optimizer_refused(Sgd::new(f32::INFINITY), "learning_rate must be finite and at least 0, got inf");
}

#[test]
fn a_negative_learning_rate_is_refused() {
    optimizer_refused(Adam::new(-1.0), "learning_rate must be finite and at least 0, got -1");
    optimizer_refused(Sgd::new(-0.01), "learning_rate must be finite and at least 0, got -0.01");
}

#[test]
fn betas_of_one_are_refused() {
    optimizer_refused(Adam::default().beta_1(1.0), "beta_1 must be at least 0 and less than 1, got 1");
    optimizer_refused(Adam::default().beta_2(1.0), "beta_2 must be at least 0 and less than 1, got 1");
}

#[test]
fn negative_betas_and_betas_that_are_nan_are_refused() {
    optimizer_refused(Adam::default().beta_1(f32::NAN), "beta_1 must be at least 0 and less than 1, got NaN");
    optimizer_refused(Adam::default().beta_2(-0.5), "beta_2 must be at least 0 and less than 1, got -0.5");
}

#[test]
fn an_epsilon_that_is_not_finite_and_positive_is_refused() {
    for (epsilon, written) in [(0.0, "0"), (-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        optimizer_refused(
            Adam::default().epsilon(epsilon),
            &format!("epsilon must be finite and more than 0, got {written}"),
        );
    }
}

#[test]
fn a_momentum_that_is_not_from_zero_to_one_is_refused() {
    for (momentum, written) in [(2.0, "2"), (-0.9, "-0.9"), (f32::NAN, "NaN")] {
        optimizer_refused(Sgd::default().momentum(momentum), &format!("momentum must be from 0 to 1, got {written}"));
    }
}

#[test]
fn a_batch_size_of_zero_is_refused() {
    let error = small().fit(&dataset(vec![0; 4]), quiet().batch_size(0)).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(error.to_string(), "batch_size must be at least 1, got 0");
}

#[test]
fn an_unknown_verbosity_is_refused() {
    let error = small().fit(&dataset(vec![0; 4]), FitConfig::new().verbose(3)).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }));
    assert_eq!(error.to_string(), "verbose must be 0, 1 or 2, got 3");
}

#[test]
fn no_epochs_give_an_empty_history_and_change_nothing() {
    let mut model = small();
    let before = model.get_weights();
    let history = model.fit(&dataset(vec![0; 4]), quiet().epochs(0)).unwrap();
    assert!(history.epochs.is_empty());
    assert_eq!(model.get_weights(), before);
}

#[test]
fn a_batch_larger_than_the_data_is_one_batch_of_all() {
    let data = dataset((0..7).collect());
    let fit = |batch_size| {
        let mut model = small();
        let history = model.fit(&data, quiet().batch_size(batch_size).epochs(2)).unwrap();
        (history.losses(), model.get_weights())
    };
    let whole = fit(7);
    for batch_size in [8, 1000, usize::MAX] {
        assert_eq!(fit(batch_size), whole, "batch size {batch_size}");
    }
    assert_ne!(fit(6), whole, "the batch size makes a difference");
}

#[test]
fn a_smaller_last_batch_is_a_step_of_its_own() {
    let data = dataset((0..7).collect());
    let mut fitted = small();
    fitted.fit(&data, quiet().batch_size(3).shuffle(false)).unwrap();
    let mut stepped = small();
    for places in [0..3, 3..6, 6..7] {
        let batch = data.images().slice_axis(Axis(0), places.clone().into()).to_owned();
        stepped.train_on_batch(&batch, &data.labels()[places]).unwrap();
    }
    assert_eq!(fitted.get_weights(), stepped.get_weights());
}
