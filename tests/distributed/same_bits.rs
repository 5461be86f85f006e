//! Any number of ranks, each with any number of threads, gives the bits of one process.

use super::keras_example::keras_example;
use super::threads::on_ranks;
use super::{compiled, images, small, texts};
use inkstone::data::Augment;
use inkstone::distributed::SumOrder;
use inkstone::prelude::*;
use inkstone::{LabelledInputs, OptimizerOptions, Scores, Weight};
use ndarray::{Array2, Axis};

const RANKS: [(usize, usize); 4] = [(1, 2), (2, 1), (3, 2), (4, 1)];

/// What a training comes to.
#[derive(Debug, PartialEq)]
struct End {
    weights: Vec<Weight>,
    scores: Vec<(Scores, Option<Scores>)>,
}

fn fit(model: &mut Model, data: LabelledInputs<'_>, config: FitConfig<'_>) -> End {
    let history = model.fit(data, config.verbose(0)).unwrap();
    let scores = history.epochs.into_iter().map(|epoch| (epoch.training, epoch.validation)).collect();
    End { weights: model.get_weights(), scores }
}

/// Compares what ranks come to with what one process does.
fn check(model: impl Fn() -> Model + Sync, data: LabelledInputs<'_>, config: impl Fn() -> FitConfig<'static> + Sync) {
    let expected = fit(&mut model(), data.clone(), config());
    for (ranks, threads) in RANKS {
        let found = on_ranks(ranks, threads, |communicator| {
            let mut model = model();
            model.distribute(communicator, SumOrder::Shards).unwrap();
            fit(&mut model, data.clone(), config())
        });
        for (rank, found) in found.iter().enumerate() {
            assert!(*found == expected, "rank {rank} of {ranks}");
        }
    }
}

#[test]
fn a_convolutional_network_with_dropout_augmentation_shuffling_and_validation() {
    let data = images(300, 28);
    let network = || {
        let network =
            Sequential::new([28, 28, 1]).add(Conv2D::new(8, (3, 3)).activation(Relu)).add(MaxPooling2D::new((2, 2)));
        let network = network.add(Conv2D::new(16, (3, 3)).activation(Relu)).add(MaxPooling2D::new((2, 2)));
        compiled(
            network.add(Flatten::new()).add(Dropout::new(0.5)).add(Dense::new(3).activation(Softmax)),
            Adam::new(0.01),
        )
    };
    // 240 examples: the last batch has 48.
    let config = || FitConfig::new().epochs(2).batch_size(64).augment(Augment::default()).validation_split(0.2);
    check(network, (&data).into(), config);
}

#[test]
fn the_keras_example_with_a_dense_layer_of_many_weights() {
    let data = images(160, 28);
    let model = || compiled(keras_example(), Adam::new(0.01));
    check(model, (&data).into(), || FitConfig::new().batch_size(128).class_weight([(1, 3.0)]));
}

#[test]
fn wide_dense_layers_with_penalties_and_clipping() {
    let data = images(500, 6);
    for optimizer in [Adam::new(0.01).into(), inkstone::Optimizer::from(Sgd::new(0.1)).global_clipnorm(0.5)] {
        let network = || {
            let wide = Dense::new(300).activation(Relu).kernel_regularizer(inkstone::layers::Regularizer::l2(0.01));
            Sequential::new([6, 6, 1]).add(Flatten::new()).add(wide).add(Dense::new(200).activation(Relu))
        };
        let model = || compiled(network().add(Dense::new(3).activation(Softmax)), optimizer.clone());
        check(model, (&data).into(), || FitConfig::new().epochs(2).batch_size(400));
    }
}

#[test]
fn batch_normalization_of_all_ranks_together() {
    let data = images(600, 12);
    let network = || {
        let network =
            Sequential::new([12, 12, 1]).add(Conv2D::new(8, (3, 3))).add(BatchNormalization::new()).add(ReLU::new());
        let network = network.add(Flatten::new()).add(Dense::new(16)).add(BatchNormalization::new());
        compiled(network.add(Dense::new(3).activation(Softmax)), Adam::new(0.01))
    };
    check(network, (&data).into(), || FitConfig::new().epochs(2).batch_size(400).validation_split(0.2));
}

#[test]
fn looked_up_words_with_masks_and_a_recurrent_layer() {
    let (words, classes) = texts(500);
    let network = || {
        let network = Sequential::new([8]).add(Embedding::new(50, 12).mask_zero(true)).add(LSTM::new(10));
        compiled(network.add(Dense::new(3).activation(Softmax)), Sgd::new(0.1))
    };
    let words = words.into_dyn();
    check(network, (&words, &classes).into(), || FitConfig::new().epochs(2).batch_size(400));
}

#[test]
fn batches_of_several_rounds() {
    let data = images(20_000, 6);
    check(small, (&data).into(), || FitConfig::new().batch_size(20_000).epochs(2));
}

#[test]
fn more_ranks_than_shards() {
    let data = images(40, 6);
    let expected = fit(&mut small(), (&data).into(), FitConfig::new().batch_size(8));
    let found = on_ranks(7, 1, |communicator| {
        let mut model = small();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        fit(&mut model, (&data).into(), FitConfig::new().batch_size(8))
    });
    assert!(found.iter().all(|found| *found == expected));
}

/// Steps by hand: gradients, what is done with them, and whole steps.
fn by_hand(model: &mut Model, data: &Dataset) -> Vec<Weight> {
    for batch in 0..3 {
        let batch = data.skip(batch * 400 + 1).unwrap().take(400).unwrap();
        let targets = batch.labels().to_vec();
        let (_, mut gradients) = model.gradients(&batch, &targets).unwrap();
        gradients.iter_mut().for_each(|gradient| gradient.values *= 0.5);
        model.apply_gradients(&gradients).unwrap();
        model.train_on_batch(&batch, &targets).unwrap();
    }
    model.get_weights()
}

#[test]
fn a_loop_by_hand() {
    let data = images(1300, 6);
    let expected = by_hand(&mut small(), &data);
    for (ranks, threads) in RANKS {
        let found = on_ranks(ranks, threads, |communicator| {
            let mut model = small();
            model.distribute(communicator, SumOrder::Shards).unwrap();
            by_hand(&mut model, &data)
        });
        assert!(found.iter().all(|found| *found == expected), "{ranks} ranks");
    }
}

#[test]
fn any_order_of_sums_comes_near_and_is_the_same_on_all_ranks() {
    let data = images(160, 28);
    let model = || compiled(keras_example(), Sgd::new(0.01));
    let config = || FitConfig::new().batch_size(128);
    let expected = fit(&mut model(), (&data).into(), config());
    let found = on_ranks(3, 1, |communicator| {
        let mut model = model();
        model.distribute(communicator, SumOrder::Any).unwrap();
        fit(&mut model, (&data).into(), config())
    });
    assert!(found.iter().all(|other| *other == found[0]));
    assert!(found[0] != expected, "another order gives other roundings");
    for (found, expected) in found[0].weights.iter().zip(&expected.weights) {
        let differences = (&found.values - &expected.values).mapv(f32::abs);
        assert!(differences.iter().all(|difference| *difference < 1e-5), "{}: {differences}", found.name);
    }
}

#[test]
fn batches_of_a_source() {
    let (points, classes): (Array2<f32>, Vec<usize>) =
        (Array2::from_shape_fn((90, 4), |(n, x)| (n % 3 * x) as f32), (0..90).map(|n| n % 3).collect());
    let model = || {
        compiled(
            Sequential::new([4]).add(Dense::new(8).activation(Relu)).add(Dense::new(3).activation(Softmax)),
            Adam::new(0.01),
        )
    };
    let train = |model: &mut Model| {
        let batch = |number: usize| {
            let places: Vec<usize> = (number * 30..number * 30 + 30).collect();
            Dataset::from_table(points.select(Axis(0), &places), places.iter().map(|place| classes[*place]).collect())
        };
        let source = inkstone::data::batches_of_epochs(|_| (0..3).map(batch));
        let validation = inkstone::data::batches_of_epochs(|_| (0..2).map(batch));
        let history =
            model.fit_batches(source, FitConfig::new().epochs(2).validation_batches(validation).verbose(0)).unwrap();
        (model.get_weights(), history.get("val_loss").unwrap())
    };
    let expected = train(&mut model());
    let found = on_ranks(2, 1, |communicator| {
        let mut model = model();
        model.distribute(communicator, SumOrder::Shards).unwrap();
        train(&mut model)
    });
    assert!(found.iter().all(|found| *found == expected));
}
