//! Augmentation: what it changes and what it leaves, that it repeats whatever the number of threads, and that only training
//! sees it.

use inkstone::data::Augment;
use inkstone::prelude::*;
use ndarray::Array4;

/// A bright bar in the middle of each image, on black.
fn bars(count: usize) -> Dataset {
    let bar = |(_, y, x, _): (usize, usize, usize, usize)| {
        if (6..22).contains(&y) && (12..16).contains(&x) { 255 } else { 0 }
    };
    Dataset::from_bytes(Array4::from_shape_fn((count, 28, 28, 1), bar), (0..count).map(|n| n % 3).collect()).unwrap()
}

/// The centre of mass of an image: (y, x).
fn centre(images: &Array4<f32>, image: usize) -> (f32, f32) {
    let (mut mass, mut y_sum, mut x_sum) = (0.0, 0.0, 0.0);
    for ((_, y, x, _), value) in images.indexed_iter().filter(|((n, ..), _)| *n == image) {
        mass += value;
        y_sum += y as f32 * value;
        x_sum += x as f32 * value;
    }
    (y_sum / mass, x_sum / mass)
}

fn mass(images: &Array4<f32>, image: usize) -> f32 {
    images.index_axis(ndarray::Axis(0), image).sum()
}

#[test]
fn no_settings_change_nothing() {
    assert_eq!(bars(5).augment(&Augment::new(), 1).unwrap().images(), bars(5).images());
}

#[test]
fn shifts_move_up_to_their_limit_both_ways() {
    let images = bars(200).augment(&Augment::new().shift(3), 1).unwrap().images();
    let (middle_y, middle_x) = centre(&bars(1).images(), 0);
    let moved: Vec<(f32, f32)> =
        (0..200).map(|n| centre(&images, n)).map(|(y, x)| (y - middle_y, x - middle_x)).collect();
    for axis in [moved.iter().map(|(y, _)| *y).collect::<Vec<_>>(), moved.iter().map(|(_, x)| *x).collect()] {
        let (low, high) =
            (axis.iter().copied().fold(f32::MAX, f32::min), axis.iter().copied().fold(f32::MIN, f32::max));
        assert!((-3.01..-2.7).contains(&low) && (2.7..3.01).contains(&high), "from {low} to {high}");
        assert!(axis.iter().sum::<f32>().abs() / 200.0 < 0.4, "no way is preferred");
    }
}

#[test]
fn rotations_shears_and_zooms_keep_the_middle_and_turn_slant_or_grow_the_bar() {
    let whole = mass(&bars(1).images(), 0);
    for (augment, least, most) in [
        (Augment::new().rotate(45.0), 0.95, 1.05),
        (Augment::new().shear(30.0), 0.95, 1.05),
        (Augment::new().zoom(0.2), 0.6, 1.5),
    ] {
        let images = bars(50).augment(&augment, 2).unwrap().images();
        for n in 0..50 {
            let (y, x) = centre(&images, n);
            assert!((y - 13.5).abs() < 0.1 && (x - 13.5).abs() < 0.1, "{augment:?} moved the middle to {y} {x}");
            let grown = mass(&images, n) / whole;
            assert!((least..most).contains(&grown), "{augment:?} grew it {grown} times");
        }
        assert_ne!(images, bars(50).images());
    }
}

#[test]
fn elastic_distortion_bends_without_tearing() {
    let images = bars(50).augment(&Augment::new().elastic(1.5, 7.0), 3).unwrap().images();
    let whole = mass(&bars(1).images(), 0);
    for n in 0..50 {
        let grown = mass(&images, n) / whole;
        assert!((0.5..2.0).contains(&grown), "image {n} grew {grown} times");
    }
    assert_ne!(images, bars(50).images());
    assert!(images.iter().all(|value| (0.0..=1.0).contains(value)));
}

#[test]
fn noise_has_its_deviation() {
    let black = Dataset::from_bytes(Array4::zeros((20, 28, 28, 1)), vec![0; 20]).unwrap();
    let images = black.augment(&Augment::new().noise(0.1), 4).unwrap().images();
    let variance = images.iter().map(|value| value * value).sum::<f32>() / images.len() as f32;
    assert!((variance.sqrt() - 0.1).abs() < 0.003, "{}", variance.sqrt());
}

#[test]
fn erasing_takes_one_rectangle_out_of_as_many_images_as_it_should() {
    let white = Dataset::from_bytes(Array4::from_elem((400, 20, 20, 1), 255), vec![0; 400]).unwrap();
    let images = white.augment(&Augment::new().erase(0.5, 0.25), 5).unwrap().images();
    let erased: Vec<f32> = (0..400).map(|n| 1.0 - mass(&images, n) / 400.0).collect();
    let hit = erased.iter().filter(|part| **part > 0.0).count();
    assert!((160..240).contains(&hit), "{hit} of 400");
    assert!(erased.iter().all(|part| *part < 0.28), "rounding adds little to a quarter");
    for n in 0..400 {
        let black: Vec<(usize, usize)> = images
            .indexed_iter()
            .filter(|((i, ..), v)| *i == n && **v == 0.0)
            .map(|((_, y, x, _), _)| (y, x))
            .collect();
        let rows = black.iter().map(|(y, _)| y).collect::<std::collections::BTreeSet<_>>().len();
        let columns = black.iter().map(|(_, x)| x).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(black.len(), rows * columns, "image {n} lost a rectangle");
    }
}

fn everything() -> Augment {
    Augment::new().shift(2).rotate(10.0).zoom(0.1).shear(5.0).elastic(1.0, 6.0).noise(0.05).erase(0.5, 0.1)
}

#[test]
fn images_of_any_size_and_channels_are_taken() {
    for (height, width, channels) in [(1, 1, 1), (1, 7, 2), (9, 2, 3), (28, 28, 1)] {
        let images = Array4::from_shape_fn((4, height, width, channels), |(n, y, x, c)| (n + y * 3 + x * 5 + c) as u8);
        let dataset = Dataset::from_bytes(images, vec![0; 4]).unwrap();
        let varied = dataset.augment(&everything().elastic(1.0, 2.0), 6).unwrap();
        assert_eq!(varied.shape(), dataset.shape());
    }
}

fn train(threads: usize, seed: u64, augment: Option<Augment>) -> (Vec<inkstone::Weight>, f64) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut model = Sequential::new([28, 28, 1])
            .add(Conv2D::new(4, (3, 3)).activation(Relu))
            .add(Flatten::new())
            .add(Dense::new(3).activation(Softmax))
            .seed(seed)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
            .unwrap();
        let mut config = FitConfig::new().epochs(2).batch_size(13).verbose(0);
        config.augment = augment;
        model.fit(&bars(50), config).unwrap();
        let loss = model.evaluate(&bars(50)).unwrap().loss;
        (model.get_weights(), loss)
    })
}

#[test]
fn training_repeats_on_any_number_of_threads() {
    let one = train(1, 7, Some(everything()));
    for threads in [2, 3, 7] {
        assert!(train(threads, 7, Some(everything())) == one, "{threads} threads");
    }
    assert_ne!(train(2, 7, None).0, one.0);
    assert_eq!(train(2, 7, Some(Augment::new())).0, train(2, 7, None).0, "no settings change nothing");
}

#[test]
fn validation_sees_images_as_they_are() {
    let mut model = Sequential::new([28, 28, 1])
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .compile(Sgd::new(1e-30), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap();
    let before = model.evaluate(&bars(40)).unwrap().loss;
    let config = FitConfig::new().augment(everything()).verbose(0);
    let history = model.fit(&bars(40), config.validation_data(&bars(40))).unwrap();
    let epoch = &history.epochs[0];
    assert_eq!(epoch.validation.as_ref().unwrap().loss, before);
    assert!((epoch.training.loss - before).abs() > 1e-4, "training saw other images");
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let cases = [
        (Augment::new().shift(-1), "shift must be from 0 to 1000000 pixels, got -1"),
        (Augment::new().rotate(f64::NAN), "rotate must be from 0 to 180 degrees, got NaN"),
        (Augment::new().zoom(1.0), "zoom must be from 0 to 0.9, got 1"),
        (Augment::new().shear(90.0), "shear must be from 0 to 80 degrees, got 90"),
        (Augment::new().elastic(-1.0, 5.0), "the deviation of `elastic` must be from 0 to 1000000 pixels, got -1"),
        (Augment::new().elastic(1.0, 1.5), "the spacing of `elastic` must be from 2 to 1000000 pixels, got 1.5"),
        (Augment::new().noise(f64::INFINITY), "noise must be from 0 to 1000000, got inf"),
        (Augment::new().erase(1.5, 0.1), "the probability of `erase` must be from 0 to 1, got 1.5"),
        (Augment::new().erase(0.5, -0.1), "the area of `erase` must be from 0 to 1, got -0.1"),
    ];
    for (augment, expected) in cases {
        assert_eq!(bars(1).augment(&augment, 0).unwrap_err().to_string(), expected);
        let mut model = Sequential::new([28, 28, 1])
            .add(Flatten::new())
            .add(Dense::new(3).activation(Softmax))
            .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default(), [])
            .unwrap();
        let error = model.fit(&bars(1), FitConfig::new().augment(augment).verbose(0)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
