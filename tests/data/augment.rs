//! Augmentation: what it changes and what it leaves, that it repeats whatever the number of threads, and that only
//! training sees it.

use inkstone::data::{Augment, Flip};
use inkstone::prelude::*;
use ndarray::{Array3, Array4, ArrayView3, Axis};
use std::collections::BTreeMap;

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

/// The settings that there were before flips, crops, brightness and contrast.
fn earlier() -> Augment {
    Augment::new().shift(2).rotate(10.0).zoom(0.1).shear(5.0).elastic(1.0, 6.0).noise(0.05).erase(0.5, 0.1)
}

fn everything() -> Augment {
    earlier().flip(Flip::HorizontalAndVertical).crop(2).brightness(0.1).contrast(0.2).value_range(-0.5, 1.5)
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
        (Augment::new().crop(1_000_001), "crop must be from 0 to 1000000 pixels, got 1000001"),
        (Augment::new().crop(usize::MAX), &format!("crop must be from 0 to 1000000 pixels, got {}", usize::MAX as f64)),
        (Augment::new().brightness(1.5), "brightness must be from 0 to 1, got 1.5"),
        (Augment::new().brightness(f64::NAN), "brightness must be from 0 to 1, got NaN"),
        (Augment::new().contrast(-0.1), "contrast must be from 0 to 1, got -0.1"),
        (
            Augment::new().value_range(1, 0),
            "value_range must be from a lower to a higher number, both from -1000000 to 1000000, got from 1 to 0",
        ),
        (
            Augment::new().value_range(0, f64::INFINITY),
            "value_range must be from a lower to a higher number, both from -1000000 to 1000000, got from 0 to inf",
        ),
        (
            Augment::new().brightness(0.1).value_range(f64::NAN, 1),
            "value_range must be from a lower to a higher number, both from -1000000 to 1000000, got from NaN to 1",
        ),
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

/// A checksum of bits: [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv) of 64 bits.
fn checksum(images: &Array4<f32>) -> u64 {
    let bytes = images.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A scene without symmetry, in floats: no two pixels of a channel are alike.
fn scenes(count: usize, height: usize, width: usize, channels: usize) -> Dataset {
    let value = |(n, y, x, c): (usize, usize, usize, usize)| {
        let place = ((n * height + y) * width + x) * channels + c;
        (place * 7919 % (count * height * width * channels)) as f32 / (count * height * width * channels) as f32
    };
    Dataset::from_floats(Array4::from_shape_fn((count, height, width, channels), value), vec![0; count]).unwrap()
}

#[test]
fn a_seed_gives_the_bits_it_gave_when_there_were_fewer_settings() {
    // Without sine, cosine and logarithm, whose last bit depends on the platform; erasing rounds to whole pixels.
    let images = scenes(5, 9, 7, 2).augment(&Augment::new().shift(2).zoom(0.2), 8).unwrap().images();
    assert_eq!(checksum(&images), 0xd1e1_d987_96dc_d15d);
    let images = scenes(5, 9, 7, 2).augment(&Augment::new().shift(2).zoom(0.2).erase(0.5, 0.3), 8).unwrap().images();
    assert_eq!(checksum(&images), 0x21cc_3c46_c651_063d);
}

#[test]
fn settings_written_by_an_earlier_version_are_read() {
    let text = r#"{"shift":2.0,"rotate":0.0,"zoom":0.0,"shear":0.0,"elastic":{"deviation":0.0,"spacing":0.0},
        "noise":0.0,"erase":{"probability":0.5,"area":0.1}}"#;
    assert_eq!(serde_json::from_str::<Augment>(text).unwrap(), Augment::new().shift(2).erase(0.5, 0.1));
    let text = serde_json::to_string(&everything()).unwrap();
    assert_eq!(serde_json::from_str::<Augment>(&text).unwrap(), everything());
}

/// An image, (H, W, C), with the order on these axes reversed.
fn mirrored<'a>(mut image: ArrayView3<'a, f32>, axes: &[usize]) -> ArrayView3<'a, f32> {
    axes.iter().for_each(|axis| image.invert_axis(Axis(*axis)));
    image
}

#[test]
fn newer_settings_do_not_change_what_the_older_ones_draw() {
    let more = |augment: Augment| augment.flip(Flip::Vertical).crop(1).contrast(0.3);
    let black = Dataset::from_bytes(Array4::zeros((20, 9, 7, 2)), vec![0; 20]).unwrap();
    let noise = Augment::new().noise(0.1);
    assert_eq!(black.augment(&more(noise), 3).unwrap().images(), black.augment(&noise, 3).unwrap().images());
    let white = Dataset::from_bytes(Array4::from_elem((20, 9, 7, 2), 255), vec![0; 20]).unwrap();
    let erase = Augment::new().noise(0.1).erase(0.5, 0.3);
    assert_eq!(
        white.augment(&erase.flip(Flip::Horizontal).contrast(0.3), 3).unwrap().images(),
        white.augment(&erase, 3).unwrap().images()
    );
    let scenes = scenes(20, 9, 7, 2);
    let shifted = scenes.augment(&Augment::new().shift(2), 3).unwrap().images();
    let flipped = scenes.augment(&Augment::new().shift(2).flip(Flip::Vertical), 3).unwrap().images();
    for (flipped, shifted) in flipped.outer_iter().zip(shifted.outer_iter()) {
        assert!(flipped == shifted || flipped == mirrored(shifted, &[0]), "shifted alike, then mirrored or not");
    }
}

#[test]
fn flips_are_exact_mirrors_each_with_probability_one_half() {
    let scenes = scenes(400, 5, 4, 2);
    let mirrors: [(&str, &[usize]); 4] =
        [("as it was", &[]), ("horizontal", &[1]), ("vertical", &[0]), ("both", &[0, 1])];
    for (flip, possible) in [
        (Flip::Horizontal, vec!["as it was", "horizontal"]),
        (Flip::Vertical, vec!["as it was", "vertical"]),
        (Flip::HorizontalAndVertical, vec!["as it was", "both", "horizontal", "vertical"]),
    ] {
        let images = scenes.augment(&Augment::new().flip(flip), 1).unwrap().images();
        let mut counts = BTreeMap::new();
        for (image, old) in images.outer_iter().zip(scenes.images().outer_iter()) {
            let (name, _) = mirrors.iter().find(|(_, axes)| mirrored(old, axes) == image).expect("a mirror image");
            *counts.entry(*name).or_insert(0) += 1;
        }
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), possible, "{flip:?}");
        // Within four standard deviations of the binomial distribution.
        let share = 1.0 / possible.len() as f64;
        let (mean, deviation) = (400.0 * share, (400.0 * share * (1.0 - share)).sqrt());
        assert!(counts.values().all(|n| (f64::from(*n) - mean).abs() < 4.0 * deviation), "{flip:?}: {counts:?}");
    }
}

/// An image moved by whole pixels, zeros around it.
fn moved(image: ArrayView3<'_, f32>, down: isize, right: isize) -> Array3<f32> {
    Array3::from_shape_fn(image.raw_dim(), |(y, x, c)| {
        let from = y.checked_add_signed(-down).zip(x.checked_add_signed(-right));
        from.and_then(|(y, x)| image.get((y, x, c))).copied().unwrap_or(0.0)
    })
}

#[test]
fn crops_move_by_whole_pixels_each_window_as_often_and_zeros_move_in() {
    // No value is 0, so that every move is another image.
    let scenes = scenes(1000, 4, 6, 2).rescale(1.0, 0.5).unwrap();
    let images = scenes.augment(&Augment::new().crop(2), 1).unwrap().images();
    let mut counts = BTreeMap::new();
    for (image, old) in images.outer_iter().zip(scenes.images().outer_iter()) {
        let windows = (-2..=2).flat_map(|down| (-2..=2).map(move |right| (down, right)));
        let found: Vec<_> = windows.filter(|(down, right)| moved(old, *down, *right) == image).collect();
        let [window] = found[..] else { panic!("{found:?}") };
        *counts.entry(window).or_insert(0) += 1;
    }
    // 40 on average, with a deviation of 6.2.
    assert_eq!(counts.len(), 25, "{counts:?}");
    assert!(counts.values().all(|n| (15..=65).contains(n)), "{counts:?}");
}

#[test]
fn a_crop_wider_than_the_image_leaves_zeros() {
    let white = Dataset::from_bytes(Array4::from_elem((50, 3, 2, 1), 255), vec![0; 50]).unwrap();
    let images = white.augment(&Augment::new().crop(1_000_000), 1).unwrap().images();
    assert!(images.iter().all(|value| *value == 0.0));
}

/// Whether these numbers are uniform from `mean - limit` to `mean + limit`, by their range, mean and variance.
#[track_caller]
fn assert_uniform(numbers: &[f32], mean: f32, limit: f32) {
    let n = numbers.len() as f32;
    let average = numbers.iter().sum::<f32>() / n;
    let variance = numbers.iter().map(|number| (number - average).powi(2)).sum::<f32>() / n;
    let farthest = numbers.iter().map(|number| (number - mean).abs()).fold(0.0, f32::max);
    let expected = limit * limit / 3.0;
    assert!((0.97 * limit..1.0001 * limit).contains(&farthest), "{farthest} from {mean} at most");
    assert!((average - mean).abs() < 4.0 * (expected / n).sqrt(), "a mean of {average}");
    assert!((variance / expected - 1.0).abs() < 0.15, "a variance of {variance}, not {expected}");
}

#[test]
fn brightness_adds_one_uniform_amount_to_an_image() {
    let scenes = scenes(500, 5, 4, 3);
    for (augment, limit) in [
        (Augment::new().brightness(0.2), 0.2),
        (Augment::new().brightness(1), 1.0),
        (Augment::new().brightness(0.2).value_range(-20, 30), 10.0),
    ] {
        let images = scenes.augment(&augment, 1).unwrap().images();
        let difference = &images - &scenes.images();
        let amounts: Vec<f32> = difference.outer_iter().map(|image| image[(0, 0, 0)]).collect();
        for (image, amount) in difference.outer_iter().zip(&amounts) {
            assert!(image.iter().all(|value| (value - amount).abs() < 1e-5), "{augment:?}");
        }
        assert_uniform(&amounts, 0.0, limit);
    }
}

#[test]
fn contrast_scales_an_image_by_one_uniform_factor_around_each_channels_mean() {
    let scenes = scenes(500, 5, 4, 3);
    for limit in [0.3, 1.0] {
        let images = scenes.augment(&Augment::new().contrast(limit), 1).unwrap().images();
        let centred = |images: &Array4<f32>| {
            let mean = images.mean_axis(Axis(2)).unwrap().mean_axis(Axis(1)).unwrap();
            images - &mean.insert_axis(Axis(1)).insert_axis(Axis(1))
        };
        let (new, old) = (centred(&images), centred(&scenes.images()));
        let mut factors = Vec::new();
        for (new, old) in new.outer_iter().zip(old.outer_iter()) {
            let factor = (&new * &old).sum() / (&old * &old).sum();
            assert!(new.iter().zip(old).all(|(new, old)| (new - factor * old).abs() < 1e-5));
            factors.push(factor);
        }
        assert_uniform(&factors, 1.0, limit as f32);
        let moved = (images - new) - (scenes.images() - old);
        assert!(moved.iter().all(|value| value.abs() < 1e-5), "the means stay");
    }
}

#[test]
fn brightness_and_contrast_clip_to_the_value_range_only_where_there_is_one() {
    let scenes = scenes(50, 5, 4, 1);
    for augment in [Augment::new().brightness(0.5), Augment::new().contrast(1)] {
        let free = scenes.augment(&augment, 1).unwrap().images();
        assert!(free.iter().any(|value| *value < 0.0) && free.iter().any(|value| *value > 1.0), "{augment:?}");
        let clipped = scenes.augment(&augment.value_range(0, 1), 1).unwrap().images();
        assert_eq!(clipped, free.mapv(|value| value.clamp(0.0, 1.0)), "{augment:?}");
    }
    assert_eq!(scenes.augment(&Augment::new().value_range(0.4, 0.6), 1).unwrap().images(), scenes.images());
}
