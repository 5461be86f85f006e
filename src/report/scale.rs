//! Decides where an axis begins and ends, and where its marks are.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// An axis with round marks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) marks: Vec<f64>,
    step: f64,
}

/// Values beyond are not drawn: differences of larger ones are infinite.
const LARGEST: f64 = 1e300;

/// Whether a value can be drawn.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() < LARGEST
}

impl Scale {
    /// The axis for these values, with two to seven marks.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let ends = |ends: Option<(f64, f64)>, value: f64| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        };
        let (low, high) = values.filter(|value| drawable(*value)).fold(None, ends).unwrap_or((0.0, 1.0));
        // Values that reach near 0 are seen in proportion to it.
        let low = if low > 0.0 && low < 0.5 * high { 0.0 } else { low };
        let span = if high - low > 1e-9 * high.abs() { high - low } else { high.abs().max(1e-6) * 0.1 };
        let (from, to) = (low - 0.05 * span, high + 0.05 * span);
        let step = round_step((to - from) / 6.0);
        let from = if low >= 0.0 { from.max(0.0) } else { from };
        // Accuracies and their like end at 1.
        let to = if high <= 1.0 && high > 0.9 { to.min(1.0 + 0.02 * span) } else { to };
        let first = (from / step).ceil();
        let count = ((to / step).floor() - first).clamp(0.0, 20.0) as usize;
        Self { low: from, high: to, marks: (0..=count).map(|mark| (first + mark as f64) * step).collect(), step }
    }

    /// The axis for epochs 1 to `epochs`, marked at whole numbers.
    pub(super) fn of_epochs(epochs: usize) -> Self {
        let step = epochs.div_ceil(10);
        let step = round_step(step as f64).ceil();
        let marks: Vec<f64> = if step <= 1.0 {
            (1..=epochs).map(|epoch| epoch as f64).collect()
        } else {
            (1..=epochs / step as usize).map(|mark| mark as f64 * step).collect()
        };
        let margin = if epochs == 1 { 0.5 } else { 0.02 * (epochs - 1) as f64 };
        Self { low: 1.0 - margin, high: epochs as f64 + margin, marks, step }
    }

    /// How a mark is written.
    pub(super) fn label(&self, mark: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        if mark == 0.0 {
            return "0".into();
        }
        if !(1e-4..1e6).contains(&largest) {
            let digits = (largest.log10().floor() - self.step.log10().floor()).clamp(0.0, 9.0) as usize;
            return format!("{mark:.digits$e}");
        }
        let decimals = (-self.step.log10().floor()).clamp(0.0, 9.0) as usize;
        format!("{mark:.decimals$}")
    }
}

impl From<Scale> for Range<f64> {
    fn from(scale: Scale) -> Self {
        scale.low..scale.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(mark: &f64) -> String {
        mark.to_string()
    }

    fn format_ext(&self, mark: &f64) -> String {
        self.label(*mark)
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (value - self.low) / (self.high - self.low);
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.clone().into()
    }
}

/// The next of 1, 2, 5, 10 and so on that is not less.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::Scale;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.marks.iter().map(|mark| scale.label(*mark)).collect()
    }

    #[test]
    fn marks_are_round_and_inside() {
        for values in [vec![0.2, 0.02], vec![0.95, 0.991], vec![-3.0, 7.0], vec![1e9, 2e9], vec![2e-7], vec![0.0]] {
            let scale = Scale::of(values.iter().copied());
            assert!(scale.marks.len() >= 2, "{values:?}: {scale:?}");
            assert!(scale.marks.iter().all(|mark| (scale.low..=scale.high).contains(mark)), "{values:?}: {scale:?}");
            assert!(values.iter().all(|value| (scale.low..=scale.high).contains(value)), "{values:?}: {scale:?}");
            let labels = labels(&scale);
            assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
        }
    }

    #[test]
    fn a_loss_is_seen_from_0_and_an_accuracy_up_to_1() {
        assert_eq!(labels(&Scale::of([0.19, 0.05, 0.03].into_iter())), ["0", "0.05", "0.10", "0.15"]);
        let accuracy = Scale::of([0.9401, 0.9912].into_iter());
        assert!(accuracy.low > 0.9 && accuracy.high <= 1.01, "{accuracy:?}");
    }

    #[test]
    fn what_is_not_finite_has_no_place() {
        assert_eq!(Scale::of([f64::NAN, f64::INFINITY, 1e308].into_iter()), Scale::of([0.0, 1.0].into_iter()));
    }

    #[test]
    fn epochs_are_marked_at_whole_numbers() {
        assert_eq!(labels(&Scale::of_epochs(1)), ["1"]);
        assert_eq!(labels(&Scale::of_epochs(3)), ["1", "2", "3"]);
        assert_eq!(labels(&Scale::of_epochs(45)), ["5", "10", "15", "20", "25", "30", "35", "40", "45"]);
    }
}
