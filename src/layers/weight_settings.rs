//! What layers with weights let users set of those, in the same words for all of them.

use super::Initializer;

/// Declares the setters of a layer with a kernel and a bias.
macro_rules! kernel_and_bias_setters {
    () => {
        setters! {
            /// Sets how the first values of the kernel are drawn.
            kernel_initializer: Initializer,

            /// Sets how the first values of the bias are drawn.
            bias_initializer: Initializer,
        }
    };
}
pub(super) use kernel_and_bias_setters;

/// Keras' default of `kernel_initializer`.
pub(super) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}

/// Keras' default of `bias_initializer`.
pub(super) fn zeros() -> Initializer {
    Initializer::Zeros
}
