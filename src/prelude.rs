//! Everything that a program which trains a model names: `use inkstone::prelude::*;`.

pub use crate::callbacks::{BackupAndRestore, EarlyStopping, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau};
pub use crate::data::{Dataset, mnist};
pub use crate::fit::FitConfig;
pub use crate::functional::{Functional, Input, Node, Shared};
pub use crate::layers::ActivationFunction::{
    Elu, Exponential, Gelu, GeluTanh, HardSigmoid, LeakyRelu, Linear, Mish, Relu, Relu6, Selu, Sigmoid, Silu, Softmax,
    Softplus, Softsign, Tanh,
};
pub use crate::layers::{
    Activation, ActivationFunction, Add, AlphaDropout, Average, AveragePooling1D, AveragePooling2D, BatchNormalization,
    Bidirectional, Concatenate, Constraint, Conv1D, Conv2D, Conv2DTranspose, Cropping2D, Dense, DepthwiseConv2D,
    Dropout, ELU, Embedding, Flatten, GRU, GaussianDropout, GaussianNoise, GlobalAveragePooling1D,
    GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, Initializer, Interpolation,
    LSTM, LayerNormalization, LeakyReLU, Masking, MaxPooling1D, MaxPooling2D, Maximum, MergeMode, Minimum, Multiply,
    Normalization, PReLU, Permute, ReLU, Regularizer, RepeatVector, Rescaling, Reshape, SeparableConv2D, SimpleRNN,
    SpatialDropout2D, Subtract, TimeDistributed, UpSampling2D, ZeroPadding2D,
};
pub use crate::loss::{
    BinaryCrossentropy, CategoricalCrossentropy, Huber, KlDivergence, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
};
pub use crate::metrics;
pub use crate::metrics::Metric::Accuracy;
pub use crate::metrics::{Auc, BinaryAccuracy, F1Score, Metric, Precision, Recall, TopKCategoricalAccuracy};
pub use crate::model::Model;
pub use crate::objective::Objective;
pub use crate::optimizer::{Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, OptimizerOptions, RmsProp, Sgd};
pub use crate::optimizer::{CosineDecay, ExponentialDecay, OneCycle, PiecewiseConstantDecay, WarmUp};
pub use crate::predictor::Predictor;
pub use crate::pretrained::Pretrained;
pub use crate::quantized::QuantizedPredictor;
pub use crate::sequential::Sequential;
pub use crate::shape::Padding::{self, Same, Valid};
pub use crate::training::Interrupt;
