//! What the oracle must know of each kind of layer: its entry in the table of cases, and what it leaves out.

use super::cases::Kind;
use crate::layers::{
    ActivationFunction, AlphaDropout, Bidirectional, Dropout, GaussianDropout, GaussianNoise, Layer, SpatialDropout2D,
    TimeDistributed,
};

/// Layers of users' own are tested where their traits are.
pub(super) const NO_CUSTOM: &str = "the table of cases has no layer of a user's own";

/// A layer's entry in the table of cases.
pub(crate) fn kind_of(layer: &Layer) -> Kind {
    match layer {
        Layer::Conv2D(_) => Kind::Conv2D,
        Layer::Conv2DTranspose(_) => Kind::Conv2DTranspose,
        Layer::DepthwiseConv2D(_) => Kind::DepthwiseConv2D,
        Layer::SeparableConv2D(_) => Kind::SeparableConv2D,
        Layer::BatchNormalization(_) => Kind::BatchNormalization,
        Layer::LayerNormalization(_) => Kind::LayerNormalization,
        Layer::GroupNormalization(_) => Kind::GroupNormalization,
        Layer::ReLU(_) => Kind::ReLU,
        Layer::LeakyReLU(_) => Kind::LeakyReLU,
        Layer::ELU(_) => Kind::ELU,
        Layer::MaxPooling2D(_) => Kind::MaxPooling2D,
        Layer::AveragePooling2D(_) => Kind::AveragePooling2D,
        Layer::GlobalAveragePooling2D(_) => Kind::GlobalAveragePooling2D,
        Layer::GlobalMaxPooling2D(_) => Kind::GlobalMaxPooling2D,
        Layer::Embedding(_) => Kind::Embedding,
        Layer::Masking(_) => Kind::Masking,
        Layer::ZeroPadding2D(_) => Kind::ZeroPadding2D,
        Layer::Cropping2D(_) => Kind::Cropping2D,
        Layer::UpSampling2D(_) => Kind::UpSampling2D,
        Layer::Permute(_) => Kind::Permute,
        Layer::RepeatVector(_) => Kind::RepeatVector,
        Layer::Reshape(_) => Kind::Reshape,
        Layer::Dense(_) => Kind::Dense,
        Layer::Flatten(_) => Kind::Flatten,
        Layer::Activation(_) => Kind::Activation,
        Layer::Dropout(_) => Kind::Dropout,
        Layer::Conv1D(_) => Kind::Conv1D,
        Layer::MaxPooling1D(_) => Kind::MaxPooling1D,
        Layer::AveragePooling1D(_) => Kind::AveragePooling1D,
        Layer::GlobalAveragePooling1D(_) => Kind::GlobalAveragePooling1D,
        Layer::GlobalMaxPooling1D(_) => Kind::GlobalMaxPooling1D,
        Layer::SpatialDropout2D(_) => Kind::SpatialDropout2D,
        Layer::GaussianNoise(_) => Kind::GaussianNoise,
        Layer::GaussianDropout(_) => Kind::GaussianDropout,
        Layer::AlphaDropout(_) => Kind::AlphaDropout,
        Layer::PReLU(_) => Kind::PReLU,
        Layer::Normalization(_) => Kind::Normalization,
        Layer::Custom(_) => unreachable!("{NO_CUSTOM}"),
        Layer::Add(_) => Kind::Add,
        Layer::Rescaling(_) => Kind::Rescaling,
        Layer::Subtract(_) => Kind::Subtract,
        Layer::Multiply(_) => Kind::Multiply,
        Layer::Average(_) => Kind::Average,
        Layer::Maximum(_) => Kind::Maximum,
        Layer::Minimum(_) => Kind::Minimum,
        Layer::Concatenate(_) => Kind::Concatenate,
        Layer::SimpleRNN(_) => Kind::SimpleRNN,
        Layer::LSTM(_) => Kind::LSTM,
        Layer::GRU(_) => Kind::GRU,
        Layer::Bidirectional(_) => Kind::Bidirectional,
        Layer::TimeDistributed(_) => Kind::TimeDistributed,
    }
}

/// The layer as the oracle knows it: with nothing left to chance.
pub(crate) fn without_chance(layer: &Layer) -> Layer {
    match layer {
        Layer::Dropout(_) => Dropout::new(0.0).into(),
        Layer::SpatialDropout2D(_) => SpatialDropout2D::new(0.0).into(),
        Layer::GaussianNoise(_) => GaussianNoise::new(0.0).into(),
        Layer::GaussianDropout(_) => GaussianDropout::new(0.0).into(),
        Layer::AlphaDropout(_) => AlphaDropout::new(0.0).into(),
        Layer::SimpleRNN(rnn) => rnn.clone().dropout(0.0).recurrent_dropout(0.0).into(),
        Layer::LSTM(rnn) => rnn.clone().dropout(0.0).recurrent_dropout(0.0).into(),
        Layer::GRU(rnn) => rnn.clone().dropout(0.0).recurrent_dropout(0.0).into(),
        Layer::Bidirectional(both) => {
            Layer::Bidirectional(Bidirectional { layer: without_chance(&both.layer).into(), ..both.clone() })
        }
        Layer::TimeDistributed(steps) => {
            Layer::TimeDistributed(TimeDistributed { layer: without_chance(&steps.layer).into(), ..steps.clone() })
        }
        _ => layer.clone(),
    }
}

/// The function that a layer ends with.
pub(super) fn function_of(layer: &Layer) -> ActivationFunction {
    match layer {
        Layer::Conv1D(conv) => conv.activation,
        Layer::Conv2D(conv) => conv.activation,
        Layer::Dense(dense) => dense.activation,
        Layer::Activation(activation) => activation.function,
        Layer::Conv2DTranspose(conv) => conv.activation,
        Layer::DepthwiseConv2D(conv) => conv.activation,
        Layer::SeparableConv2D(conv) => conv.activation,
        Layer::TimeDistributed(steps) => function_of(&steps.layer),
        _ => ActivationFunction::Linear,
    }
}
