//! The report on a model: what it predicts, and whether that is a choice of a class.

use super::EvaluationReport;
use crate::data::LabelledInputs;
use crate::error::Result;
use crate::kernels::output::OutputFunction;
use crate::model::Model;
use crate::train::Examples;
use ndarray::{Array2, Axis, concatenate};

impl Model {
    /// What a classifier gets right and wrong, class by class; nothing is changed. It prints as scikit-learn's
    /// classification report; [`EvaluationReport`] tells what else it has.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), and [`Error::Model`](crate::Error::Model) if the model's outputs stand for no
    /// class, as for [`predict_classes`](Self::predict_classes).
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// use inkstone::ndarray::Array4;
    /// // Dark and light images; the label of the last one is wrong.
    /// let images = Array4::from_shape_fn((64, 4, 4, 1), |(n, ..)| if n % 2 == 0 { 0 } else { 255 });
    /// let mut labels: Vec<usize> = (0..64).map(|n| n % 2).collect();
    /// labels[63] = 0;
    /// let data = Dataset::from_bytes(images, labels)?;
    /// let mut model = Sequential::new([4, 4, 1])
    ///     .add(Flatten::new())
    ///     .add(Dense::new(2).activation(Softmax))
    ///     .seed(1)
    ///     .compile(Adam::new(0.1), SparseCategoricalCrossentropy::default(), [Accuracy])?;
    /// model.fit(&data, FitConfig::new().epochs(5).verbose(0))?;
    ///
    /// let report = model.evaluate_report(&data)?.class_names(["dark", "light"])?;
    /// println!("{report}");
    /// println!("{}", report.confusion_matrix());
    /// assert_eq!(report.accuracy(), 63.0 / 64.0);
    /// assert_eq!(report.classes()[1].recall, 1.0);
    /// let mistake = report.mistakes(10)[0];
    /// assert_eq!((mistake.index, mistake.label, mistake.predicted), (63, 0, 1));
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn evaluate_report<'a>(&self, data: impl Into<LabelledInputs<'a>>) -> Result<EvaluationReport> {
        self.engine.decision().check()?;
        let examples = self.check_labelled(data.into())?;
        let outputs = self.engine.plan.output_len(0);
        let mut probabilities = Array2::zeros((examples.len(), outputs));
        let out = probabilities.as_slice_mut().expect("a new array is in memory order");
        self.engine.probabilities(&Examples::of(&examples), out);
        let rows = examples.targets.as_slice()[0].rows();
        let mut row = Vec::new();
        let labels: Vec<usize> = (0..examples.len()).map(|example| rows.at(example, &mut row).class()).collect();
        if outputs == 1 && self.engine.scoring.head().function() == OutputFunction::Sigmoid {
            // Of the classes no and yes.
            let yes = probabilities;
            probabilities = concatenate![Axis(1), 1.0 - &yes, yes];
        }
        EvaluationReport::new(&labels, probabilities.view())
    }

    /// Whether it chooses one of several classes, or between yes and no: what a report is about.
    #[cfg(feature = "plot")]
    pub(crate) fn chooses_a_class(&self) -> bool {
        self.engine.decision().check().is_ok()
    }
}
