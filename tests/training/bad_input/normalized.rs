//! Settings of convolutions and normalizations that cannot be.

use super::{head, image, refused};
use inkstone::prelude::*;

#[test]
fn dilation_goes_with_no_strides() {
    let message = "expects strides or a dilation_rate other than (1, 1), not both, got (2, 2) and (1, 3)";
    let conv = Conv2D::new(2, (2, 2)).strides((2, 2)).dilation_rate((1, 3));
    refused(head(image().add(conv)), &format!("layer 0 (Conv2D) {message}"));
    let conv = DepthwiseConv2D::new((2, 2)).strides((2, 2)).dilation_rate((1, 3));
    refused(head(image().add(conv)), &format!("layer 0 (DepthwiseConv2D) {message}"));
    let conv = Conv2DTranspose::new(2, (2, 2)).strides((2, 2)).dilation_rate((1, 3));
    refused(head(image().add(conv)), &format!("layer 0 (Conv2DTranspose) {message}"));
    let conv = Conv2D::new(2, (2, 2)).dilation_rate((0, 1));
    refused(head(image().add(conv)), "layer 0 (Conv2D) expects a dilation_rate of at least (1, 1), got (0, 1)");
    let conv = Conv2D::new(2, (3, 3)).dilation_rate((usize::MAX, 1));
    refused(
        head(image().add(conv)),
        &format!(
            "layer 0 (Conv2D) reaches too far with a kernel_size of (3, 3) and a dilation_rate of ({}, 1)",
            usize::MAX
        ),
    );
}

#[test]
fn groups_divide_channels_and_filters() {
    let conv = || Conv2D::new(4, (3, 3));
    for groups in [0, 2, 3] {
        refused(
            head(image().add(conv().groups(groups))),
            &format!("layer 0 (Conv2D) expects groups that divide its 1 channels and 4 filters, got {groups}"),
        );
    }
    let many = Sequential::new([1, 1, 2048]).add(Conv2D::new(2048, (1, 1)).groups(2048));
    refused(
        head(many),
        "layer 0 (Conv2D) expects at most 1024 groups, got 2048: use `DepthwiseConv2D` where each channel is on its own",
    );
}

#[test]
fn a_multiplier_makes_at_least_one_channel_and_not_too_many() {
    for multiplier in [0, usize::MAX] {
        let message = format!("expects a depth_multiplier of at least 1 and not too large, got {multiplier}");
        let conv = DepthwiseConv2D::new((3, 3)).depth_multiplier(multiplier);
        refused(head(image().add(conv)), &format!("layer 0 (DepthwiseConv2D) {message}"));
        let conv = SeparableConv2D::new(3, (3, 3)).depth_multiplier(multiplier);
        refused(head(image().add(conv)), &format!("layer 0 (SeparableConv2D) {message}"));
    }
}

#[test]
fn what_is_added_behind_is_less_than_the_strides() {
    let conv = Conv2DTranspose::new(2, (3, 3)).strides((2, 2)).output_padding((2, 0));
    refused(
        head(image().add(conv)),
        "layer 0 (Conv2DTranspose) expects a kernel_size, strides and a dilation_rate of at least (1, 1) that are not \
         too large, and an output_padding below the strides, got (3, 3), (2, 2), (1, 1) and Some((2, 0))",
    );
}

#[test]
fn a_transposed_window_that_reaches_too_far_is_refused() {
    for padding in [Valid, Same] {
        let conv = Conv2DTranspose::new(1, (2, 2)).padding(padding).dilation_rate((usize::MAX - 1, 1));
        let error = super::compile_error(head(image().add(conv)));
        assert!(error.contains("that are not too large"), "{error}");
    }
}

/// Each tap reaches pixels of its own: a plan takes as long as they are many.
#[test]
fn a_depthwise_kernel_of_many_taps_and_strides_is_planned_at_once() {
    let start = std::time::Instant::now();
    let conv = DepthwiseConv2D::new((512, 512)).strides((512, 512)).padding(Same);
    let model = Sequential::new([1, 1, 1]).add(conv).add(Flatten::new()).add(Dense::new(2).activation(Softmax));
    super::try_compile(model).unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn normalizations_have_numbers_in_range_and_axes_that_are_there() {
    let normalized = |norm: BatchNormalization| head(image().add(norm));
    for (momentum, written) in [(-0.1, "-0.1"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        refused(
            normalized(BatchNormalization::new().momentum(momentum)),
            &format!("layer 0 (BatchNormalization) expects a momentum from 0 to 1, got {written}"),
        );
    }
    for (epsilon, written) in [(0.0, "0"), (f32::INFINITY, "inf"), (f32::NAN, "NaN")] {
        let message = format!("expects an epsilon above 0, got {written}");
        refused(
            normalized(BatchNormalization::new().epsilon(epsilon)),
            &format!("layer 0 (BatchNormalization) {message}"),
        );
        let norm = LayerNormalization::new().epsilon(epsilon);
        refused(head(image().add(norm)), &format!("layer 0 (LayerNormalization) {message}"));
    }
    let none = |axis: i64| {
        format!(
            "expects an axis from 1 to 3, or from -3 to -1, of (8, 8, 1), got {axis}: axes count from 1, as the batch is \
             axis 0"
        )
    };
    for axis in [0, 4, -4, i64::MIN, i64::MAX] {
        refused(
            normalized(BatchNormalization::new().axis(axis)),
            &format!("layer 0 (BatchNormalization) {}", none(axis)),
        );
        let norm = LayerNormalization::new().axis([axis]);
        refused(head(image().add(norm)), &format!("layer 0 (LayerNormalization) {}", none(axis)));
    }
    for (axis, message) in [
        (vec![], "expects at least one axis of (8, 8, 1), got none"),
        (vec![3, -1], "expects each axis of (8, 8, 1) at most once, got [3, -1]"),
    ] {
        let norm = LayerNormalization::new().axis(axis);
        refused(head(image().add(norm)), &format!("layer 0 (LayerNormalization) {message}"));
    }
    for groups in [0, -2, 3, i64::MIN] {
        refused(
            head(image().add(GroupNormalization::new().groups(groups))),
            &format!("layer 0 (GroupNormalization) expects groups that divide its 1 channels, or -1, got {groups}"),
        );
    }
}
