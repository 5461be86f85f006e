//! Data sets that are none.

use super::*;

#[test]
fn different_numbers_of_images_and_labels_are_refused() {
    for (count, labels, written) in
        [(3, 2, "3 images and 2 labels"), (3, 4, "3 images and 4 labels"), (1, 0, "1 images and 0 labels")]
    {
        let expected = format!("there must be one label for each image, got {written}");
        assert_eq!(data_error(Dataset::from_bytes(Array4::zeros((count, 8, 8, 1)), vec![0; labels])), expected);
        assert_eq!(data_error(Dataset::from_floats(images(count), vec![0; labels])), expected);
    }
}

#[test]
fn no_images_are_refused() {
    let expected = "images must have at least one value on every axis (N, H, W, C), got (0, 8, 8, 1)";
    assert_eq!(data_error(Dataset::from_bytes(Array4::zeros((0, 8, 8, 1)), vec![])), expected);
    assert_eq!(data_error(Dataset::from_floats(images(0), vec![])), expected);
}

#[test]
fn images_without_rows_columns_or_channels_are_refused() {
    for shape in [(2, 0, 8, 1), (2, 8, 0, 1), (2, 8, 8, 0)] {
        assert_eq!(
            data_error(Dataset::from_bytes(Array4::zeros(shape), vec![0, 0])),
            format!("images must have at least one value on every axis (N, H, W, C), got {shape:?}")
        );
    }
}

#[test]
fn images_that_are_not_finite_are_refused_with_their_place() {
    for (value, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut images = images(2);
        images[[1, 2, 7, 0]] = value;
        assert_eq!(
            data_error(Dataset::from_floats(images, vec![0, 0])),
            format!("images must be finite, got {written} at (1, 2, 7, 0) (N, H, W, C)")
        );
    }
}
