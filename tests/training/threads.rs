//! Batches that are cut into many shares: any number of threads gives the same bits, whoever works on which share, and
//! wherever gradients are summed over the whole batch.

use inkstone::prelude::*;
use inkstone::{Model, Optimizer};
use ndarray::{Array2, Array4, ArrayD, Axis, Slice};

const THREADS: [usize; 6] = [2, 3, 5, 8, 16, 64];

/// Images that have something to be learned; their number leaves a smaller batch at the end.
fn dataset() -> Dataset {
    let pixel = |(n, y, x, _): (usize, usize, usize, usize)| (n * 37 + y * (n % 5) * 11 + x * 29 + n * x * y) as u8;
    let images = Array4::from_shape_fn((203, 13, 11, 1), pixel);
    Dataset::from_bytes(images, (0..203).map(|n| n % 5).collect()).unwrap()
}

fn compile(model: Sequential, optimizer: impl Into<Optimizer>) -> Model {
    model.seed(42).compile(optimizer, SparseCategoricalCrossentropy::default(), [Accuracy]).unwrap()
}

fn cnn() -> Model {
    let model = Sequential::new([13, 11, 1])
        .add(Conv2D::new(16, (3, 3)).activation(Relu))
        .add(Conv2D::new(33, (3, 3)).padding(Same).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Dropout::new(0.3))
        .add(Flatten::new())
        .add(Dense::new(65).activation(Relu))
        .add(Dense::new(5).activation(Softmax));
    compile(model, Adam::default())
}

/// Two kernels whose gradients are summed over the whole batch: their rows end within vectors, and within pieces.
fn mlp(optimizer: impl Into<Optimizer>) -> Model {
    let model = Sequential::new([13, 11, 1])
        .add(Flatten::new())
        .add(Dense::new(513).activation(Relu))
        .add(Dense::new(301).activation(Tanh))
        .add(Dense::new(5).activation(Softmax));
    compile(model, optimizer)
}

/// The bits of losses and weights after two epochs.
fn train(threads: usize, batch_size: usize, model: &Model) -> (Vec<u64>, Vec<u32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let (mut model, dataset) = (model.clone(), dataset());
        let counts: Vec<f32> = (0..203).map(|n| 0.5 + (n % 3) as f32).collect();
        let config = FitConfig::new().epochs(2).batch_size(batch_size).sample_weight(&counts);
        let history = model.fit(&dataset, config.validation_data(&dataset).verbose(0)).unwrap();
        let validation = history.epochs.iter().filter_map(|epoch| epoch.validation.as_ref());
        let losses = history.losses().into_iter().chain(validation.map(|scores| scores.loss)).map(f64::to_bits);
        let weights = model.get_weights();
        (
            losses.collect(),
            weights.iter().flat_map(|weight| weight.values.iter().map(|value| value.to_bits())).collect(),
        )
    })
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let models = [
        cnn(),
        mlp(Adam::default()),
        mlp(AdamW::new(1e-3).clipnorm(0.05).use_ema(true)),
        mlp(Sgd::new(0.1).momentum(0.9).global_clipnorm(0.1)),
        mlp(RmsProp::new(1e-3).clipvalue(1e-3)),
    ];
    for (place, model) in models.iter().enumerate() {
        for batch_size in [32, 150] {
            let one = train(1, batch_size, model);
            for threads in THREADS {
                assert!(
                    train(threads, batch_size, model) == one,
                    "model {place}, batch {batch_size}, {threads} threads"
                );
            }
        }
    }
}

/// A batch of so many examples that they go in rounds has the gradients of its parts.
#[test]
fn gradients_of_a_batch_in_rounds_are_the_mean_of_those_of_its_parts() {
    // A round has at most 8192.
    const EXAMPLES: usize = 20_003;
    let model = Sequential::new([3]).add(Dense::new(1500).activation(Relu)).add(Dense::new(2)).seed(1);
    let mut model = model.compile(Sgd::new(0.1), MeanSquaredError, []).unwrap();
    let value = |n: usize| (n * 7919 % 2003) as f32 / 1000.0 - 1.0;
    let images = Array4::from_shape_fn((EXAMPLES, 1, 1, 3), |(n, _, _, c)| value(n * 3 + c));
    let targets = Array2::from_shape_fn((EXAMPLES, 2), |(n, c)| value(n + c));
    let (scores, whole) = model.gradients(&images, &targets).unwrap();
    let mut means: Vec<ArrayD<f64>> = whole.iter().map(|g| ArrayD::zeros(g.values.shape())).collect();
    let mut loss = 0.0;
    for start in (0..EXAMPLES).step_by(5000) {
        let end = (start + 5000).min(EXAMPLES);
        let rows = Slice::from(start..end);
        let part = (end - start) as f64 / EXAMPLES as f64;
        let (images, targets) = (images.slice_axis(Axis(0), rows), targets.slice_axis(Axis(0), rows));
        let (scores, gradients) = model.gradients(images, targets).unwrap();
        loss += part * scores.loss;
        means
            .iter_mut()
            .zip(&gradients)
            .for_each(|(mean, g)| mean.zip_mut_with(&g.values, |m, g| *m += part * f64::from(*g)));
    }
    assert!((scores.loss - loss).abs() < 1e-9 * loss, "{} and {loss}", scores.loss);
    for (gradient, mean) in whole.iter().zip(&means) {
        let largest = mean.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        for (found, expected) in gradient.values.iter().zip(mean) {
            assert!((f64::from(*found) - expected).abs() < 2e-6 * largest, "{}: {found}, {expected}", gradient.name);
        }
    }
}
