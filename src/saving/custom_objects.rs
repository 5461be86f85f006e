//! Decides which types of users' own a file may name.

use crate::layers::Layer;
use crate::loss::custom::{self as losses, ErasedLoss};
use crate::loss::{CustomLoss, Loss};
use crate::metrics::custom::{self as metrics, ErasedMetric};
use crate::metrics::{CustomMetric, Metric};
use crate::model::Model;
use crate::objective::Objective;
use crate::program::CustomLayer;
use crate::program::custom::{self as layers, ErasedLayer};
use crate::user_object::Constructors;
use std::fmt;

/// The types of your own that a file or a description may name, as Keras' `custom_objects`. A file holds the name and
/// the configuration of each custom layer, loss and metric, and no code: a program that loads it says which types they
/// stand for.
///
/// It goes to [`Model::load_with`](crate::Model::load_with) and its siblings, alone or in
/// [`LoadOptions`](crate::LoadOptions), and to [`Sequential::from_json_with`](crate::Sequential::from_json_with).
/// [`BackupAndRestore`](crate::callbacks::BackupAndRestore) needs none, as it takes the types from the model that is
/// trained.
///
/// ```
/// use inkstone::custom::{CustomLoss, CustomObjects, Target};
/// use inkstone::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Scaled {
///     by: f32,
/// }
///
/// impl CustomLoss for Scaled {
///     const NAME: &'static str = "Scaled";
///     // ...
/// #    fn loss(&self, outputs: &[f32], target: Target<'_>) -> f64 {
/// #        f64::from(self.by * (outputs[0] - target.value(0, 1)).abs())
/// #    }
/// #    fn gradient(&self, outputs: &[f32], target: Target<'_>, gradient: &mut [f32]) {
/// #        gradient[0] = self.by * (outputs[0] - target.value(0, 1)).signum();
/// #    }
/// }
///
/// # let path = tempfile::tempdir().unwrap().keep().join("model.safetensors");
/// let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::default(), Scaled { by: 2.0 }, [])?;
/// model.save(&path)?;
/// let loaded = Model::load_with(&path, CustomObjects::new().loss::<Scaled>())?;
/// assert_eq!(loaded.loss(), Scaled { by: 2.0 }.into());
///
/// let error = Model::load(&path).unwrap_err().to_string();
/// assert!(error.contains("the custom loss `Scaled`, whose type is not known"));
/// assert!(error.contains("pass `CustomObjects::new().loss::<Scaled>()`"));
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CustomObjects {
    layers: Constructors<dyn ErasedLayer>,
    losses: Constructors<dyn ErasedLoss>,
    metrics: Constructors<dyn ErasedMetric>,
}

impl CustomObjects {
    /// No types.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type of layers.
    #[must_use]
    pub fn layer<T: CustomLayer>(mut self) -> Self {
        self.layers.insert(T::NAME, layers::constructor::<T>());
        self
    }

    /// Adds a type of losses.
    #[must_use]
    pub fn loss<T: CustomLoss>(mut self) -> Self {
        self.losses.insert(T::NAME, losses::constructor::<T>());
        self
    }

    /// Adds a type of metrics.
    #[must_use]
    pub fn metric<T: CustomMetric>(mut self) -> Self {
        self.metrics.insert(T::NAME, metrics::constructor::<T>());
        self
    }

    /// The types of a model's own objects.
    pub(crate) fn of(model: &Model) -> Self {
        let mut objects = Self::new();
        for layer in model.layers() {
            if let Layer::Custom(layer) = layer {
                objects.layers.extend(layer.0.object().map(ErasedLayer::constructor));
            }
        }
        for Objective { loss, metrics, .. } in model.engine.scoring.objectives() {
            if let Loss::Custom(loss) = loss {
                objects.losses.extend(loss.0.object().map(ErasedLoss::constructor));
            }
            for metric in metrics {
                if let Metric::Custom(metric) = metric {
                    objects.metrics.extend(metric.0.object().map(ErasedMetric::constructor));
                }
            }
        }
        objects
    }

    /// Makes layers that were read ones of their types.
    ///
    /// # Errors
    /// The index of a layer that stands for no object, with the reason.
    pub(super) fn resolve_layers(&self, layers: &mut [Layer]) -> Result<(), (usize, String)> {
        for (index, layer) in layers.iter_mut().enumerate() {
            if let Layer::Custom(custom) = layer {
                custom.0.resolve("layer", &self.layers).map_err(|problem| (index, problem))?;
            }
        }
        Ok(())
    }

    /// Makes a loss that was read one of its type.
    ///
    /// # Errors
    /// What the model has that stands for no object.
    pub(super) fn resolve_loss(&self, loss: &mut Loss) -> Result<(), String> {
        let Loss::Custom(custom) = loss else { return Ok(()) };
        custom.0.resolve("loss", &self.losses).map_err(|problem| format!("has a loss that {problem}"))
    }

    /// Makes metrics that were read ones of their types.
    ///
    /// # Errors
    /// What the model has that stands for no object.
    pub(super) fn resolve_metrics(&self, metrics: &mut [Metric]) -> Result<(), String> {
        for metric in metrics {
            if let Metric::Custom(custom) = metric {
                let problem = |problem| format!("has a metric that {problem}");
                custom.0.resolve("metric", &self.metrics).map_err(problem)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for CustomObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layers, losses, metrics } = self;
        f.debug_struct("CustomObjects")
            .field("layers", &layers.keys().collect::<Vec<_>>())
            .field("losses", &losses.keys().collect::<Vec<_>>())
            .field("metrics", &metrics.keys().collect::<Vec<_>>())
            .finish()
    }
}
