//! What is said of a finished model: [`EvaluationReport`], class by class, with scikit-learn's meanings. What is
//! measured while training is in [`metrics`](mod@crate::metrics).

mod calibration;
mod checks;
mod confusion_matrix;
mod frechet;
mod log_loss;
mod mistakes;
mod of_model;
mod report;
mod roc_auc;
mod scores;

pub use calibration::{Calibration, CalibrationBin};
pub use confusion_matrix::ConfusionMatrix;
pub use frechet::frechet_distance;
pub use mistakes::Mistake;
pub use report::EvaluationReport;
pub use roc_auc::RocAuc;
pub(crate) use roc_auc::area_of;
pub use scores::ClassScores;
