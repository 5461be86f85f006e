//! Kernels whose gradients are summed over a whole batch at once: shapes around those of tiles, pieces and rows.

use super::random::{config, functions};
use super::{check_model, engine, planned};
use crate::layers::{ActivationFunction, Conv2D, Dense, Flatten, Layer};
use crate::shape::Shape;
use proptest::prelude::*;

/// Inputs of kernels whose filters fit in a piece by tens, by one, and not at all.
fn inputs() -> impl Strategy<Value = usize> {
    prop_oneof![200..=600_usize, 1000..=1100_usize, 2040..=2060_usize, Just(8191), Just(9000)]
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn random_wide_layers_agree_with_the_reference(
        inputs in inputs(), units in 21..=50_usize, function in functions(), count in 1..=40_usize, seed: u64,
    ) {
        let layers = [
            Dense::new(units).activation(function).into(),
            Dense::new(inputs / 5).activation(function).use_bias(seed.is_multiple_of(2)).into(),
            Dense::new(7).activation(ActivationFunction::Softmax).into(),
        ];
        let plan = planned(Shape::from([inputs]), &layers).unwrap();
        prop_assume!(plan.over_batch.len() == 2);
        check_model(Shape::from([inputs]), &layers, count, seed);
    }
}

#[test]
fn only_dense_layers_with_many_weights_are_chosen() {
    let over_batch = |input: [usize; 3], layers: &[Layer]| {
        let plan = planned(Shape::from(input), layers).unwrap();
        let lens: Vec<usize> = plan.over_batch.iter().map(|kernel| kernel.weights.len()).collect();
        // They take no room in a shard's buffer.
        let engine = engine(&plan, layers, 1, crate::simd::Level::new());
        let others: usize = plan.parameters.trained().map(|parameter| parameter.range.len()).sum::<usize>()
            - plan.over_batch.iter().map(|kernel| kernel.weights.len() + kernel.biases.len()).sum::<usize>();
        assert!(engine.plan.parameters.sharded_len < others + 16 * (plan.parameters.all.len() + 2));
        lens
    };
    let dense = |units| Layer::from(Dense::new(units));
    let conv = |filters, side| Layer::from(Conv2D::new(filters, (side, side)));
    assert_eq!(over_batch([1, 1, 784], &[Flatten::new().into(), dense(512), dense(10)]), [784 * 512, 5120]);
    assert_eq!(over_batch([1, 1, 64], &[Flatten::new().into(), dense(63), dense(64)]), [0; 0]);
    assert_eq!(over_batch([8, 8, 64], &[conv(64, 3), Flatten::new().into(), dense(1)]), [0; 0]);
    // A window as large as the image is a dense layer.
    assert_eq!(over_batch([8, 8, 16], &[conv(64, 8), Flatten::new().into(), dense(1)]), [8 * 8 * 16 * 64]);
}
