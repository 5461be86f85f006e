//! What a training does, and what is said of one that cannot work.

use super::{bits, conditional, data};
use inkstone::ndarray::{Array2, ArrayD};
use inkstone::prelude::*;
use inkstone::{Error, Gan, GanConfig, GanLoss, GanWarning};
use std::ops::ControlFlow;

fn config<'a>(epochs: usize) -> GanConfig<'a> {
    GanConfig::new().epochs(epochs).batch_size(16).verbose(0)
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let train = |threads: usize, seed: u64| {
        let mut gan = conditional(Adam::new(0.002), GanLoss::NonSaturating).seed(seed).instance_noise(0.1, 2);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let history = pool.install(|| gan.fit(&data(70), config(3)).unwrap());
        (bits(&gan), history.generator_losses())
    };
    let expected = train(1, 3);
    assert!(train(3, 3) == expected);
    assert!(train(1, 4).0 != expected.0, "the seed of the training counts");
}

#[test]
fn a_generator_learns_what_each_label_looks_like() {
    let mut gan = conditional(Adam::new(0.005).beta_1(0.5), GanLoss::NonSaturating);
    let history = gan.fit(&data(240), config(60)).unwrap();
    assert_eq!((history.epochs.len(), gan.epochs(), gan.generator().epochs()), (60, 60, 60));
    let made = gan.generate(&gan.latent_vectors(30, 0), &[0; 30]).unwrap();
    let rows = |parity: usize| {
        let lit = made.indexed_iter().filter(|(at, _)| at[1] % 2 == parity).map(|(_, value)| *value);
        lit.sum::<f32>() / (30.0 * 18.0)
    };
    assert!(rows(1) > rows(0) + 0.4, "odd rows are light: {} and {}", rows(1), rows(0));
    assert!(history.warnings().count() < 10, "{:?}", history.warnings().collect::<Vec<_>>());
}

#[test]
fn every_loss_trains_and_the_steps_of_the_discriminator_are_counted() {
    for loss in [GanLoss::LeastSquares, GanLoss::Hinge, GanLoss::Wasserstein { clip: 0.05 }] {
        let mut gan = conditional(RmsProp::new(0.001), loss).discriminator_steps(3);
        let before = bits(&gan);
        let mut stepped = Vec::new();
        let images = data(16).images().into_dyn();
        for step in 0..6 {
            let scores = gan.train_on_batch(&images, data(16).labels(), &gan.latent_vectors(16, step)).unwrap();
            stepped.push(scores.generator_loss.is_some());
        }
        assert_eq!(stepped, [false, false, true, false, false, true], "{loss:?}");
        assert_ne!(bits(&gan), before);
        if let GanLoss::Wasserstein { clip } = loss {
            let weights = gan.discriminator().get_weights();
            let trained = weights.iter().filter(|weight| !weight.name.contains("moving"));
            let largest = trained.flat_map(|weight| &weight.values).fold(0.0_f32, |most, value| most.max(value.abs()));
            assert!(largest <= clip && largest > 0.9 * clip, "{largest}");
        }
    }
}

#[test]
fn the_moving_statistics_of_the_discriminator_follow_its_own_steps_alone() {
    let mut gan = conditional(Sgd::new(0.0), GanLoss::NonSaturating);
    let (images, labels) = (data(16).images().into_dyn(), data(16).labels().to_vec());
    let latent = gan.latent_vectors(16, 0);
    let hot = Array2::from_shape_fn((16, 3), |(n, class)| f32::from(u8::from(labels[n] == class)));
    let generator = gan.generator().clone();
    for _ in 0..2 {
        gan.train_on_batch(&images, &labels, &latent).unwrap();
    }
    let mut by_hand = conditional(Sgd::new(0.0), GanLoss::NonSaturating).into_models().1;
    for _ in 0..2 {
        let made = generator.forward((&latent, &hot), inkstone::Mode::Training).unwrap();
        let backward = |seen: &ArrayD<f32>| {
            let pass = by_hand.forward((seen, &hot), inkstone::Mode::Training).unwrap();
            by_hand.backward(pass, ArrayD::zeros(vec![16, 1])).unwrap()
        };
        let mut sum = backward(&images);
        sum.accumulate(&backward(made.output())).unwrap();
        by_hand.apply_gradients(&sum.weights).unwrap();
    }
    let name = "batch_normalization/moving_mean";
    assert_eq!(gan.discriminator().get_weight(name).unwrap(), by_hand.get_weight(name).unwrap());
}

#[test]
fn collapse_and_a_discriminator_that_wins_are_told() {
    // A generator that makes the same of all vectors, which does not learn.
    let generator = Sequential::new([4])
        .add(Dense::new(1).trainable(false).kernel_initializer(Initializer::Zeros))
        .add(Dense::new(36).activation(Sigmoid))
        .add(Reshape::new([6, 6, 1]))
        .compile(Sgd::new(0.0), MeanSquaredError, [])
        .unwrap();
    let discriminator = Sequential::new([6, 6, 1])
        .add(Flatten::new())
        .add(Dense::new(16).activation(LeakyRelu))
        .add(Dense::new(1))
        .seed(1)
        .compile(Adam::new(0.02), MeanSquaredError, [])
        .unwrap();
    let mut gan = Gan::new(generator, discriminator, GanLoss::NonSaturating).unwrap().seed(1);
    let history = gan.fit(&data(96), config(12)).unwrap();
    let last = history.epochs.last().unwrap();
    assert_eq!((last.diversity, last.real_accuracy, last.generated_accuracy), (0.0, 1.0, 1.0));
    let [GanWarning::DiscriminatorWins { loss }, GanWarning::Collapse { diversity: 0.0 }] = last.warnings[..] else {
        panic!("{:?}", last.warnings);
    };
    assert_eq!(loss, last.discriminator_loss);
    assert!(last.warnings[0].to_string().starts_with("the discriminator's loss was 0.0"));
    assert!(last.warnings[1].to_string().contains("with 0.00 % of the data's variance"));
    assert!(history.epochs[0].warnings.len() == 1, "in the first epoch it does not win yet");
}

#[test]
fn a_training_that_diverges_stops_before_the_step() {
    let mut gan = conditional(Sgd::new(1e30), GanLoss::LeastSquares);
    let error = gan.fit(&data(64), config(5)).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("became") && said.contains("in epoch 1"), "{said}");
}

#[test]
fn a_callback_sees_both_models_and_ends_the_training() {
    let mut gan = conditional(Adam::new(0.002), GanLoss::Hinge);
    let mut seen = Vec::new();
    let config = config(9).on_epoch_end(|epoch, gan| {
        gan.generator_mut().set_learning_rate(0.001)?;
        seen.push((epoch.epoch, gan.epochs(), gan.discriminator().learning_rate()));
        Ok(if epoch.epoch == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    assert_eq!(gan.fit(&data(32), config).unwrap().epochs.len(), 2);
    assert_eq!(seen, [(0, 1, 0.002), (1, 2, 0.002)]);
    assert_eq!(gan.generator().learning_rate(), 0.001);
}

#[test]
fn a_callback_may_start_anew() {
    let mut gan = conditional(Adam::new(0.002), GanLoss::Hinge);
    let (untrained, mut calls) = (gan.clone(), 0);
    let config = config(2).on_epoch_end(|_, gan| {
        calls += 1;
        if calls == 1 {
            *gan = untrained.clone();
        }
        Ok(ControlFlow::Continue(()))
    });
    let history = gan.fit(&data(32), config).unwrap();
    assert_eq!(history.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [0, 0, 1]);
}

#[test]
fn a_generator_that_diverges_is_told_from_data_that_is_no_number() {
    let generator = compiled(Sequential::new([4]).add(Dense::new(6)));
    let discriminator = compiled(Sequential::new([6]).add(Dense::new(1)));
    let mut gan = Gan::new(generator, discriminator, GanLoss::Hinge).unwrap();
    let mut weights = gan.generator().get_weights();
    weights.iter_mut().for_each(|weight| weight.values.fill(f32::MAX));
    gan.generator_mut().set_weights(&weights).unwrap();
    let (images, latent) = (ArrayD::zeros(vec![4, 6]), gan.latent_vectors(4, 0));
    let before = bits(&gan);
    let error = gan.train_on_batch(&images, &[], &latent).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(bits(&gan) == before, "no model takes a step");
}

#[test]
fn averaged_weights_are_clipped_too() {
    let optimizer = RmsProp::new(0.05).use_ema(true).ema_momentum(0.5);
    let mut gan = conditional(optimizer, GanLoss::Wasserstein { clip: 0.01 });
    gan.fit(&data(32), config(2)).unwrap();
    for weight in gan.discriminator().get_weights().iter().filter(|weight| !weight.name.contains("moving")) {
        assert!(weight.values.iter().all(|value| value.abs() <= 0.01), "{}", weight.name);
    }
}

fn compiled(model: Sequential) -> Model {
    model.compile(Adam::default(), MeanSquaredError, []).unwrap()
}

#[test]
fn models_that_do_not_meet_are_refused() {
    let generator = || compiled(Sequential::new([4]).add(Dense::new(6)));
    let discriminator = || compiled(Sequential::new([6]).add(Dense::new(1)));
    let said = |generator, discriminator| Gan::new(generator, discriminator, GanLoss::Hinge).unwrap_err().to_string();
    assert_eq!(
        said(compiled(Sequential::new([4]).add(Dense::new(7))), discriminator()),
        "the model that generates gives (7), but the discriminator expects (6): give both the shape of the data"
    );
    assert_eq!(
        said(generator(), compiled(Sequential::new([6]).add(Dense::new(2)))),
        "the model that discriminates ends with (2), expected one number without an activation: end it with `Dense::new(1)`"
    );
    assert_eq!(
        said(generator(), compiled(Sequential::new([6]).add(Dense::new(1).activation(Sigmoid)))),
        "the model that discriminates ends with (1) and a sigmoid, expected one number without an activation: end it with `Dense::new(1)`"
    );
    let images = Sequential::new([2, 3, 1]).add(Flatten::new()).add(Dense::new(6));
    assert_eq!(
        said(compiled(images), discriminator()),
        "the model that generates expects (2, 3, 1), expected a vector of latent numbers"
    );
    let regularized = Dense::new(1).kernel_regularizer(Regularizer::l2(0.1));
    assert_eq!(
        said(generator(), compiled(Sequential::new([6]).add(regularized))),
        "the model has regularizers, which the training of a GAN does not know: use `weight_decay`"
    );
    let (with_label, _) = conditional(Adam::default(), GanLoss::Hinge).into_models();
    assert_eq!(
        said(with_label, discriminator()),
        "the model that generates has 2 inputs and 1 outputs, and the discriminator 1 and 1: both must have one output, and either one \
         input or, as the second, a label"
    );
}

#[test]
fn data_labels_and_settings_that_do_not_fit_are_refused() {
    let mut gan = conditional(Adam::default(), GanLoss::Hinge);
    let rows = Dataset::from_table(Array2::zeros((4, 5)), vec![0; 4]).unwrap();
    assert_eq!(
        gan.fit(&rows, config(1)).unwrap_err().to_string(),
        "the models are for examples of (6, 6, 1), got data of (5)"
    );
    let images = data(4).images();
    let unlabelled = Dataset::from_floats_and_values(images.clone(), vec![0.0; 4]).unwrap();
    assert_eq!(
        gan.fit(&unlabelled, config(1)).unwrap_err().to_string(),
        "the models take labels, but the data has none: give classes, or models without a second input"
    );
    let many = Dataset::from_floats(images, vec![0, 1, 2, 3]).unwrap();
    assert!(
        gan.fit(&many, config(1))
            .unwrap_err()
            .to_string()
            .starts_with("labels must be from 0 to 2, as the models have")
    );
    let latent = gan.latent_vectors(2, 0);
    assert_eq!(
        gan.generate(&latent, &[1]).unwrap_err().to_string(),
        "the models take a label for each example, got 2 examples and 1 labels"
    );
    let set = |change: fn(Gan) -> Gan| change(gan.clone()).fit(&data(8), config(1)).unwrap_err().to_string();
    assert!(set(|gan| gan.discriminator_steps(0)).starts_with("discriminator_steps must be at least 1"));
    let many = set(|gan| gan.discriminator_steps(9));
    assert!(many.starts_with("discriminator_steps must be at most the batches of an epoch"), "{many}");
    assert!(set(|gan| gan.instance_noise(-1.0, 3)).starts_with("instance_noise must be finite and at least 0"));
    assert!(set(|gan| gan.label_smoothing(0.1)).starts_with("label_smoothing must be 0 with"));
    let none = GanConfig::new().batch_size(0);
    assert_eq!(gan.fit(&data(8), none).unwrap_err().to_string(), "batch_size must be at least 1, got 0");
}
