//! Decides what bytes stand for: finds out how large values get, on examples.

use super::forms::{Forms, Way, bounds_of};
use crate::error::{Error, Result};
use crate::kernels::int8::Quantization;
use crate::plan::{Placed, Plan};
use crate::program::ValueId;
use crate::train::{Examples, Inference};

/// Between which bounds the values of an activation lie; zero is between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f32,
    pub(crate) high: f32,
}

impl Range {
    fn with(self, values: &[f32]) -> Self {
        values.iter().fold(self, |Self { low, high }, value| Self { low: low.min(*value), high: high.max(*value) })
    }

    /// Whether it is one: finite, and zero within.
    pub(crate) fn is_sound(self) -> bool {
        self.low <= 0.0 && self.high >= 0.0 && (self.high - self.low).is_finite()
    }

    /// About the scale of its bytes.
    pub(super) fn scale(self) -> f32 {
        let scale = ((f64::from(self.high) - f64::from(self.low)) / 255.0) as f32;
        if scale >= f32::MIN_POSITIVE { scale } else { 1.0 }
    }

    /// The bytes that span it, one of them for zero itself.
    fn quantization(self, (least, most): (f32, f32)) -> Quantization {
        let (low, high) = (f64::from(self.low.max(least)), f64::from(self.high.min(most)));
        let scale = ((high - low) / 255.0) as f32;
        // Of what is always zero, any scale is right.
        let scale = if scale >= f32::MIN_POSITIVE { scale } else { 1.0 };
        let zero_point = (-low / f64::from(scale)).round().clamp(0.0, 255.0) as u8;
        Quantization { scale, zero_point }
    }
}

/// The ranges of a plan's values on these examples: zero for values that nobody writes.
///
/// # Errors
/// [`Error::Model`] if one gets NaN or infinite.
pub(super) fn calibrate(inference: &Inference, examples: &Examples<'_>) -> Result<Vec<Range>> {
    let plan = &inference.plan;
    let mut ranges = vec![Range::default(); plan.lengths.len()];
    let mut is_finite = true;
    inference.watch(examples, &mut inference.workspace(), |workspace, places| {
        for (value, (range, len)) in ranges.iter_mut().zip(&plan.lengths).enumerate() {
            let values = &workspace.value(ValueId(value))[..places.len() * len];
            is_finite &= values.iter().all(|value| value.is_finite());
            *range = range.with(values);
        }
    });
    if is_finite && ranges.iter().all(|range| range.is_sound()) {
        return Ok(ranges);
    }
    Err(Error::Model(
        "gives NaN or infinity between its layers for the examples to calibrate with, and is not quantized: expected finite \
         values; train it again, or take other examples"
            .into(),
    ))
}

/// What the bytes of each value stand for.
pub(super) fn quantizations(plan: &Plan, forms: &Forms, ranges: &[Range]) -> Vec<Quantization> {
    let any = (f32::NEG_INFINITY, f32::INFINITY);
    let mut all: Vec<Quantization> = ranges.iter().map(|range| range.quantization(any)).collect();
    for (Placed { step, reads, writes: ValueId(writes), .. }, way) in plan.steps.iter().zip(&forms.ways) {
        all[*writes] = match way {
            Way::MaxPool | Way::Copy => all[reads[0].0],
            Way::Conv(_) | Way::Rescale | Way::Floats => ranges[*writes].quantization(bounds_of(step)),
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_a_byte_and_both_ends_are_within_half_a_step_of_one() {
        let any = (f32::NEG_INFINITY, f32::INFINITY);
        for (low, high) in [(0.0, 1.0), (-1.0, 3.0), (-2.5, 0.0), (-1e-3, 1e3), (-1e38, 1e38)] {
            let Quantization { scale, zero_point } = Range { low, high }.quantization(any);
            let value = |byte: f32| (byte - f32::from(zero_point)) * scale;
            assert!((value(0.0) - low).abs() <= 0.51 * scale && (value(255.0) - high).abs() <= 0.51 * scale);
        }
        assert_eq!(Range::default().quantization(any), Quantization { scale: 1.0, zero_point: 0 });
        // What a ReLU gives starts at zero, be the range what it may.
        let behind_relu = Range { low: -1.0, high: 51.0 }.quantization((0.0, f32::INFINITY));
        assert_eq!(behind_relu, Quantization { scale: 0.2, zero_point: 0 });
    }
}
