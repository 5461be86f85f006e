//! The engine from its parts to an epoch, on images that need no files. `cargo bench` runs it in about three minutes,
//! `cargo bench -- --test` runs everything once.
//!
//! Where a rate is given in items, an item is a floating-point operation (`a_`, `b_forward_of`,
//! `b_training_step`), an image (`c_` to `f_`, `h_` to `j_`) or a byte (`g_`). A convolution counts the operations of
//! the plain sum, so the way with fewer multiplications may pass the peak.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use fearless_simd::{Level, Simd, SimdBase, SimdFloat, dispatch};
use inkstone::data::{Augment, synthetic};
use inkstone::prelude::*;
use inkstone::{Model, data::idx};
use ndarray::{Array2, Array4};
use std::time::Instant;

fn main() {
    divan::main();
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        print_percent_of_peak();
    }
}

/// The closing table: how near the layers come to what one core can do.
fn print_percent_of_peak() {
    let level = Level::new();
    let lanes = dispatch!(level, simd => lanes(simd));
    let seconds =
        median_seconds(|| assert!(dispatch!(level, simd => multiply_adds(simd, black_box(COUNT))).is_finite()));
    let peak = (COUNT * 12 * lanes * 2) as f64 / seconds / 1e9;
    println!("\n| forward on 8 images, one core | time | GFLOP/s | of the peak |\n| --- | --- | --- | --- |");
    println!("| multiply-adds in registers | | {peak:.0} | 100 % |");
    for (side, channels, filters, kernel) in LAYERS {
        let (model, images, operations) = layer(side, channels, filters, kernel);
        let seconds = median_seconds(|| {
            let sum = model.predict(black_box(&images)).expect("the images fit the model").sum();
            assert!(sum.is_finite());
        });
        let rate = operations as f64 / seconds / 1e9;
        let (time, percent) = (seconds * 1e6, 100.0 * rate / peak);
        println!(
            "| {kernel}x{kernel}, {channels} to {filters}, {side}x{side} | {time:.1} µs | {rate:.0} | {percent:.0} % |"
        );
    }
    print_percent_of_peak_in_training(peak);
}

/// The closing table's second part: whole training steps where nearly every gradient is other than zero. The fastest of
/// a hundred runs counts, as they are so long that whatever else the machine does interrupts most of them.
fn print_percent_of_peak_in_training(peak: f64) {
    println!("\n| training step on 32 images, one core | time | GFLOP/s | of the peak |\n| --- | --- | --- | --- |");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    for (side, channels, filters, kernel) in LAYERS_WITHOUT_RELU {
        let (mut model, images, targets, operations) = layer_without_relu(side, channels, filters, kernel);
        let seconds = pool.install(|| {
            sorted_seconds(|| {
                let scores = model.train_on_batch(black_box(&images), &targets).expect("the loss stays finite");
                assert!(scores.loss.is_finite());
            })[0]
        });
        let rate = operations as f64 / seconds / 1e9;
        let (time, percent) = (seconds * 1e6, 100.0 * rate / peak);
        println!(
            "| {kernel}x{kernel}, {channels} to {filters}, {side}x{side} | {time:.1} µs | {rate:.0} | {percent:.0} % |"
        );
    }
}

/// The median of a hundred runs.
fn median_seconds(work: impl FnMut()) -> f64 {
    sorted_seconds(work)[50]
}

/// How long each of a hundred runs took, the fastest first.
fn sorted_seconds(mut work: impl FnMut()) -> Vec<f64> {
    let mut seconds: Vec<f64> = (0..100)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// Multiply-adds for each of twelve sums.
const COUNT: usize = 100_000;

/// Multiply-adds on registers alone: what one core can do at the most.
#[inline(always)]
fn multiply_adds<S: Simd>(simd: S, count: usize) -> f32 {
    let (factor, term) = (S::f32s::splat(simd, black_box(0.5)), S::f32s::splat(simd, black_box(1.0)));
    let mut sums = [term; 12];
    for _ in 0..count {
        for sum in &mut sums {
            *sum = sum.mul_add(factor, term);
        }
    }
    sums.iter().map(|sum| sum.as_slice().iter().sum::<f32>()).sum()
}

#[divan::bench]
fn a_peak_of_one_core(bencher: Bencher<'_, '_>) {
    let level = Level::new();
    let lanes = dispatch!(level, simd => lanes(simd));
    bencher.counter(ItemsCount::new(COUNT * 12 * lanes * 2)).bench(|| {
        let sum = dispatch!(level, simd => multiply_adds(simd, black_box(COUNT)));
        assert!(sum.is_finite());
    });
}

fn lanes<S: Simd>(_simd: S) -> usize {
    S::f32s::LEN
}

/// Image side, channels, filters, kernel side.
type LayerSizes = (usize, usize, usize, usize);
const LAYERS: [LayerSizes; 6] =
    [(28, 1, 32, 3), (13, 32, 64, 3), (13, 32, 64, 5), (32, 64, 64, 3), (16, 128, 128, 3), (1, 576, 64, 1)];

/// One layer, a chunk of eight images for it, so that one thread works, and the floating-point operations of the plain
/// sum.
fn layer(side: usize, channels: usize, filters: usize, kernel: usize) -> (Model, Array4<f32>, usize) {
    let model = Sequential::new([side, side, channels])
        .add(Conv2D::new(filters, (kernel, kernel)).activation(Relu))
        .add(Flatten::new())
        .seed(1)
        .compile(Sgd::default(), SparseCategoricalCrossentropy::default().from_logits(true), [])
        .expect("one layer compiles");
    let images = Array4::from_shape_fn((8, side, side, channels), |(n, y, x, c)| ((n + y * 3 + x * 5 + c) % 7) as f32);
    let out = side - kernel + 1;
    (model, images, 2 * 8 * out * out * filters * kernel * kernel * channels)
}

#[divan::bench(args = LAYERS)]
fn b_forward_of_a_layer(bencher: Bencher<'_, '_>, (side, channels, filters, kernel): LayerSizes) {
    let (model, images, operations) = layer(side, channels, filters, kernel);
    bencher.counter(ItemsCount::new(operations)).bench_local(|| {
        let sum = model.predict(black_box(&images)).expect("the images fit the model").sum();
        assert!(sum.is_finite());
    });
}

/// A training step on 32 images of a 1x1 convolution, the layer, and a dense one: forward and backward, with the
/// layer's input gradients.
#[divan::bench(args = LAYERS)]
fn b_forward_and_backward_of_a_layer(bencher: Bencher<'_, '_>, (side, channels, filters, kernel): LayerSizes) {
    let mut model = Sequential::new([side, side, channels])
        .add(Conv2D::new(channels, (1, 1)))
        .add(Conv2D::new(filters, (kernel, kernel)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Sgd::default(), SparseCategoricalCrossentropy::default(), [])
        .expect("the layers compile");
    let images =
        Array4::from_shape_fn((32, side, side, channels), |(n, y, x, c)| ((n + y * 3 + x * 5 + c) % 7) as f32 / 7.0);
    let labels = labels(32);
    bencher.counter(ItemsCount::new(32_usize)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

const LAYERS_WITHOUT_RELU: [LayerSizes; 4] = [(14, 32, 64, 3), (8, 64, 128, 3), (14, 64, 256, 1), (1, 512, 512, 1)];

/// One layer without an activation behind a small one that trains too, so that its input gradients are found; images
/// and targets for four chunks; and the floating-point operations of the plain sums, forward and backward.
fn layer_without_relu(
    side: usize,
    channels: usize,
    filters: usize,
    kernel: usize,
) -> (Model, Array4<f32>, Array2<f32>, usize) {
    let model = Sequential::new([side, side, 1])
        .add(Conv2D::new(channels, (1, 1)))
        .add(Conv2D::new(filters, (kernel, kernel)))
        .add(Flatten::new())
        .seed(1)
        .compile(Sgd::new(1e-3), MeanSquaredError, [])
        .expect("two layers compile");
    let out = side - kernel + 1;
    let images = Array4::from_shape_fn((32, side, side, 1), |(n, y, x, _)| ((n + y * 3 + x * 5) % 7) as f32 / 7.0);
    let targets = Array2::from_shape_fn((32, out * out * filters), |(n, value)| ((n + value) % 5) as f32 / 5.0);
    (model, images, targets, 3 * 2 * 32 * out * out * filters * kernel * kernel * channels)
}

#[divan::bench(args = LAYERS_WITHOUT_RELU)]
fn b_training_step_without_relu(bencher: Bencher<'_, '_>, (side, channels, filters, kernel): LayerSizes) {
    let (mut model, images, targets, operations) = layer_without_relu(side, channels, filters, kernel);
    bencher.counter(ItemsCount::new(operations)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &targets).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

fn model() -> Model {
    Sequential::new([28, 28, 1])
        .add(Conv2D::new(32, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(MaxPooling2D::new((2, 2)))
        .add(Conv2D::new(64, (3, 3)).activation(Relu))
        .add(Flatten::new())
        .add(Dense::new(64).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .expect("the Keras example compiles")
}

/// Strokes on a dark ground, as in MNIST: about a fifth of the pixels is not zero.
fn images(count: usize) -> Array4<f32> {
    Array4::from_shape_fn((count, 28, 28, 1), |(n, y, x, _)| {
        let stroke = (y + n % 7).abs_diff(x + n % 3) < 3 && (4..24).contains(&y);
        if stroke { (n * 31 + y * 17 + x * 7) as f32 % 97.0 / 97.0 } else { 0.0 }
    })
}

fn labels(count: usize) -> Vec<usize> {
    (0..count).map(|n| n % 10).collect()
}

#[divan::bench(args = [1, 4, 16, 32, 128, 1024])]
fn c_training_step(bencher: Bencher<'_, '_>, batch: usize) {
    let (mut model, images, labels) = (model(), images(batch), labels(batch));
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn d_epoch_of_60000(bencher: Bencher<'_, '_>) {
    let mut model = model();
    let dataset = synthetic::digits(60_000, 0).expect("the count is in range");
    bencher.counter(ItemsCount::new(60_000_usize)).bench_local(|| {
        let history = model.fit(black_box(&dataset), FitConfig::new().verbose(0)).expect("the loss stays finite");
        assert!(history.losses()[0].is_finite());
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn d_epoch_of_60000_augmented(bencher: Bencher<'_, '_>) {
    let mut model = model();
    let dataset = synthetic::digits(60_000, 0).expect("the count is in range");
    let augment = Augment::new().shift(2).rotate(10.0).zoom(0.1).shear(5.0).elastic(1.0, 6.0);
    bencher.counter(ItemsCount::new(60_000_usize)).bench_local(|| {
        let config = FitConfig::new().augment(augment).verbose(0);
        let history = model.fit(black_box(&dataset), config).expect("the loss stays finite");
        assert!(history.losses()[0].is_finite());
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn d_draw_70000_digits(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(70_000_usize)).bench_local(|| {
        let (train, test) = synthetic::load_data(black_box(0)).expect("it cannot fail");
        assert_eq!(train.class_counts().len() + test.class_counts().len(), 20);
    });
}

#[divan::bench]
fn e_evaluate_10000(bencher: Bencher<'_, '_>) {
    let model = model();
    let dataset = synthetic::digits(10_000, 0).expect("the count is in range");
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let scores = model.evaluate(black_box(&dataset)).expect("the images fit the model");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench(args = [1, 1000])]
fn f_predict(bencher: Bencher<'_, '_>, count: usize) {
    let (model, images) = (model(), images(count));
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let sum = model.predict(black_box(&images)).expect("the images fit the model").sum();
        assert!((sum - count as f32).abs() < 1e-3 * count as f32, "probabilities sum to 1");
    });
}

#[divan::bench]
fn g_read_idx_of_10000(bencher: Bencher<'_, '_>) {
    let mut file = vec![0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0, 28, 0, 0, 0, 28];
    file.extend(images(10_000).iter().map(|pixel| (pixel * 255.0) as u8));
    bencher.counter(BytesCount::new(file.len())).bench(|| {
        let array = idx::read(black_box(&file[..]), "images").expect("the file is whole");
        assert_eq!(array.shape(), [10_000, 28, 28]);
    });
}

#[divan::bench(args = [1, 2])]
fn h_training_step_on_threads(bencher: Bencher<'_, '_>, threads: usize) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let (mut model, images, labels) = (model(), images(128), labels(128));
    bencher.counter(ItemsCount::new(128_usize)).bench_local(|| {
        let scores = pool.install(|| model.train_on_batch(black_box(&images), &labels)).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

/// A training step of two convolutions on images of one channel.
fn step_of_two_convolutions(bencher: Bencher<'_, '_>, side: usize, channels: usize) {
    let conv = || Conv2D::new(channels, (3, 3)).padding(Same).activation(Relu);
    let mut model = Sequential::new([side, side, 1])
        .add(conv())
        .add(conv())
        .add(MaxPooling2D::new((2, 2)))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Softmax))
        .seed(1)
        .compile(Sgd::default(), SparseCategoricalCrossentropy::default(), [])
        .expect("two convolutions compile");
    let images = Array4::from_shape_fn((32, side, side, 1), |(n, y, x, _)| ((n + y * 3 + x * 5) % 7) as f32 / 7.0);
    let labels = labels(32);
    bencher.counter(ItemsCount::new(32_usize)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench(args = [14, 28, 56, 112], sample_count = 20)]
fn i_training_step_by_image_side(bencher: Bencher<'_, '_>, side: usize) {
    step_of_two_convolutions(bencher, side, 32);
}

#[divan::bench(args = [8, 16, 32, 64, 128, 256], sample_count = 20)]
fn j_training_step_by_channels(bencher: Bencher<'_, '_>, channels: usize) {
    step_of_two_convolutions(bencher, 14, channels);
}
