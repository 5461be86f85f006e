//! The confusion matrix, and how it is printed.

use ndarray::{Array2, ArrayView2};
use serde::{Serialize, Serializer};
use std::fmt;

/// How often each class was taken for each. It prints as a table, a row for each class that was right.
///
/// ```
/// use inkstone::EvaluationReport;
/// use inkstone::ndarray::array;
/// let report = EvaluationReport::new(&[0, 1, 1], array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]].view())?;
/// assert_eq!(report.confusion_matrix().to_string(), "
/// true \\ predicted 0 1
///                0 1 0
///                1 1 1
/// ".trim_start());
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfusionMatrix {
    #[serde(serialize_with = "rows")]
    counts: Array2<usize>,
    #[serde(skip)]
    pub(crate) class_names: Vec<String>,
}

impl ConfusionMatrix {
    /// Counts pairs; each is less than the number of names.
    pub(super) fn new(labels: &[usize], predicted: &[usize], class_names: Vec<String>) -> Self {
        let mut counts = Array2::zeros((class_names.len(), class_names.len()));
        labels.iter().zip(predicted).for_each(|(label, predicted)| counts[[*label, *predicted]] += 1);
        Self { counts, class_names }
    }

    /// (classes, classes): in row `i` and column `j` how many examples of class `i` were predicted as class `j`.
    #[must_use]
    pub fn counts(&self) -> ArrayView2<'_, usize> {
        self.counts.view()
    }
}

/// As a list of rows, which everything reads.
fn rows<S: Serializer>(counts: &Array2<usize>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(counts.rows().into_iter().map(|row| row.to_vec()))
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CORNER: &str = "true \\ predicted";
        let wide = |name: &String| name.chars().count();
        let first = self.class_names.iter().map(wide).max().unwrap_or_default().max(CORNER.len());
        let width = |(name, column): (&String, ndarray::ArrayView1<'_, usize>)| {
            column.iter().map(|count| count.to_string().len()).max().unwrap_or_default().max(wide(name))
        };
        let widths: Vec<usize> = self.class_names.iter().zip(self.counts.columns()).map(width).collect();
        write!(f, "{CORNER:>first$}")?;
        self.class_names.iter().zip(&widths).try_for_each(|(name, width)| write!(f, " {name:>width$}"))?;
        for (name, row) in self.class_names.iter().zip(self.counts.rows()) {
            write!(f, "\n{name:>first$}")?;
            row.iter().zip(&widths).try_for_each(|(count, width)| write!(f, " {count:>width$}"))?;
        }
        writeln!(f)
    }
}
