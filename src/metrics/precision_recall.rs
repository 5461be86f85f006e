//! Precision and recall over cells: every output of every example is found or not, and right or not.

use super::cells::{ratio, top};
use super::{Measure, require};
use crate::data::Target;
use crate::error::Result;
use serde::{Deserialize, Serialize};

macro_rules! over_cells {
    ($(#[$documentation:meta])* $metric:ident, $log_name:literal, $value:expr) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $metric {
            /// What an output must exceed to be found; if it is not set, 0.5, or anything where `top_k` is set. Keras
            /// allows a list here, and then has a value for each.
            pub thresholds: Option<f32>,
            /// If set, only an example's `top_k` highest outputs can be found, of equals the first.
            pub top_k: Option<usize>,
            /// If set, only this output counts.
            pub class_id: Option<usize>,
        }

        impl $metric {
            /// Keras' defaults: every output above 0.5 is found.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets what an output must exceed to be found, from 0 to 1.
            #[must_use]
            pub fn thresholds(self, thresholds: f32) -> Self {
                Self { thresholds: Some(thresholds), ..self }
            }

            /// Lets only an example's `top_k` highest outputs be found.
            #[must_use]
            pub fn top_k(self, top_k: usize) -> Self {
                Self { top_k: Some(top_k), ..self }
            }

            /// Looks at one output only.
            #[must_use]
            pub fn class_id(self, class_id: usize) -> Self {
                Self { class_id: Some(class_id), ..self }
            }

            fn cells(self) -> Cells {
                let Self { thresholds, top_k, class_id } = self;
                let unset = if top_k.is_some() { f32::NEG_INFINITY } else { 0.5 };
                Cells { threshold: thresholds.unwrap_or(unset), top_k, class_id }
            }
        }

        /// Sums: those of [`Cells::count`].
        impl Measure for $metric {
            fn name(&self) -> &str {
                $log_name
            }

            fn check(&self, outputs: usize) -> Result<()> {
                let threshold = self.thresholds.unwrap_or(0.5);
                require(
                    (0.0..=1.0).contains(&threshold),
                    concat!("thresholds of ", stringify!($metric)),
                    "from 0 to 1",
                    || threshold.to_string(),
                )?;
                require(
                    self.top_k.is_none_or(|k| (1..=outputs).contains(&k)),
                    concat!("top_k of ", stringify!($metric)),
                    "at least 1 and at most the number of the model's outputs",
                    || format!("{} for {outputs} outputs", self.top_k.unwrap_or_default()),
                )?;
                require(
                    self.class_id.is_none_or(|class| class < outputs),
                    concat!("class_id of ", stringify!($metric)),
                    "less than the number of the model's outputs",
                    || format!("{} for {outputs} outputs", self.class_id.unwrap_or_default()),
                )
            }

            fn needs_probabilities(&self, _outputs: usize) -> bool {
                // Among the top k with no threshold, the order is all that counts.
                self.thresholds.is_some() || self.top_k.is_none()
            }

            fn sums(&self, _outputs: usize) -> usize {
                3
            }

            fn update(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
                self.cells().count(sums, probabilities, target);
            }

            fn value(&self, sums: &[f64]) -> f64 {
                let value: fn(f64, f64, f64) -> f64 = $value;
                value(sums[0], sums[1], sums[2])
            }
        }
    };
}

over_cells!(
    /// How much of what is found is right, over all outputs of all examples, as
    /// [Keras' `Precision`](https://keras.io/api/metrics/classification_metrics/#precision-class); 0 if nothing is
    /// found.
    ///
    /// ```
    /// use inkstone::metrics::Precision;
    /// let precision = Precision::new().top_k(2).class_id(7);
    /// assert_eq!((precision.thresholds, precision.top_k, precision.class_id), (None, Some(2), Some(7)));
    /// ```
    Precision,
    "precision",
    |right, wrong, _missed| ratio(right, right + wrong)
);
over_cells!(
    /// How much of what is right is found, over all outputs of all examples, as
    /// [Keras' `Recall`](https://keras.io/api/metrics/classification_metrics/#recall-class); 0 if nothing is right.
    ///
    /// ```
    /// use inkstone::metrics::Recall;
    /// assert_eq!(Recall::new().thresholds(0.3).thresholds, Some(0.3));
    /// ```
    Recall,
    "recall",
    |right, _wrong, missed| ratio(right, right + missed)
);

/// Which cells are found.
struct Cells {
    threshold: f32,
    top_k: Option<usize>,
    class_id: Option<usize>,
}

impl Cells {
    /// Adds an example to what was found and right, found and wrong, and missed.
    fn count(&self, sums: &mut [f64], probabilities: &[f32], target: Target<'_>) {
        let outputs = probabilities.len();
        let counts = |output: &usize| self.class_id.is_none_or(|class| class == *output);
        let right = |output: &usize| target.value(*output, outputs) != 0.0;
        let (mut found, mut hits) = (0, 0);
        let mut look = |output: usize| {
            if probabilities[output] > self.threshold && counts(&output) {
                found += 1;
                hits += usize::from(right(&output));
            }
        };
        match self.top_k {
            Some(k) => top(probabilities, k).for_each(&mut look),
            None => (0..outputs).for_each(&mut look),
        }
        let all = (0..outputs).filter(counts).filter(right).count();
        sums[0] += hits as f64;
        sums[1] += (found - hits) as f64;
        sums[2] += (all - hits) as f64;
    }
}
