//! The same seed gives the same bits, whatever the number of threads.

use crate::cases::{KINDS, inputs, model as model_of};
use inkstone::prelude::*;
use inkstone::{History, Model, Optimizer};
use ndarray::Array4;

/// Images that have something to be learned, of no convenient size or number.
fn dataset() -> Dataset {
    let pixel = |(n, y, x, _): (usize, usize, usize, usize)| (n * 37 + y * (n % 5) * 11 + x * 29 + n * x * y) as u8;
    let images = Array4::from_shape_fn((203, 13, 11, 1), pixel);
    Dataset::from_bytes(images, (0..203).map(|n| n % 5).collect()).unwrap()
}

fn model(seed: u64) -> Model {
    Sequential::new([13, 11, 1])
        .add(Conv2D::new(9, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(17, (3, 3)).padding(Same).activation(Relu))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(33).activation(Relu))
        .add(Dense::new(5).activation(Softmax))
        .seed(seed)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

/// Weights, scores and predictions after three epochs on this many threads, as bits.
fn train(threads: usize, seed: u64) -> (Vec<u32>, Vec<u64>, Vec<u32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let (mut model, dataset) = (model(seed), dataset());
        let config = FitConfig::new().epochs(3).batch_size(37).validation_data(&dataset).verbose(0);
        let history: History = model.fit(&dataset, config).unwrap();
        let weights = model.get_weights();
        let weights = weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect();
        let validation = history.epochs.iter().filter_map(|epoch| epoch.validation.as_ref());
        let scores = history.losses().into_iter().chain(validation.map(|scores| scores.loss)).map(f64::to_bits);
        let predictions = model.predict(&dataset.images()).unwrap();
        (weights, scores.collect(), predictions.iter().map(|value| value.to_bits()).collect())
    })
}

#[test]
fn one_two_three_and_seven_threads_give_the_same_bits() {
    let one = train(1, 42);
    for threads in [2, 3, 7] {
        assert!(train(threads, 42) == one, "{threads} threads");
    }
}

/// Weights, loss and predictions after three steps, for every kind of layer in the table of cases.
#[test]
fn every_layer_gives_the_same_bits_on_any_number_of_threads() {
    const IMAGES: usize = 37;
    let labels: Vec<usize> = (0..IMAGES).map(|n| n % 3).collect();
    for case in KINDS.iter().flat_map(|kind| (0..6).map(|seed| kind.case(seed))) {
        let train = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let described = model_of(&case);
                let mut model =
                    described.compile(Adam::new(0.01), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap();
                let images = inputs(&case, IMAGES);
                let losses: Vec<u64> =
                    (0..3).map(|_| model.train_on_batch(&images, &labels).unwrap().loss.to_bits()).collect();
                let predictions = model.predict(&images).unwrap();
                let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
                let weights = model.get_weights().into_iter().flat_map(|weight| weight.values).collect();
                (losses, bits(weights), bits(predictions.iter().copied().collect()))
            })
        };
        let one = train(1);
        for threads in [2, 3, 7] {
            assert!(train(threads) == one, "{threads} threads, {case:?}");
        }
    }
}

#[test]
fn another_seed_gives_other_weights() {
    assert_ne!(train(2, 42).0, train(2, 43).0);
}

#[test]
fn a_seed_that_was_drawn_can_be_used_again() {
    let drawn = Sequential::new([3]).add(Dense::new(2).activation(Softmax));
    let compile = |model: Sequential| {
        model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
    };
    let first = compile(drawn.clone());
    let second = compile(drawn.clone().seed(first.seed()));
    assert_eq!(first.get_weights(), second.get_weights());
    assert_ne!(compile(drawn).seed(), first.seed());
}

/// All buffers of an optimizer, norms of single variables or of all, and averages of weights, on a model of some
/// pieces.
#[test]
fn clipping_by_norm_and_averages_give_the_same_bits_on_any_number_of_threads() {
    let train = |threads: usize, optimizer: &Optimizer| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = Sequential::new([13, 11, 1])
                .add(Flatten::new())
                .add(Dense::new(257).activation(Relu))
                .add(Dense::new(5).activation(Softmax))
                .seed(42)
                .compile(optimizer.clone(), SparseCategoricalCrossentropy::default(), [])
                .unwrap();
            model.fit(&dataset(), FitConfig::new().epochs(2).batch_size(37).verbose(0)).unwrap();
            let weights = model.get_weights();
            weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect::<Vec<_>>()
        })
    };
    let rms_prop = || RmsProp::new(1e-3).centered(true).momentum(0.5).use_ema(true);
    for optimizer in [rms_prop().global_clipnorm(0.1), rms_prop().clipnorm(0.05)] {
        let one = train(1, &optimizer);
        for threads in [2, 3, 7] {
            assert!(train(threads, &optimizer) == one, "{threads} threads, {optimizer:?}");
        }
    }
}
