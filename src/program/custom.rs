//! Layers of users' own types: what they declare, and what the engine calls. How they lie among other layers is in
//! `layers`.

use super::{LayerBackward, LayerForward, LayerWeight};
use crate::shape::Shape;
use crate::user_object::{Constructor, UserObject};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A layer of your own. A type that implements it goes into [`Sequential::add`](crate::Sequential::add) as the crate's
/// layers do, and into files, as its serde form under its [`NAME`](Self::NAME).
///
/// It takes one input and gives one output, and works on a chunk of examples at a time: as many as the crate finds
/// convenient, one or more. What it computes for one example must not depend on the others, and is the same in training
/// and in prediction. The crate fuses nothing with it, and gives and takes plain slices, in which examples lie one
/// after the other, channels last.
///
/// Threads call it at the same time, as the crate cuts batches up for them; a call does its work on the thread that
/// makes it. Training gives the same bits on any number of threads as long as equal arguments give equal results. A
/// panic unwinds through `fit`, and leaves the model as it was after the last step.
///
/// [`testing::check_gradients`](crate::testing::check_gradients) compares the backward pass with the forward pass. To
/// read a file with such a layer, [`CustomObjects`](crate::custom::CustomObjects) names its type.
///
/// ```
/// use inkstone::custom::{CustomLayer, LayerBackward, LayerForward, LayerWeight};
/// use inkstone::prelude::*;
/// use inkstone::{Shape, testing};
/// use serde::{Deserialize, Serialize};
///
/// /// Multiplies each channel by a weight of its own.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Scale;
///
/// impl CustomLayer for Scale {
///     const NAME: &'static str = "Scale";
///
///     fn output_shape(&self, input: Shape) -> Result<Shape, String> {
///         Ok(input)
///     }
///
///     fn weights(&self, input: Shape) -> Vec<LayerWeight> {
///         let (_, _, channels) = input.as_image();
///         vec![LayerWeight::constant("factors", [channels], 1.0)]
///     }
///
///     fn forward(&self, pass: LayerForward<'_>) {
///         let factors = &pass.weights[0];
///         for (at, (y, x)) in pass.output.iter_mut().zip(pass.input).enumerate() {
///             *y = x * factors[at % factors.len()];
///         }
///     }
///
///     fn backward(&self, mut pass: LayerBackward<'_>) {
///         let factors = &pass.weights[0];
///         for (at, dy) in pass.d_output.iter().enumerate() {
///             let channel = at % factors.len();
///             pass.d_weights[0][channel] += dy * pass.input[at];
///             if let Some(d_input) = &mut pass.d_input {
///                 d_input[at] = dy * factors[channel];
///             }
///         }
///     }
/// }
///
/// testing::check_gradients(Scale, [3, 3, 2])?;
/// let model = Sequential::new([4]).add(Scale).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError, [])?;
/// assert_eq!(model.layer_names(), ["scale", "dense"]);
/// assert_eq!(model.get_weight("scale/factors")?.values.as_slice(), Some(&[1.0; 4][..]));
/// # Ok::<(), inkstone::Error>(())
/// ```
pub trait CustomLayer: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// The name that summaries, errors and files know it by, of letters, digits and underscores. In the names of layers
    /// and weights it is written small, as in Keras: `layer_scale_1/factors` of a `LayerScale`.
    const NAME: &'static str;

    /// The shape of one output, given that of one input.
    ///
    /// # Errors
    /// A sentence without its subject that says why the layer cannot work on such an input, and what to do: "expects a
    /// vector, got (28, 28, 1): add `Flatten` before it". [`compile`](crate::Sequential::compile) puts the layer before
    /// it.
    fn output_shape(&self, input: Shape) -> Result<Shape, String>;

    /// The name of this one layer, as `name` sets it of the crate's layers:
    /// [`Dense::name`](crate::layers::Dense::name). None by default.
    fn layer_name(&self) -> Option<String> {
        None
    }

    /// Its weights, given the shape of one input that [`output_shape`](Self::output_shape) has accepted. None by
    /// default.
    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        let _ = input;
        Vec::new()
    }

    /// Computes the output of some examples.
    fn forward(&self, pass: LayerForward<'_>);

    /// Computes the gradients of the input, where they are wanted, and adds to those of the weights, given the
    /// gradients of the output.
    fn backward(&self, pass: LayerBackward<'_>);
}

/// What the engine calls.
pub(crate) trait ErasedLayer: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn layer_name(&self) -> Option<String>;
    fn output_shape(&self, input: Shape) -> Result<Shape, String>;
    fn weights(&self, input: Shape) -> Vec<LayerWeight>;
    fn forward(&self, pass: LayerForward<'_>);
    fn backward(&self, pass: LayerBackward<'_>);
    /// What makes others of its type.
    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedLayer>);
}

impl<T: CustomLayer> ErasedLayer for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn layer_name(&self) -> Option<String> {
        CustomLayer::layer_name(self)
    }

    fn output_shape(&self, input: Shape) -> Result<Shape, String> {
        CustomLayer::output_shape(self, input)
    }

    fn weights(&self, input: Shape) -> Vec<LayerWeight> {
        CustomLayer::weights(self, input)
    }

    fn forward(&self, pass: LayerForward<'_>) {
        CustomLayer::forward(self, pass);
    }

    fn backward(&self, pass: LayerBackward<'_>) {
        CustomLayer::backward(self, pass);
    }

    fn constructor(&self) -> (&'static str, Constructor<dyn ErasedLayer>) {
        (T::NAME, constructor::<T>())
    }
}

/// What makes layers of a type.
pub(crate) fn constructor<T: CustomLayer>() -> Constructor<dyn ErasedLayer> {
    |config| UserObject::from_config::<T>(T::NAME, config, |layer| Box::new(layer))
}

/// Any [`CustomLayer`], as a [`Layer`](crate::layers::Layer) holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AnyLayer(pub(crate) UserObject<dyn ErasedLayer>);

impl AnyLayer {
    /// The layer of a user's.
    pub(crate) fn new<T: CustomLayer>(layer: T) -> Self {
        Self(UserObject::new(T::NAME, layer, |layer| Box::new(layer)))
    }

    /// The [`NAME`](CustomLayer::NAME) of its type.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    pub(crate) fn forward(&self, pass: LayerForward<'_>) {
        self.object().forward(pass);
    }

    pub(crate) fn backward(&self, pass: LayerBackward<'_>) {
        self.object().backward(pass);
    }

    fn object(&self) -> &dyn ErasedLayer {
        self.0.object().expect("`compile` refuses a layer whose type is not known")
    }
}
