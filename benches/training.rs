//! The Keras example's CNN: a training step, an evaluation and a prediction, on images that need no files.
//!
//! `cargo bench` runs it; `cargo bench -- --test` runs everything once.

use divan::{Bencher, black_box, counter::ItemsCount};
use inkstone::Model;
use inkstone::prelude::*;
use ndarray::Array4;

fn main() {
    divan::main();
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

#[divan::bench(args = [32, 128])]
fn a_training_step(bencher: Bencher<'_, '_>, batch: usize) {
    let (mut model, images, labels) = (model(), images(batch), labels(batch));
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let scores = model.train_on_batch(black_box(&images), &labels).expect("the loss stays finite");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench]
fn b_evaluate_1000(bencher: Bencher<'_, '_>) {
    let mut model = model();
    let dataset = Dataset::from_floats(images(1000), labels(1000)).expect("there is a label for each image");
    bencher.counter(ItemsCount::new(1000_usize)).bench_local(|| {
        let scores = model.evaluate(black_box(&dataset)).expect("the images fit the model");
        assert!(scores.loss.is_finite());
    });
}

#[divan::bench(args = [1, 1000])]
fn c_predict(bencher: Bencher<'_, '_>, count: usize) {
    let (mut model, images) = (model(), images(count));
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let sum = model.predict(black_box(&images)).expect("the images fit the model").sum();
        assert!((sum - count as f32).abs() < 1e-3 * count as f32, "probabilities sum to 1");
    });
}
