//! Drawn digits: that they repeat by their seed, have MNIST's form, and are good enough to learn handwriting from.

use crate::common_keras_example::keras_example;
use inkstone::data::{mnist, synthetic};
use inkstone::prelude::*;
use ndarray::Axis;

fn drawn_on(threads: usize) -> Vec<f32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| synthetic::digits(500, 42).unwrap().images().into_iter().collect())
}

#[test]
fn one_two_and_five_threads_draw_the_same() {
    let one = drawn_on(1);
    assert!(drawn_on(2) == one && drawn_on(5) == one);
}

#[test]
fn a_longer_set_begins_as_a_shorter_one() {
    let (long, short) = (synthetic::digits(300, 1).unwrap(), synthetic::digits(100, 1).unwrap());
    assert_eq!(long.take(100).unwrap().images(), short.images());
    assert_eq!(long.take(100).unwrap().labels(), short.labels());
}

#[test]
fn another_seed_draws_other_digits() {
    let [one, other] = [1, 2].map(|seed| synthetic::digits(50, seed).unwrap().images());
    assert!(one.axis_iter(Axis(0)).zip(other.axis_iter(Axis(0))).all(|(one, other)| one != other));
}

#[test]
fn classes_are_balanced_and_no_image_repeats_or_is_empty() {
    let (train, test) = synthetic::load_data(3).unwrap();
    for (set, expected) in [(&train, 6000), (&test, 1000)] {
        let counts = set.class_counts();
        assert!(counts.len() == 10 && counts.iter().all(|count| count.abs_diff(expected) < expected / 8), "{counts:?}");
    }
    assert!(train.oddities(10).is_empty(), "{}", train.oddities(10));
}

/// MNIST's makers fitted digits into 20x20 pixels, and put their centre of mass at the pixel (14, 14) of 28x28.
#[test]
fn digits_fit_a_box_of_20_and_are_centred_by_mass() {
    let digits = synthetic::digits(2000, 4).unwrap();
    for image in digits.images().axis_iter(Axis(0)) {
        let (mut mass, mut y_sum, mut x_sum) = (0.0, 0.0, 0.0);
        let (mut rows, mut columns) = ((28, 0), (28, 0));
        for ((y, x, _), value) in image.indexed_iter().filter(|(_, value)| **value > 0.0) {
            mass += value;
            y_sum += y as f32 * value;
            x_sum += x as f32 * value;
            rows = (rows.0.min(y), rows.1.max(y));
            columns = (columns.0.min(x), columns.1.max(x));
        }
        let (height, width) = (rows.1 + 1 - rows.0, columns.1 + 1 - columns.0);
        assert!(height.max(width) <= 20 && height.max(width) >= 18, "{height} x {width}");
        let centre = (y_sum / mass, x_sum / mass);
        assert!((centre.0 - 14.0).abs() < 0.52 && (centre.1 - 14.0).abs() < 0.52, "{centre:?}");
    }
}

#[test]
fn counts_out_of_range_are_refused() {
    for count in [0, 342_393, usize::MAX] {
        let error = synthetic::digits(count, 0).unwrap_err().to_string();
        assert_eq!(error, format!("count must be from 1 to 342392, got {count}"));
    }
}

/// What the documentation promises of learning from drawn digits only.
#[test]
#[ignore = "trains for half a minute, and needs the MNIST folder in INKSTONE_DATA: cargo test --test synthetic -- --ignored"]
fn a_network_that_has_seen_drawn_digits_only_reads_handwriting() {
    let folder = std::env::var_os("INKSTONE_DATA").expect("INKSTONE_DATA must be the MNIST folder");
    let (_, test) = mnist::load_from(folder).unwrap();
    let accuracies = [1, 2, 3].map(|seed| {
        let (train, _) = synthetic::load_data(seed).unwrap();
        let mut model = keras_example()
            .seed(seed)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
            .unwrap();
        model.fit(&train, FitConfig::new().epochs(4).verbose(0)).unwrap();
        model.evaluate(&test).unwrap().accuracy().unwrap()
    });
    println!("accuracy on the real test images: {accuracies:?}");
    assert!(accuracies.iter().sum::<f64>() / 3.0 >= 0.95, "{accuracies:?}");
}
