//! Layers as data: what each one is called, which shapes it takes and gives, which weights it has, and which operations
//! it stands for. They compute nothing.
//!
//! Names, arguments and defaults are [Keras'](https://keras.io/api/layers/).

mod activation;
mod average_pooling2d;
mod axes;
mod batch_normalization;
mod bidirectional;
mod checks;
mod concatenate;
mod conv1d;
mod conv2d;
mod conv2d_transpose;
mod cropping2d;
mod custom;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod elu;
mod embedding;
mod flatten;
mod global_average_pooling2d;
mod global_max_pooling2d;
mod global_pooling1d;
mod group_normalization;
mod grouped;
mod gru;
mod layer_normalization;
mod leaky_relu;
mod lstm;
mod masking;
mod max_pooling2d;
mod merging;
mod names;
mod network;
mod noise;
mod normalization;
mod permute;
mod pooling1d;
mod prelu;
mod recurrent;
mod relu;
mod repeat_vector;
mod rescaling;
mod reshape;
mod separable_conv2d;
mod simple_rnn;
mod sliding;
mod spatial_dropout2d;
mod spec;
mod time_distributed;
mod up_sampling2d;
mod weight_settings;
mod written;
mod zero_padding2d;

pub use crate::program::{Constraint, Initializer, Regularizer};
#[cfg(feature = "onnx")]
pub(crate) use activation::LEAKY_RELU_SLOPE;
pub use activation::{Activation, ActivationFunction};
pub use average_pooling2d::AveragePooling2D;
pub use batch_normalization::BatchNormalization;
pub use bidirectional::{Bidirectional, MergeMode};
pub use concatenate::Concatenate;
pub use conv1d::{Conv1D, SequencePadding};
pub use conv2d::Conv2D;
pub use conv2d_transpose::Conv2DTranspose;
pub use cropping2d::Cropping2D;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use elu::ELU;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use global_pooling1d::{GlobalAveragePooling1D, GlobalMaxPooling1D};
pub use group_normalization::GroupNormalization;
pub use gru::GRU;
pub use layer_normalization::LayerNormalization;
pub use leaky_relu::LeakyReLU;
pub use lstm::LSTM;
pub use masking::Masking;
pub use max_pooling2d::MaxPooling2D;
pub use merging::{Add, Average, Maximum, Minimum, Multiply, Subtract};
pub(crate) use network::{Call, Network, Source};
pub use noise::{AlphaDropout, GaussianDropout, GaussianNoise};
pub use normalization::Normalization;
pub use permute::Permute;
pub use pooling1d::{AveragePooling1D, MaxPooling1D};
pub use prelu::PReLU;
pub(crate) use recurrent::RecurrentCell;
pub use relu::ReLU;
pub use repeat_vector::RepeatVector;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use separable_conv2d::SeparableConv2D;
pub use simple_rnn::SimpleRNN;
pub use spatial_dropout2d::SpatialDropout2D;
pub(crate) use spec::Spec;
pub use time_distributed::TimeDistributed;
pub use up_sampling2d::{Interpolation, UpSampling2D};
pub use zero_padding2d::ZeroPadding2D;

use crate::program::{AnyLayer, Builder, MaskRule, Operand, WeightId};
use crate::shape::Shape;
use checks::{check_convolution, checked, image, not_negative, sequence, trained, with_bias};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a layer declares. Each layer implements it in its own file.
pub(crate) trait Describe {
    /// How many inputs it takes.
    fn arity(&self) -> Arity {
        Arity::One
    }

    /// The shape of its output and its weights on these inputs, or a sentence without its subject that says why they
    /// cannot be.
    fn spec(&self, inputs: &[Shape]) -> Result<Spec, String>;

    /// How many lists of where windows start a plan of it has, each with one entry for each pixel of its output.
    fn window_lists(&self) -> usize {
        0
    }

    /// How many entries all those lists have together.
    fn listed_windows(&self, input: Shape, output: Shape) -> usize {
        let _ = input;
        let (height, width, _) = output.as_image();
        self.window_lists().saturating_mul(height.saturating_mul(width))
    }

    /// About how many bytes a plan has of each call of it, beside those lists, where they are many: a file that calls
    /// one layer often has it but once.
    fn copied_bytes(&self) -> u64 {
        0
    }

    /// What each of its outputs adds to the loss, if anything.
    fn activity_regularizer(&self) -> Option<Regularizer> {
        None
    }

    /// Where it keeps whether its weights are trained; `None` for layers without weights, and for those of users' own
    /// types, which freeze each weight by itself.
    fn trainable_mut(&mut self) -> Option<&mut bool> {
        None
    }

    /// The recurrent cell, if it is a layer of one.
    fn recurrent(&self) -> Option<RecurrentCell> {
        None
    }

    /// The shapes of its outputs behind the first. How many there are depends on the layer alone.
    ///
    /// - first: the shape of the first
    fn further_outputs(&self, first: Shape) -> Vec<Shape> {
        let _ = first;
        Vec::new()
    }

    /// How many of its outputs come before its final states.
    fn outputs_before_states(&self) -> usize {
        1
    }

    /// How many values of an example's states go from a batch to the next.
    fn carried_len(&self) -> usize {
        0
    }

    /// What it makes of the masks of its inputs.
    fn mask_rule(&self) -> MaskRule {
        MaskRule::Ends
    }

    /// Adds its operations to a program. [`spec`](Self::spec) has accepted the inputs; the weights are those it
    /// declared, in its order.
    fn lower(&self, builder: &mut Builder, inputs: &[Operand], weights: &[WeightId]) -> Result<Operand, String>;

    /// The same of a layer with several outputs.
    fn lower_all(
        &self,
        builder: &mut Builder,
        inputs: &[Operand],
        weights: &[WeightId],
    ) -> Result<Vec<Operand>, String> {
        Ok(vec![self.lower(builder, inputs, weights)?])
    }
}

/// How many inputs a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    One,
    /// One, and behind it so many initial states or none.
    OneAndStates(usize),
    Two,
    /// Two or more.
    Several,
}

/// Declares the list of all layers: for each its type and Keras' name for the first of its kind in a model.
macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident: $base_name:literal,)*) => {
        /// Any layer of a [`Sequential`](crate::Sequential) model.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Layer {
            $($(#[$doc])* $layer($layer),)*
            /// A [layer of a user's own](crate::custom::CustomLayer).
            Custom(AnyLayer),
        }

        impl Layer {
            /// All types, but a user's own.
            #[cfg(feature = "keras")]
            pub(crate) const KINDS: &[&str] = &[$(stringify!($layer),)*];

            /// The layer's type, as in `Conv2D`; of a user's own its `NAME`, or `Custom` while its type is not known.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$layer(_) => stringify!($layer),)*
                    Self::Custom(layer) => layer.kind(),
                }
            }

            /// The name that a user has given it.
            pub(crate) fn given_name(&self) -> Option<Cow<'_, str>> {
                match self {
                    $(Self::$layer(layer) => layer.name.as_deref().map(Cow::Borrowed),)*
                    Self::Custom(layer) => layer.given_name(),
                }
            }

            /// Names it; a layer of a user's own type says itself what it is called.
            pub(crate) fn set_name(&mut self, name: String) {
                match self {
                    $(Self::$layer(layer) => layer.name = Some(name),)*
                    Self::Custom(_) => {}
                }
            }

            /// What Keras calls the first layer of this type in a model; later ones get `_1`, `_2` and so on.
            pub(crate) fn base_name(&self) -> Cow<'static, str> {
                match self {
                    $(Self::$layer(_) => $base_name.into(),)*
                    Self::Custom(layer) => layer.base_name(),
                }
            }

            /// Where it keeps whether its weights are trained, if it can be frozen.
            pub(crate) fn trainable_mut(&mut self) -> Option<&mut bool> {
                match self {
                    $(Self::$layer(layer) => layer.trainable_mut(),)*
                    Self::Custom(layer) => layer.trainable_mut(),
                }
            }

            /// What it declares.
            pub(crate) fn describe(&self) -> &dyn Describe {
                match self {
                    $(Self::$layer(layer) => layer,)*
                    Self::Custom(layer) => layer,
                }
            }
        }

        $(
            impl From<$layer> for Layer {
                fn from(layer: $layer) -> Self {
                    Self::$layer(layer)
                }
            }
        )*
    };
}

layers! {
    /// A convolution.
    Conv2D: "conv2d",
    /// A transposed convolution.
    Conv2DTranspose: "conv2d_transpose",
    /// A convolution of each channel.
    DepthwiseConv2D: "depthwise_conv2d",
    /// A convolution of each channel, and one of single pixels.
    SeparableConv2D: "separable_conv2d",
    /// A max pooling.
    MaxPooling2D: "max_pooling2d",
    /// An average pooling.
    AveragePooling2D: "average_pooling2d",
    /// An average pooling over all pixels.
    GlobalAveragePooling2D: "global_average_pooling2d",
    /// A max pooling over all pixels.
    GlobalMaxPooling2D: "global_max_pooling2d",
    /// A convolution of sequences.
    Conv1D: "conv1d",
    /// A max pooling of sequences.
    MaxPooling1D: "max_pooling1d",
    /// An average pooling of sequences.
    AveragePooling1D: "average_pooling1d",
    /// An average pooling over all steps.
    GlobalAveragePooling1D: "global_average_pooling1d",
    /// A max pooling over all steps.
    GlobalMaxPooling1D: "global_max_pooling1d",
    /// Vectors of tokens.
    Embedding: "embedding",
    /// Steps of sequences that do not count.
    Masking: "masking",
    /// A border of zeros.
    ZeroPadding2D: "zero_padding2d",
    /// Each channel normalized over the batch.
    BatchNormalization: "batch_normalization",
    /// The last axes normalized, example by example.
    LayerNormalization: "layer_normalization",
    /// Groups of channels normalized, example by example.
    GroupNormalization: "group_normalization",
    /// Values in another shape.
    Reshape: "reshape",
    /// A border cut off.
    Cropping2D: "cropping2d",
    /// More pixels.
    UpSampling2D: "up_sampling2d",
    /// Axes in another order.
    Permute: "permute",
    /// A vector made a sequence.
    RepeatVector: "repeat_vector",
    /// A fully connected layer.
    Dense: "dense",
    /// An image made a vector.
    Flatten: "flatten",
    /// An activation function on its own.
    Activation: "activation",
    /// A rectified linear unit with a ceiling, a slope and a threshold.
    ReLU: "re_lu",
    /// A rectified linear unit with a slope below 0.
    LeakyReLU: "leaky_re_lu",
    /// An exponential linear unit.
    ELU: "elu",
    /// Values dropped at random while training.
    Dropout: "dropout",
    /// Channels dropped at random while training.
    SpatialDropout2D: "spatial_dropout2d",
    /// Noise added while training.
    GaussianNoise: "gaussian_noise",
    /// Noise multiplied by while training.
    GaussianDropout: "gaussian_dropout",
    /// A dropout that keeps mean and variance.
    AlphaDropout: "alpha_dropout",
    /// An activation function whose slope is learned.
    PReLU: "p_re_lu",
    /// Channels normalised by numbers that are known before training.
    Normalization: "normalization",
    /// A factor and a summand for all values.
    Rescaling: "rescaling",
    /// The sum of several inputs.
    Add: "add",
    /// One input less another.
    Subtract: "subtract",
    /// The product of several inputs.
    Multiply: "multiply",
    /// The mean of several inputs.
    Average: "average",
    /// The largest of several inputs.
    Maximum: "maximum",
    /// The smallest of several inputs.
    Minimum: "minimum",
    /// Several inputs side by side.
    Concatenate: "concatenate",
    /// A simple recurrent layer.
    SimpleRNN: "simple_rnn",
    /// A long short-term memory.
    LSTM: "lstm",
    /// A gated recurrent unit.
    GRU: "gru",
    /// A sequence read in both directions.
    Bidirectional: "bidirectional",
    /// A layer applied to each step.
    TimeDistributed: "time_distributed",
}
