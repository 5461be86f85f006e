//! Data that do not fit the model.

use super::*;

const SHAPE: &str = "the model expects images of (8, 8, 1), got (8, 8, 3)";
const LABEL: &str = "labels must be from 0 to 9, as the model has 10 outputs, got 10 at index 2";

fn of_validation(text: &str) -> String {
    format!("in the validation data: {text}")
}

#[test]
fn fit_refuses_images_of_another_shape() {
    assert_eq!(data_error(small().fit(&colour(), quiet())), SHAPE);
}

#[test]
fn fit_refuses_validation_data_of_another_shape_before_it_trains() {
    let mut model = small();
    let before = model.get_weights();
    assert_eq!(data_error(model.fit(&dataset(vec![0, 9]), quiet().validation_data(&colour()))), of_validation(SHAPE));
    assert_eq!(model.get_weights(), before);
}

#[test]
fn evaluate_refuses_images_of_another_shape() {
    assert_eq!(data_error(small().evaluate(&colour())), SHAPE);
}

#[test]
fn predict_refuses_images_of_another_shape() {
    assert_eq!(data_error(small().predict_rows(&colour().images())), SHAPE);
    assert_eq!(data_error(small().predict_classes(&colour().images())), SHAPE);
}

#[test]
fn train_on_batch_refuses_images_of_another_shape() {
    assert_eq!(data_error(small().train_on_batch(&colour().images(), &[0, 0])), SHAPE);
    assert_eq!(data_error(small().gradients(&colour().images(), &[0, 0])), SHAPE);
}

#[test]
fn images_of_as_many_values_in_another_shape_are_refused() {
    assert_eq!(
        data_error(small().predict_rows(&Array4::<f32>::zeros((1, 4, 16, 1)))),
        "the model expects images of (8, 8, 1), got (4, 16, 1)"
    );
}

#[test]
fn a_model_on_vectors_says_how_it_takes_them() {
    let model = try_compile(vector().add(Dense::new(10).activation(Softmax))).unwrap();
    assert_eq!(
        data_error(model.predict_rows(&images(1))),
        "the model expects rows of 64 features, a table of (N, 64), got images of (8, 8, 1): add `Flatten`, as in \
         `Sequential::new([8, 8, 1]).add(Flatten::new())`"
    );
    assert_eq!(model.predict_rows(&Array4::<f32>::zeros((3, 1, 1, 64))).unwrap().dim(), (3, 10));
}

#[test]
fn fit_refuses_labels_out_of_range() {
    assert_eq!(data_error(small().fit(&dataset(vec![0, 9, 10]), quiet())), LABEL);
}

#[test]
fn fit_refuses_validation_labels_out_of_range_before_it_trains() {
    let mut model = small();
    let before = model.get_weights();
    let wrong = dataset(vec![0, 9, 10]);
    assert_eq!(data_error(model.fit(&dataset(vec![0, 9]), quiet().validation_data(&wrong))), of_validation(LABEL));
    assert_eq!(model.get_weights(), before);
}

#[test]
fn evaluate_refuses_labels_out_of_range() {
    assert_eq!(data_error(small().evaluate(&dataset(vec![0, 9, 10]))), LABEL);
}

#[test]
fn train_on_batch_refuses_labels_out_of_range() {
    assert_eq!(data_error(small().train_on_batch(&images(3), &[0, 9, 10])), LABEL);
    assert_eq!(data_error(small().gradients(&images(3), &[0, 9, 10])), LABEL);
    assert_eq!(
        data_error(small().train_on_batch(&images(1), &[usize::MAX])),
        format!("labels must be from 0 to 9, as the model has 10 outputs, got {} at index 0", usize::MAX)
    );
}

#[test]
fn train_on_batch_refuses_different_numbers_of_images_and_labels() {
    for labels in [&[0][..], &[0, 1, 2], &[]] {
        let expected = format!(
            "there must be at least one image and one label for each, got 2 images and {} labels",
            labels.len()
        );
        assert_eq!(data_error(small().train_on_batch(&images(2), labels)), expected);
        assert_eq!(data_error(small().gradients(&images(2), labels)), expected);
    }
}

#[test]
fn train_on_batch_refuses_an_empty_batch() {
    let expected = "there must be at least one image and one label for each, got 0 images and 0 labels";
    assert_eq!(data_error(small().train_on_batch(&images(0), &[0_usize; 0])), expected);
    assert_eq!(data_error(small().gradients(&images(0), &[0_usize; 0])), expected);
}

#[test]
fn predicting_nothing_gives_nothing() {
    assert_eq!(small().predict_rows(&images(0)).unwrap().dim(), (0, 10));
    assert!(small().predict_classes(&images(0)).unwrap().is_empty());
}

#[test]
fn pixels_that_are_not_finite_are_refused_with_their_place() {
    for (value, written) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut images = images(2);
        images[[1, 0, 3, 0]] = value;
        let expected = format!("images must be finite, got {written} at (1, 0, 3, 0) (N, H, W, C)");
        assert_eq!(data_error(small().predict_rows(&images)), expected);
        assert_eq!(data_error(small().predict_classes(&images)), expected);
        assert_eq!(data_error(small().train_on_batch(&images, &[0, 0])), expected);
        assert_eq!(data_error(small().gradients(&images, &[0, 0])), expected);
    }
}

#[test]
fn a_refused_batch_changes_nothing() {
    let mut model = small();
    let before = model.get_weights();
    model.train_on_batch(&images(3), &[0, 9, 10]).unwrap_err();
    assert_eq!(model.get_weights(), before);
    // Nor does it count as a step.
    let mut fresh = small();
    model.train_on_batch(&images(3), &[0, 8, 9]).unwrap();
    fresh.train_on_batch(&images(3), &[0, 8, 9]).unwrap();
    assert_eq!(model.get_weights(), fresh.get_weights());
}

#[test]
fn images_in_any_memory_order_are_predicted_alike() {
    let model = small();
    let images = images(3);
    let mut reversed = Array4::zeros((1, 8, 8, 3)).reversed_axes();
    reversed.assign(&images);
    assert!(!reversed.is_standard_layout());
    assert_eq!(model.predict_rows(&reversed).unwrap(), model.predict_rows(&images).unwrap());
    let data = Dataset::from_floats(reversed, vec![0, 1, 2]).unwrap();
    assert_eq!(data.images(), images);
    let same = Dataset::from_floats(images, vec![0, 1, 2]).unwrap();
    assert_eq!(model.evaluate(&data).unwrap(), model.evaluate(&same).unwrap());
}
