//! Numbers of zero.

use super::*;

#[test]
fn no_filters_are_refused() {
    refused(
        head(image().add(Conv2D::new(0, (3, 3)))),
        "layer 0 (Conv2D) has an output of (6, 6, 0): each tensor must have between 1 and 268435456 values",
    );
}

#[test]
fn no_units_are_refused() {
    refused(
        image().add(Flatten::new()).add(Dense::new(0)),
        "layer 1 (Dense) has an output of (0): each tensor must have between 1 and 268435456 values",
    );
}

#[test]
fn a_kernel_without_rows_or_columns_is_refused() {
    for (size, written) in [((0, 3), "(0, 3)"), ((3, 0), "(3, 0)"), ((0, 0), "(0, 0)")] {
        for padding in [Valid, Same] {
            refused(
                head(image().add(Conv2D::new(2, size).padding(padding))),
                &format!(
                    "layer 0 (Conv2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each \
                     way, got {written}"
                ),
            );
        }
    }
}

#[test]
fn strides_of_a_convolution_of_zero_are_refused() {
    for (strides, written) in [((0, 1), "(0, 1)"), ((1, 0), "(1, 0)")] {
        for padding in [Valid, Same] {
            refused(
                head(image().add(Conv2D::new(2, (3, 3)).strides(strides).padding(padding))),
                &format!(
                    "layer 0 (Conv2D) cannot work on (8, 8, 1): the strides must be between 1 and 268435456 each \
                     way, got {written}"
                ),
            );
        }
    }
}

#[test]
fn a_pool_without_rows_or_columns_is_refused() {
    for (size, written) in [((0, 2), "(0, 2)"), ((2, 0), "(2, 0)")] {
        refused(
            head(image().add(MaxPooling2D::new(size))),
            &format!(
                "layer 0 (MaxPooling2D) cannot work on (8, 8, 1): the window must be between 1 and 268435456 each \
                 way, got {written}"
            ),
        );
    }
}

#[test]
fn strides_of_a_pooling_of_zero_are_refused() {
    refused(
        head(image().add(MaxPooling2D::new((2, 2)).strides((2, 0)))),
        "layer 0 (MaxPooling2D) cannot work on (8, 8, 1): the strides must be between 1 and 268435456 each way, \
         got (2, 0)",
    );
}

#[test]
fn an_input_with_an_axis_of_zero_is_refused() {
    for (shape, written) in [([0, 8, 1], "(0, 8, 1)"), ([8, 0, 1], "(8, 0, 1)"), ([8, 8, 0], "(8, 8, 0)")] {
        refused(
            head(Sequential::new(shape)),
            &format!(
                "the model has an input of {written}: every axis must be at least 1, and all together at most \
                 268435456"
            ),
        );
    }
    refused(
        head(Sequential::new([0])),
        "the model has an input of (0): every axis must be at least 1, and all together at most 268435456",
    );
}
