//! Makes a network of what somebody has chosen on the page. Whether its shapes fit is the crate's to say.

use inkstone::prelude::*;
use inkstone::{Error, Result};
use serde::Deserialize;

/// What is chosen on the page, as it is in a shared link too.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) layers: Vec<LayerSetting>,
    pub(crate) optimizer: OptimizerSetting,
    pub(crate) rate: f32,
    pub(crate) batch: usize,
    pub(crate) augment: bool,
    pub(crate) seed: Option<u64>,
}

/// A layer between the picture and the ten answers.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum LayerSetting {
    /// Convolution with ReLU.
    Conv {
        filters: usize,
        size: usize,
    },
    /// The largest of each 2x2 pixels.
    Pool,
    Dropout {
        rate: f32,
    },
    Norm,
    Flatten,
    /// Dense with ReLU.
    Dense {
        units: usize,
    },
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OptimizerSetting {
    Adam,
    Sgd,
    Momentum,
}

/// The most layers that are taken from a link.
const MOST_LAYERS: usize = 16;
/// The most weights, which are 80 MB with what Adam keeps of them: more would stop the page of a phone.
const MOST_WEIGHTS: usize = 5_000_000;
/// The most units and filters of a layer.
const MOST_UNITS: usize = 1024;

impl Settings {
    /// # Errors
    /// `Error::Setting` with what is wrong.
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        let settings: Self =
            serde_json::from_str(text).map_err(|error| fault("settings", "what this page offers", error))?;
        if !(1..=1024).contains(&settings.batch) {
            return Err(fault("batch size", "1 to 1024", settings.batch));
        }
        match settings.layers.len() {
            0..=MOST_LAYERS => Ok(settings),
            count => Err(fault("layers", "at most 16 of them", count)),
        }
    }

    /// The network for pictures of this shape, ready to train, with ten answers.
    ///
    /// # Errors
    /// The crate's, by layer; `Error::Setting` for a network that is too large for a page.
    pub(crate) fn model(&self, input: [usize; 3]) -> Result<Model> {
        let mut network = Sequential::new(input);
        for layer in &self.layers {
            network = match *layer {
                LayerSetting::Conv { filters, size } => {
                    network.add(Conv2D::new(at_most(filters)?, (size, size)).activation(Relu))
                }
                LayerSetting::Pool => network.add(MaxPooling2D::new((2, 2))),
                LayerSetting::Dropout { rate } => network.add(Dropout::new(rate)),
                LayerSetting::Norm => network.add(BatchNormalization::new()),
                LayerSetting::Flatten => network.add(Flatten::new()),
                LayerSetting::Dense { units } => network.add(Dense::new(at_most(units)?).activation(Relu)),
            };
        }
        network = network.add(Dense::new(10).activation(Softmax));
        let weights = network.parameter_count()?;
        if weights > MOST_WEIGHTS {
            let expected = "at most 5,000,000 in a page: choose smaller layers, or pool before `Flatten`";
            return Err(fault("weights", expected, weights));
        }
        if let Some(seed) = self.seed {
            network = network.seed(seed);
        }
        let loss = SparseCategoricalCrossentropy::default();
        match self.optimizer {
            OptimizerSetting::Adam => network.compile(Adam::new(self.rate), loss, [Accuracy]),
            OptimizerSetting::Sgd => network.compile(Sgd::new(self.rate), loss, [Accuracy]),
            OptimizerSetting::Momentum => network.compile(Sgd::new(self.rate).momentum(0.9), loss, [Accuracy]),
        }
    }
}

/// # Errors
/// `Error::Setting` if it is more than a page takes.
fn at_most(units: usize) -> Result<usize> {
    match units {
        0..=MOST_UNITS => Ok(units),
        _ => Err(fault("units", "at most 1024 in a layer of a page", units)),
    }
}

fn fault(name: &'static str, expected: &'static str, received: impl ToString) -> Error {
    Error::Setting { name, expected, received: received.to_string() }
}
