//! Which layers can be frozen, and how one is given a name later on: for layers out of a model that is taken apart.

use super::Layer;

impl Layer {
    /// Where it keeps whether its weights are trained; `None` for layers without weights, and for those of users' own
    /// types, which freeze each weight by itself.
    pub(crate) fn trainable_mut(&mut self) -> Option<&mut bool> {
        match self {
            Self::Conv2D(layer) => Some(&mut layer.trainable),
            Self::Conv2DTranspose(layer) => Some(&mut layer.trainable),
            Self::DepthwiseConv2D(layer) => Some(&mut layer.trainable),
            Self::SeparableConv2D(layer) => Some(&mut layer.trainable),
            Self::Conv1D(layer) => Some(&mut layer.trainable),
            Self::BatchNormalization(layer) => Some(&mut layer.trainable),
            Self::LayerNormalization(layer) => Some(&mut layer.trainable),
            Self::GroupNormalization(layer) => Some(&mut layer.trainable),
            Self::Dense(layer) => Some(&mut layer.trainable),
            Self::PReLU(layer) => Some(&mut layer.trainable),
            Self::MaxPooling2D(_)
            | Self::AveragePooling2D(_)
            | Self::GlobalAveragePooling2D(_)
            | Self::GlobalMaxPooling2D(_)
            | Self::MaxPooling1D(_)
            | Self::AveragePooling1D(_)
            | Self::GlobalAveragePooling1D(_)
            | Self::GlobalMaxPooling1D(_)
            | Self::ZeroPadding2D(_)
            | Self::Reshape(_)
            | Self::Cropping2D(_)
            | Self::UpSampling2D(_)
            | Self::Permute(_)
            | Self::RepeatVector(_)
            | Self::Flatten(_)
            | Self::Activation(_)
            | Self::ReLU(_)
            | Self::LeakyReLU(_)
            | Self::ELU(_)
            | Self::Dropout(_)
            | Self::SpatialDropout2D(_)
            | Self::GaussianNoise(_)
            | Self::GaussianDropout(_)
            | Self::AlphaDropout(_)
            | Self::Normalization(_)
            | Self::Rescaling(_)
            | Self::Add(_)
            | Self::Subtract(_)
            | Self::Multiply(_)
            | Self::Average(_)
            | Self::Maximum(_)
            | Self::Minimum(_)
            | Self::Concatenate(_)
            | Self::Custom(_) => None,
        }
    }
}
