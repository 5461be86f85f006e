//! Layers where they cannot stand.

use super::*;

#[test]
fn dense_on_an_image_is_refused() {
    refused(
        image().add(Dense::new(10).activation(Softmax)),
        "layer 0 (Dense) expects a vector, got (8, 8, 1): add `Flatten` before it",
    );
}

#[test]
fn dense_behind_a_convolution_is_refused_where_it_stands() {
    refused(
        image().add(Conv2D::new(4, (3, 3))).add(MaxPooling2D::new((2, 2))).add(Dense::new(10).activation(Softmax)),
        "layer 2 (Dense) expects a vector, got (3, 3, 4): add `Flatten` before it",
    );
}

#[test]
fn conv2d_on_a_vector_is_refused() {
    refused(
        head(vector().add(Conv2D::new(3, (3, 3)))),
        "layer 0 (Conv2D) expects an image (height, width, channels), got (64): put it before `Flatten`",
    );
}

#[test]
fn max_pooling2d_on_a_vector_is_refused() {
    refused(
        head(image().add(Flatten::new()).add(MaxPooling2D::new((2, 2)))),
        "layer 1 (MaxPooling2D) expects an image (height, width, channels), got (64): put it before `Flatten`",
    );
}

#[test]
fn a_kernel_larger_than_its_input_is_refused_where_it_stands() {
    refused(
        head(image().add(Conv2D::new(4, (3, 3))).add(MaxPooling2D::new((2, 2))).add(Conv2D::new(4, (4, 2)))),
        "layer 2 (Conv2D) cannot work on (3, 3, 4): the window (4, 2) is larger than its input (3, 3): use a \
         smaller window, less pooling before it, or `padding(Same)`",
    );
}

#[test]
fn a_pool_larger_than_its_input_is_refused_where_it_stands() {
    // Behind a convolution, with which it would be fused, and alone.
    refused(
        head(image().add(Conv2D::new(4, (6, 6))).add(MaxPooling2D::new((2, 4)))),
        "layer 1 (MaxPooling2D) cannot work on (3, 3, 4): the window (2, 4) is larger than its input (3, 3): use a \
         smaller window, less pooling before it, or `padding(Same)`",
    );
    refused(
        head(image().add(MaxPooling2D::new((2, 2))).add(MaxPooling2D::new((5, 1)))),
        "layer 1 (MaxPooling2D) cannot work on (4, 4, 1): the window (5, 1) is larger than its input (4, 4): use a \
         smaller window, less pooling before it, or `padding(Same)`",
    );
}

#[test]
fn a_kernel_as_large_as_its_input_works() {
    let model = try_compile(head(image().add(Conv2D::new(4, (8, 8))))).unwrap();
    assert_eq!(model.predict_rows(&images(2)).unwrap().dim(), (2, 10));
}

#[test]
fn the_first_layer_that_cannot_work_is_the_one_that_is_named() {
    refused(
        image().add(Dropout::new(2.0)).add(Dense::new(0)),
        "layer 0 (Dropout) expects a rate of at least 0 and less than 1, got 2",
    );
}
