//! Parts and orders of a data set: that images keep their labels, that nothing is lost or doubled, and that training sees
//! just what `images` shows.

use inkstone::prelude::*;
use ndarray::{Array4, Axis};

/// Images whose pixels tell their number, and labels that follow from it.
fn numbered(count: usize) -> Dataset {
    let images = Array4::from_shape_fn((count, 2, 3, 1), |(n, y, x, _)| (n + y + 2 * x) as f32);
    Dataset::from_floats(images, (0..count).map(|n| n % 3).collect()).unwrap()
}

/// The numbers of a data set's images, after a look at their labels.
fn numbers(dataset: &Dataset) -> Vec<usize> {
    let images = dataset.images();
    assert_eq!(images.dim().0, dataset.len());
    let number = |image: ndarray::ArrayView3<'_, f32>| image[[0, 0, 0]] as usize;
    let numbers: Vec<usize> = images.axis_iter(Axis(0)).map(number).collect();
    assert_eq!(numbers.iter().map(|n| n % 3).collect::<Vec<_>>(), dataset.labels());
    numbers
}

#[test]
fn shuffling_keeps_every_image_with_its_label() {
    let shuffled = numbered(100).shuffle(7);
    let mut all = numbers(&shuffled);
    assert!(!all.is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[test]
fn shuffles_repeat_by_their_seed() {
    let dataset = numbered(100);
    assert_eq!(numbers(&dataset.shuffle(1)), numbers(&dataset.shuffle(1)));
    assert_ne!(numbers(&dataset.shuffle(1)), numbers(&dataset.shuffle(2)));
}

#[test]
fn parts_of_parts_of_a_shuffle_are_those_of_its_order() {
    let shuffled = numbered(50).shuffle(3);
    let order = numbers(&shuffled);
    assert_eq!(numbers(&shuffled.take(20)), order[..20]);
    let batches: Vec<Vec<usize>> = shuffled.take(20).batches(8).unwrap().map(|batch| numbers(&batch)).collect();
    assert_eq!(batches, [&order[..8], &order[8..16], &order[16..20]]);
    assert_eq!(numbers(&shuffled.take(20).take(5)), order[..5]);
    let mut again = numbers(&shuffled.take(20).shuffle(4));
    again.sort_unstable();
    let mut expected = order[..20].to_vec();
    expected.sort_unstable();
    assert_eq!(again, expected);
}

#[test]
fn a_split_takes_its_fraction_of_every_class() {
    let (train, validation) = numbered(90).split(0.7, 5).unwrap();
    assert_eq!((train.class_counts(), validation.class_counts()), (vec![21; 3], vec![9; 3]));
    let mut all = numbers(&train);
    assert!(all.is_sorted());
    all.extend(numbers(&validation));
    all.sort_unstable();
    assert_eq!(all, (0..90).collect::<Vec<_>>());
    assert_ne!(numbers(&train), numbers(&numbered(90).split(0.7, 6).unwrap().0));
}

#[test]
fn a_split_by_no_fraction_is_refused() {
    for fraction in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
        let error = numbered(9).split(fraction, 0).unwrap_err().to_string();
        assert_eq!(error, format!("fraction must be between 0 and 1, got {fraction}"));
    }
}

#[test]
fn a_split_that_leaves_a_part_empty_is_refused() {
    let error = numbered(9).split(0.01, 0).unwrap_err().to_string();
    assert_eq!(error, "0.01 of each class, rounded, leaves a part empty: the largest class has 3 images");
}

#[test]
fn labels_that_no_model_could_have_are_refused() {
    let error = Dataset::from_bytes(Array4::zeros((2, 1, 1, 1)), vec![0, usize::MAX]).unwrap_err().to_string();
    assert_eq!(error, format!("labels must be from 0 to 268435455, got {} at index 1", usize::MAX));
}

#[test]
fn batches_of_no_images_are_refused() {
    let error = numbered(3).batches(0).err().unwrap().to_string();
    assert_eq!(error, "size must be at least 1, got 0");
}

#[test]
fn class_counts_reach_to_the_highest_label() {
    let dataset = Dataset::from_bytes(Array4::zeros((4, 1, 1, 1)), vec![0, 3, 3, 0]).unwrap();
    assert_eq!(dataset.class_counts(), [2, 0, 0, 2]);
}

#[test]
fn batches_of_any_size_cover_the_data_set() {
    for (size, count) in [(1, 10), (3, 4), (10, 1), (usize::MAX, 1)] {
        let batches: Vec<Dataset> = numbered(10).batches(size).unwrap().collect();
        assert_eq!(batches.len(), count, "size {size}");
        assert_eq!(batches.iter().flat_map(numbers).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }
}

/// Training on a view gives the same bits as training on a copy of what it shows.
#[test]
fn training_on_a_view_is_training_on_its_images() {
    let bytes = Array4::from_shape_fn((60, 4, 4, 1), |(n, y, x, _)| (n * 37 + y * 11 + x * 5) as u8);
    let whole = Dataset::from_bytes(bytes, (0..60).map(|n| n % 3).collect()).unwrap();
    let view = whole.shuffle(1).take(40).split(0.8, 2).unwrap().0;
    let copy = Dataset::from_floats(view.images(), view.labels().to_vec()).unwrap();
    let train = |dataset: &Dataset| {
        let mut model = Sequential::new([4, 4, 1])
            .add(Conv2D::new(4, (3, 3)).activation(Relu))
            .add(Flatten::new())
            .add(Dense::new(3).activation(Softmax))
            .seed(1)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
            .unwrap();
        model.fit(dataset, FitConfig::new().epochs(3).batch_size(7).verbose(0)).unwrap();
        (model.get_weights(), model.evaluate(dataset).unwrap().loss)
    };
    assert_eq!(train(&view), train(&copy));
}
