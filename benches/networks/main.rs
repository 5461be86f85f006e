//! Whole networks, as users train and run them: a training step at two batch sizes, a forward pass of one image and of 10,000,
//! and a step whose moments have shrunk. `cargo bench --bench networks` runs it in less than a minute.
//!
//! An item is an image. One image goes through one thread, many through all.

#[expect(unreachable_pub, reason = "benches/peers/inkstone shares the file")]
mod models;
#[expect(unreachable_pub, reason = "benches/peers/inkstone shares the file")]
mod normalized;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use inkstone::Model;
use models::{image, network, random_images};
use ndarray::Array4;

fn main() {
    divan::main();
}

const NETWORKS: [&str; 4] = ["cnn", "mlp", "vgg", "resnet"];

/// Each network with each of two numbers of images.
fn networks_with(counts: [usize; 2]) -> impl Iterator<Item = (&'static str, usize)> {
    NETWORKS.into_iter().flat_map(move |name| counts.map(|count| (name, count)))
}

fn model(name: &str) -> Model {
    network(name).expect("a network of the list compiles")
}

/// Random images for a network, from 0 to 1.
fn images(name: &str, count: usize) -> Array4<f32> {
    random_images(name, count).mapv(|byte| f32::from(byte) / 255.0)
}

fn labels(count: usize) -> Vec<usize> {
    (0..count).map(|n| n % 10).collect()
}

#[divan::bench(args = networks_with([32, 128]), sample_count = 30)]
fn a_training_step(bencher: Bencher<'_, '_>, (name, batch): (&str, usize)) {
    let (mut model, images, labels) = (model(name), images(name, batch), labels(batch));
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench(args = NETWORKS)]
fn b_predict_one(bencher: Bencher<'_, '_>, name: &str) {
    let (predictor, images) = (model(name).into_predictor(), images(name, 1));
    let (mut scratch, mut output) = (predictor.scratch(), vec![0.0; predictor.classes()]);
    bencher.bench_local(|| {
        predictor.predict_into(black_box(&images), &mut scratch, &mut output).expect("the image fits the model");
        let sum: f32 = output.iter().sum();
        assert!((sum - 1.0).abs() < 1e-3, "probabilities sum to 1");
    });
}

#[divan::bench(args = NETWORKS, sample_count = 5, sample_size = 1)]
fn c_predict_10000(bencher: Bencher<'_, '_>, name: &str) {
    let (model, images) = (model(name), images(name, 10_000));
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let sum = model.predict(black_box(&images)).expect("the images fit the model").sum();
        assert!((sum / 10_000.0 - 1.0).abs() < 1e-3, "probabilities sum to 1");
    });
}

/// What Adam remembers of weights that get no gradients.
#[derive(Clone, Copy, Debug)]
enum Moments {
    /// They never got any.
    Zero,
    /// They got some once, and their moments have shrunk since, to subnormal numbers if nothing stops that.
    Shrunk,
}

/// A step on black images, which give the first layer's kernel no gradients. Both cases take as long, unless arithmetic on
/// subnormal numbers slows the optimizer down.
#[divan::bench(args = [Moments::Zero, Moments::Shrunk])]
fn d_step_without_gradients(bencher: Bencher<'_, '_>, moments: Moments) {
    let [height, width, channels] = image("mlp");
    let (mut model, labels) = (model("mlp"), labels(1));
    let black = Array4::<f32>::zeros((1, height, width, channels));
    if let Moments::Shrunk = moments {
        model.train_on_batch(&images("mlp", 1), &labels).expect("the loss stays finite");
        // 0.9 to this power is below the smallest normal number.
        for _ in 0..1000 {
            model.train_on_batch(&black, &labels).expect("the loss stays finite");
        }
    }
    bencher.bench_local(|| {
        let scores = model.train_on_batch(black_box(&black), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}
