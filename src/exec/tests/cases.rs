//! The table of layers: for each kind, the inputs that it takes and a layer drawn at random for them. Tests of what
//! must hold for every layer go through [`KINDS`]. What each layer computes says the oracle,
//! `src/exec/tests/oracle.rs`; a match over all layers beside it does not compile while a layer has no entry here.
//!
//! Unit tests, the programs in `tests` and `tests/tract` share this file, which is here as the published package has no others; the crate calls itself `inkstone` in its unit
//! tests.
#![allow(dead_code, reason = "each program takes what it needs")]

#[path = "case_draws.rs"]
mod draws;
#[path = "case_models.rs"]
mod models;
#[path = "case_recurrent.rs"]
mod recurrent;

use draws::{
    Window, any, function, image, normalization, repeated, same_len, sequence, short, stretch, vector, width, window,
};
use inkstone::Shape;
use inkstone::layers::{Layer, SequencePadding};
use inkstone::prelude::*;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

#[allow(unused_imports, reason = "each program takes what it needs")]
pub(crate) use models::{batch, chain, inputs, model, of_case, tokens};

/// The generator of whatever is drawn.
pub(crate) use rand::rngs::Xoshiro256PlusPlus as Random;

/// Declares the kinds of layers, and the list of all of them.
macro_rules! kinds {
    ($($kind:ident,)*) => {
        /// A kind of layer, under its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(clippy::upper_case_acronyms, reason = "the names of the layers are Keras'")]
        pub(crate) enum Kind {
            $($kind,)*
        }

        /// Every kind there is.
        pub(crate) const KINDS: &[Kind] = &[$(Kind::$kind,)*];
    };
}

kinds! {
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv2D,
    SeparableConv2D,
    Conv1D,
    MaxPooling1D,
    AveragePooling1D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Embedding,
    Masking,
    MaxPooling2D,
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    ZeroPadding2D,
    BatchNormalization,
    LayerNormalization,
    GroupNormalization,
    Reshape,
    Cropping2D,
    UpSampling2D,
    Permute,
    RepeatVector,
    Dense,
    Flatten,
    Activation,
    ReLU,
    LeakyReLU,
    ELU,
    Dropout,
    SpatialDropout2D,
    GaussianNoise,
    GaussianDropout,
    AlphaDropout,
    PReLU,
    Normalization,
    Rescaling,
    Add,
    Subtract,
    Multiply,
    Average,
    Maximum,
    Minimum,
    Concatenate,
    SimpleRNN,
    LSTM,
    GRU,
    Bidirectional,
    TimeDistributed,
}

/// A layer, with the shapes of the inputs that it was drawn for.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) inputs: Vec<Shape>,
    pub(crate) layer: Layer,
}

impl Kind {
    /// The case of this number: the same every time.
    pub(crate) fn case(self, seed: u64) -> Case {
        let mut random = Random::seed_from_u64(seed);
        let inputs = self.inputs(&mut random);
        let layer = self.layer(&mut random, &inputs).unwrap_or_else(|| panic!("{self:?} takes no {inputs:?}"));
        Case { kind: self, inputs, layer }
    }

    /// How many inputs it takes.
    fn arity(self, random: &mut Random) -> usize {
        match self {
            Self::Subtract => 2,
            Self::Add | Self::Multiply | Self::Average | Self::Maximum | Self::Minimum | Self::Concatenate => {
                random.random_range(2..=3)
            }
            _ => 1,
        }
    }

    /// Shapes of inputs that this kind of layer takes.
    fn inputs(self, random: &mut Random) -> Vec<Shape> {
        match self {
            Self::Conv2D
            | Self::Conv2DTranspose
            | Self::DepthwiseConv2D
            | Self::SeparableConv2D
            | Self::SpatialDropout2D
            | Self::MaxPooling2D
            | Self::AveragePooling2D
            | Self::GlobalAveragePooling2D
            | Self::GlobalMaxPooling2D
            | Self::ZeroPadding2D
            | Self::Cropping2D
            | Self::UpSampling2D => vec![image(random)],
            Self::RepeatVector | Self::Embedding => vec![vector(random)],
            Self::Conv1D
            | Self::MaxPooling1D
            | Self::AveragePooling1D
            | Self::GlobalAveragePooling1D
            | Self::GlobalMaxPooling1D
            | Self::Masking => vec![sequence(random)],
            Self::SimpleRNN | Self::LSTM | Self::GRU | Self::Bidirectional | Self::TimeDistributed => {
                vec![short(random)]
            }
            Self::Dense => vec![if random.random() { sequence(random) } else { vector(random) }],
            Self::Add | Self::Subtract | Self::Multiply | Self::Average | Self::Maximum | Self::Minimum => {
                let shape = any(random);
                let count = self.arity(random);
                let repeats = random.random_bool(0.4);
                (0..count).map(|_| if repeats { repeated(random, shape) } else { shape }).collect()
            }
            Self::Concatenate => {
                let first = any(random).axes().to_vec();
                let (leading, _) = first.split_at(first.len() - 1);
                let with_channels = |channels: usize| Shape::new(&[leading, &[channels]].concat()).expect("few axes");
                (0..self.arity(random)).map(|_| with_channels(random.random_range(1..=17))).collect()
            }
            _ => vec![any(random)],
        }
    }

    /// A layer of this kind for these inputs, or none if no such layer takes them.
    pub(crate) fn layer(self, random: &mut Random, inputs: &[Shape]) -> Option<Layer> {
        let takes = match self {
            Self::Subtract => inputs.len() == 2,
            Self::Add | Self::Multiply | Self::Average | Self::Maximum | Self::Minimum | Self::Concatenate => {
                inputs.len() > 1
            }
            _ => inputs.len() == 1,
        };
        if !takes {
            return None;
        }
        let axes = inputs[0].axes();
        Some(match self {
            Self::Conv2D => {
                let Window { size, strides, padding } = window(random, axes, 4)?;
                let conv = Conv2D::new(width(random), size).strides(strides).padding(padding);
                let conv = conv.activation(function(random)).use_bias(random.random());
                match random.random_range(0..4) {
                    // Taps that stand apart, and groups.
                    0 if padding == Same => conv.strides((1, 1)).dilation_rate((2, 3)).into(),
                    1 if axes[2].is_multiple_of(2) && conv.filters.is_multiple_of(2) => conv.groups(2).into(),
                    _ => conv.into(),
                }
            }
            Self::Conv2DTranspose => {
                let Window { size, strides, padding } = window(random, axes, 4)?;
                let conv = Conv2DTranspose::new(random.random_range(1..=5), size).padding(padding);
                let conv = conv.activation(function(random)).use_bias(random.random());
                if random.random_bool(0.2) { conv.dilation_rate((2, 1)).into() } else { conv.strides(strides).into() }
            }
            Self::DepthwiseConv2D => {
                let Window { size, strides, padding } = window(random, axes, 4)?;
                let conv = DepthwiseConv2D::new(size).strides(strides).padding(padding);
                let conv = conv.depth_multiplier(random.random_range(1..=3));
                conv.activation(function(random)).use_bias(random.random()).into()
            }
            Self::SeparableConv2D => {
                let Window { size, strides, padding } = window(random, axes, 4)?;
                let conv = SeparableConv2D::new(random.random_range(1..=18), size).strides(strides).padding(padding);
                conv.activation(function(random)).use_bias(random.random()).into()
            }
            Self::Conv1D => {
                let (size, strides) = stretch(random, axes, 4)?;
                let conv = Conv1D::new(width(random), size).strides(strides).activation(function(random));
                let padding =
                    *[SequencePadding::Valid, SequencePadding::Same, SequencePadding::Causal].choose(random)?;
                let conv = conv.padding(padding).use_bias(random.random());
                match random.random_range(0..4) {
                    // Taps that stand apart, and groups.
                    0 if padding != SequencePadding::Valid => conv.strides(1).dilation_rate(2).into(),
                    1 if axes[1].is_multiple_of(2) && conv.filters.is_multiple_of(2) => conv.groups(2).into(),
                    _ => conv.into(),
                }
            }
            Self::MaxPooling1D => {
                let (size, strides) = stretch(random, axes, 3)?;
                let pool = MaxPooling1D::new(size).padding(*[Valid, Same].choose(random)?);
                if random.random() { pool.strides(strides).into() } else { pool.into() }
            }
            Self::AveragePooling1D => {
                let (size, strides) = stretch(random, axes, 3)?;
                let pool = AveragePooling1D::new(size).padding(*[Valid, Same].choose(random)?);
                if random.random() { pool.strides(strides).into() } else { pool.into() }
            }
            Self::GlobalAveragePooling1D if axes.len() == 2 => {
                GlobalAveragePooling1D::new().keepdims(random.random()).into()
            }
            Self::GlobalMaxPooling1D if axes.len() == 2 => GlobalMaxPooling1D::new().keepdims(random.random()).into(),
            Self::Embedding if axes.len() == 1 => {
                let layer = Embedding::new(random.random_range(1..=20), width(random));
                layer.mask_zero(random.random()).trainable(random.random_bool(0.9)).into()
            }
            Self::Masking if axes.len() == 2 => Masking::new().mask_value(*[0.0, -1.0].choose(random)?).into(),
            Self::GlobalAveragePooling1D | Self::GlobalMaxPooling1D | Self::Embedding | Self::Masking => return None,
            Self::MaxPooling2D => {
                let Window { size, strides, padding } = window(random, axes, 3)?;
                let pool = MaxPooling2D::new(size).padding(padding);
                if random.random() { pool.strides(strides).into() } else { pool.into() }
            }
            Self::AveragePooling2D => {
                let Window { size, strides, padding } = window(random, axes, 3)?;
                let pool = AveragePooling2D::new(size).padding(padding);
                if random.random() { pool.strides(strides).into() } else { pool.into() }
            }
            Self::GlobalAveragePooling2D if axes.len() == 3 => {
                GlobalAveragePooling2D::new().keepdims(random.random()).into()
            }
            Self::ZeroPadding2D if axes.len() == 3 => {
                let mut pair = || (random.random_range(0..=2), random.random_range(0..=2));
                ZeroPadding2D::asymmetric(pair(), pair()).into()
            }
            Self::GlobalMaxPooling2D if axes.len() == 3 => GlobalMaxPooling2D::new().keepdims(random.random()).into(),
            Self::Cropping2D if axes.len() == 3 => {
                let mut pair = |len: usize| {
                    let before = random.random_range(0..len.min(3));
                    (before, random.random_range(0..(len - before).min(3)))
                };
                Cropping2D::asymmetric(pair(axes[0]), pair(axes[1])).into()
            }
            Self::UpSampling2D if axes.len() == 3 => {
                let size = (random.random_range(1..=3), random.random_range(1..=3));
                let interpolation = *[Interpolation::Nearest, Interpolation::Bilinear].choose(random)?;
                UpSampling2D::new(size).interpolation(interpolation).into()
            }
            Self::GlobalAveragePooling2D
            | Self::GlobalMaxPooling2D
            | Self::ZeroPadding2D
            | Self::Cropping2D
            | Self::UpSampling2D => return None,
            Self::Permute => {
                let mut dims: Vec<usize> = (1..=axes.len()).collect();
                dims.shuffle(random);
                Permute::new(dims).into()
            }
            Self::RepeatVector if axes.len() == 1 => RepeatVector::new(random.random_range(1..=5)).into(),
            Self::RepeatVector => return None,
            Self::BatchNormalization => {
                let norm = BatchNormalization::new().epsilon(0.1).momentum(0.7);
                let axis = if random.random_bool(0.6) { -1 } else { random.random_range(1..=axes.len() as i64) };
                let norm = norm.axis(axis);
                norm.center(random.random()).scale(random.random()).trainable(random.random_bool(0.7)).into()
            }
            Self::LayerNormalization => {
                let mut from: Vec<i64> = (1..=axes.len() as i64).map(|axis| -axis).collect();
                let count = random.random_range(1..=axes.len());
                // The last axes, or any.
                if random.random_bool(0.3) {
                    from.shuffle(random);
                }
                let norm = LayerNormalization::new().epsilon(0.1).axis(&from[..count]);
                norm.center(random.random()).scale(random.random()).into()
            }
            Self::GroupNormalization => {
                let channels = axes.last().copied()?;
                let groups =
                    (1..=channels).filter(|groups| channels.is_multiple_of(*groups)).map(|groups| groups as i64);
                let groups: Vec<i64> = groups.chain([-1]).collect();
                let norm = GroupNormalization::new().epsilon(0.1).groups(*groups.choose(random)?);
                norm.center(random.random()).scale(random.random()).into()
            }
            Self::Reshape => Reshape::new(same_len(random, axes.iter().product())).into(),
            Self::Dense if axes.len() <= 2 => {
                Dense::new(width(random)).activation(function(random)).use_bias(random.random()).into()
            }
            Self::Dense => return None,
            Self::Flatten => Flatten::new().into(),
            Self::Activation => Activation::new(function(random)).into(),
            Self::ReLU => {
                let relu =
                    ReLU::new().negative_slope(*[0.0, 0.3].choose(random)?).threshold(*[0.0, 0.25].choose(random)?);
                if random.random() { relu.max_value(0.5).into() } else { relu.into() }
            }
            Self::LeakyReLU => LeakyReLU::new().negative_slope(*[0.0, 0.1, 0.3].choose(random)?).into(),
            Self::ELU => ELU::new().alpha(*[0.5, 1.0, 1.5].choose(random)?).into(),
            Self::Dropout => Dropout::new(*[0.25, 0.5].choose(random)?).into(),
            Self::SpatialDropout2D if axes.len() == 3 => SpatialDropout2D::new(*[0.25, 0.5].choose(random)?).into(),
            Self::SpatialDropout2D => return None,
            Self::GaussianNoise => GaussianNoise::new(*[0.1, 0.5].choose(random)?).into(),
            Self::GaussianDropout => GaussianDropout::new(*[0.25, 0.5].choose(random)?).into(),
            Self::AlphaDropout => AlphaDropout::new(*[0.25, 0.5].choose(random)?).into(),
            Self::PReLU => {
                let shared: Vec<usize> = (1..=axes.len()).filter(|_| random.random()).collect();
                PReLU::new().shared_axes(shared).into()
            }
            Self::Normalization => normalization(random, axes)?,
            Self::Rescaling => {
                Rescaling::new(random.random_range(-2.0..2.0)).offset(random.random_range(-1.0..1.0)).into()
            }
            Self::Add => Add::new().into(),
            Self::Subtract => Subtract::new().into(),
            Self::Multiply => Multiply::new().into(),
            Self::Average => Average::new().into(),
            Self::Maximum => Maximum::new().into(),
            Self::Minimum => Minimum::new().into(),
            Self::Concatenate => Concatenate::new().into(),
            Self::SimpleRNN | Self::LSTM | Self::GRU | Self::Bidirectional | Self::TimeDistributed => {
                recurrent::layer(self, random, axes.len())?
            }
        })
    }
}
