//! Kernels as signed bytes: what a file of a quantized model holds of them.

use crate::exec::FoldedKernel;
use crate::kernels::conv2d::ConvLayout;
use crate::kernels::int8::{Int8Kernel, Quantization};

/// The most that a weight is: so that as many are below zero as above.
const MAX_WEIGHT: f32 = 127.0;
/// The most that a bias is, in units of its sum.
const MAX_BIAS: f64 = (1 << 30) as f64;
/// In units of its sum the bias of a filter without weights: many, so that it is hardly rounded.
const BIAS_ALONE: f64 = (1 << 20) as f64;

/// The kernel of one step, each filter with a scale of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Int8Weights {
    /// (filters, window).
    pub(crate) weights: Vec<i8>,
    /// (filters); above zero, and finite.
    pub(crate) scales: Vec<f32>,
    /// (filters).
    pub(crate) biases: Vec<f32>,
}

impl Int8Weights {
    /// The bytes nearest to these weights. Where a filter's bias is so large beside its weights that its sum would not hold
    /// it, they are coarser.
    ///
    /// - input: about the scale of the bytes that the step reads
    pub(super) fn new(FoldedKernel { weights, biases }: FoldedKernel, input: f32) -> Self {
        let window = weights.len() / biases.len();
        let scale = |(filter, bias): (&[f32], &f32)| {
            let largest = filter.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            // Half of the most, as the scale of the input is not known to the last digit.
            let units = if largest > 0.0 { MAX_BIAS / 2.0 } else { BIAS_ALONE };
            let for_bias = (f64::from(bias.abs()) / (units * f64::from(input))) as f32;
            let scale = (largest / MAX_WEIGHT).max(for_bias);
            if scale >= f32::MIN_POSITIVE && scale.is_finite() { scale } else { 1.0 }
        };
        let scales: Vec<f32> = weights.chunks_exact(window).zip(&biases).map(scale).collect();
        let bytes = weights.chunks_exact(window).zip(&scales).flat_map(|(filter, scale)| {
            filter.iter().map(move |weight| (weight / scale).round_ties_even().clamp(-MAX_WEIGHT, MAX_WEIGHT) as i8)
        });
        Self { weights: bytes.collect(), biases, scales }
    }

    /// The biases in units of the sums of products: what ONNX' convolutions of bytes add.
    ///
    /// - input: what the bytes stand for that the step reads
    pub(crate) fn integer_biases(&self, input: Quantization) -> impl Iterator<Item = i32> {
        let unit = move |scale: &f32| f64::from(input.scale) * f64::from(*scale);
        let biases = self.biases.iter().zip(&self.scales);
        // A file may hold a scale so small that this is infinite.
        biases.map(move |(bias, scale)| (f64::from(*bias) / unit(scale)).round().clamp(-MAX_BIAS, MAX_BIAS) as i32)
    }

    /// The kernel packed for a step.
    ///
    /// - input: what the bytes stand for that it reads; output: the scale of those that it writes, 1 for floats
    pub(super) fn pack(&self, layout: &ConvLayout, input: Quantization, output: f32) -> Int8Kernel {
        let filters = self.weights.chunks_exact(layout.window_len());
        let biases = filters.zip(self.integer_biases(input)).map(|(filter, bias)| {
            // Every input is too large by the zero point.
            let excess: i32 = filter.iter().map(|weight| i32::from(*weight)).sum();
            bias - i32::from(input.zero_point) * excess
        });
        let multipliers = self.scales.iter().map(|scale| {
            let multiplier = f64::from(input.scale) * f64::from(*scale) / f64::from(output);
            // Infinity times zero would be NaN.
            (multiplier as f32).min(f32::MAX)
        });
        Int8Kernel::new(layout, &self.weights, &biases.collect::<Vec<_>>(), &multipliers.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_has_a_scale_of_its_own() {
        let kernel = FoldedKernel { weights: vec![0.5, -1.27, 0.0, 0.0, 254.0, -100.0], biases: vec![1.0, 2.0, -3.0] };
        let quantized = Int8Weights::new(kernel, 0.5);
        assert_eq!(quantized.weights, [50, -127, 0, 0, 127, -50]);
        assert_eq!(quantized.scales, [0.01, 2.0 / 524_288.0, 2.0]);
        let input = Quantization { scale: 0.5, zero_point: 3 };
        assert_eq!(quantized.integer_biases(input).collect::<Vec<_>>(), [200, 1 << 20, -3]);
    }

    #[test]
    fn a_bias_far_larger_than_the_weights_makes_them_coarser() {
        let kernel = FoldedKernel { weights: vec![1e-6, -1e-7], biases: vec![1.0] };
        let quantized = Int8Weights::new(kernel, 1.0 / 255.0);
        let input = Quantization { scale: 1.0 / 255.0, zero_point: 0 };
        let bias = quantized.integer_biases(input).next().unwrap();
        let found = f64::from(bias) * f64::from(quantized.scales[0]) / 255.0;
        assert!((found - 1.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn biases_that_sums_do_not_hold_are_bounded() {
        let huge = Int8Weights { weights: vec![1; 2], scales: vec![f32::MIN_POSITIVE; 2], biases: vec![1.0, -1.0] };
        let input = Quantization { scale: f32::MIN_POSITIVE, zero_point: 0 };
        assert_eq!(huge.integer_biases(input).collect::<Vec<_>>(), [1 << 30, -(1 << 30)]);
    }
}
