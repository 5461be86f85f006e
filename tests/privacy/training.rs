//! Private trainings: their bits, their noise, and what is kept of epsilon.

use inkstone::callbacks::{BackupAndRestore, LambdaCallback, PrivacyBudget};
use inkstone::data::synthetic;
use inkstone::ndarray::Array2;
use inkstone::prelude::*;
use inkstone::privacy::{DpSgd, epsilon};
use inkstone::{Dataset, Interrupt, Model};

fn digits() -> Dataset {
    synthetic::digits(400, 1).unwrap()
}

fn model() -> Model {
    let described = Sequential::new([28, 28, 1])
        .add(Conv2D::new(8, (3, 3)).activation(Tanh))
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(10).activation(Softmax));
    described.seed(1).compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

fn config<'a>(epochs: usize, private: DpSgd) -> FitConfig<'a> {
    FitConfig::new().epochs(epochs).batch_size(40).differential_privacy(private.delta(1e-4)).verbose(0)
}

#[test]
fn the_same_test_seed_gives_the_same_bits_on_any_number_of_threads() {
    let trained = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut model = model();
        pool.install(|| model.fit(&digits(), config(2, DpSgd::new(1.0, 0.5).test_seed(seed))).unwrap());
        model.get_weights()
    };
    let one = trained(1, 7);
    assert_eq!(one, trained(3, 7));
    assert_ne!(one, trained(1, 8));
}

#[test]
fn without_a_seed_no_two_trainings_are_alike() {
    let trained = || {
        let mut model = model();
        model.fit(&digits(), config(1, DpSgd::new(1.0, 0.5))).unwrap();
        model.get_weights()
    };
    assert_ne!(trained(), trained());
}

#[test]
fn what_is_private_learns_too() {
    let mut model = model();
    let history = model.fit(&digits(), config(15, DpSgd::new(0.3, 1.0).test_seed(2))).unwrap();
    let accuracies = history.get("accuracy").unwrap();
    assert!(accuracies[14] > 0.8, "{accuracies:?}");
}

#[test]
fn epsilon_is_that_of_the_plan_and_is_kept() {
    let mut model = model();
    let history = model.fit(&digits(), config(2, DpSgd::new(1.5, 1.0))).unwrap();
    let expected = [10, 20].map(|steps| epsilon(0.1, 1.5, steps, 1e-4).unwrap());
    assert_eq!(history.epsilon(), expected);
    assert!(history.to_csv().starts_with("epoch,accuracy,loss,epsilon,learning_rate,seconds\n"));
    // Together with another training of the same model, from its file.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let mut loaded = Model::load(&path).unwrap();
    assert_eq!(loaded.privacy(), model.privacy());
    let history = loaded.fit(&digits(), config(1, DpSgd::new(0.8, 1.0))).unwrap();
    assert!(history.epsilon()[0] > expected[1] && loaded.privacy().steps() == 30);
    // Trainings without say nothing of it.
    let plain = loaded.fit(&digits(), FitConfig::new().verbose(0)).unwrap();
    assert_eq!(plain.epsilon(), [0.0; 0]);
}

#[test]
fn a_test_seed_guarantees_nothing_and_the_model_says_so() {
    let mut model = model();
    let history = model.fit(&digits(), config(1, DpSgd::new(1.5, 1.0).test_seed(1))).unwrap();
    assert_eq!(history.epsilon(), [f64::INFINITY]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    assert_eq!(Model::load(&path).unwrap().privacy().epsilon(1e-4).unwrap(), f64::INFINITY);
}

/// Without gradients the weights walk by the noise alone: of the deviation `noise * clip / batch size` in each step.
#[test]
fn noise_has_the_deviation_that_was_asked_for() {
    let described = Sequential::new([200]).add(Dense::new(300).use_bias(false)).add(Dense::new(2).activation(Softmax));
    let mut model = described.seed(1).compile(Sgd::new(1.0), SparseCategoricalCrossentropy::default(), []).unwrap();
    let before = model.get_weight("dense/kernel").unwrap().values;
    // Inputs of zeros leave the kernel without a gradient.
    let x = Array2::<f32>::zeros((50, 200));
    let y: Vec<usize> = (0..50).map(|n| n % 2).collect();
    let private = DpSgd::new(4.0, 0.5).delta(1e-3).test_seed(3);
    model.fit((&x, &y), FitConfig::new().batch_size(25).epochs(2).differential_privacy(private).verbose(0)).unwrap();
    let steps = model.get_weight("dense/kernel").unwrap().values - before;
    let (count, mean) = (steps.len() as f64, f64::from(steps.mean().unwrap()));
    let variance = steps.iter().map(|step| (f64::from(*step) - mean).powi(2)).sum::<f64>() / count;
    // Four steps; the mean of 60,000 numbers is known to 0.4 % of a deviation, the variance to 0.6 %.
    let expected = 4.0 * (4.0 * 0.5 / 25.0_f64).powi(2);
    assert!((variance / expected - 1.0).abs() < 0.03, "{variance}, expected {expected}");
    assert!(mean.abs() < 0.02 * expected.sqrt(), "{mean}");
}

/// Of three examples in batches of one on average, many batches are empty: they add noise alone.
#[test]
fn empty_batches_are_steps_too() {
    let mut model = Sequential::new([2])
        .add(Dense::new(2).activation(Softmax))
        .seed(1)
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let private = DpSgd::new(2.0, 1.0).delta(1e-3);
    let config = FitConfig::new().batch_size(1).epochs(40).differential_privacy(private).verbose(0);
    let history = model.fit((&[[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]], &[0, 1, 0]), config).unwrap();
    assert_eq!((history.epochs.len(), model.privacy().steps()), (40, 120));
}

#[test]
fn a_training_that_is_resumed_goes_on_counting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let private = || DpSgd::new(1.0, 0.5).test_seed(7);
    let mut whole = model();
    whole.fit(&digits(), config(3, private())).unwrap();
    let mut first = model();
    first.fit(&digits(), config(1, private())).unwrap();
    first.save_checkpoint(&path).unwrap();
    let mut resumed = Model::resume(&path).unwrap();
    assert_eq!(resumed.privacy().steps(), 10);
    resumed.fit(&digits(), config(3, private()).initial_epoch(1)).unwrap();
    assert_eq!(resumed.get_weights(), whole.get_weights());
    assert_eq!(resumed.privacy(), whole.privacy());
}

/// In the middle of an epoch too, and with noise for an epsilon of the whole.
#[test]
fn a_training_that_is_interrupted_comes_to_its_epsilon() {
    let folder = tempfile::tempdir().unwrap();
    let private = || config(3, DpSgd::for_epsilon(2.0, 0.5)).backup(BackupAndRestore::new(folder.path()));
    let mut first = model();
    let interrupt = Interrupt::new();
    let stop = interrupt.clone();
    let stopping = LambdaCallback::new().on_train_batch_end(move |batch, _, training| {
        if training.model().epochs() == 1 && batch == 3 {
            stop.interrupt();
        }
        Ok(())
    });
    first.fit(&digits(), private().callback(stopping).interrupt(&interrupt)).unwrap();
    assert_eq!(first.privacy().steps(), 14);
    let mut resumed = model();
    let history = resumed.fit(&digits(), private()).unwrap();
    assert_eq!(resumed.privacy().steps(), 30);
    let epsilon = history.epsilon().pop().unwrap();
    assert!(epsilon > 1.99 && epsilon < 2.0 + 1e-5, "{epsilon}");
}

/// Otherwise one example would decide whether there is a model at all.
#[test]
fn a_loss_that_is_no_number_does_not_end_a_private_training() {
    let x = Array2::from_shape_fn((20, 2), |(n, _)| n as f32 / 20.0);
    let mut y = vec![0.5_f32; 20];
    y[7] = 3e38;
    let described = Sequential::new([2]).add(Dense::new(1)).seed(1);
    let mut model = described.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let private = DpSgd::new(1.0, 1.0).delta(1e-3);
    let config = FitConfig::new().batch_size(20).epochs(3).differential_privacy(private).verbose(0);
    let history = model.fit((&x, &y), config).unwrap();
    assert!(!history.losses()[2].is_finite());
    assert!(model.get_weights().iter().flat_map(|weight| &weight.values).all(|value| value.is_finite()));
}

#[test]
fn a_budget_ends_a_training_before_it_is_exceeded() {
    let mut model = model();
    let budget = || PrivacyBudget::new(3.0).delta(1e-4);
    let config = |epochs| config(epochs, DpSgd::new(1.0, 0.5)).callback(budget());
    let history = model.fit(&digits(), config(100)).unwrap();
    let epsilons = history.epsilon();
    let told = *epsilons.last().unwrap();
    let step = told - epsilons[epsilons.len() - 2];
    assert!(told <= 3.0 && told + 1.1 * step > 3.0, "{epsilons:?}");
    // Another training of the model has an epoch that its budget has no room for, and says so.
    model.fit(&digits(), config(1)).unwrap();
    let error = model.fit(&digits(), config(1)).unwrap_err().to_string();
    assert!(error.contains("have told an epsilon of 3."), "{error}");
}

/// Both score a batch before its step.
#[test]
fn losses_have_what_regularizers_add() {
    let x = Array2::from_shape_fn((20, 2), |(n, column)| ((n * 7 + column * 3) % 11) as f32 / 11.0);
    let y: Vec<usize> = (0..20).map(|n| n % 3).collect();
    let loss = |private: bool| {
        let dense = Dense::new(3).activation(Softmax).kernel_regularizer(Regularizer::l2(0.3));
        let described = Sequential::new([2]).add(dense).seed(1);
        let mut model = described.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), []).unwrap();
        let mut config = FitConfig::new().batch_size(20).shuffle(false).verbose(0);
        if private {
            config = config.differential_privacy(DpSgd::new(1.0, 1.0).delta(1e-3));
        }
        model.fit((&x, &y), config).unwrap().losses()[0]
    };
    let (plain, private) = (loss(false), loss(true));
    assert!((plain - private).abs() < 1e-6, "{plain} without privacy, {private} with it");
}
