//! Parts and orders of a data set: that images keep their labels, that nothing is lost or doubled, and that training
//! sees just what `images` shows.

use inkstone::data::{Normalization, to_categorical};
use inkstone::prelude::*;
use ndarray::{Array2, Array4, Axis, array};

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
    assert_eq!(numbers(&shuffled.take(20).unwrap()), order[..20]);
    let batches: Vec<Vec<usize>> = shuffled.take(20).unwrap().batch(8).unwrap().map(|batch| numbers(&batch)).collect();
    assert_eq!(batches, [&order[..8], &order[8..16], &order[16..20]]);
    assert_eq!(numbers(&shuffled.take(20).unwrap().take(5).unwrap()), order[..5]);
    let mut again = numbers(&shuffled.take(20).unwrap().shuffle(4));
    again.sort_unstable();
    let mut expected = order[..20].to_vec();
    expected.sort_unstable();
    assert_eq!(again, expected);
}

#[test]
fn selected_skipped_and_filtered_examples_keep_their_labels() {
    let shuffled = numbered(50).shuffle(3);
    let order = numbers(&shuffled);
    assert_eq!(numbers(&shuffled.skip(20).unwrap()), order[20..]);
    assert_eq!(numbers(&shuffled.skip(0).unwrap()), order);
    assert_eq!(numbers(&shuffled.skip(20).unwrap().take(7).unwrap().skip(3).unwrap()), order[23..27]);
    assert_eq!(numbers(&shuffled.skip(10).unwrap().select(&[3, 0, 3]).unwrap()), [order[13], order[10], order[13]]);
    let even = shuffled.skip(1).unwrap().filter(|example| example.image()[[0, 0, 0]] % 2.0 == 0.0).unwrap();
    assert_eq!(numbers(&even), order[1..].iter().copied().filter(|n| n % 2 == 0).collect::<Vec<_>>());
    let ones = shuffled.filter(|example| example.label() == Some(1)).unwrap();
    assert_eq!(ones.class_counts(), [0, 17]);
    numbers(&ones);
}

#[test]
fn examples_are_those_of_the_part_one_by_one() {
    let part = numbered(20).shuffle(3).skip(5).unwrap();
    let expected = numbers(&part);
    assert_eq!(part.iter().len(), 15);
    for (place, example) in part.iter().enumerate() {
        assert_eq!((example.index(), example.label()), (place, Some(expected[place] % 3)));
        assert_eq!(example.image(), part.images().index_axis(Axis(0), place));
        assert_eq!(example.features(), part.table().row(place));
        assert!(example.values().is_none());
    }
    assert_eq!(part.into_iter().map(|example| example.image()[[0, 0, 0]] as usize).collect::<Vec<_>>(), expected);
    assert!(part.get(15).is_none() && part.get(usize::MAX).is_none());
}

#[test]
fn data_sets_put_together_have_the_examples_of_both_as_the_model_sees_them() {
    let dataset = numbered(30).shuffle(1);
    let (first, second) = (dataset.skip(4).unwrap().take(9).unwrap(), dataset.skip(20).unwrap());
    let both = first.concatenate(&second).unwrap();
    assert_eq!(numbers(&both), [numbers(&first), numbers(&second)].concat());
    // Bytes, scaled and floats with each other.
    let bytes = Dataset::from_bytes(Array4::from_shape_fn((4, 2, 3, 1), |(n, ..)| 60 * n as u8), vec![0; 4]).unwrap();
    let scaled = bytes.rescale(2.0, -1.0).unwrap();
    for (first, second) in [(&bytes, &bytes), (&bytes, &scaled), (&scaled, &first), (&second, &bytes)] {
        let both = first.shuffle(2).concatenate(&second.skip(1).unwrap()).unwrap();
        let (left, right) = (first.shuffle(2).images(), second.skip(1).unwrap().images());
        assert_eq!(both.images(), ndarray::concatenate![Axis(0), left, right]);
        assert_eq!(both.len(), first.len() + second.len() - 1);
    }
}

#[test]
fn data_sets_that_differ_are_not_put_together() {
    let error = |first: &Dataset, second: &Dataset| first.concatenate(second).unwrap_err().to_string();
    let (images, table) = (numbered(3), Dataset::from_table(array![[1.0, 2.0]], vec![0]).unwrap());
    assert_eq!(
        error(&images, &table),
        "data sets are put together if their examples have one shape, got (2, 3, 1) and (2)"
    );
    let values = |values: Array2<f32>| Dataset::from_table_and_values(array![[1.0, 2.0]], values).unwrap();
    let (one, two) = (values(array![[1.0]]), values(array![[1.0, 2.0]]));
    let expected =
        |first, second| format!("data sets are put together if their targets are alike, got {first} and {second}");
    assert_eq!(error(&table, &one), expected("classes", "rows of 1 values"));
    assert_eq!(error(&one, &two), expected("rows of 1 values", "rows of 2 values"));
    let both = table.with_values(array![[1.0]]).unwrap();
    assert_eq!(error(&one, &both), expected("rows of 1 values", "classes with rows of 1 values"));
    assert_eq!(both.concatenate(&both).unwrap().values(), Some(array![[1.0], [1.0]].view()));
}

#[test]
fn parts_that_would_be_empty_are_refused() {
    let dataset = numbered(6);
    let text = |result: inkstone::Result<Dataset>| result.unwrap_err().to_string();
    let expected = "count of `take` must be at least 1, as a data set is never empty, got 0";
    assert_eq!(text(dataset.take(0)), expected);
    for count in [6, 7, usize::MAX] {
        let expected = format!("count of `skip` must be less than the number of examples, got {count} of 6");
        assert_eq!(text(dataset.skip(count)), expected);
    }
    let expected = "`select` takes from 1 to 268435456 indices, as a data set is never empty, got 0";
    assert_eq!(text(dataset.select(&[])), expected);
    let expected = "indices of `select` must be from 0 to 5, as there are 6 examples, got 6 at index 1";
    assert_eq!(text(dataset.select(&[0, 6])), expected);
    // A part ends where it ends, whatever is stored behind it.
    assert!(dataset.take(3).unwrap().select(&[3]).is_err());
    let expected = "`filter` must keep at least one example, as a data set is never empty, got none of 6";
    assert_eq!(text(dataset.filter(|_| false)), expected);
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
    assert_eq!(error, "0.01 of each class, rounded, leaves a part empty: the largest class has 3 examples");
}

#[test]
fn labels_that_no_model_could_have_are_refused() {
    let error = Dataset::from_bytes(Array4::zeros((2, 1, 1, 1)), vec![0, usize::MAX]).unwrap_err().to_string();
    assert_eq!(error, format!("labels must be from 0 to 268435455, got {} at index 1", usize::MAX));
}

#[test]
fn batches_of_no_images_are_refused() {
    let error = numbered(3).batch(0).err().unwrap().to_string();
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
        let batches: Vec<Dataset> = numbered(10).batch(size).unwrap().collect();
        assert_eq!(batches.len(), count, "size {size}");
        assert_eq!(batches.iter().flat_map(numbers).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }
}

/// Training on a view gives the same bits as training on a copy of what it shows.
#[test]
fn training_on_a_view_is_training_on_its_images() {
    let bytes = Array4::from_shape_fn((60, 4, 4, 1), |(n, y, x, _)| (n * 37 + y * 11 + x * 5) as u8);
    let whole = Dataset::from_bytes(bytes, (0..60).map(|n| n % 3).collect()).unwrap();
    let view = whole.shuffle(1).take(40).unwrap().split(0.8, 2).unwrap().0;
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

/// A small model for images of 2 rows and 3 columns.
fn model() -> inkstone::Model {
    Sequential::new([2, 3, 1])
        .add(Flatten::new())
        .add(Dense::new(3).activation(Softmax))
        .seed(1)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])
        .unwrap()
}

#[test]
fn arrays_are_taken_as_data_sets_are() {
    let bytes = Array4::from_shape_fn((30, 2, 3, 1), |(n, y, x, _)| (n * 37 + y * 11 + x * 5) as u8);
    let labels: Vec<usize> = (0..30).map(|n| n % 3).collect();
    let dataset = Dataset::from_bytes(bytes.clone(), labels.clone()).unwrap();
    let floats = dataset.images();
    let config = || FitConfig::new().epochs(2).batch_size(7).verbose(0);
    let [mut one, mut two, mut three] = [model(), model(), model()];
    one.fit(&dataset, config().validation_data(&dataset)).unwrap();
    two.fit((&bytes, &labels), config().validation_data((&floats, &labels))).unwrap();
    three.fit((floats.view(), &labels[..]), config().validation_data((bytes.view(), &labels))).unwrap();
    assert_eq!(one.get_weights(), two.get_weights());
    assert_eq!(one.get_weights(), three.get_weights());
    let scores = one.evaluate(&dataset).unwrap();
    assert_eq!(one.evaluate((&bytes, &labels)).unwrap(), scores);
    assert_eq!(one.evaluate((&floats, &labels)).unwrap(), scores);
    let outputs = one.predict(&dataset).unwrap();
    assert_eq!(one.predict(&bytes).unwrap(), outputs);
    assert_eq!(one.predict(floats.view()).unwrap(), outputs);
    // Predictions come in the data set's order.
    let shuffled = dataset.shuffle(1);
    assert_eq!(one.predict(&shuffled).unwrap(), one.predict(&shuffled.images()).unwrap());
}

#[test]
fn arrays_that_no_data_set_could_hold_are_refused() {
    let images = Array4::<u8>::zeros((2, 2, 3, 1));
    let text = |images: &Array4<u8>, labels: &[usize]| model().evaluate((images, labels)).unwrap_err().to_string();
    let expected = "there must be at least one image and one label for each, got 2 images and 3 labels";
    assert_eq!(text(&images, &[0, 0, 0]), expected);
    let error = model().fit((&images, &[0; 3]), FitConfig::new()).unwrap_err().to_string();
    assert_eq!(error, expected);
    let none = Array4::zeros((0, 2, 3, 1));
    assert!(text(&none, &[]).ends_with("got 0 images and 0 labels"));
    assert_eq!(text(&images, &[0, 3]), "labels must be from 0 to 2, as the model has 3 outputs, got 3 at index 1");
    let mut floats = Array4::<f32>::zeros((2, 2, 3, 1));
    floats[[1, 0, 2, 0]] = f32::NAN;
    let error = model().fit((&floats, &[0, 0]), FitConfig::new()).unwrap_err().to_string();
    assert_eq!(error, "images must be finite, got NaN at (1, 0, 2, 0) (N, H, W, C)");
    let error = model().fit(&numbered(2), FitConfig::new().validation_data((&images, &[0; 1]))).unwrap_err();
    assert!(error.to_string().ends_with("got 2 images and 1 labels"));
}

#[test]
fn map_keeps_order_and_labels_and_sees_what_the_model_sees() {
    let dataset = numbered(50).shuffle(2).take(30).unwrap();
    let doubled = dataset.map(|image| image.mapv(|value| value * 2.0)).unwrap();
    assert_eq!(doubled.labels(), dataset.labels());
    assert_eq!(doubled.images(), dataset.images() * 2.0);
    let cropped = dataset.map(|image| image.select(Axis(0), &[0])).unwrap();
    assert_eq!(cropped.shape(), [1, 3, 1].into());
}

#[test]
fn map_refuses_results_of_different_shapes_and_values_that_are_none() {
    let dataset = numbered(9);
    let error = dataset.map(|image| ndarray::Array3::zeros((1, if image[[0, 0, 0]] > 4.0 { 2 } else { 1 }, 1)));
    assert_eq!(
        error.unwrap_err().to_string(),
        "`map` must give images of one shape, got (1, 1, 1) for image 0 and (1, 2, 1) for image 5"
    );
    let error = dataset.map(|_| ndarray::Array3::zeros((0, 1, 1))).unwrap_err().to_string();
    assert_eq!(error, "`map` must give images with at least one value on every axis, got (0, 1, 1)");
    let error = dataset.map(|image| image.mapv(|value| 1.0 / (value - 3.0))).unwrap_err().to_string();
    assert!(error.starts_with("images must be finite, got inf at ("), "{error}");
}

/// Two channels, so that each has a mean and a variance of its own.
fn coloured() -> Dataset {
    let images = Array4::from_shape_fn((50, 2, 2, 2), |(n, y, x, c)| ((n * 31 + y * 7 + x * 3) % 100 + 100 * c) as u8);
    Dataset::from_bytes(images, vec![0; 50]).unwrap()
}

#[test]
fn normalization_gives_the_training_set_mean_zero_and_variance_one_in_every_channel() {
    let train = coloured();
    let normalization = Normalization::adapt(&train);
    let images = normalization.apply(&train).unwrap().images();
    for channel in images.axis_iter(Axis(3)) {
        let mean = channel.iter().sum::<f32>() / channel.len() as f32;
        let variance = channel.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / channel.len() as f32;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "mean {mean}, variance {variance}");
    }
    // Another set is brought to the training set's scale, not to its own.
    let test = normalization.apply(&train.take(7).unwrap()).unwrap().images();
    assert_eq!(test, images.select(Axis(0), &[0, 1, 2, 3, 4, 5, 6]));
    let error = normalization.apply(&numbered(3)).unwrap_err().to_string();
    assert_eq!(error, "the normalization was adapted to images of 2 channels, got (2, 3, 1)");
}

#[test]
fn scalings_add_up_and_stay_with_every_view() {
    let twice = coloured().rescale(2.0, -1.0).unwrap().rescale(0.5, 3.0).unwrap();
    let expected = coloured().images().mapv(|value| value + 2.5);
    assert!((twice.images() - &expected).iter().all(|difference| difference.abs() < 1e-6));
    assert_eq!(twice.take(3).unwrap().shuffle(1).shuffle(1).len(), 3);
    let shuffled = (twice.shuffle(1).images(), coloured().shuffle(1).images().mapv(|value| value + 2.5));
    assert!((shuffled.0 - shuffled.1).iter().all(|difference| difference.abs() < 1e-6));
    let error = coloured().rescale(f32::NAN, 0.0).unwrap_err().to_string();
    assert_eq!(error, "scale must be a finite number, got NaN");
    let huge = coloured().rescale(f32::MAX, 0.0).unwrap().rescale(2.0, 0.0).unwrap_err().to_string();
    assert_eq!(huge, "the scalings multiply to more than an f32 can hold");
}

#[test]
fn training_on_a_scaled_view_is_training_on_its_images() {
    let scaled = Normalization::adapt(&numbered(40)).apply(&numbered(40)).unwrap().shuffle(1).take(30).unwrap();
    let copy = Dataset::from_floats(scaled.images(), scaled.labels().to_vec()).unwrap();
    let train = |dataset: &Dataset| {
        let mut model = model();
        model.fit(dataset, FitConfig::new().epochs(2).batch_size(8).verbose(0)).unwrap();
        model.get_weights()
    };
    assert_eq!(train(&scaled), train(&copy));
}

#[test]
fn one_hot_rows_are_refused_for_labels_out_of_range() {
    let error = to_categorical(&[0, 3], 3).unwrap_err().to_string();
    assert_eq!(error, "labels must be below the number of classes, 3, got 3 at index 1");
    let error = to_categorical(&[0, 0], usize::MAX).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("one-hot labels may have at most 268435456 values, got 2 labels of {} classes", usize::MAX)
    );
}

#[test]
fn every_oddity_is_reported_once_with_its_place_in_the_view() {
    // Images 0 and 3 are alike, under one label; 1 and 4 under two; 2 is empty; 5 is like none.
    let values = [[1, 2], [3, 4], [7, 7], [1, 2], [3, 4], [9, 8]];
    let images = Array4::from_shape_fn((6, 1, 2, 1), |(n, _, x, _)| values[n][x] as u8);
    let dataset = Dataset::from_bytes(images, vec![0, 1, 0, 0, 3, 9]).unwrap();
    let odd = dataset.oddities(5);
    assert_eq!(odd.empty, [2]);
    assert_eq!((&odd.duplicates[..], &odd.contradictions[..]), (&[(0, 3)][..], &[(1, 4)][..]));
    assert_eq!((&odd.out_of_range[..], &odd.missing[..]), (&[5][..], &[2, 4][..]));
    assert_eq!(
        odd.to_string(),
        "images of one value: 1 (2)\nexact duplicates: 1 (3 as 0)\nthe same image under another label: 1 (4 as 1)\n\
         labels out of range: 1 (5)\nclasses without an image: 2 (2, 4)"
    );
    let floats = Dataset::from_floats(dataset.images(), dataset.labels().to_vec()).unwrap();
    assert_eq!(floats.oddities(5), odd);
    assert_eq!(dataset.take(2).unwrap().oddities(2).to_string(), "nothing is odd");
    let unique = dataset.shuffle(3).remove_duplicates();
    assert_eq!(unique.len(), 4);
    assert!(unique.oddities(10).duplicates.is_empty() && unique.oddities(10).contradictions.is_empty());
}

#[test]
fn long_lists_of_oddities_are_cut_short_in_print_only() {
    let odd = Dataset::from_bytes(Array4::zeros((9, 1, 1, 1)), vec![0; 9]).unwrap().oddities(1);
    assert_eq!((odd.empty.len(), odd.duplicates.len()), (9, 8));
    assert_eq!(
        odd.to_string(),
        "images of one value: 9 (0, 1, 2, 3, 4, ...)\nexact duplicates: 8 (1 as 0, 2 as 0, 3 as 0, 4 as 0, 5 as 0, ...)"
    );
}
