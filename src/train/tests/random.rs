//! Models of randomly drawn shapes against the reference: layers of the table of cases one behind the other, and the
//! convolutions that take an algorithm of their own.

use super::{check_model, planned};
use crate::exec::tests::cases::{KINDS, Kind, Random};
use crate::exec::tests::kinds::without_chance;
use crate::layers::{ActivationFunction, Conv2D, Dense, Flatten, GlobalAveragePooling2D, Layer, MaxPooling2D, Reshape};
use crate::plan::{InputGradient, Placed};
use crate::shape::{Padding, Shape};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use rand::SeedableRng;

pub(super) fn functions() -> impl Strategy<Value = ActivationFunction> {
    use ActivationFunction::{Linear, Relu, Sigmoid, Softmax, Tanh};
    prop_oneof![4 => Just(Relu), 2 => Just(Linear), 1 => Just(Sigmoid), 1 => Just(Tanh), 1 => Just(Softmax)]
}

/// Those behind which nearly every gradient is other than zero.
fn smooth_functions() -> impl Strategy<Value = ActivationFunction> {
    use ActivationFunction::{Linear, Sigmoid, Tanh};
    prop_oneof![Just(Linear), Just(Sigmoid), Just(Tanh)]
}

fn paddings() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Valid), Just(Padding::Same)]
}

/// Sizes around the lane counts 4, 8 and 16, and around the blocks of them.
fn widths() -> impl Strategy<Value = usize> {
    prop_oneof![1..=5_usize, 7..=9_usize, 15..=18_usize, 31..=34_usize, 48..=49_usize, 63..=81_usize]
}

/// Image models: layers of the table in any order, then dense layers.
fn image_models() -> impl Strategy<Value = (Shape, Vec<Layer>)> {
    let image = (1..=11_usize, 1..=11_usize, prop_oneof![1..=4_usize, Just(8), 15..=17_usize]);
    let kind = prop_oneof![2 => Just(Kind::Conv2D), 3 => proptest::sample::select(KINDS)];
    let hidden = proptest::option::of((widths(), functions(), any::<bool>()));
    (image, proptest::collection::vec((kind, any::<u64>()), 1..=4), hidden, 2..=20_usize, any::<bool>()).prop_map(
        |((height, width, channels), kinds, hidden, classes, softmax)| {
            let image = Shape::from([height, width, channels]);
            let (mut shape, mut layers) = (image, Vec::new());
            for (kind, seed) in kinds {
                // Layers that take no such input are left out, and those that take other values, or no masks.
                let is_masked = layers.iter().any(|layer| matches!(layer, Layer::Masking(_)));
                if kind == Kind::Embedding || is_masked && kind == Kind::BatchNormalization {
                    continue;
                }
                if let Some(layer) = kind.layer(&mut Random::seed_from_u64(seed), &[shape]) {
                    shape = layer.describe().spec(&[shape]).unwrap().output;
                    layers.push(without_chance(&layer));
                }
            }
            if shape.axes().len() > 1 {
                layers.push(if shape.axes().len() == 3 && classes % 3 == 0 {
                    GlobalAveragePooling2D::new().into()
                } else {
                    Flatten::new().into()
                });
            }
            if let Some((units, function, use_bias)) = hidden {
                layers.push(Dense::new(units).activation(function).use_bias(use_bias).into());
            }
            let softmax = if softmax { ActivationFunction::Softmax } else { ActivationFunction::Linear };
            layers.push(Dense::new(classes).activation(softmax).into());
            if classes % 3 == 1 {
                layers.insert(0, Reshape::new(image).into());
                return (Shape::from([height * width * channels]), layers);
            }
            (image, layers)
        },
    )
}

/// The same draws every time.
pub(super) fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn random_image_models_agree_with_the_reference((input, layers) in image_models(), count in 1..=19_usize, seed: u64) {
        check_model(input, &layers, count, seed);
    }

    #[test]
    fn random_vector_models_agree_with_the_reference(
        features in 1..=200_usize, units in widths(), function in functions(), classes in 1..=70_usize,
        count in 1..=19_usize, seed: u64,
    ) {
        let layers = [
            Dense::new(units).activation(function).into(),
            Dense::new(classes).activation(ActivationFunction::Softmax).into(),
        ];
        check_model(Shape::from([features]), &layers, count, seed);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn random_convolutions_with_tiny_windows_agree_with_the_reference(
        (height, width) in (3..=9_usize, 3..=9_usize), kernel in (1..=3_usize, 1..=3_usize), filters in 1..=5_usize,
        strides in (1..=2_usize, 1..=2_usize), padding in paddings(), pool in (1..=3_usize, 1..=2_usize),
        function in functions(), count in 1..=9_usize, seed: u64,
    ) {
        let channels = 9 / (kernel.0 * kernel.1);
        let conv = Conv2D::new(filters * 16, kernel).strides(strides).padding(padding).activation(function);
        let layers = [
            conv.into(),
            MaxPooling2D::new(pool).into(),
            Flatten::new().into(),
            Dense::new(5).activation(ActivationFunction::Softmax).into(),
        ];
        let input = Shape::from([height, width, channels]);
        prop_assume!(planned(input, &layers).is_ok());
        check_model(input, &layers, count, seed);
    }

    #[test]
    fn random_winograd_convolutions_agree_with_the_reference(
        (height, width) in (4..=12_usize, 4..=12_usize), channels in 1..=2_usize, filters in 1..=6_usize,
        (size, stride) in prop_oneof![Just((3, 1)), Just((2, 1)), Just((4, 2)), Just((6, 2))],
        padding in paddings(), pools: bool, function in functions(), count in 1..=9_usize, seed: u64,
    ) {
        let conv = Conv2D::new(filters * 16, (size, size)).strides((stride, stride));
        let mut layers = vec![conv.padding(padding).activation(function).into()];
        if pools && size == 3 {
            layers.push(MaxPooling2D::new((2, 2)).into());
        }
        layers.push(Flatten::new().into());
        layers.push(Dense::new(5).activation(ActivationFunction::Softmax).into());
        let input = Shape::from([height * stride, width * stride, channels * 16]);
        let plan = planned(input, &layers);
        prop_assume!(plan.is_ok_and(|plan| plan.steps[0].step.conv().is_some_and(|conv| conv.layout.winograd.is_some())));
        check_model(input, &layers, count, seed);
    }

    #[test]
    fn random_convolutions_with_dense_gradients_agree_with_the_reference(
        (height, width) in (3..=10_usize, 3..=10_usize), inner in widths(), outer in widths(),
        kernel in (1..=5_usize, 1..=5_usize), strides in (1..=3_usize, 1..=3_usize), padding in paddings(),
        functions in (smooth_functions(), smooth_functions()), count in 1..=9_usize, seed: u64,
    ) {
        let layers = [
            Conv2D::new(inner, (2, 1)).padding(padding).activation(functions.0).into(),
            Conv2D::new(outer, kernel).strides(strides).padding(padding).activation(functions.1).into(),
            Flatten::new().into(),
            Dense::new(5).activation(ActivationFunction::Softmax).into(),
        ];
        let input = Shape::from([height, width, 3]);
        prop_assume!(planned(input, &layers).is_ok());
        check_model(input, &layers, count, seed);
    }

    #[test]
    fn random_turned_convolutions_agree_with_the_reference(
        (height, width) in (4..=12_usize, 4..=12_usize), inner in 1..=3_usize, outer in 1..=3_usize,
        (size, stride) in prop_oneof![Just((3, 1)), Just((4, 2)), Just((6, 2))],
        padding in paddings(), function in smooth_functions(), count in 1..=9_usize, seed: u64,
    ) {
        let layers = [
            Conv2D::new(inner * 16, (1, 1)).activation(function).into(),
            Conv2D::new(outer * 16, (size, size)).strides((stride, stride)).padding(padding).activation(function).into(),
            Flatten::new().into(),
            Dense::new(5).activation(ActivationFunction::Softmax).into(),
        ];
        let input = Shape::from([height * stride, width * stride, 2]);
        let is_turned = |placed: &Placed| {
            placed.step.conv().is_some_and(|conv| matches!(conv.input_gradient, InputGradient::Turned(_)))
        };
        prop_assume!(planned(input, &layers).is_ok_and(|plan| plan.steps.iter().any(is_turned)));
        check_model(input, &layers, count, seed);
    }
}
