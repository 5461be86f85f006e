//! What layers with weights let users set of those, in the same words for all of them.

use super::Initializer;

/// Declares the setters of a layer with a kernel and a bias, and what it declares of those.
macro_rules! kernel_and_bias {
    () => {
        setters! {
            /// Sets how the first values of the kernel are drawn.
            kernel_initializer: Initializer,

            /// Sets how the first values of the bias are drawn.
            bias_initializer: Initializer,
        }

        /// Sets what the kernel adds to the loss.
        #[must_use]
        pub fn kernel_regularizer(self, kernel_regularizer: impl Into<Option<Regularizer>>) -> Self {
            Self { kernel_regularizer: kernel_regularizer.into(), ..self }
        }

        /// Sets what the bias adds to the loss.
        #[must_use]
        pub fn bias_regularizer(self, bias_regularizer: impl Into<Option<Regularizer>>) -> Self {
            Self { bias_regularizer: bias_regularizer.into(), ..self }
        }

        /// Sets what the output, behind the activation, adds to the loss: its values, summed over an example. Losses that
        /// take what comes before a last softmax or sigmoid, as cross-entropies do, cannot be those of an output with one.
        #[must_use]
        pub fn activity_regularizer(self, activity_regularizer: impl Into<Option<Regularizer>>) -> Self {
            Self { activity_regularizer: activity_regularizer.into(), ..self }
        }

        /// Sets what the kernel is brought to after each step.
        #[must_use]
        pub fn kernel_constraint(self, kernel_constraint: impl Into<Option<Constraint>>) -> Self {
            Self { kernel_constraint: kernel_constraint.into(), ..self }
        }

        /// Sets what the bias is brought to after each step.
        #[must_use]
        pub fn bias_constraint(self, bias_constraint: impl Into<Option<Constraint>>) -> Self {
            Self { bias_constraint: bias_constraint.into(), ..self }
        }

        /// Its kernel, and its bias if it has one, with what users have set of them.
        fn kernel_and_bias(&self, kernel: Vec<usize>, outputs: usize) -> Result<Vec<WeightSpec>, String> {
            let kernel = WeightSpec::kernel("kernel", kernel)
                .initialized(self.kernel_initializer)?
                .regularized(self.kernel_regularizer)?
                .constrained(self.kernel_constraint.as_ref())?;
            if !self.use_bias {
                return Ok(vec![kernel]);
            }
            let bias = WeightSpec::zeros("bias", vec![outputs])
                .initialized(self.bias_initializer)?
                .regularized(self.bias_regularizer)?
                .constrained(self.bias_constraint.as_ref())?;
            Ok(vec![kernel, bias])
        }
    };
}
pub(super) use kernel_and_bias;

/// A weight with what users have set of it, in fields of this prefix.
macro_rules! weight {
    ($layer:ident, $spec:expr, kernel) => {
        weight!(@ $layer, $spec, kernel_initializer, kernel_regularizer, kernel_constraint)
    };
    ($layer:ident, $spec:expr, bias) => {
        weight!(@ $layer, $spec, bias_initializer, bias_regularizer, bias_constraint)
    };
    ($layer:ident, $spec:expr, depthwise) => {
        weight!(@ $layer, $spec, depthwise_initializer, depthwise_regularizer, depthwise_constraint)
    };
    ($layer:ident, $spec:expr, pointwise) => {
        weight!(@ $layer, $spec, pointwise_initializer, pointwise_regularizer, pointwise_constraint)
    };
    ($layer:ident, $spec:expr, gamma) => {
        weight!(@ $layer, $spec, gamma_initializer, gamma_regularizer, gamma_constraint)
    };
    ($layer:ident, $spec:expr, beta) => {
        weight!(@ $layer, $spec, beta_initializer, beta_regularizer, beta_constraint)
    };
    (@ $layer:ident, $spec:expr, $initializer:ident, $regularizer:ident, $constraint:ident) => {
        $spec
            .initialized($layer.$initializer)?
            .regularized($layer.$regularizer)?
            .constrained($layer.$constraint.as_ref())?
    };
}
pub(super) use weight;

/// Keras' default of `kernel_initializer`.
pub(super) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform
}

/// Keras' default of `bias_initializer`.
pub(super) fn zeros() -> Initializer {
    Initializer::Zeros
}
