//! How the values are drawn that a weight starts from: what users choose, and the distributions it stands for, which
//! `train` draws from.

use super::named_alone::{self, NamedAlone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the values are drawn that a weight starts from, with [Keras'](https://keras.io/api/layers/initializers/) names,
/// defaults and distributions.
///
/// Most depend on how many values an output is made from and how many outputs an input goes into: the *fans* of a
/// kernel, which are its last two axes, each times its window. Distributions called normal are cut off at two standard
/// deviations, and widened so that they keep their variance, but for [`RandomNormal`](Self::RandomNormal).
///
/// ```
/// use inkstone::prelude::*;
/// let model = Sequential::new([784])
///     .add(Dense::new(64).activation(Relu).kernel_initializer(Initializer::HeNormal))
///     .add(Dense::new(10).activation(Softmax).bias_initializer(Initializer::Constant { value: 0.1 }))
///     .compile(Adam::default(), SparseCategoricalCrossentropy::default(), [])?;
/// let kernel = model.get_weight("dense/kernel")?.values;
/// let variance = kernel.iter().map(|w| w * w).sum::<f32>() / kernel.len() as f32;
/// assert!((variance * 784.0 / 2.0 - 1.0).abs() < 0.05);
/// assert!(model.get_weight("dense_1/bias")?.values.iter().all(|bias| *bias == 0.1));
/// # Ok::<(), inkstone::Error>(())
/// ```
///
/// In JSON they have Keras' names: `"he_normal"`, or `{"random_normal": {"stddev": 0.1}}`, whose fields have Keras'
/// defaults where they are left out; `"random_normal"` alone leaves out all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, remote = "Self")]
#[non_exhaustive]
pub enum Initializer {
    /// All are 0.
    Zeros,
    /// All are 1.
    Ones,
    /// All are one number.
    Constant {
        /// The number; 0 in files that leave it out.
        #[serde(default)]
        value: f32,
    },
    /// A matrix with this number on its diagonal and 0 elsewhere: for weights of two axes, as the kernels of
    /// [`Dense`](crate::layers::Dense).
    Identity {
        /// The number on the diagonal.
        #[serde(default = "one")]
        gain: f32,
    },
    /// An orthogonal matrix times this number ([Saxe et al., 2014](https://arxiv.org/abs/1312.6120)): what leads to
    /// the outputs are vectors of length 1 at right angles to each other, or as rows are if there are more outputs than
    /// inputs. A kernel of more than two axes is a matrix of (all others, outputs).
    Orthogonal {
        /// The factor.
        #[serde(default = "one")]
        gain: f32,
    },
    /// Uniform up to `sqrt(6 / (fan in + fan out))`, the default of kernels ([Glorot and Bengio,
    /// 2010](https://proceedings.mlr.press/v9/glorot10a.html)).
    GlorotUniform,
    /// Normal with the variance `2 / (fan in + fan out)`.
    GlorotNormal,
    /// Uniform up to `sqrt(6 / fan in)` ([He et al., 2015](https://arxiv.org/abs/1502.01852)).
    HeUniform,
    /// Normal with the variance `2 / fan in`.
    HeNormal,
    /// Uniform up to `sqrt(3 / fan in)` ([LeCun et al.,
    /// 1998](http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf)).
    LecunUniform,
    /// Normal with the variance `1 / fan in`.
    LecunNormal,
    /// Uniform between two numbers.
    RandomUniform {
        /// The least.
        #[serde(default = "uniform_min")]
        minval: f32,
        /// The greatest.
        #[serde(default = "uniform_max")]
        maxval: f32,
    },
    /// Normal, not cut off.
    RandomNormal {
        /// The mean.
        #[serde(default)]
        mean: f32,
        /// The standard deviation.
        #[serde(default = "stddev")]
        stddev: f32,
    },
    /// Normal, but values further from the mean than two standard deviations are drawn anew.
    TruncatedNormal {
        /// The mean.
        #[serde(default)]
        mean: f32,
        /// The standard deviation of the distribution before it is cut off.
        #[serde(default = "stddev")]
        stddev: f32,
    },
}

fn one() -> f32 {
    1.0
}

fn uniform_min() -> f32 {
    -0.05
}

fn uniform_max() -> f32 {
    0.05
}

fn stddev() -> f32 {
    0.05
}

/// The distribution of a weight's first values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum InitialValues {
    Zeros,
    /// All are this number.
    Constant(f32),
    /// Uniform between `-limit` and `limit`.
    Uniform {
        limit: f32,
    },
    Between {
        min: f32,
        max: f32,
    },
    Normal {
        mean: f32,
        stddev: f32,
    },
    /// Normal, without what is further from the mean than two standard deviations.
    TruncatedNormal {
        mean: f32,
        stddev: f32,
    },
    /// Of the matrix (all axes but the last, last axis) either the columns or the rows, whichever are fewer, are
    /// orthogonal to each other and have this length.
    Orthogonal {
        gain: f32,
    },
    /// This number on a matrix' diagonal.
    Identity {
        gain: f32,
    },
}

impl Initializer {
    /// The distribution for a weight of this shape.
    ///
    /// # Errors
    /// What it is, in a sentence's end, if it has a number that is out of range or is not for such a weight.
    pub(crate) fn of_shape(self, shape: &[usize]) -> Result<InitialValues, String> {
        let (fan_in, fan_out) = fans(shape);
        let mean_fan = (fan_in + fan_out) / 2.0;
        let uniform = |scale: f32, fan: f32| InitialValues::Uniform { limit: (3.0 * scale / fan).sqrt() };
        let normal =
            |scale: f32, fan: f32| InitialValues::TruncatedNormal { mean: 0.0, stddev: (scale / fan).sqrt() / CUT_OFF };
        self.check(shape)?;
        Ok(match self {
            Self::Zeros => InitialValues::Zeros,
            Self::Ones => InitialValues::Constant(1.0),
            Self::Constant { value } => InitialValues::Constant(value),
            Self::Identity { gain } => InitialValues::Identity { gain },
            Self::Orthogonal { gain } => InitialValues::Orthogonal { gain },
            Self::GlorotUniform => {
                InitialValues::Uniform { limit: glorot_limit(shape).unwrap_or_else(|| (3.0 / mean_fan).sqrt()) }
            }
            Self::GlorotNormal => normal(1.0, mean_fan),
            Self::HeUniform => uniform(2.0, fan_in),
            Self::HeNormal => normal(2.0, fan_in),
            Self::LecunUniform => uniform(1.0, fan_in),
            Self::LecunNormal => normal(1.0, fan_in),
            Self::RandomUniform { minval, maxval } => InitialValues::Between { min: minval, max: maxval },
            Self::RandomNormal { mean, stddev } => InitialValues::Normal { mean, stddev },
            Self::TruncatedNormal { mean, stddev } => InitialValues::TruncatedNormal { mean, stddev },
        })
    }

    /// # Errors
    /// As [`of_shape`](Self::of_shape).
    fn check(self, shape: &[usize]) -> Result<(), String> {
        let axes = shape.len();
        let is_positive = |stddev: f32| stddev.is_finite() && stddev >= 0.0;
        let problem = match self {
            Self::Identity { gain } if axes != 2 => {
                format!("for a weight of {axes} axes, got Identity {{ gain: {gain:?} }}, which is for two")
            }
            Self::Orthogonal { gain } if axes < 2 => {
                format!("for a weight of one axis, got Orthogonal {{ gain: {gain:?} }}, which is for two or more")
            }
            Self::Constant { value: number } | Self::Identity { gain: number } | Self::Orthogonal { gain: number }
                if !number.is_finite() =>
            {
                format!("of a finite number, got {self:?}")
            }
            Self::RandomUniform { minval, maxval } if !(minval <= maxval && (maxval - minval).is_finite()) => {
                format!("whose `minval` is at most its `maxval`, both finite and less than 3e38 apart, got {self:?}")
            }
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev }
                if !(mean.is_finite() && is_positive(stddev)) =>
            {
                format!("with a finite mean and a finite `stddev` of at least 0, got {self:?}")
            }
            Self::Zeros
            | Self::Ones
            | Self::Constant { .. }
            | Self::Identity { .. }
            | Self::Orthogonal { .. }
            | Self::GlorotUniform
            | Self::GlorotNormal
            | Self::HeUniform
            | Self::HeNormal
            | Self::LecunUniform
            | Self::LecunNormal
            | Self::RandomUniform { .. }
            | Self::RandomNormal { .. }
            | Self::TruncatedNormal { .. } => return Ok(()),
        };
        Err(problem)
    }
}

/// The standard deviation of the normal distribution of deviation 1 that is cut off at -2 and 2.
const CUT_OFF: f32 = 0.879_625_6;

/// How many values an output of a weight is made from, and how many outputs an input goes into, as Keras counts them.
fn fans(shape: &[usize]) -> (f32, f32) {
    let (window, inputs, outputs) = match shape {
        [] => (1.0, 1, 1),
        [values] => (1.0, *values, *values),
        [window @ .., inputs, outputs] => (window.iter().map(|axis| *axis as f32).product::<f32>(), *inputs, *outputs),
    };
    ((window * inputs as f32).max(1.0), (window * outputs as f32).max(1.0))
}

/// How far from 0 Glorot's uniform distribution reaches for a kernel whose last axes are its inputs and its outputs;
/// `None` for one of fewer axes.
pub(crate) fn glorot_limit(shape: &[usize]) -> Option<f32> {
    let [window @ .., channels, filters] = shape else { return None };
    let window = window.iter().map(|axis| *axis as f32).product::<f32>();
    let fans = window * (*channels as f32 + *filters as f32);
    Some((6.0 / fans).sqrt())
}

impl NamedAlone for Initializer {
    const WHAT: &'static str = "an initializer, as \"he_normal\" or {\"random_normal\": {\"stddev\": 0.1}}";
    const WITH_FIELDS: &'static [&'static str] =
        &["constant", "identity", "orthogonal", "random_uniform", "random_normal", "truncated_normal"];

    fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Initializer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named_alone::deserialize(deserializer)
    }
}

impl Serialize for Initializer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}
