//! Data sets whose targets are images.

use inkstone::Dataset;
use inkstone::data::Values;
use ndarray::{Array1, Array4, array};

fn images(count: usize) -> Array4<u8> {
    Array4::from_shape_fn((count, 2, 3, 1), |(n, y, x, _)| (n * 50 + y * 3 + x) as u8)
}

#[test]
fn images_take_the_place_of_values_and_leave_the_labels() {
    let dataset = Dataset::from_bytes(images(4), vec![3, 1, 2, 0]).unwrap();
    assert!(dataset.target_images().is_none() && dataset.get(0).unwrap().target_image().is_none());
    let targets = Array4::from_shape_fn((4, 2, 2, 1), |(n, y, x, _)| (n * 60 + y * 5 + x) as u8);
    let with = dataset.with_values(targets.clone()).unwrap();
    assert_eq!((with.labels(), with.values()), (dataset.labels(), None));
    let found = with.target_images().unwrap();
    assert_eq!((found.shape().to_string(), found.labels().len()), ("(2, 2, 1)".into(), 0));
    assert_eq!(found.images(), targets.mapv(|byte| f32::from(byte) / 255.0));
    let last = with.shuffle(1).filter(|example| example.label() == Some(0)).unwrap();
    assert_eq!(last.get(0).unwrap().target_image().unwrap(), found.get(3).unwrap().image());
    // Rows take the place of images again.
    let rows = with.skip(1).unwrap().with_values(vec![1.0, 2.0, 3.0]).unwrap();
    assert_eq!((rows.values(), rows.target_images().is_none()), (Some(array![[1.0], [2.0], [3.0]].view()), true));
}

#[test]
fn target_images_are_put_together() {
    let (first, second) = (Dataset::from_bytes(images(2), vec![0; 2]), Dataset::from_bytes(images(3), vec![1; 3]));
    let (first, second) = (first.unwrap(), second.unwrap());
    let [first_own, second_own] = [&first, &second].map(|dataset| dataset.with_values(dataset).unwrap());
    let both = first_own.concatenate(&second_own).unwrap();
    assert_eq!(both.target_images().unwrap().images(), both.images());
    assert_eq!(
        first_own.concatenate(&second).unwrap_err().to_string(),
        "data sets are put together if their targets are alike, got classes with images of (2, 3, 1) and classes"
    );
}

#[test]
fn the_same_image_with_another_target_image_is_a_contradiction() {
    let same = Array4::from_shape_fn((3, 1, 2, 1), |(_, _, x, _)| x as u8);
    let targets = Array4::from_shape_fn((3, 1, 2, 1), |(n, _, x, _)| (n / 2 + x) as u8);
    let odd = Dataset::from_bytes_and_values(same, targets).unwrap().oddities(2);
    assert_eq!((odd.duplicates, odd.contradictions), (vec![(0, 1)], vec![(0, 2)]));
}

#[test]
fn target_images_that_do_not_fit_are_refused() {
    let dataset = Dataset::from_bytes(images(4), vec![0; 4]).unwrap();
    let refusal = |values: Values| dataset.with_values(values).unwrap_err().to_string();
    assert_eq!(
        refusal(images(3).into()),
        "there must be one target image for each image, got 4 images of (2, 3, 1) and 3 target images of (2, 3, 1)"
    );
    assert_eq!(
        refusal(Array4::<f32>::zeros((4, 2, 0, 1)).into()),
        "images must have at least one value on every axis (N, H, W, C), got (4, 2, 0, 1)"
    );
    let mut bad = Array4::<f32>::zeros((4, 2, 3, 1));
    bad[[3, 1, 0, 0]] = f32::NAN;
    assert_eq!(refusal(bad.into()), "images must be finite, got NaN at (3, 1, 0, 0) (N, H, W, C)");
}

#[test]
fn values_are_equal_if_they_are_the_same_targets() {
    let dataset = Dataset::from_bytes(images(4), vec![0; 4]).unwrap();
    assert_eq!(Values::from(&dataset), Values::from(&dataset.with_values(images(4)).unwrap()));
    assert_ne!(Values::from(&dataset), Values::from(&dataset.shuffle(1)));
    assert_eq!(Values::from(images(4)), Values::from(images(4)));
    assert_ne!(Values::from(images(4)), Values::from(Array1::zeros(4)));
}
