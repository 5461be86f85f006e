//! A described network whose layers have weights already: what a model is taken apart to. Freezing, adding layers, and
//! compiling are here; which part of a model it is, is decided in `parts`.

mod compile;
mod parts;

use crate::error::{Error, Result};
use crate::layers::{Call, Layer, Network, Source};
use crate::model::Weight;
use crate::plan::layer_names;

/// A part of a [`Model`](crate::Model) with its weights, to be gone on with:
/// [`Model::pretrained`](crate::Model::pretrained), [`Model::layers_up_to`](crate::Model::layers_up_to) and
/// [`Model::without_top`](crate::Model::without_top) make it. Layers are frozen and added, and
/// [`compile`](Self::compile) makes it a model again, whose optimizer starts anew. [`Node::apply`](crate::Node::apply)
/// makes it a part of a larger network.
///
/// ```
/// use inkstone::data::synthetic;
/// use inkstone::prelude::*;
/// let digits = synthetic::digits(300, 1)?;
/// let (low, high) = (digits.filter(|digit| digit.label() < Some(5))?, digits.filter(|digit| digit.label() >= Some(5))?);
/// let high = Dataset::from_floats(high.images(), high.labels().iter().map(|label| label - 5).collect())?;
/// let mut model = Sequential::new([28, 28, 1])
///     .add(Conv2D::new(8, (3, 3)).activation(Relu))
///     .add(MaxPooling2D::new((4, 4)))
///     .add(Flatten::new())
///     .add(Dense::new(5).activation(Softmax))
///     .seed(1)
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit(&low, FitConfig::new().epochs(2).verbose(0))?;
///
/// // A new head, trained alone.
/// let base = model.without_top(1)?.freeze();
/// let mut model = base
///     .add(Dense::new(5).activation(Softmax))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit(&high, FitConfig::new().epochs(2).verbose(0))?;
///
/// // All layers, at a lower rate.
/// let all = model.pretrained().unfreeze();
/// let mut model = all.compile(Adam::new(1e-4), SparseCategoricalCrossentropy::default(), [Accuracy])?;
/// model.fit(&high, FitConfig::new().epochs(1).verbose(0))?;
/// assert_eq!(model.layer_names(), ["conv2d", "max_pooling2d", "flatten", "dense"]);
/// # Ok::<(), inkstone::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pretrained {
    network: Network,
    /// For each layer its weights, if it has been in a model.
    weights: Vec<Option<Vec<Weight>>>,
    seed: u64,
    /// Which layers are to be frozen: `compile` finds those that cannot be.
    frozen: Vec<bool>,
    /// Why it cannot be compiled.
    fault: Option<String>,
}

impl Pretrained {
    /// Freezes all layers that it has now: training leaves their weights as they are, and a `BatchNormalization` its
    /// moving averages. Layers that are added later are trained.
    #[must_use]
    pub fn freeze(self) -> Self {
        self.with_all_layers(Training::Off)
    }

    /// Trains all layers that it has now.
    #[must_use]
    pub fn unfreeze(self) -> Self {
        self.with_all_layers(Training::On)
    }

    /// Freezes the layers of these names.
    ///
    /// # Errors
    /// [`Error::Model`] if there is no layer of a name; it lists those that there are.
    ///
    /// ```
    /// use inkstone::prelude::*;
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(3).activation(Relu))
    ///     .add(Dense::new(2))
    ///     .compile(Adam::default(), MeanSquaredError, [])?;
    /// let head = model.pretrained().freeze_layers(["dense"])?.compile(Adam::default(), MeanSquaredError, [])?;
    /// assert!(head.summary().to_string().contains("Non-trainable params: 15 "));
    /// let error = model.pretrained().freeze_layers(["conv2d"]).unwrap_err();
    /// assert_eq!(error.to_string(), "the model has no layer \"conv2d\": it has dense, dense_1");
    /// # Ok::<(), inkstone::Error>(())
    /// ```
    pub fn freeze_layers<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        self.with_layers(names, Training::Off)
    }

    /// Trains the layers of these names, for example the last ones of a frozen network.
    ///
    /// # Errors
    /// As [`freeze_layers`](Self::freeze_layers).
    pub fn unfreeze_layers<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Result<Self> {
        self.with_layers(names, Training::On)
    }

    fn with_all_layers(mut self, training: Training) -> Self {
        (0..self.network.layers.len()).for_each(|layer| self.set(layer, training));
        self
    }

    fn with_layers<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>, training: Training) -> Result<Self> {
        let all = self.layer_names();
        for name in names {
            let layer = find(&all, name.as_ref())?;
            self.set(layer, training);
        }
        Ok(self)
    }

    fn set(&mut self, layer: usize, training: Training) {
        self.frozen[layer] = training == Training::Off;
        if let Some(trainable) = self.network.layers[layer].trainable_mut() {
            *trainable = training == Training::On;
        }
    }

    /// Adds a layer behind the output. Its first weights are drawn, from the [`seed`](Self::seed).
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the name of Keras' method")]
    pub fn add(mut self, layer: impl Into<Layer>) -> Self {
        let layer = layer.into();
        match self.network.outputs[..] {
            [output] => {
                self.network.calls.push(Call { layer: self.network.layers.len(), reads: vec![output] });
                self.network.outputs = vec![Source::Call(self.network.calls.len() - 1)];
                self.network.layers.push(layer);
                self.weights.push(None);
                self.frozen.push(false);
            }
            _ => {
                let outputs = self.network.outputs.len();
                let fault = format!(
                    "has {outputs} outputs, so that `add` cannot tell what the {} is for: take `layers_up_to` one layer",
                    layer.title()
                );
                self.fault.get_or_insert(fault);
            }
        }
        self
    }

    /// Fixes the first weights of new layers, shuffling and dropout, as
    /// [`Sequential::seed`](crate::Sequential::seed); otherwise the seed is that of the model it comes from.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The names of the layers, in order, as [`Model::layer_names`](crate::Model::layer_names).
    #[must_use]
    pub fn layer_names(&self) -> Vec<String> {
        layer_names(&self.network.layers)
    }

    /// The layers, in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.network.layers
    }
}

/// What a layer brings from the model that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Learned {
    weights: Vec<Weight>,
    is_frozen: bool,
}

/// A network that becomes part of another one.
pub(crate) struct Part {
    pub(crate) network: Network,
    /// For each layer what it brings, if it has been in a model.
    pub(crate) learned: Vec<Option<Learned>>,
    /// Why it cannot be a part.
    pub(crate) fault: Option<String>,
}

#[cfg(any(feature = "keras", feature = "onnx"))]
impl Pretrained {
    /// A network whose layers have these weights, each in the order that it declares.
    pub(crate) fn with_weights(network: Network, weights: Vec<Option<Vec<Weight>>>, seed: u64) -> Self {
        Self { frozen: vec![false; network.layers.len()], network, weights, seed, fault: None }
    }

    /// What it describes.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }
}

impl Pretrained {
    pub(crate) fn into_part(self) -> Part {
        let Self { network, weights, frozen, fault, seed: _ } = self;
        let learned = weights.into_iter().zip(frozen);
        let learned = learned.map(|(weights, is_frozen)| weights.map(|weights| Learned { weights, is_frozen }));
        Part { learned: learned.collect(), network, fault }
    }

    /// A network with what some of its layers bring.
    pub(crate) fn of(network: Network, learned: Vec<Option<Learned>>, seed: u64) -> Self {
        let frozen = learned.iter().map(|learned| learned.as_ref().is_some_and(|learned| learned.is_frozen)).collect();
        let weights = learned.into_iter().map(|learned| learned.map(|learned| learned.weights)).collect();
        Self { network, weights, seed, frozen, fault: None }
    }
}

/// Whether training changes a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Training {
    On,
    Off,
}

/// How many names an error lists.
const LISTED: usize = 20;

/// The layer of this name.
///
/// # Errors
/// [`Error::Model`] with the names that there are.
fn find(names: &[String], name: &str) -> Result<usize> {
    names.iter().position(|other| other == name).ok_or_else(|| {
        let mut listed: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
        let more = format!("{} more", names.len().saturating_sub(LISTED));
        if names.len() > LISTED {
            listed.push(&more);
        }
        Error::Model(format!("has no layer {name:?}: it has {}", listed.join(", ")))
    })
}
